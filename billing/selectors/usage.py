"""What was used and by whom, as billing sees it: levels held over time, read from the inventory."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Q

from billing.choices import UsageOrigin
from billing.selectors.prices import PricedSku, PriceTable
from inventory.choices import AllocationState, ResourceStatus
from inventory.models import Allocation, Resource
from inventory.selectors import (
    KindBefore,
    kinds_before,
    metered_allocations,
    metered_resources,
    metered_states,
)


@dataclass(frozen=True)
class Usage:
    """A level that a resource held over [start, end).

    `origin_id` is the allocation's number, the resource's, or the resource's with the state's
    start; `amount` counts units of the class, and is 1 for a resource or a state.
    """

    origin: str
    origin_id: str
    resource_id: int
    kind: str
    traits: frozenset[str]
    amount: int
    start: datetime
    end: datetime
    resource_class_id: int | None = None
    state: str = ""

    def within(self, start: datetime, end: datetime) -> "Usage | None":
        """Return the part of it that lies in [start, end), if any."""
        low, high = max(start, self.start), min(end, self.end)
        return replace(self, start=low, end=high) if low < high else None


@dataclass(frozen=True)
class ResourceFacts:
    """What decides the price of a resource, and when its lease ends."""

    kind: str
    traits: frozenset[str]
    lease_end_at: datetime | None


def resource_facts(ids: Collection[int]) -> dict[int, ResourceFacts]:
    """Return kind, properties and lease end by resource.

    The properties are those that it was asked with (`attributes["traits"]`), not those of the host
    that it landed on by chance: nobody pays for what they did not ask for.
    """
    rows = Resource.objects.filter(pk__in=ids).values_list(
        "id", "kind", "attributes", "lease_end_at"
    )
    return {
        pk: ResourceFacts(kind, frozenset(attributes.get("traits", ())), lease_end_at)
        for pk, kind, attributes, lease_end_at in rows
    }


def metered_usage(
    *, table: PriceTable, project_ids: Collection[int], start: datetime, end: datetime
) -> tuple[list[Usage], dict[int, ResourceFacts]]:
    """Return everything that the projects' resources held in [start, end), clipped to it.

    What still runs ends at `end`. In the order of resource, origin and start. States are read only
    where an item prices them. What was another kind of thing before is cut where it changed. Four
    or five queries.
    """
    counted = metered_resources(project_ids=project_ids, start=start, end=end)
    held = metered_allocations(project_ids=project_ids, start=start, end=end)
    states = (
        metered_states(project_ids=project_ids, start=start, end=end) if table.prices_states else []
    )
    facts = resource_facts({row.resource_id for rows in (counted, held, states) for row in rows})

    def usage(origin: str, origin_id: str, row: object, amount: int = 1) -> Usage:
        resource_id: int = row.resource_id  # type: ignore[attr-defined]
        known = facts[resource_id]
        return Usage(
            origin=origin,
            origin_id=origin_id,
            resource_id=resource_id,
            kind=known.kind,
            traits=known.traits,
            amount=amount,
            start=row.start,  # type: ignore[attr-defined]
            end=row.end,  # type: ignore[attr-defined]
            resource_class_id=getattr(row, "resource_class_id", None),
            state=getattr(row, "state", ""),
        )

    found = [usage(UsageOrigin.COUNT, str(row.resource_id), row) for row in counted]
    found += [
        usage(UsageOrigin.ALLOCATION, str(row.allocation_id), row, row.amount) for row in held
    ]
    found += [
        usage(UsageOrigin.STATE, f"{row.resource_id}:{row.start:%Y%m%dT%H%M%S.%f}", row)
        for row in states
    ]
    former = kinds_before(resource_ids=facts.keys())
    if former:
        found = [part for one in found for part in _by_kind(one, former.get(one.resource_id, ()))]
    found.sort(key=lambda one: (one.resource_id, one.origin, one.start, one.origin_id))
    return [one for one in found if one.start < one.end], facts


def _by_kind(usage: Usage, former: Sequence[KindBefore]) -> Iterator[Usage]:
    """Yield the parts of a usage in which its resource was one kind of thing."""
    rest: Usage | None = usage
    for before in former:
        part = usage.within(before.start or usage.start, before.end)
        if part is not None:
            yield replace(part, kind=before.kind)
        rest = rest.within(before.end, usage.end) if rest else None
    if rest is not None:
        yield rest


def booked_usage(
    *, project_ids: Collection[int], at: datetime, end: datetime
) -> tuple[list[Usage], dict[int, ResourceFacts]]:
    """Return what is reserved from `at` on and not delivered yet, clipped to `end`."""
    rows = (
        Allocation.objects.filter(
            Q(held_to=None) | Q(held_to__gt=at),
            Q(reserved_until=None) | Q(reserved_until__gt=at),
            resource__project__in=project_ids,
            resource__delivered_at=None,
            state=AllocationState.RESERVED,
            held_from__lt=end,
        )
        .exclude(resource__status=ResourceStatus.GONE)
        .order_by("pk")
        .values_list("id", "resource_id", "resource_class_id", "amount", "held_from", "held_to")
    )
    facts = resource_facts({row[1] for row in rows})
    found: list[Usage] = []
    seen: set[int] = set()
    for pk, resource_id, class_id, amount, held_from, held_to in rows:
        known = facts[resource_id]
        held = Usage(
            origin=UsageOrigin.ALLOCATION,
            origin_id=str(pk),
            resource_id=resource_id,
            kind=known.kind,
            traits=known.traits,
            amount=amount,
            start=max(at, held_from),
            end=min(held_to or end, end),
            resource_class_id=class_id,
        )
        found.append(held)
        if resource_id not in seen:
            seen.add(resource_id)
            found.append(
                replace(
                    held,
                    origin=UsageOrigin.COUNT,
                    origin_id=str(resource_id),
                    amount=1,
                    resource_class_id=None,
                )
            )
    return [one for one in found if one.start < one.end], facts


def items_for(*, table: PriceTable, usage: Usage) -> list[PricedSku]:
    """Return the price items that this usage is charged by."""
    if usage.origin == UsageOrigin.COUNT:
        return table.counted(kind=usage.kind, traits=usage.traits)
    if usage.origin == UsageOrigin.STATE:
        return [
            item
            for item in table.in_states(kind=usage.kind, traits=usage.traits)
            if item.sku.meter is not None and item.sku.meter.state == usage.state
        ]
    if usage.resource_class_id is None:
        return []
    return table.held(
        resource_class_id=usage.resource_class_id, kind=usage.kind, traits=usage.traits
    )
