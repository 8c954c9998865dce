"""The map of the cellar: people, projects, audit, sign-in."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from inventory.foundation.views import (
    doors,
    organisations,
    people,
    projects,
    records,
    requests,
    roles,
    saved_views,
)

app_name = "foundation"
urlpatterns = [
    path("login/", doors.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("find/", doors.FindPage.as_view(), name="find"),
    path("audit/", records.AuditList.as_view(), name="audit"),
    path("audit/<int:pk>/", records.AuditPage.as_view(), name="audit-entry"),
    path("events/", records.EventList.as_view(), name="events"),
    path("events/<int:pk>/", records.EventPage.as_view(), name="event"),
    path("projects/", projects.ProjectList.as_view(), name="projects"),
    path("projects/new/", projects.NewProject.as_view(), name="project-new"),
    path("projects/<int:pk>/edit/", projects.EditProject.as_view(), name="project-edit"),
    path("projects/<int:pk>/reopen/", projects.ReopenProject.as_view(), name="project-reopen"),
    path("projects/<int:pk>/hand-over/", projects.HandOver.as_view(), name="hand-over"),
    path("projects/<int:pk>/move/", projects.MoveProject.as_view(), name="project-move"),
    path("projects/<int:pk>/people/", roles.ProjectRoles.as_view(), name="project-roles"),
    path("projects/<int:pk>/roles/new/", roles.GrantRole.as_view(), name="grant"),
    path("project-requests/", requests.ProjectRequests.as_view(), name="project-requests"),
    path("project-requests/new/", requests.RequestProject.as_view(), name="request-project"),
    path(
        "project-requests/<int:pk>/",
        requests.ProjectRequestPage.as_view(),
        name="project-request",
    ),
    path(
        "project-requests/<int:pk>/decide/",
        requests.DecideProjectRequest.as_view(),
        name="project-request-decide",
    ),
    path(
        "project-requests/<int:pk>/withdraw/",
        requests.withdraw_request,
        name="project-request-withdraw",
    ),
    path("hand-overs/", projects.TransferList.as_view(), name="transfers"),
    path("hand-overs/<int:pk>/", projects.TransferPage.as_view(), name="transfer"),
    path("hand-overs/<int:pk>/withdraw/", projects.withdraw_transfer, name="transfer-withdraw"),
    path("roles/<int:pk>/", roles.RolePage.as_view(), name="role"),
    path("roles/<int:pk>/change/", roles.ChangeRole.as_view(), name="role-change"),
    path("roles/<int:pk>/revoke/", roles.RevokeRole.as_view(), name="revoke"),
    path("organisations/", organisations.OrganisationList.as_view(), name="organisations"),
    path(
        "organisations/<int:pk>/",
        organisations.OrganisationPage.as_view(),
        name="organisation",
    ),
    path("people/add/", roles.AddMember.as_view(), name="member-add"),
    path("profile/", people.Profile.as_view(), name="profile"),
    path("people/", people.PersonList.as_view(), name="people"),
    path("people/<int:pk>/", people.PersonPage.as_view(), name="person"),
    path("views/", saved_views.SavedViews.as_view(), name="views"),
    path("views/new/", saved_views.NewView.as_view(), name="view-new"),
    path("views/<int:pk>/", saved_views.SavedViewPage.as_view(), name="view"),
    path("views/<int:pk>/open/", saved_views.open_view, name="view-open"),
    path("views/<int:pk>/edit/", saved_views.EditView.as_view(), name="view-edit"),
    path("views/<int:pk>/delete/", saved_views.DeleteView.as_view(), name="view-delete"),
    path("views/<int:pk>/choose/", saved_views.choose, name="view-choose"),
    path("files/check/", saved_views.VerifyFile.as_view(), name="verify"),
    path("demo/become/", doors.become, name="become"),
]
