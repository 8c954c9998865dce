"""The verbs that change a running application: another size, a later end, an earlier one.

Each writes a request of the kind “change” and plans it; it is sent and decided on like any other.
An earlier end costs nothing, so it is sent at once, as giving back is.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from inventory.foundation.choices import ProjectStatus
from inventory.foundation.errors import InvalidInput, StaleEdit
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, require
from orchestra.blueprints import amounts_of, read_parameters
from orchestra.choices import Alteration, ChangeKind, OrderKind, OrderState
from orchestra.models import Deployment, Offering, OfferingVersion, Order, Plan
from orchestra.selectors.catalogue import published_version, sizes_for
from orchestra.selectors.deployments import live_links, lock_deployment
from orchestra.services.approvals import settle
from orchestra.services.change_plans import Change, assess_change, assess_change_of, write_change
from orchestra.services.deployments import NotLive, request_retirement, require_free
from orchestra.services.order_checks import LATEST_END, project_end
from orchestra.services.order_states import clean_reason, emit, move, record
from orchestra.services.plans import billing_zone

UNTOUCHED = "This cannot be changed while it runs. Request a new application for it."


@transaction.atomic
def request_resize(
    *,
    deployment: Deployment,
    requester: User,
    business_reason: str,
    at: datetime,
    offering: Offering | None = None,
    parameters: Mapping[str, Any] | None = None,
    version: int | None = None,
) -> Order:
    """Ask for other amounts, or for another service of the same category, of what runs.

    `parameters` are the choices that change; only those that are capacity may. `version` is the
    application's `generation` as the requester saw it. Returns the request PLANNED, or as a DRAFT
    with `refusal` where it does not fit in place. Raises InvalidInput by field, StaleEdit, NotLive
    or Busy.
    """
    deployment = _locked(deployment, requester, version)
    reason = _reason(business_reason)
    wanted, values = read_size(deployment=deployment, offering=offering, parameters=parameters)
    order = _write(
        deployment,
        Alteration.RESIZE,
        requester=requester,
        reason=reason,
        at=at,
        offering_version=wanted,
        parameters=values,
        end_at=deployment.lease_end_at,
    )
    _plan(order, actor=requester, at=at)
    return order


@transaction.atomic
def request_extension(
    *,
    deployment: Deployment,
    requester: User,
    end_at: datetime,
    business_reason: str,
    at: datetime,
    version: int | None = None,
) -> Order:
    """Ask to keep what runs until a later end; what it holds is held for longer, where it is.

    Returns the request PLANNED, or as a DRAFT whose `refusal` says up to when it could be. Raises
    InvalidInput by field, StaleEdit, NotLive or Busy.
    """
    deployment = _locked(deployment, requester, version)
    reason = _reason(business_reason)
    _check_later(deployment, end_at, at)
    order = _write(
        deployment, Alteration.EXTEND, requester=requester, reason=reason, at=at, end_at=end_at
    )
    _plan(order, actor=requester, at=at)
    return order


@transaction.atomic
def request_end(
    *,
    deployment: Deployment,
    requester: User,
    business_reason: str,
    at: datetime,
    end_at: datetime | None = None,
    effective_at: datetime | None = None,
    version: int | None = None,
) -> Order:
    """Ask to end what runs at a date before the agreed one, or now (no `end_at`).

    From the date on its capacity is free for others at once; it is given back then. By rule it is
    approved and starts here. Raises InvalidInput by field, StaleEdit, NotLive or Busy.
    """
    if end_at is None:
        return request_retirement(
            deployment=deployment,
            requester=requester,
            business_reason=business_reason,
            at=at,
            effective_at=effective_at,
        )
    deployment = _locked(deployment, requester, version)
    reason = _reason(business_reason)
    _check_earlier(deployment, end_at, at)
    order = _write(
        deployment, Alteration.END, requester=requester, reason=reason, at=at, end_at=end_at
    )
    plan = _plan(order, actor=requester, at=at)
    assert plan is not None  # nothing can refuse what holds and costs nothing more
    settle(order=order, plan=plan, actor=requester, at=at, effective_at=effective_at)
    return order


def replan_change(*, order: Order, actor: User, at: datetime) -> Plan | None:
    """Plan a locked request for a change anew, from what the application is now."""
    assert order.deployment_id is not None
    order.deployment = lock_deployment(order.deployment_id)
    _require_live(order.deployment)
    return _plan(order, actor=actor, at=at)


def preview_change(
    *,
    deployment: Deployment,
    viewer: User,
    alteration: Alteration,
    at: datetime,
    offering: Offering | None = None,
    parameters: Mapping[str, Any] | None = None,
    end_at: datetime | None = None,
) -> Change:
    """Say what a change would do while it is being filled in. Reads only.

    Raises InvalidInput by field for what is not understood yet.
    """
    require(viewer, Action.ORDER_PLACE, deployment.project)
    _require_live(deployment)
    version, values = deployment.offering_version, dict(deployment.parameters)
    if alteration is Alteration.RESIZE:
        end_at = deployment.lease_end_at
        version, values = read_size(deployment=deployment, offering=offering, parameters=parameters)
    elif alteration is Alteration.EXTEND:
        _check_later(deployment, end_at, at)
    else:
        _check_earlier(deployment, end_at or at, at)
    return assess_change(
        deployment=deployment,
        alteration=alteration,
        version=version,
        parameters=values,
        end_at=end_at,
        at=at,
    )


def read_size(
    *,
    deployment: Deployment,
    offering: Offering | None,
    parameters: Mapping[str, Any] | None,
) -> tuple[OfferingVersion, dict[str, Any]]:
    """Return the version and all choices that a resize asks for.

    Without an offering the version that runs is kept, even when it is not offered any more; a
    named one is its published version. Raises InvalidInput with `fields`.
    """
    version = _version(deployment, offering)
    current, given = deployment.parameters, dict(parameters or {})
    properties = version.parameters.get("properties", {})
    kept = {name: value for name, value in current.items() if name in properties}
    values, faults = read_parameters(version.parameters, kept | given)
    fields = {f"parameters.{name}" if name else "parameters": text for name, text in faults.items()}
    for name, field in properties.items():
        is_other = name in values and name in current and values[name] != current[name]
        if is_other and "x-resource-class" not in field:
            fields.setdefault(f"parameters.{name}", UNTOUCHED)
    if not fields and not amounts_of(version, values):
        fields["parameters"] = "With these choices nothing would be held. Choose more."
    if not fields and version.pk == deployment.offering_version_id and values == current:
        fields["parameters"] = "Nothing would change. Choose another size."
    if fields:
        raise InvalidInput(next(iter(fields.values())), fields=fields)
    return version, values


def _version(deployment: Deployment, offering: Offering | None) -> OfferingVersion:
    running = deployment.offering_version
    if offering is None:
        return running
    version = published_version(offering)
    known = version is not None and sizes_for(deployment).filter(pk=version.pk).exists()
    if version is None or not known:
        message = (
            f"{deployment} cannot become {offering} where it is. Choose a service of the category "
            f"{running.offering.category} that {deployment.pool} delivers."
        )
        raise InvalidInput(message, fields={"offering": message})
    return version


def _check_later(deployment: Deployment, end_at: object, at: datetime) -> None:
    now = deployment.lease_end_at
    fault = ""
    if now is None:
        fault = f"{deployment} has no agreed end, so there is nothing to extend."
    elif now <= at:
        fault = "Its agreed end is reached: it is being given back."
    elif not isinstance(end_at, datetime) or end_at.tzinfo is None:
        fault = "Choose a later end: a date and time with a time zone."
    elif end_at <= now:
        fault = "Choose an end after the agreed one. To end it earlier, use “End”."
    elif end_at > at + LATEST_END:
        fault = "End within ten years."
    else:
        fault = _project_fault(deployment, end_at, at)
    if fault:
        raise InvalidInput(fault, fields={"end_at": fault})


def _check_earlier(deployment: Deployment, end_at: object, at: datetime) -> None:
    now = deployment.lease_end_at
    fault = ""
    if not isinstance(end_at, datetime) or end_at.tzinfo is None:
        fault = "Must be a date and time with a time zone."
    elif end_at < at:
        fault = "This is past. Leave it empty to end it now."
    elif now is not None and end_at >= now:
        fault = "Choose an end before the agreed one. To keep it longer, use “Extend”."
    elif end_at > at + LATEST_END:
        fault = "End within ten years."
    if fault:
        raise InvalidInput(fault, fields={"end_at": fault})


def _project_fault(deployment: Deployment, end_at: datetime, at: datetime) -> str:
    project = deployment.project
    if project.status != ProjectStatus.ACTIVE:
        return f"{project} is {project.get_status_display().lower()}."
    if project.end_date is None:
        return ""
    zone = billing_zone(project=project, at=at)
    if end_at > project_end(project, zone):
        return f"{project} ends on {project.end_date}: choose an end up to then."
    return ""


def _locked(deployment: Deployment, requester: User, version: int | None) -> Deployment:
    require(requester, Action.ORDER_PLACE, deployment.project)
    deployment = lock_deployment(deployment.pk)
    _require_live(deployment)
    require_free(deployment)
    if version is not None and version != deployment.generation:
        message = f"{deployment} was changed since you opened it. Open it again to see how."
        raise StaleEdit(message)
    return deployment


def _require_live(deployment: Deployment) -> None:
    if not deployment.is_live:
        message = (
            f"{deployment} is “{deployment.get_state_display().lower()}”: only a running "
            "application can be changed."
        )
        raise NotLive(message)


def _reason(business_reason: str) -> str:
    try:
        return clean_reason(business_reason, needed=True)
    except InvalidInput as error:
        raise InvalidInput(error.message, fields={"business_reason": error.message}) from error


def _write(
    deployment: Deployment,
    alteration: Alteration,
    *,
    requester: User,
    reason: str,
    at: datetime,
    **changes: Any,
) -> Order:
    """Write the request: the application as it is, and over it what changes."""
    values: dict[str, Any] = {
        "offering_version": deployment.offering_version,
        "parameters": deployment.parameters,
        **changes,
    }
    is_term = alteration is not Alteration.RESIZE
    order = Order.objects.create(
        kind=OrderKind.CHANGE,
        alteration=alteration,
        # Moving a date touches nothing that runs, so no freeze holds it.
        change_kind=ChangeKind.STANDARD if is_term else ChangeKind.NORMAL,
        project=deployment.project,
        requester=requester,
        pool=deployment.pool,
        deployment=deployment,
        name=deployment.name,
        application=deployment.application,
        environment=deployment.environment,
        business_reason=reason,
        instances=max(len(live_links(deployment)), 1),
        created_at=at,
        **values,
    )
    record(order, "place", at=at, actor=requester, reason=reason)
    emit(order, "placed", at=at, alteration=str(alteration))
    return order


def _plan(order: Order, *, actor: User, at: datetime) -> Plan | None:
    """Plan a locked request for a change. What was decided before is void."""
    change = assess_change_of(order, at)
    order.decided_at = order.finished_at = None
    order.refusal = dict(change.refusal)
    if change.refusal:
        move(order, OrderState.DRAFT)
        record(order, "plan", at=at, actor=actor, reason=str(change.refusal["message"]))
        emit(order, "refused", at=at, refusal=order.refusal)
        return None
    plan = write_change(order, change, created_by=actor, at=at)
    move(order, OrderState.PLANNED)
    record(order, "plan", at=at, actor=actor, changes={"plan": [None, plan.sha256]})
    emit(order, "planned", at=at, plan=plan)
    return plan
