"""The inventory's endpoints, to read: resources, what they hold, pools, hosts and their words."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.filters import (
    AllHostsFilter,
    GroupFilter,
    HeldFilter,
    PoolFilter,
    QuotaFilter,
    ResourceClassFilter,
    ResourceFilter,
    TraitFilter,
)
from inventory.foundation.api import ReadEndpoint, is_narrow, within_token
from inventory.foundation.clock import database_now
from inventory.models import (
    Aggregate,
    Allocation,
    FormerKind,
    Pool,
    Quota,
    Resource,
    ResourceClass,
    ResourceProvider,
    ResourceState,
    Trait,
)
from inventory.selectors import pool_capacity, visible_pools, visible_resources
from inventory.selectors.holdings import visible_allocations, visible_quotas
from inventory.selectors.hosts import (
    inventories_of,
    visible_aggregates,
    visible_hosts,
    visible_traits,
)
from inventory.serializers import (
    AggregateSerializer,
    HeldSerializer,
    HostDetailSerializer,
    HostSerializer,
    PoolDetailSerializer,
    PoolSerializer,
    QuotaSerializer,
    ResourceClassSerializer,
    ResourceDetailSerializer,
    ResourceSerializer,
    TraitSerializer,
)


class ResourceEndpoint(ReadEndpoint[Resource]):
    """What the projects of the caller hold, newest first."""

    queryset = Resource.objects.none()
    serializer_class = ResourceSerializer
    detail_class = ResourceDetailSerializer
    filterset_class = ResourceFilter

    def rows(self) -> QuerySet[Resource]:
        """Return the visible resources with what they hold, in three queries (one: in five)."""
        held = Allocation.objects.select_related("resource_class").order_by("id")
        rows = visible_resources(self.caller).select_related("project", "pool")
        rows = rows.prefetch_related(Prefetch("allocations", queryset=held))
        if self.action == "retrieve":
            states = ResourceState.objects.order_by("during")
            kinds = FormerKind.objects.order_by("during")
            rows = rows.prefetch_related(
                Prefetch("states", queryset=states), Prefetch("former_kinds", queryset=kinds)
            )
        return within_token(self.request, rows, project="project").order_by("-id")


class HeldEndpoint(ReadEndpoint[Allocation]):
    """How much of each kind of capacity each resource holds or held, newest first."""

    queryset = Allocation.objects.none()
    serializer_class = HeldSerializer
    filterset_class = HeldFilter

    def rows(self) -> QuerySet[Allocation]:
        """Return the visible amounts."""
        rows = visible_allocations(self.caller)
        return within_token(self.request, rows, project="resource__project").order_by("-id")


class QuotaEndpoint(ReadEndpoint[Quota]):
    """The limits of the caller's projects and of the organisations above them."""

    queryset = Quota.objects.none()
    serializer_class = QuotaSerializer
    filterset_class = QuotaFilter

    def rows(self) -> QuerySet[Quota]:
        """Return the visible quotas; a token for one project tells that project's own."""
        rows = visible_quotas(self.caller)
        return within_token(self.request, rows, project="project").order_by("-id")


class ResourceClassEndpoint(ReadEndpoint[ResourceClass]):
    """The kinds of capacity: what quotas, services and pools are counted in."""

    queryset = ResourceClass.objects.none()
    serializer_class = ResourceClassSerializer
    filterset_class = ResourceClassFilter

    def rows(self) -> QuerySet[ResourceClass]:
        """Return all kinds: they are words that everybody counts in."""
        return ResourceClass.objects.order_by("name")


class TraitEndpoint(ReadEndpoint[Trait]):
    """The properties that something in a pool of the caller has."""

    queryset = Trait.objects.none()
    serializer_class = TraitSerializer
    filterset_class = TraitFilter

    def rows(self) -> QuerySet[Trait]:
        """Return the visible properties, by name."""
        if is_narrow(self.request):
            return self.queryset
        return visible_traits(self.caller).order_by("name")


class PoolEndpoint(ReadEndpoint[Pool]):
    """The pools from which the caller may order or that they look after."""

    queryset = Pool.objects.none()
    serializer_class = PoolSerializer
    filterset_class = PoolFilter

    def rows(self) -> QuerySet[Pool]:
        """Return the visible pools, by name."""
        return visible_pools(self.caller).distinct().order_by("name", "pk")

    @extend_schema(responses=PoolDetailSerializer)
    def retrieve(self, _request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """Return one pool with what it has, holds and can still sell now."""
        pool: Any = self.get_object()
        pool.capacity = pool_capacity(pool=pool, at=database_now())
        return Response(PoolDetailSerializer(pool).data)


class HostEndpoint(ReadEndpoint[ResourceProvider]):
    """The hosts, storage and devices of the pools that the caller may look into."""

    queryset = ResourceProvider.objects.none()
    serializer_class = HostSerializer
    filterset_class = AllHostsFilter

    def rows(self) -> QuerySet[ResourceProvider]:
        """Return the visible hosts with properties and groups, by name; three queries."""
        if is_narrow(self.request):
            return self.queryset
        rows = visible_hosts(self.caller).select_related("pool")
        return rows.prefetch_related("traits", "aggregates").order_by("name", "pk")

    @extend_schema(responses=HostDetailSerializer)
    def retrieve(self, _request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """Return one host with what it and the devices in it have."""
        host: Any = self.get_object()
        host.has = inventories_of(host=host, at=database_now())
        return Response(HostDetailSerializer(host).data)


class AggregateEndpoint(ReadEndpoint[Aggregate]):
    """Racks, zones, power feeds and other groups of which the caller sees a host."""

    queryset = Aggregate.objects.none()
    serializer_class = AggregateSerializer
    filterset_class = GroupFilter

    def rows(self) -> QuerySet[Aggregate]:
        """Return the visible groups, by name."""
        if is_narrow(self.request):
            return self.queryset
        return visible_aggregates(self.caller).order_by("name", "pk")
