"""How the inventory's lists are narrowed: one set of filters for page, file and API."""

from typing import Any, ClassVar

import django_filters as filters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from inventory.choices import AggregateKind, AllocationState, ProviderState, ResourceStatus
from inventory.foundation.filters import PortalFilterSet, ProjectChoice
from inventory.foundation.permissions import Action
from inventory.models import (
    Aggregate,
    Allocation,
    Pool,
    Quota,
    Resource,
    ResourceClass,
    ResourceProvider,
    Trait,
)
from inventory.selectors import pools_where, visible_pools
from inventory.selectors.hosts import visible_aggregates, visible_traits


def pools_of(request: HttpRequest | None) -> QuerySet[Pool]:
    """Return the pools that a filter may name: those that the person sees."""
    if request is None or not request.user.is_authenticated:
        return Pool.objects.none()
    return visible_pools(request.user).distinct().order_by("name")


class ResourceFilter(PortalFilterSet):
    """By text (name, application, kind), project, state, kind, pool, environment, application."""

    search = ("name", "application", "kind")
    project = ProjectChoice()
    status = filters.ChoiceFilter(
        method="in_state",
        choices=[("live", _("Everything but gone")), *ResourceStatus.choices],
        label=_("State"),
    )
    kind = filters.CharFilter(label=_("Kind"), max_length=80)
    pool = filters.ModelChoiceFilter(queryset=pools_of, label=_("Pool"))
    environment = filters.CharFilter(label=_("Environment"), max_length=20)
    application = filters.CharFilter(label=_("Application"), max_length=80)

    class Meta:
        model = Resource
        fields: ClassVar[list[str]] = []

    def in_state(self, queryset: Any, _name: str, value: str) -> QuerySet[Resource]:
        """Keep one state, or all that is not gone."""
        return queryset.live() if value == "live" else queryset.filter(status=value)


class HostFilter(PortalFilterSet):
    """By name and by whether it takes new work."""

    search = ("name",)
    state = filters.ChoiceFilter(choices=ProviderState.choices, label=_("State"))

    class Meta:
        model = ResourceProvider
        fields: ClassVar[list[str]] = []


def _asker(request: HttpRequest | None) -> Any:
    """Return who asks; None for nobody."""
    return request.user if request is not None and request.user.is_authenticated else None


def open_pools_of(request: HttpRequest | None) -> QuerySet[Pool]:
    """Return the pools that the person may look into."""
    user = _asker(request)
    return pools_where(user, Action.POOL_VIEW).order_by("name") if user else Pool.objects.none()


def traits_of(request: HttpRequest | None) -> QuerySet[Trait]:
    """Return the properties that the person sees."""
    user = _asker(request)
    return visible_traits(user).order_by("name") if user else Trait.objects.none()


def groups_of(request: HttpRequest | None) -> QuerySet[Aggregate]:
    """Return the groups of hosts that the person sees."""
    user = _asker(request)
    return visible_aggregates(user).order_by("name") if user else Aggregate.objects.none()


class PoolFilter(PortalFilterSet):
    """By text (name, short name, region, zone) and whether it takes requests."""

    search = ("name", "slug", "region", "zone")
    is_open = filters.BooleanFilter(label=_("Takes requests"))

    class Meta:
        model = Pool
        fields: ClassVar[list[str]] = []


class AllHostsFilter(HostFilter):
    """Hosts of all pools: also by pool, property, group, and whether they serve others."""

    pool = filters.ModelChoiceFilter(queryset=open_pools_of, label=_("Pool"))
    trait = filters.ModelChoiceFilter("traits", queryset=traits_of, label=_("Property"))
    group = filters.ModelChoiceFilter("aggregates", queryset=groups_of, label=_("Group"))
    shared = filters.BooleanFilter("is_sharing", label=_("Serves other hosts"))

    class Meta(HostFilter.Meta):
        pass


class TraitFilter(PortalFilterSet):
    """By text and by the pool in which something has it."""

    search = ("name", "description")
    pool = filters.ModelChoiceFilter(method="in_pool", queryset=pools_of, label=_("Pool"))

    class Meta:
        model = Trait
        fields: ClassVar[list[str]] = []

    def in_pool(self, queryset: QuerySet[Trait], _name: str, value: Pool) -> QuerySet[Trait]:
        """Keep what something in the pool has, each once."""
        there = ResourceProvider.objects.filter(pool=value)
        return queryset.filter(pk__in=there.values("traits"))


class GroupFilter(PortalFilterSet):
    """By name and kind."""

    kind = filters.ChoiceFilter(choices=AggregateKind, label=_("Kind"))

    class Meta:
        model = Aggregate
        fields: ClassVar[list[str]] = []


class ResourceClassFilter(PortalFilterSet):
    """By text."""

    search = ("name", "label", "description")

    class Meta:
        model = ResourceClass
        fields: ClassVar[list[str]] = []


class HeldFilter(PortalFilterSet):
    """By text (resource, application, project), project, pool, kind, state, resource, host."""

    search = ("resource__name", "resource__application", "resource__project__name")
    project = ProjectChoice(field_name="resource__project")
    pool = filters.ModelChoiceFilter("resource__pool", queryset=pools_of, label=_("Pool"))
    resource_class = filters.ModelChoiceFilter(
        queryset=ResourceClass.objects.order_by("label"), label=_("Kind of capacity")
    )
    state = filters.ChoiceFilter(choices=AllocationState, label=_("State"))
    resource = filters.NumberFilter(
        "resource_id", label=_("Number of the resource"), min_value=1, max_value=2**63 - 1
    )
    host = filters.NumberFilter(
        method="on_host", label=_("Number of the host"), min_value=1, max_value=2**63 - 1
    )

    class Meta:
        model = Allocation
        fields: ClassVar[list[str]] = []

    def on_host(
        self, queryset: QuerySet[Allocation], _name: str, value: Any
    ) -> QuerySet[Allocation]:
        """Keep what a host and the devices in it hold, if the person may look into its pool."""
        tree = Q(provider_id=value) | Q(provider__root_id=value)
        return queryset.filter(tree, host__isnull=False)


class QuotaFilter(PortalFilterSet):
    """By text (whose it is), project, kind of capacity, whose, and whether it is used up."""

    search = ("project__name", "organisation__name", "resource_class__label")
    project = ProjectChoice()
    resource_class = filters.ModelChoiceFilter(
        queryset=ResourceClass.objects.order_by("label"), label=_("Kind of capacity")
    )
    holds_for = filters.ChoiceFilter(
        method="by_holder",
        choices=[("project", _("Projects")), ("organisation", _("Organisations"))],
        label=_("Holds for"),
    )
    used_up = filters.BooleanFilter(method="is_used_up", label=_("Used up"))

    class Meta:
        model = Quota
        fields: ClassVar[list[str]] = []

    def by_holder(self, queryset: QuerySet[Quota], _name: str, value: str) -> QuerySet[Quota]:
        """Keep the quotas of projects, or of organisations."""
        return queryset.filter(organisation__isnull=value == "project")

    def is_used_up(self, queryset: QuerySet[Quota], _name: str, value: bool) -> QuerySet[Quota]:
        """Keep what nothing is left of, or the rest."""
        return queryset.filter(left__lte=0) if value else queryset.filter(left__gt=0)
