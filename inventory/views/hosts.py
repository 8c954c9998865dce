"""The pages of hosts, groups of hosts and properties."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy

from inventory.choices import AllocationState, ProviderState
from inventory.filters import AllHostsFilter, GroupFilter, TraitFilter
from inventory.foundation.clock import database_now
from inventory.foundation.pages import DetailPage, ListPage
from inventory.foundation.permissions import Action
from inventory.models import Aggregate, ResourceProvider, Trait
from inventory.selectors.holdings import visible_allocations
from inventory.selectors.hosts import (
    inventories_of,
    stretches_of,
    visible_aggregates,
    visible_hosts,
    visible_traits,
)
from inventory.tables import AllHostsTable, GroupTable, TraitTable

SHOWN = 50


class Hosts(ListPage):
    """The hosts, storage and devices of all pools that the viewer may look into."""

    title = gettext_lazy("Hosts, storage and devices")
    subtitle = gettext_lazy("What the pools that you look after are made of.")
    action = Action.POOL_VIEW
    filterset_class = AllHostsFilter
    api = "api:host-list"
    table_class = AllHostsTable
    sees = Action.POOL_VIEW
    empty_title = gettext_lazy("No hosts yet")
    empty_icon = "server"

    def rows(self) -> QuerySet[ResourceProvider]:
        """Return the visible hosts."""
        return visible_hosts(self.viewer).select_related("pool", "parent")


class HostDetail(DetailPage):
    """One host: what it has, what of it is held by whom, and how that changes."""

    template_name = "inventory/hosts/detail.html"

    def rows(self) -> QuerySet[ResourceProvider]:
        """Return the visible hosts."""
        return visible_hosts(self.viewer).select_related("pool", "parent", "root")

    def context(self) -> dict[str, Any]:
        """Return what the page shows."""
        host: ResourceProvider = self.object
        at = database_now()
        held = visible_allocations(self.viewer).exclude(state=AllocationState.RELEASED)
        held = held.filter(Q(provider=host) | Q(provider__root=host))
        return {
            "at": at,
            "state": ProviderState(host.state),
            "traits": host.traits.order_by("name"),
            "groups": host.aggregates.order_by("kind", "name"),
            "parts": host.children.order_by("name")[:SHOWN],
            "inventories": inventories_of(host=host, at=at),
            "stretches": stretches_of(host=host, at=at, at_most=SHOWN),
            "held": [
                (row, AllocationState(row.state))
                for row in held.order_by("resource__name", "resource_class__name", "pk")[:SHOWN]
            ],
            "held_count": held.count(),
        }


class HostGroups(ListPage):
    """Racks, zones, power feeds and other groups of which the viewer sees a host."""

    title = gettext_lazy("Groups of hosts")
    subtitle = gettext_lazy("What hosts share: a rack, a zone, a power feed.")
    action = Action.POOL_VIEW
    filterset_class = GroupFilter
    api = "api:host-group-list"
    table_class = GroupTable
    sees = Action.POOL_VIEW
    empty_title = gettext_lazy("No groups yet")
    empty_text = gettext_lazy("A group is made when hosts are imported with their rack.")
    empty_icon = "layers"

    def rows(self) -> QuerySet[Aggregate]:
        """Return the visible groups."""
        return visible_aggregates(self.viewer)


class HostGroupDetail(DetailPage):
    """One group with those of its hosts that the viewer sees."""

    template_name = "inventory/hosts/group.html"

    def rows(self) -> QuerySet[Aggregate]:
        """Return the visible groups."""
        return visible_aggregates(self.viewer)

    def context(self) -> dict[str, Any]:
        """Return the hosts by pool and name."""
        members = visible_hosts(self.viewer).filter(aggregates=self.object).select_related("pool")
        return {
            "members": [
                (host, ProviderState(host.state))
                for host in members.order_by("pool__name", "name")[:SHOWN]
            ]
        }


class Traits(ListPage):
    """The properties that something in a pool of the viewer has."""

    title = gettext_lazy("Properties")
    subtitle = gettext_lazy("What hosts have that cannot be counted. A service may need some.")
    filterset_class = TraitFilter
    api = "api:trait-list"
    table_class = TraitTable
    sees = None
    empty_title = gettext_lazy("No properties yet")
    empty_text = gettext_lazy("A property appears here when a host of your pools has it.")
    empty_icon = "tag"

    def rows(self) -> QuerySet[Trait]:
        """Return the visible properties."""
        return visible_traits(self.viewer)
