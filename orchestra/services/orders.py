"""The verbs of a request: place, edit, plan, cancel, expire; with its neighbours' beside them.

Each takes the request's row lock first, so that two people never change it at once. A request is
PLANNED only when it fits and is priced now; otherwise it stays a draft with the reason.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from inventory.foundation.errors import StaleEdit
from inventory.foundation.models import Project, User
from inventory.foundation.permissions import Action, require
from inventory.foundation.services.projects import keep_open
from inventory.foundation.trail import told_together
from inventory.models import Pool
from orchestra.choices import DesiredState, OrderKind, OrderState
from orchestra.models import Offering, Order, Plan
from orchestra.selectors.orders import latest_plan, lock_order, plans_past
from orchestra.services.approvals import (
    BudgetExceeded,
    NameTaken,
    OwnDecision,
    PlanExpired,
    decide,
    submit_order,
)
from orchestra.services.changes import (
    replan_change,
    request_end,
    request_extension,
    request_resize,
)
from orchestra.services.deployments import request_retirement
from orchestra.services.estimates import Estimate, estimate
from orchestra.services.order_checks import Reading, Wish, as_wish, read_wish
from orchestra.services.order_states import (
    NotTheRequester,
    WrongState,
    clean_reason,
    emit,
    locked_for_requester,
    move,
    record,
    require_state,
)
from orchestra.services.plans import (
    assess_order,
    billing_zone,
    first_that_fits,
    need_of,
    write_plan,
)
from orchestra.services.runs import steer_run

__all__ = [
    "BudgetExceeded",
    "Estimate",
    "NameTaken",
    "NotTheRequester",
    "OwnDecision",
    "PlanExpired",
    "WrongState",
    "cancel_order",
    "decide",
    "edit_order",
    "estimate",
    "expire_orders",
    "place_order",
    "plan_order",
    "request_end",
    "request_extension",
    "request_resize",
    "request_retirement",
    "submit_order",
]

EDITABLE = {
    OrderState.DRAFT,
    OrderState.PLANNED,
    OrderState.AWAITING_APPROVAL,
    OrderState.REJECTED,
    OrderState.EXPIRED,
}
CANCELLABLE = {OrderState.DRAFT, OrderState.PLANNED, OrderState.AWAITING_APPROVAL}
FIELDS = (
    "name",
    "application",
    "environment",
    "business_reason",
    "instances",
    "parameters",
    "start_at",
    "end_at",
)


@transaction.atomic
@told_together()
def place_order(
    *,
    requester: User,
    project: Project,
    offering: Offering,
    pool: Pool | None = None,
    name: str,
    application: str,
    environment: str,
    business_reason: str,
    instances: int,
    parameters: Mapping[str, Any],
    start_at: datetime | None,
    end_at: datetime | None,
    at: datetime,
    keep_refused: bool = False,
) -> Order:
    """Write a request for new capacity and plan it.

    Without a pool the first one that fits is taken. Without an end, test and development end after
    90 days. Returns it PLANNED, or as a DRAFT with `refusal` saying why it does not fit.
    Raises InvalidInput with `fields`, NotVisible or Forbidden. `keep_refused` is for who cannot
    correct what was asked, as a replay: a bad term is kept as a DRAFT with its reason too.
    """
    require(requester, Action.ORDER_PLACE, project)
    wish = Wish(
        offering=offering,
        pool=pool,
        name=name,
        application=application,
        environment=environment,
        business_reason=business_reason,
        instances=instances,
        parameters=parameters,
        start_at=start_at,
        end_at=end_at,
    )
    reading = read_wish(wish, project=project, zone=billing_zone(project=project, at=at), at=at)
    order = Order(kind=OrderKind.CREATE, project=project, requester=requester, created_at=at)
    if keep_refused and reading.faults.keys() == {"end_at"}:
        return _keep_refused(order, reading, at)
    reading.raise_faults()
    _take_over(order, reading, at)
    keep_open(project)
    order.save()
    record(order, "place", at=at, actor=requester, reason=order.business_reason)
    emit(order, "placed", at=at)
    _plan(order, actor=requester, at=at)
    return order


@transaction.atomic
@told_together()
def edit_order(
    *, order: Order, actor: User, version: int, changes: Mapping[str, Any], at: datetime
) -> Order:
    """Change what was asked and plan it again; a decision that was asked for is void.

    `changes` may hold every input of `place_order` but the project. Raises StaleEdit when
    `version` is not the request's current one.
    """
    order = locked_for_requester(order, actor)
    if order.kind != OrderKind.CREATE:
        message = "Such a request is not edited: cancel it, and ask again from the application."
        raise WrongState(message)
    if version != order.version:
        message = "This request was changed since you opened it. Open it again to see how."
        raise StaleEdit(message)
    require_state(order, EDITABLE, "change")
    wish = as_wish(order, changes)
    reading = read_wish(
        wish,
        project=order.project,
        zone=billing_zone(project=order.project, at=at),
        at=at,
        order=order,
    )
    reading.raise_faults()
    before = _as_json(order)
    _take_over(order, reading, at)
    after = _as_json(order)
    order.version += 1
    order.save()
    differences = {
        name: [before[name], after[name]] for name in after if before[name] != after[name]
    }
    record(order, "edit", at=at, actor=actor, changes=differences)
    _plan(order, actor=actor, at=at)
    return order


@transaction.atomic
@told_together()
def plan_order(*, order: Order, actor: User, at: datetime) -> Plan | None:
    """Plan a request anew as things stand now: placement, price, rules. It must be sent again.

    Returns None where it does not fit; the request is then a draft and `refusal` says why.
    """
    locked = locked_for_requester(order, actor)
    require_state(locked, EDITABLE, "plan")
    if locked.kind == OrderKind.CHANGE:
        plan = replan_change(order=locked, actor=actor, at=at)
        order.refresh_from_db()
        return plan
    if locked.kind != OrderKind.CREATE:
        message = "A request to give back is planned once. Cancel it and ask again."
        raise WrongState(message)
    reading = read_wish(
        as_wish(locked, {}),
        project=locked.project,
        zone=billing_zone(project=locked.project, at=at),
        at=at,
        order=locked,
    )
    reading.raise_faults()
    _take_over(locked, reading, at)
    locked.save()
    plan = _plan(locked, actor=actor, at=at)
    order.refresh_from_db()
    return plan


@transaction.atomic
@told_together()
def cancel_order(*, order: Order, actor: User, reason: str, at: datetime) -> Order:
    """Withdraw a request; once it is being delivered, ask for its progress to be undone.

    Cancelling twice is harmless. Raises WrongState when there is nothing left to cancel.
    """
    require(actor, Action.ORDER_CANCEL, order.project)
    order = lock_order(order.pk)
    reason = clean_reason(reason, needed=False)
    if order.state == OrderState.CANCELLED:
        return order
    if order.state in CANCELLABLE:
        order.finished_at = at
        move(order, OrderState.CANCELLED)
        record(order, "cancel", at=at, actor=actor, reason=reason)
        emit(order, "cancelled", at=at, reason=reason)
        return order
    require_state(order, {OrderState.APPROVED, OrderState.FULFILLING}, "cancel")
    run = order.runs.order_by("-pk").first()
    assert run is not None
    record(order, "cancel", at=at, actor=actor, reason=reason)
    steer_run(run=run, desired=DesiredState.CANCEL, actor=actor, at=at)
    order.refresh_from_db()
    return order


def expire_orders(*, at: datetime) -> int:
    """Close the undecided requests whose plan was valid until `at` or before; return how many.

    Each in a transaction of its own. Their requesters may plan them again.
    """
    return sum(_expire(order_id, at) for order_id in plans_past(at))


@transaction.atomic
def _expire(order_id: int, at: datetime) -> bool:
    order = lock_order(order_id)
    plan = latest_plan(order)
    waiting = {OrderState.PLANNED, OrderState.AWAITING_APPROVAL}
    if order.state not in waiting or plan is None or plan.valid_until > at:
        return False
    order.finished_at = at
    move(order, OrderState.EXPIRED)
    record(order, "expire", at=at, reason="Its plan was not decided on in time.")
    emit(order, "expired", at=at, plan=plan)
    return True


def _keep_refused(order: Order, reading: Reading, at: datetime) -> Order:
    """Write a request whose term cannot be as a draft that says so; nothing is planned."""
    start, end = reading.values["start_at"], reading.values["end_at"]
    is_empty = end is not None and end <= max(start or at, at)
    # The term that cannot be is in the refusal; a row of it would break the table's own rule.
    refusal = {
        "code": "empty_interval" if is_empty else "invalid_term",
        "message": reading.faults["end_at"],
        "start_at": (start or at).isoformat(),
        "end_at": end.isoformat() if end else None,
    }
    reading.values["start_at"] = reading.values["end_at"] = None
    _take_over(order, reading, at)
    order.refusal = refusal
    order.save()
    record(order, "place", at=at, actor=order.requester, reason=order.business_reason)
    emit(order, "refused", at=at, refusal=order.refusal)
    return order


def _take_over(order: Order, reading: Reading, at: datetime) -> None:
    """Put what was read into the request's fields, and choose the pool."""
    assert reading.version is not None
    order.offering_version = reading.version
    for name in FIELDS:
        setattr(order, name, reading.values[name])
    order.pool = first_that_fits(
        pools=reading.pools,
        need=need_of(reading.version, reading.amounts),
        instances=order.instances,
        start=max(order.start_at or at, at),
        end=order.end_at,
    )


def _plan(order: Order, *, actor: User, at: datetime) -> Plan | None:
    """Plan a locked request. What was decided before is void."""
    assessment = assess_order(order, at)
    order.decided_at = order.finished_at = None
    order.refusal = dict(assessment.refusal)
    if assessment.refusal:
        move(order, OrderState.DRAFT)
        record(order, "plan", at=at, actor=actor, reason=str(assessment.refusal["message"]))
        emit(order, "refused", at=at, refusal=order.refusal)
        return None
    plan = write_plan(order, assessment, created_by=actor, at=at)
    move(order, OrderState.PLANNED)
    record(order, "plan", at=at, actor=actor, changes={"plan": [None, plan.sha256]})
    emit(order, "planned", at=at, plan=plan)
    return plan


def _as_json(order: Order) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(order, name) for name in FIELDS}
    for name in ("start_at", "end_at"):
        values[name] = values[name].isoformat() if values[name] else None
    return values | {"offering": str(order.offering_version), "pool": str(order.pool)}
