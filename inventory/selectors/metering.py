"""What was delivered, and when: the intervals that billing meters, clipped to its period."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Greatest, Least

from inventory.models import Allocation, FormerKind, Resource, ResourceState


@dataclass(frozen=True)
class MeteredInterval:
    """An allocation's delivered time, clipped to the asked period."""

    allocation_id: int
    resource_id: int
    resource_class_id: int
    amount: int
    start: datetime
    end: datetime


@dataclass(frozen=True)
class MeteredResource:
    """A resource's delivered time, clipped to the asked period."""

    resource_id: int
    kind: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class MeteredState:
    """A resource's time in one state, clipped to the asked period."""

    resource_id: int
    kind: str
    state: str
    start: datetime
    end: datetime


def metered_allocations(
    *, project_ids: Collection[int], start: datetime, end: datetime
) -> list[MeteredInterval]:
    """Return the active intervals of the projects' allocations that touch [start, end)."""
    rows = (
        Allocation.objects.filter(
            Q(active_to=None) | Q(active_to__gt=Greatest(F("active_from"), start)),
            resource__project__in=project_ids,
            active_from__lt=end,
        )
        .order_by("pk")
        .values_list(
            "id",
            "resource_id",
            "resource_class_id",
            "amount",
            Greatest("active_from", Value(start)),
            Least(Coalesce("active_to", Value(end)), Value(end)),
        )
    )
    return [MeteredInterval(*row) for row in rows]


def metered_resources(
    *, project_ids: Collection[int], start: datetime, end: datetime
) -> list[MeteredResource]:
    """Return the delivered time of the projects' resources that touches [start, end)."""
    rows = (
        Resource.objects.filter(
            Q(ended_at=None) | Q(ended_at__gt=Greatest(F("delivered_at"), start)),
            project__in=project_ids,
            delivered_at__lt=end,
        )
        .order_by("pk")
        .values_list(
            "id",
            "kind",
            Greatest("delivered_at", Value(start)),
            Least(Coalesce("ended_at", Value(end)), Value(end)),
        )
    )
    return [MeteredResource(*row) for row in rows]


@dataclass(frozen=True)
class KindBefore:
    """What a resource was called over [start, end); a start of None is its beginning."""

    kind: str
    start: datetime | None
    end: datetime


def kinds_before(*, resource_ids: Collection[int]) -> dict[int, list[KindBefore]]:
    """Return what resources were called before they became other services, oldest first.

    Most resources never do and are not in the answer.
    """
    found: dict[int, list[KindBefore]] = defaultdict(list)
    rows = FormerKind.objects.filter(resource__in=resource_ids).order_by("resource_id", "during")
    for resource_id, kind, during in rows.values_list("resource_id", "kind", "during"):
        found[resource_id].append(KindBefore(kind, during.lower, during.upper))
    return found


def metered_states(
    *, project_ids: Collection[int], start: datetime, end: datetime
) -> list[MeteredState]:
    """Return in which states the projects' resources were during [start, end)."""
    rows = (
        ResourceState.objects.filter(
            resource__project__in=project_ids, during__overlap=(start, end)
        )
        .order_by("resource_id", "during")
        .values_list(
            "resource_id",
            "resource__kind",
            "state",
            Greatest(F("during__startswith"), Value(start)),
            Least(Coalesce(F("during__endswith"), Value(end)), Value(end)),
        )
    )
    return [MeteredState(*row) for row in rows]
