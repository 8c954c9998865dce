"""Hosts, groups of hosts and properties that a person may see, and what one host has and holds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import DateTimeRangeField
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, StringAgg, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from inventory.foundation.models import User
from inventory.foundation.permissions import Action
from inventory.models import Aggregate, CapacitySpan, Inventory, ResourceProvider, Trait
from inventory.selectors.visibility import pools_where, visible_pools

TRAITS = ResourceProvider.traits.through
MEMBERS = Aggregate.providers.through


def visible_hosts(user: User) -> QuerySet[ResourceProvider]:
    """Return the hosts, storage and devices of the pools that the person may look into."""
    return ResourceProvider.objects.filter(pool__in=pools_where(user, Action.POOL_VIEW))


def visible_aggregates(user: User) -> QuerySet[Aggregate]:
    """Return the groups in which the person sees a host; `hosts` counts those that they see.

    The administrator sees groups without hosts too.
    """
    members = MEMBERS.objects.filter(
        aggregate=OuterRef("pk"), resourceprovider__in=visible_hosts(user)
    )
    rows = Aggregate.objects.annotate(hosts=_count(members, "aggregate"))
    return rows if user.is_superuser else rows.filter(Exists(members))


def visible_traits(user: User) -> QuerySet[Trait]:
    """Return the properties that something in a pool of this person has.

    `pools` names those pools; `hosts` counts what has it in pools that they may look into. The
    administrator sees properties that nothing has too.
    """
    carriers = TRAITS.objects.filter(
        trait=OuterRef("pk"), resourceprovider__pool__in=visible_pools(user)
    )
    looked_into = TRAITS.objects.filter(
        trait=OuterRef("pk"), resourceprovider__in=visible_hosts(user)
    )
    there: QuerySet[Any] = carriers.order_by()
    names = (
        there.values("trait")
        .annotate(names=StringAgg("resourceprovider__pool__name", Value(", "), distinct=True))
        .values("names")
    )
    rows = Trait.objects.annotate(hosts=_count(looked_into, "trait"), pools=Subquery(names))
    return rows if user.is_superuser else rows.filter(Exists(carriers))


def _count(rows: QuerySet[Any], by: str) -> Coalesce:
    counted = rows.order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


@dataclass(frozen=True)
class Stretch:
    """What is used of an inventory over one stretch of time; no end: for good."""

    inventory: Inventory
    start: datetime | None
    end: datetime | None
    used: int
    capacity: int
    shortfall: int


def inventories_of(*, host: ResourceProvider, at: datetime) -> QuerySet[Inventory]:
    """Return what the host and the devices in it have, by device and kind; `used` is held at `at`.

    One query.
    """
    used = CapacitySpan.objects.filter(inventory=OuterRef("pk"), during__contains=at).values("used")
    return (
        Inventory.objects.filter(Q(provider=host) | Q(provider__root=host))
        .annotate(used=Coalesce(Subquery(used[:1]), 0))
        .select_related("provider", "resource_class")
        .order_by("provider__name", "resource_class__name", "pk")
    )


def stretches_of(*, host: ResourceProvider, at: datetime, at_most: int) -> list[Stretch]:
    """Return how the use of the host changes from `at` on, by kind and time; two queries.

    A kind of which nothing is or will be held is left out.
    """
    ahead = CapacitySpan.objects.filter(
        Q(inventory__provider=host) | Q(inventory__provider__root=host),
        during__overlap=Value((at, None), output_field=DateTimeRangeField()),
    )
    in_use = ahead.values("inventory").annotate(most=Sum("used")).filter(most__gt=0)
    rows = (
        ahead.filter(inventory__in=in_use.values("inventory"))
        .select_related("inventory__provider", "inventory__resource_class")
        .order_by("inventory__provider__name", "inventory__resource_class__name", "during")
    )
    return [
        Stretch(
            inventory=span.inventory,
            start=span.during.lower,
            end=span.during.upper,
            used=span.used,
            capacity=span.capacity,
            shortfall=span.shortfall,
        )
        for span in rows[:at_most]
    ]
