"""The map of the inventory house."""

from django.urls import path

from inventory import views

app_name = "inventory"
urlpatterns = [
    path("resources/", views.Resources.as_view(), name="resources"),
    path("resources/<int:pk>/", views.ResourceDetail.as_view(), name="resource"),
    path("pools/", views.Pools.as_view(), name="pools"),
    path("pools/<slug:slug>/", views.PoolDetail.as_view(), name="pool"),
    path("pools/<slug:slug>/people/", views.PoolPeople.as_view(), name="pool-people"),
    path("pools/<slug:slug>/people/new/", views.GrantPoolRole.as_view(), name="pool-grant"),
    path(
        "pools/<slug:slug>/people/<int:grant>/revoke/",
        views.RevokePoolRole.as_view(),
        name="pool-revoke",
    ),
    path("pools/<slug:slug>/use/", views.PoolHistoryPage.as_view(), name="pool-use"),
]
