"""Change what resources hold while they run: another size in place, a later or an earlier end.

A resize has three moments. `hold_growth` keeps, for every copy, the larger of what it holds and
what it will hold, all or nothing; `swap` moves one copy from one size to the other at an instant,
and back the same way; `drop_rest` gives back what nobody needs once nothing can be undone any more.
So what was freed is still there while a later copy may fail.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F

from inventory.choices import AllocationState, ProviderState, ResourceStatus
from inventory.foundation.errors import Conflict
from inventory.foundation.trail import emit_event, record_audit
from inventory.models import (
    Allocation,
    FormerKind,
    Inventory,
    Pool,
    Resource,
    ResourceProvider,
)
from inventory.placement import Candidate, Holding, Need, plan_resize
from inventory.selectors import (
    held_by,
    last_end_that_fits,
    lock_held_by,
    lock_pool,
    lock_providers,
    lock_resource,
    lock_resources,
)
from inventory.services.allocations import SPAN_CHECKS, NoCapacity
from inventory.services.quotas import check_quotas
from inventory.services.spans import claim_spans, give_back_spans

Amounts = dict[int, int]  # by inventory
TAKEN_JUST_NOW = "Somebody else took the capacity at this moment. Try again."


class NotDelivered(Conflict):
    """Only what is delivered can be changed."""

    code = "not_delivered"


@dataclass(frozen=True)
class Swap:
    """What a resource delivers before and after a resize, by inventory."""

    before: Amounts
    after: Amounts


def holdings_of(resources: Sequence[Resource]) -> list[Holding]:
    """Return what each resource delivers and where, as placement reads it; one query."""
    amounts: dict[int, Counter[int]] = defaultdict(Counter)
    for allocation in held_by(resources):
        if allocation.state == AllocationState.ACTIVE:
            amounts[allocation.resource_id][allocation.inventory_id] += allocation.amount
    return [
        Holding(
            name=resource.name,
            root_id=resource.provider_id or 0,
            amounts=dict(amounts[resource.pk]),
        )
        for resource in resources
    ]


def hold_growth(
    *, pool: Pool, resources: Sequence[Resource], need: Need, at: datetime
) -> dict[int, Swap]:
    """Hold what the resources, of one project, need beyond what they have; all or nothing.

    They stay where they are. Returns before and after of each by its id. Raises NoCapacity with
    the most that would fit, QuotaExceeded, or NotDelivered.
    """
    try:
        with transaction.atomic():
            return _hold_growth(pool, resources, need, at)
    except IntegrityError as error:
        raise _no_capacity(error) from error


def _hold_growth(
    pool: Pool, resources: Sequence[Resource], need: Need, at: datetime
) -> dict[int, Swap]:
    held = _lock_delivered(resources, at)
    end = _common_end(held)
    holdings = holdings_of(resources)
    check_quotas(
        project=resources[0].project,
        asked=growth_by_class(holdings, need),
        start=at,
        end=end,
    )
    lock_pool(pool.pk)
    refit = plan_resize(pool=pool, holdings=holdings, need=need, start=at, end=end)
    if refit.refusal is not None:
        raise NoCapacity(refit.refusal.message, details=refit.refusal.as_dict())
    swaps: dict[int, Swap] = {}
    more: Counter[int] = Counter()
    rows: list[Allocation] = []
    inventories = _inventories(refit.candidates)
    for resource, holding, candidate in zip(resources, holdings, refit.candidates, strict=True):
        after: Counter[int] = Counter()
        for piece in candidate.pieces:
            after[piece.inventory_id] += piece.amount
        swaps[resource.pk] = Swap(before=dict(holding.amounts), after=dict(after))
        for inventory_id, amount in after.items():
            growth = amount - holding.amounts.get(inventory_id, 0)
            if growth > 0:
                more[inventory_id] += growth
                rows.append(_row(resource, inventories[inventory_id], growth, at, end))
    _touch({row.provider_id for row in rows})
    claim_spans(more, start=at, end=end)
    Allocation.objects.bulk_create(rows)
    for resource in resources:
        record_audit(action="resource.reserve", subject=resource, at=at, project=resource.project)
    return swaps


def growth_by_class(holdings: Sequence[Holding], need: Need) -> dict[str, int]:
    """Return what all of them need beyond what they have, by class name."""
    ids = {pk for holding in holdings for pk in holding.amounts}
    names = dict(Inventory.objects.filter(pk__in=ids).values_list("pk", "resource_class__name"))
    growth: Counter[str] = Counter()
    for holding in holdings:
        has: Counter[str] = Counter()
        for inventory_id, amount in holding.amounts.items():
            has[names[inventory_id]] += amount
        for name, amount in need.amounts.items():
            growth[name] += max(amount - has[name], 0)
    return {name: amount for name, amount in growth.items() if amount}


@transaction.atomic
def swap(*, resource: Resource, amounts: Mapping[int, int], kind: str, at: datetime) -> None:
    """Deliver and meter these amounts (by inventory) from `at` on, and call it `kind`.

    An allocation is closed at the instant and another opened; how much is held does not change.
    Where the kind changes all are, so that each was of one kind.
    The same amounts again change nothing. Raises NotDelivered when it is not delivered.
    """
    lock_resource(resource)
    rows = lock_held_by([resource])
    _require_delivered([resource])
    changed: dict[str, list[int]] = {}
    by_inventory: dict[int, list[Allocation]] = defaultdict(list)
    for row in rows:
        by_inventory[row.inventory_id].append(row)
    opened: list[Allocation] = []
    closed: list[Allocation] = []
    for inventory_id, mine in by_inventory.items():
        wanted = amounts.get(inventory_id, 0)
        active = sum(row.amount for row in mine if row.state == AllocationState.ACTIVE)
        if active == wanted and kind == resource.kind:
            continue
        everything = sum(row.amount for row in mine)
        if wanted > everything:
            message = f"{resource.name} does not hold as much as it should deliver."
            raise NotDelivered(message)
        instant = max([at, *(row.active_from or row.held_from for row in mine)])
        old, until = mine[0], mine[0].held_to
        changed[old.resource_class.name] = [active, wanted]
        for row in mine:
            _close(row, instant)
        closed += mine
        if wanted:
            opened.append(_reopen(old, wanted, instant, until, is_active=True))
        if everything > wanted:
            opened.append(_reopen(old, everything - wanted, instant, until, is_active=False))
    Allocation.objects.bulk_update(closed, ["state", "held_to", "active_to"])
    Allocation.objects.bulk_create(opened)
    is_renamed = _rename(resource, kind, at)
    if not (opened or closed or is_renamed):
        return
    resource.generation += 1
    resource.save(update_fields=["kind", "generation"])
    record_audit(
        action="resource.resize",
        subject=resource,
        at=at,
        project=resource.project,
        changes=changed,
    )
    emit_event(
        type="orchestra.resource.resized",
        subject=resource,
        at=at,
        project=resource.project,
        data={"name": resource.name, "kind": resource.kind, "amounts": changed},
    )


@transaction.atomic
def drop_rest(*, resources: Sequence[Resource], at: datetime) -> None:
    """Give back what delivered resources hold and do not deliver."""
    lock_resources({resource.pk for resource in resources})
    rest = [row for row in lock_held_by(resources) if row.state == AllocationState.RESERVED]
    _touch({row.provider_id for row in rest})
    returned: dict[tuple[datetime, datetime | None], Counter[int]] = defaultdict(Counter)
    for row in rest:
        returned[max(at, row.held_from), row.held_to][row.inventory_id] += row.amount
        _close(row, at)
    for (start, end), amounts in returned.items():
        give_back_spans(amounts, start=start, end=end)
    Allocation.objects.bulk_update(rest, ["state", "held_to", "active_to"])


def extend(*, pool: Pool, resources: Sequence[Resource], end: datetime, at: datetime) -> None:
    """Hold what the resources have until a later end, all or nothing, where they are.

    Raises NoCapacity, which says up to when it would fit, QuotaExceeded or NotDelivered.
    """
    try:
        with transaction.atomic():
            _extend(pool, resources, end, at)
    except IntegrityError as error:
        raise _no_capacity(error) from error


def _extend(pool: Pool, resources: Sequence[Resource], end: datetime, at: datetime) -> None:
    rows = [row for row in _lock_delivered(resources, at) if _ends_before(row, end)]
    asked: Counter[str] = Counter()
    more: dict[datetime, Counter[int]] = defaultdict(Counter)
    for row in rows:
        asked[row.resource_class.name] += row.amount
        assert row.held_to is not None
        more[row.held_to][row.inventory_id] += row.amount
    if not rows:
        return
    check_quotas(project=resources[0].project, asked=asked, start=min(more), end=end)
    lock_pool(pool.pk)
    for start, amounts in more.items():
        _require_room(amounts, start, end)
    _touch({row.provider_id for row in rows})
    for start, amounts in more.items():
        claim_spans(amounts, start=start, end=end)
    for row in rows:
        row.held_to = end
    Allocation.objects.bulk_update(rows, ["held_to"])
    _tell_end(resources, end, at)


@transaction.atomic
def shorten(*, resources: Sequence[Resource], end: datetime, at: datetime) -> None:
    """Hold what the resources have only until an earlier end: what comes after it is free at once.

    Said again, or for an end that is later than what is held, it changes nothing.
    """
    lock_resources({resource.pk for resource in resources})
    rows = [row for row in lock_held_by(resources) if row.held_to is None or end < row.held_to]
    _touch({row.provider_id for row in rows})
    returned: dict[tuple[datetime, datetime | None], Counter[int]] = defaultdict(Counter)
    for row in rows:
        start = max(end, row.held_from)
        returned[start, row.held_to][row.inventory_id] += row.amount
        row.held_to = start
    for (start, until), amounts in returned.items():
        give_back_spans(amounts, start=start, end=until)
    Allocation.objects.bulk_update(rows, ["held_to"])
    if rows:
        _tell_end(resources, end, at)


def move_lease(*, resources: Sequence[Resource], end: datetime, at: datetime) -> None:
    """Write down the agreed end of the resources; what they hold was moved before."""
    moved = [resource for resource in resources if resource.lease_end_at != end]
    for resource in moved:
        record_audit(
            action="resource.lease",
            subject=resource,
            at=at,
            project=resource.project,
            changes={"lease_end_at": [_text(resource.lease_end_at), _text(end)]},
        )
        resource.lease_end_at = end
    Resource.objects.bulk_update(moved, ["lease_end_at"])


# --- small moves -------------------------------------------------------------------------------


def _lock_delivered(resources: Sequence[Resource], at: datetime) -> list[Allocation]:
    locked = lock_resources({resource.pk for resource in resources})
    _require_delivered(list(locked.values()))
    rows = lock_held_by(resources)
    late = [row for row in rows if row.held_from > at]
    if late or any(row.state != AllocationState.ACTIVE for row in rows):
        message = "Another change of this application has not ended. Wait for it, then ask again."
        raise NotDelivered(message)
    return rows


def _require_delivered(resources: Collection[Resource]) -> None:
    for resource in resources:
        if resource.status not in {ResourceStatus.RUNNING, ResourceStatus.STOPPED}:
            message = (
                f"{resource.name} is “{resource.get_status_display().lower()}”: only what is "
                "delivered can be changed."
            )
            raise NotDelivered(message)


def _common_end(rows: Sequence[Allocation]) -> datetime | None:
    """Return the latest end of what is held; None where something is held without one."""
    ends = [row.held_to for row in rows]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _ends_before(row: Allocation, end: datetime) -> bool:
    return row.held_to is not None and row.held_to < end


def _require_room(amounts: Mapping[int, int], start: datetime, end: datetime) -> None:
    inventories = Inventory.objects.filter(pk__in=amounts).select_related("provider")
    for inventory in inventories.order_by("pk"):
        host = inventory.provider
        if host.state in {ProviderState.DRAINING, ProviderState.RETIRED}:
            message = (
                f"{host} is “{host.get_state_display().lower()}”, so nothing stays on it longer. "
                "Request a new application for the time after this one ends."
            )
            raise NoCapacity(message, details={"fits_until": start.isoformat()})
    last = last_end_that_fits(amounts, start=start, end=end)
    if last < end:
        message = (
            "What it holds is promised to others from then on."
            if last <= start
            else "What it holds is promised to others later on."
        )
        raise NoCapacity(message, details={"fits_until": last.isoformat()})


def _inventories(candidates: Sequence[Candidate]) -> dict[int, Inventory]:
    ids = {piece.inventory_id for candidate in candidates for piece in candidate.pieces}
    return Inventory.objects.in_bulk(ids)


def _touch(provider_ids: Collection[int]) -> None:
    """Lock the providers whose spans change, and count the change."""
    if provider_ids:
        lock_providers(provider_ids)
        ResourceProvider.objects.filter(pk__in=provider_ids).update(generation=F("generation") + 1)


def _row(
    resource: Resource, inventory: Inventory, amount: int, start: datetime, end: datetime | None
) -> Allocation:
    return Allocation(
        resource=resource,
        inventory=inventory,
        provider_id=inventory.provider_id,
        resource_class_id=inventory.resource_class_id,
        amount=amount,
        held_from=start,
        held_to=end,
    )


def _reopen(
    old: Allocation, amount: int, instant: datetime, until: datetime | None, *, is_active: bool
) -> Allocation:
    """Return an allocation that goes on where `old`, which ended at the instant, left off."""
    return Allocation(
        resource_id=old.resource_id,
        inventory_id=old.inventory_id,
        provider_id=old.provider_id,
        resource_class_id=old.resource_class_id,
        group=old.group,
        amount=amount,
        state=AllocationState.ACTIVE if is_active else AllocationState.RESERVED,
        held_from=instant,
        held_to=max(until, instant) if until is not None else None,
        active_from=instant if is_active else None,
    )


def _close(row: Allocation, instant: datetime) -> None:
    """End an allocation at the instant, or at its own start or end where that is nearer."""
    ends = max(instant, row.held_from)
    if row.held_to is None or ends < row.held_to:
        row.held_to = ends
    if row.active_from is not None and row.active_to is None:
        row.active_to = max(instant, row.active_from)
    row.state = AllocationState.RELEASED


def _rename(resource: Resource, kind: str, at: datetime) -> bool:
    """Call the resource something else on the bill from `at` on; True if it is news."""
    if resource.kind == kind:
        return False
    last = resource.former_kinds.order_by("-during").first()
    since = last.during.upper if last else None
    if since is None or since < at:
        FormerKind.objects.create(
            resource=resource, kind=resource.kind, during=DateTimeTZRange(since, at)
        )
    resource.kind = kind
    return True


def _tell_end(resources: Sequence[Resource], end: datetime, at: datetime) -> None:
    for resource in resources:
        record_audit(
            action="resource.hold",
            subject=resource,
            at=at,
            project=resource.project,
            changes={"held_to": [None, _text(end)]},
        )


def _no_capacity(error: IntegrityError) -> Exception:
    """Return what a span's refusal means to people; any other error as it is."""
    diagnosis = getattr(error.__cause__, "diag", None)
    if diagnosis is None or diagnosis.constraint_name not in SPAN_CHECKS:
        return error
    return NoCapacity(TAKEN_JUST_NOW)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
