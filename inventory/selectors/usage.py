"""Who holds how much: quotas and their use, and reservations that ran out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from inventory.capacity import peak
from inventory.choices import AllocationState, ResourceStatus
from inventory.foundation.models import Organisation, Project
from inventory.foundation.selectors import ancestry
from inventory.models import Allocation, CapacitySpan, Quota, Resource, ResourceClass


@dataclass(frozen=True)
class QuotaUse:
    """A quota that binds a project, and how much of it is held; `holder` names whose it is."""

    quota_id: int
    holder: str
    resource_class: ResourceClass
    limit: int
    used: int


def quota_use(*, project: Project, at: datetime) -> list[QuotaUse]:
    """Return each quota that binds the project with what is held at the instant."""
    quotas = quotas_of(project).select_related("resource_class", "organisation", "project")
    return [
        QuotaUse(
            quota_id=quota.pk,
            holder=str(quota.project or quota.organisation),
            resource_class=quota.resource_class,
            limit=quota.limit,
            used=(
                _held_under(quota)
                .filter(Q(held_to=None) | Q(held_to__gt=at), held_from__lte=at)
                .aggregate(held=Coalesce(Sum("amount"), 0))["held"]
            ),
        )
        for quota in quotas.order_by("resource_class__name", "pk")
    ]


def quota_peak(*, quota: Quota, start: datetime, end: datetime | None) -> int:
    """Return the most that the quota's holder holds at any instant of [start, end)."""
    held = _held_under(quota).filter(Q(held_to=None) | Q(held_to__gt=start))
    if end is not None:
        held = held.filter(held_from__lt=end)
    return peak(held.values_list("held_from", "held_to", "amount"), start=start, end=end)


def quotas_of(project: Project) -> QuerySet[Quota]:
    above = ancestry(project.organisation_id)
    return Quota.objects.filter(Q(project=project) | Q(organisation_id__in=above))


def _held_under(quota: Quota) -> QuerySet[Allocation]:
    """What counts against a quota; an organisation's covers all organisations below it."""
    held = Allocation.objects.filter(resource_class=quota.resource_class_id)
    if quota.project_id is not None:
        return held.filter(resource__project=quota.project_id)
    holder = quota.organisation_id
    below = organisations_below([holder] if holder is not None else [])
    return held.filter(resource__project__organisation__in=below.get(holder or 0, set()))


def organisations_below(holders: Iterable[int]) -> dict[int, set[int]]:
    """Return each organisation's id with its own and the ids of all below it; one query."""
    children: dict[int | None, list[int]] = defaultdict(list)
    for pk, parent_id in Organisation.objects.values_list("id", "parent_id"):
        children[parent_id].append(pk)
    found: dict[int, set[int]] = {}
    for holder in holders:
        below, open_ends = set[int](), [holder]
        while open_ends:
            node = open_ends.pop()
            if node not in below:
                below.add(node)
                open_ends.extend(children[node])
        found[holder] = below
    return found


def idle_reservations(*, at: datetime) -> QuerySet[Resource]:
    """Return the resources whose reservation ran out by `at` and which nobody began to make."""
    return (
        Resource.objects.filter(
            status=ResourceStatus.PLANNED,
            allocations__state=AllocationState.RESERVED,
            allocations__reserved_until__lte=at,
        )
        .order_by("pk")
        .distinct()
    )


def held_by(resources: Sequence[Resource]) -> list[Allocation]:
    """Return what the resources hold and have not given back, in primary-key order."""
    return list(
        Allocation.objects.filter(resource__in=[resource.pk for resource in resources])
        .exclude(state=AllocationState.RELEASED)
        .select_related("resource_class")
        .order_by("pk")
    )


def last_end_that_fits(amounts: Mapping[int, int], *, start: datetime, end: datetime) -> datetime:
    """Return up to when the amounts (by inventory) are free from `start` on, at most `end`."""
    spans = CapacitySpan.objects.filter(
        inventory__in=amounts.keys(), during__overlap=(start, end)
    ).values_list("inventory_id", "during", "capacity", "used")
    full = [
        max(during.lower or start, start)
        for inventory_id, during, capacity, used in spans
        if capacity - used < amounts[inventory_id]
    ]
    return min(full, default=end)
