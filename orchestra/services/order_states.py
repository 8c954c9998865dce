"""How a request goes from state to state: the lock, the checks, the audit entry and the event."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError

from inventory.foundation.errors import Conflict, Forbidden, InvalidInput
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, require
from inventory.foundation.trail import emit_event, record_audit
from orchestra.choices import OrderState
from orchestra.models import Approval, Order, Plan
from orchestra.selectors.orders import lock_order


class NotTheRequester(Forbidden):
    """A request is changed, planned and sent by the person who made it."""

    code = "not_the_requester"


class WrongState(Conflict):
    """The request has moved on, or is not there yet."""

    code = "wrong_state"
    title = "Not at this point"


def locked_for_requester(order: Order, actor: User) -> Order:
    """Return the request under its row lock, for the person who made it and still may."""
    require(actor, Action.ORDER_PLACE, order.project)
    if order.requester_id != actor.pk:
        message = (
            f"Only {order.requester} may change or send this request. Place one of your own, or "
            "cancel this one."
        )
        raise NotTheRequester(message)
    return lock_order(order.pk)


def require_state(order: Order, allowed: set[OrderState], verb: str) -> None:
    """Raise WrongState unless the request is in one of the states."""
    if order.state not in allowed:
        state = order.get_state_display().lower()
        message = f"You cannot {verb} {order} any more or yet: it is “{state}”."
        raise WrongState(message)


def clean_reason(reason: object, *, needed: bool) -> str:
    """Return the reason without surrounding space; InvalidInput when unfit, or needed and empty."""
    if not isinstance(reason, str):
        message = "The reason must be text."
        raise InvalidInput(message, fields={"reason": message})
    reason = reason.strip()
    if not reason:
        if needed:
            message = "Say why, so that the requester knows what to change."
            raise InvalidInput(message, fields={"reason": message})
        return reason
    try:
        return str(Approval._meta.get_field("reason").clean(reason, None))
    except ValidationError as error:
        message = " ".join(error.messages)
        raise InvalidInput(message, fields={"reason": message}) from error


def move(order: Order, state: OrderState) -> None:
    """Save the request in its new state, with whatever else was set on it."""
    order.state = state
    order.save()


def record(
    order: Order,
    verb: str,
    *,
    at: datetime,
    actor: User | None = None,
    changes: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Write the audit entry "order.<verb>"."""
    record_audit(
        action=f"order.{verb}",
        subject=order,
        at=at,
        actor=actor,
        project=order.project,
        changes=changes,
        reason=reason,
    )


def emit(order: Order, what: str, *, at: datetime, plan: Plan | None = None, **data: Any) -> None:
    """Put the event "orchestra.order.<what>" into the outbox."""
    emit_event(
        type=f"orchestra.order.{what}",
        subject=order,
        at=at,
        project=order.project,
        data={
            "number": str(order),
            "kind": str(order.kind),
            "state": str(order.state),
            "project": order.project.slug,
            "plan_sha256": plan.sha256 if plan else None,
            **data,
        },
    )
