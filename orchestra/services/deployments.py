"""The verbs of a running application: to give it back, when asked to or at its agreed end."""

import logging
from datetime import datetime

from django.db import transaction

from inventory.foundation.errors import Conflict, DomainError, InvalidInput
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, require
from inventory.foundation.trail import told_together
from orchestra.choices import ChangeKind, DeploymentState, OrderKind, OrderState
from orchestra.models import Deployment, Order
from orchestra.selectors.deployments import (
    live_links,
    lock_deployment,
    past_their_end,
    run_in_progress,
)
from orchestra.selectors.orders import open_retirement
from orchestra.services.approvals import settle
from orchestra.services.order_states import clean_reason, emit, move, record
from orchestra.services.plans import write_retirement

logger = logging.getLogger(__name__)


class Busy(Conflict):
    """Something else is changing the application now."""

    code = "busy"
    title = "Something else is under way"


class NotLive(Conflict):
    """The application is not running, so it cannot be given back."""

    code = "not_live"


@transaction.atomic
@told_together()
def request_retirement(
    *,
    deployment: Deployment,
    requester: User,
    business_reason: str,
    at: datetime,
    effective_at: datetime | None = None,
) -> Order:
    """Ask to give an application back. A rule approves it, because it costs nothing, and it starts
    at once; without any rule it waits for an approver.

    Asked twice it is the same request. Raises Busy while another run changes the application,
    NotLive when it is not running.
    """
    require(requester, Action.ORDER_PLACE, deployment.project)
    deployment = lock_deployment(deployment.pk)
    try:
        reason = clean_reason(business_reason, needed=True)
    except InvalidInput as error:
        raise InvalidInput(error.message, fields={"business_reason": error.message}) from error
    already = open_retirement(deployment)
    if already is not None:
        return already
    if deployment.state != DeploymentState.LIVE:
        message = (
            f"{deployment} is “{deployment.get_state_display().lower()}”: only a running "
            "application can be given back."
        )
        raise NotLive(message)
    require_free(deployment)
    order = Order.objects.create(
        kind=OrderKind.RETIRE,
        change_kind=ChangeKind.STANDARD,
        project=deployment.project,
        requester=requester,
        offering_version=deployment.offering_version,
        pool=deployment.pool,
        deployment=deployment,
        name=deployment.name,
        application=deployment.application,
        environment=deployment.environment,
        business_reason=reason,
        instances=max(len(live_links(deployment)), 1),
        parameters=deployment.parameters,
        created_at=at,
    )
    record(order, "place", at=at, actor=requester, reason=reason)
    emit(order, "placed", at=at)
    plan = write_retirement(order, deployment, created_by=requester, at=at)
    move(order, OrderState.PLANNED)
    emit(order, "planned", at=at, plan=plan)
    settle(order=order, plan=plan, actor=requester, at=at, effective_at=effective_at)
    return order


def require_free(deployment: Deployment) -> None:
    """Raise Busy while a run is changing the application."""
    run = run_in_progress(deployment)
    if run is not None:
        message = (
            f"{deployment} is being changed ({run}, “{run.get_state_display().lower()}”). "
            "Wait until that is done, or cancel it."
        )
        raise Busy(message)


def retire_ended(*, at: datetime) -> int:
    """Give back every application whose agreed end is reached; return how many were asked for.

    The project's owner is the requester (the deputy, where the owner has left), since the end was
    agreed with the request. One that is being changed just now waits for the next call; one that
    cannot be given back stops no other.
    """
    asked = 0
    for deployment in past_their_end(at):
        owner, deputy = deployment.project.owner, deployment.project.deputy
        try:
            request_retirement(
                deployment=deployment,
                requester=owner if owner.is_active else deputy,
                business_reason="Its agreed end is reached.",
                at=at,
            )
        except Busy:
            continue
        except DomainError as error:
            logger.warning("%s is past its end: %s", deployment, error.message)
            continue
        asked += 1
    return asked
