"""The map of the inventory house."""

from django.urls import path

from inventory.views import hosts, pools, quotas, resources

app_name = "inventory"
urlpatterns = [
    path("resources/", resources.Resources.as_view(), name="resources"),
    path("resources/<int:pk>/", resources.ResourceDetail.as_view(), name="resource"),
    path("pools/", pools.Pools.as_view(), name="pools"),
    path("pools/<slug:slug>/", pools.PoolDetail.as_view(), name="pool"),
    path("pools/<slug:slug>/people/", pools.PoolPeople.as_view(), name="pool-people"),
    path("pools/<slug:slug>/people/new/", pools.GrantPoolRole.as_view(), name="pool-grant"),
    path(
        "pools/<slug:slug>/people/<int:grant>/revoke/",
        pools.RevokePoolRole.as_view(),
        name="pool-revoke",
    ),
    path("pools/<slug:slug>/use/", pools.PoolHistoryPage.as_view(), name="pool-use"),
    path("hosts/", hosts.Hosts.as_view(), name="hosts"),
    path("hosts/<int:pk>/", hosts.HostDetail.as_view(), name="host"),
    path("host-groups/", hosts.HostGroups.as_view(), name="host-groups"),
    path("host-groups/<int:pk>/", hosts.HostGroupDetail.as_view(), name="host-group"),
    path("properties/", hosts.Traits.as_view(), name="traits"),
    path("held/", quotas.Held.as_view(), name="held"),
    path("quotas/", quotas.Quotas.as_view(), name="quotas"),
]
