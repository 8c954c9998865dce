"""Reserve capacity for resources, all or nothing, and give back what nobody came to use."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F

from inventory.choices import AllocationState, ResourceStatus
from inventory.foundation.errors import Conflict, InvalidInput
from inventory.foundation.trail import record_audit
from inventory.models import Allocation, Pool, Resource, ResourceClass, ResourceProvider
from inventory.placement import Candidate, Need, plan_placement
from inventory.selectors import (
    idle_reservations,
    lock_pool,
    lock_providers,
    lock_resource,
    lock_resources,
)
from inventory.services.quotas import check_quotas
from inventory.services.resources import release
from inventory.services.spans import claim_spans

SPAN_CHECKS = frozenset({"span_never_over_allocated", "span_shortfall_exact"})


class NoCapacity(Conflict):
    """The pool has no room for all of it; `details` is the refusal as a dict."""

    code = "no_capacity"
    title = "Not enough capacity"


class AlreadyReserved(Conflict):
    """Some of the resources hold capacity already, or are past the point where they may."""

    code = "already_reserved"


def reserve(
    *,
    pool: Pool,
    wants: Sequence[tuple[Resource, Need]],
    start: datetime,
    end: datetime | None,
    at: datetime,
    reserved_until: datetime | None = None,
) -> list[Allocation]:
    """Decide where the resources go and hold the capacity over [start, end), all or nothing.

    Placement is decided anew under the pool's lock, so two buyers never get the same unit. Each
    resource's `provider` is set to the host it landed on. Repeated for resources that all hold
    something already, it returns what they hold. `reserved_until` is when an unused reservation is
    given back. Raises NoCapacity, QuotaExceeded, AlreadyReserved, InvalidInput.
    """
    try:
        with transaction.atomic():
            return _reserve(pool, wants, start, end, at, reserved_until)
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        if diagnosis is None or diagnosis.constraint_name not in SPAN_CHECKS:
            raise
        message = "Somebody else took the capacity at this moment. Try again."
        raise NoCapacity(message) from error


def _reserve(
    pool: Pool,
    wants: Sequence[tuple[Resource, Need]],
    start: datetime,
    end: datetime | None,
    at: datetime,
    reserved_until: datetime | None,
) -> list[Allocation]:
    _check_wants(pool, wants, start, end)
    ids = {resource.pk for resource, _ in wants}
    locked = lock_resources(ids)
    held = list(
        Allocation.objects.filter(resource__in=ids)
        .exclude(state=AllocationState.RELEASED)
        .order_by("pk")
    )
    if held and {allocation.resource_id for allocation in held} == ids:
        return held
    if held or any(row.status != ResourceStatus.PLANNED for row in locked.values()):
        message = "Some of these resources hold capacity or are made already. Start a new request."
        raise AlreadyReserved(message)
    _check_all_quotas(wants, start, end)
    lock_pool(pool.pk)
    answer = plan_placement(pool=pool, needs=[need for _, need in wants], start=start, end=end)
    if answer.refusal is not None:
        raise NoCapacity(answer.refusal.message, details=answer.refusal.as_dict())
    return _hold(wants, locked, answer.candidates, start, end, at, reserved_until)


def _check_wants(
    pool: Pool, wants: Sequence[tuple[Resource, Need]], start: datetime, end: datetime | None
) -> None:
    if not wants:
        raise InvalidInput("Nothing was asked for. Name at least one resource.")
    if end is not None and end <= start:
        raise InvalidInput("The end must be after the start. Choose a later end.")
    if len({resource.pk for resource, _ in wants}) < len(wants):
        raise InvalidInput("A resource is named twice. Put all its amounts into one need.")
    if any(resource.pool_id != pool.pk for resource, _ in wants):
        raise InvalidInput("A resource belongs to another pool. Make it for this pool.")
    names = {name for _, need in wants for name in need.amounts}
    unknown = names - set(
        ResourceClass.objects.filter(name__in=names).values_list("name", flat=True)
    )
    if unknown:
        listed = ", ".join(sorted(unknown))
        raise InvalidInput(f"There is no kind of capacity {listed}. Check the spelling.")
    for _, need in wants:
        if not need.amounts or min(need.amounts.values()) < 1:
            raise InvalidInput("Each amount must be at least 1. Leave out what is not needed.")


def _check_all_quotas(
    wants: Sequence[tuple[Resource, Need]], start: datetime, end: datetime | None
) -> None:
    """Check each project's sum, projects in primary-key order."""
    sums: dict[int, Counter[str]] = {}
    projects = {resource.project_id: resource.project for resource, _ in wants}
    for resource, need in wants:
        sums.setdefault(resource.project_id, Counter()).update(need.amounts)
    for project_id in sorted(sums):
        check_quotas(project=projects[project_id], asked=sums[project_id], start=start, end=end)


def _hold(
    wants: Sequence[tuple[Resource, Need]],
    locked: Mapping[int, Resource],
    candidates: Sequence[Candidate],
    start: datetime,
    end: datetime | None,
    at: datetime,
    reserved_until: datetime | None,
) -> list[Allocation]:
    """Write the claim: spans, allocations, where each resource is, and the audit entries."""
    pieces = [piece for candidate in candidates for piece in candidate.pieces]
    touched = {piece.provider_id for piece in pieces}
    lock_providers(touched)
    amounts: Counter[int] = Counter()
    for piece in pieces:
        amounts[piece.inventory_id] += piece.amount
    claim_spans(amounts, start=start, end=end)
    class_ids = dict(
        ResourceClass.objects.filter(
            name__in={piece.resource_class for piece in pieces}
        ).values_list("name", "pk")
    )
    allocations = Allocation.objects.bulk_create(
        Allocation(
            resource=resource,
            inventory_id=piece.inventory_id,
            provider_id=piece.provider_id,
            resource_class_id=class_ids[piece.resource_class],
            group=piece.group,
            amount=piece.amount,
            held_from=start,
            held_to=end,
            reserved_until=reserved_until,
        )
        for (resource, _), candidate in zip(wants, candidates, strict=True)
        for piece in candidate.pieces
    )
    ResourceProvider.objects.filter(pk__in=touched).update(generation=F("generation") + 1)
    for (resource, need), candidate in zip(wants, candidates, strict=True):
        resource.provider_id = candidate.root_id
        resource.generation = locked[resource.pk].generation + 1
        resource.save(update_fields=["provider", "generation"])
        record_audit(
            action="resource.reserve",
            subject=resource,
            at=at,
            project=resource.project,
            changes={
                "provider": [None, candidate.root_name],
                **{name: [None, amount] for name, amount in need.amounts.items()},
            },
        )
    return allocations


def expire_reservations(*, at: datetime) -> int:
    """Give back every reservation that ran out while nobody had begun to make its resource.

    Returns how many resources lost theirs. What is being made is left alone: its run gives it back.
    """
    expired = 0
    for resource in idle_reservations(at=at):
        with transaction.atomic():
            lock_resource(resource)
            if resource.status == ResourceStatus.PLANNED:
                release(resource=resource, at=at)
                expired += 1
    return expired
