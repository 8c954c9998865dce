"""The life of a resource: made, put to work, given back. Each verb may be repeated safely."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F, Func, Value

from inventory.choices import AllocationState, ResourceStatus
from inventory.foundation.errors import Conflict
from inventory.foundation.models import Project, User
from inventory.foundation.permissions import Action, require
from inventory.foundation.trail import emit_event, record_audit
from inventory.models import Allocation, Pool, Resource, ResourceProvider, ResourceState
from inventory.selectors import (
    lock_allocations,
    lock_providers,
    lock_resource,
)
from inventory.services.checks import save_checked
from inventory.services.spans import give_back_spans


class ResourceGone(Conflict):
    """The resource was given back; nothing more can happen to it."""

    code = "resource_gone"


@transaction.atomic
def create_resource(
    *,
    project: Project,
    pool: Pool,
    kind: str,
    name: str,
    at: datetime,
    environment: str = "",
    application: str = "",
    lease_end_at: datetime | None = None,
    tags: Mapping[str, str] | None = None,
    actor: User | None = None,
) -> Resource:
    """Write down a resource that will be made: PLANNED, holding nothing yet.

    InvalidInput for a bad value or for a name that a live resource of the project has. `actor`
    must be allowed to order in the project; None is the system, which asked before.
    """
    if actor is not None:
        require(actor, Action.ORDER_PLACE, project)
    resource = Resource(
        project=project,
        pool=pool,
        kind=kind,
        name=name,
        environment=environment,
        application=application,
        created_at=at,
        lease_end_at=lease_end_at,
        tags=dict(tags or {}),
    )
    save_checked(resource)
    ResourceState.objects.create(
        resource=resource, state=resource.status, during=DateTimeTZRange(at, None)
    )
    record_audit(
        action="resource.create",
        subject=resource,
        at=at,
        actor=actor,
        project=project,
        changes={"kind": [None, kind], "pool": [None, pool.name]},
    )
    return resource


@transaction.atomic
def mark(
    *,
    resource: Resource,
    status: ResourceStatus,
    at: datetime,
    external_ref: str = "",
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Put the resource into a state from `at` on, and note what its provider said of it.

    `attributes` are added to what is known. The given instance is refreshed under its lock. The
    same state again changes no history. ResourceGone for a resource that was given back; what
    becomes gone goes through `release`, which gives back what it holds (ValueError here).
    """
    if status == ResourceStatus.GONE:
        message = "a resource becomes gone by release(), not by mark()"
        raise ValueError(message)
    lock_resource(resource)
    _mark(resource, status, at, external_ref, attributes)


