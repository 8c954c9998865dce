"""The map of the cellar: people, projects, audit, sign-in."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from inventory.foundation.views import doors, people, projects, records

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
    path("projects/<int:pk>/", projects.ProjectPage.as_view(), name="project"),
    path("projects/new/", projects.NewProject.as_view(), name="project-new"),
    path("projects/<int:pk>/edit/", projects.EditProject.as_view(), name="project-edit"),
    path("projects/<int:pk>/roles/new/", projects.GrantRole.as_view(), name="grant"),
    path("projects/<int:pk>/roles/<int:grant>/revoke/", projects.revoke, name="revoke"),
    path("profile/", people.Profile.as_view(), name="profile"),
    path("people/", people.PersonList.as_view(), name="people"),
    path("people/<int:pk>/", people.PersonPage.as_view(), name="person"),
    path("demo/become/", doors.become, name="become"),
]
