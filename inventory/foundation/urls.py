"""The map of the cellar: people, projects, audit, sign-in."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from inventory.foundation import views

app_name = "foundation"
urlpatterns = [
    path("login/", views.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("find/", views.FindPage.as_view(), name="find"),
    path("audit/", views.AuditList.as_view(), name="audit"),
    path("audit/<int:pk>/", views.AuditPage.as_view(), name="audit-entry"),
    path("events/", views.EventList.as_view(), name="events"),
    path("events/<int:pk>/", views.EventPage.as_view(), name="event"),
    path("projects/", views.ProjectList.as_view(), name="projects"),
    path("projects/<int:pk>/", views.ProjectPage.as_view(), name="project"),
    path("projects/new/", views.NewProject.as_view(), name="project-new"),
    path("projects/<int:pk>/edit/", views.EditProject.as_view(), name="project-edit"),
    path("projects/<int:pk>/roles/new/", views.GrantRole.as_view(), name="grant"),
    path("projects/<int:pk>/roles/<int:grant>/revoke/", views.revoke, name="revoke"),
    path("profile/", views.Profile.as_view(), name="profile"),
    path("people/", views.PersonList.as_view(), name="people"),
    path("people/<int:pk>/", views.PersonPage.as_view(), name="person"),
    path("demo/become/", views.become, name="become"),
]