@transaction.atomic
def activate(
    *,
    resource: Resource,
    at: datetime,
    external_ref: str = "",
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Deliver the resource: what it reserved is in use, and metered, from `at` on."""
    lock_resource(resource)
    reserved = [
        allocation
        for allocation in lock_allocations(resource)
        if allocation.state == AllocationState.RESERVED
    ]
    for allocation in reserved:
        allocation.state = AllocationState.ACTIVE
        allocation.active_from = at
    Allocation.objects.bulk_update(reserved, ["state", "active_from"])
    is_news = bool(reserved) or resource.delivered_at is None
    resource.delivered_at = resource.delivered_at or at
    _mark(resource, ResourceStatus.RUNNING, at, external_ref, attributes)
    if is_news:
        record_audit(action="resource.activate", subject=resource, at=at, project=resource.project)


@transaction.atomic
def deactivate(*, resource: Resource, at: datetime) -> None:
    """End the delivery: metering stops, while the capacity stays held until `release`.

    For what is still there and no longer somebody's to pay for: being undone, or left over.
    """
    lock_resource(resource)
    metered = [
        allocation
        for allocation in lock_allocations(resource)
        if allocation.active_from is not None and allocation.active_to is None
    ]
    for allocation in metered:
        allocation.active_to = _metered_until(allocation, at)
    Allocation.objects.bulk_update(metered, ["active_to"])
    if resource.delivered_at is None or resource.ended_at is not None:
        return
    resource.ended_at = max(at, resource.delivered_at)
    resource.save(update_fields=["ended_at"])
    record_audit(action="resource.deactivate", subject=resource, at=at, project=resource.project)


@transaction.atomic
def release(*, resource: Resource, at: datetime) -> None:
    """Give back all that the resource holds from `at` on; it is gone. Metering ends there."""
    lock_resource(resource)
    if resource.status == ResourceStatus.GONE:
        return
    held = lock_allocations(resource)
    lock_providers({allocation.provider_id for allocation in held})
    returned: dict[tuple[datetime, datetime | None], dict[int, int]] = defaultdict(
        lambda: defaultdict(int)
    )
    for allocation in held:
        from_then_on = max(at, allocation.held_from)
        returned[from_then_on, allocation.held_to][allocation.inventory_id] += allocation.amount
        _close(allocation, at)
    for (start, end), amounts in returned.items():
        give_back_spans(amounts, start=start, end=end)
    Allocation.objects.bulk_update(held, ["state", "held_to", "active_to"])
    ResourceProvider.objects.filter(pk__in={each.provider_id for each in held}).update(
        generation=F("generation") + 1
    )
    resource.ended_at = resource.ended_at or max(at, resource.delivered_at or at)
    _mark(resource, ResourceStatus.GONE, at, "", None)
    record_audit(action="resource.release", subject=resource, at=at, project=resource.project)


def _close(allocation: Allocation, at: datetime) -> None:
    """End an allocation at the instant, or at its own start or end where that is nearer."""
    ends = max(at, allocation.held_from)
    if allocation.held_to is None or ends < allocation.held_to:
        allocation.held_to = ends
    if allocation.state == AllocationState.ACTIVE:
        allocation.active_to = _metered_until(allocation, at)
    allocation.state = AllocationState.RELEASED


def _metered_until(allocation: Allocation, at: datetime) -> datetime | None:
    """Return where an allocation's delivery ends: where it has ended before, or now."""
    if allocation.active_from is None:
        return None
    return allocation.active_to or max(at, allocation.active_from)


def _mark(
    resource: Resource,
    status: ResourceStatus,
    at: datetime,
    external_ref: str,
    attributes: Mapping[str, Any] | None,
) -> None:
    """Write the state of a locked resource."""
    if resource.status == ResourceStatus.GONE and status != ResourceStatus.GONE:
        message = f"{resource.name} was given back. Request a new one."
        raise ResourceGone(message)
    before = resource.status
    resource.status = status
    resource.generation += 1
    resource.external_ref = external_ref or resource.external_ref
    resource.attributes = {**resource.attributes, **(attributes or {})}
    resource.save(
        update_fields=[
            "status",
            "generation",
            "external_ref",
            "attributes",
            "delivered_at",
            "ended_at",
        ]
    )
    if status == before:
        return
    _write_state(resource, at)
    emit_event(
        type=f"orchestra.resource.{status}",
        subject=resource,
        at=at,
        project=resource.project,
        data={"name": resource.name, "kind": resource.kind, "before": before, "state": status},
    )


def _write_state(resource: Resource, at: datetime) -> None:
    """End the open row of a locked resource's history at `at` and begin the next, without a gap.

    A change in the very instant of the last one replaces it; one dated before it counts from it.
    """
    now_open = ResourceState.objects.filter(resource=resource, during__upper_inf=True)
    since = F("during__startswith")
    ended = now_open.filter(during__startswith__lt=at).update(
        during=Func(since, Value(at), function="tstzrange")
    )
    if not ended and now_open.update(state=resource.status):
        return
    ResourceState.objects.create(
        resource=resource, state=resource.status, during=DateTimeTZRange(at, None)
    )
