"""What a resource holds, what it has been through, and the sizes that are usual in a pool."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count, QuerySet, Sum

from inventory.choices import AllocationState
from inventory.foundation.models import AuditEvent
from inventory.models import Allocation, FormerKind, Pool, Resource, ResourceState


@dataclass(frozen=True)
class Size:
    """What one resource of a kind holds: class name → amount; `count` such are in the pool."""

    kind: str
    count: int
    amounts: Mapping[str, int]


def held_by(resource: Resource) -> QuerySet[Allocation]:
    """Return all capacity that the resource holds or held, the newest first."""
    return (
        Allocation.objects.filter(resource=resource)
        .select_related("resource_class", "provider")
        .order_by("-held_from", "resource_class__name", "pk")
    )


def states_of(resource: Resource) -> QuerySet[ResourceState]:
    """Return the states that the resource was in, the newest first."""
    return ResourceState.objects.filter(resource=resource).order_by("-during")


def kinds_of(resource: Resource) -> QuerySet[FormerKind]:
    """Return what the resource was called on the bill before, the newest first."""
    return FormerKind.objects.filter(resource=resource).order_by("-during")


def history_of(resource: Resource) -> QuerySet[AuditEvent]:
    """Return the audit entries about the resource, the newest first."""
    return (
        AuditEvent.objects.filter(object_type=resource._meta.label_lower, object_id=resource.pk)
        .select_related("actor", "on_behalf_of")
        .order_by("-id")
    )


def usual_sizes(*, pool: Pool, limit: int = 6) -> list[Size]:
    """Return the sizes that are most in the pool: of each kind what its newest resource holds.

    Kinds that hold nothing are left out. Three queries.
    """
    live = Resource.objects.filter(pool=pool).live()
    counts = dict(live.order_by().values_list("kind").annotate(Count("pk")))
    newest = dict(live.order_by("kind", "-pk").distinct("kind").values_list("pk", "kind"))
    held: dict[str, dict[str, int]] = {}
    rows = (
        Allocation.objects.filter(resource__in=newest)
        .exclude(state=AllocationState.RELEASED)
        .values("resource_id", "resource_class__name")
        .annotate(held=Sum("amount"))
        .order_by("resource_id", "resource_class__name")
        .values_list("resource_id", "resource_class__name", "held")
    )
    for resource_id, name, amount in rows:
        held.setdefault(newest[resource_id], {})[name] = amount
    return [
        Size(kind=kind, count=count, amounts=held[kind])
        for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if kind in held
    ][:limit]
