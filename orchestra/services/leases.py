"""The verbs of a term: warn before its end, and confirm what has none."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.urls import reverse
from django.utils.formats import date_format

from inventory.foundation.errors import Conflict
from inventory.foundation.models import User
from inventory.foundation.periods import days_before, months_after
from inventory.foundation.permissions import Action, require
from inventory.foundation.trail import emit_event, record_audit
from orchestra.choices import DeploymentState, DueKind, NoticeKind
from orchestra.lifecycle import warning_now
from orchestra.models import Deployment, LeaseWarning
from orchestra.selectors.defaults import LeaseRules, lease_rules
from orchestra.selectors.deployments import lock_deployment
from orchestra.selectors.leases import (
    answering_for,
    due_kind,
    due_within,
    operators_of,
    warned_of,
    without_a_date,
)
from orchestra.services.notices import notify
from orchestra.services.plans import billing_zone


class NothingToConfirm(Conflict):
    """An application that ends, or does not run, is not confirmed."""

    code = "nothing_to_confirm"
    title = "There is nothing to confirm"


def confirm_until(*, deployment: Deployment, since: datetime) -> datetime:
    """Return up to when an application without an end that was agreed on `since` is confirmed."""
    project = deployment.project
    rules = lease_rules(organisation_id=project.organisation_id, at=since)
    zone = billing_zone(project=project, at=since)
    return months_after(since, rules.confirm_months, zone)


@transaction.atomic
def confirm_deployment(*, deployment: Deployment, actor: User, at: datetime) -> Deployment:
    """Say that an application without an end is still needed, for another year from `at` on (or
    as the defaults say).

    Who may order in the project may confirm. Confirmed twice at the same instant it is once. Raises
    NothingToConfirm for one that ends by itself or does not run.
    """
    require(actor, Action.ORDER_PLACE, deployment.project)
    deployment = lock_deployment(deployment.pk)
    if deployment.state != DeploymentState.LIVE:
        message = (
            f"{deployment} is “{deployment.get_state_display().lower()}”: only a running "
            "application is confirmed."
        )
        raise NothingToConfirm(message)
    if deployment.lease_end_at is not None:
        message = f"{deployment} has an agreed end. Extend it instead of confirming it."
        raise NothingToConfirm(message)
    before, until = deployment.confirm_by, confirm_until(deployment=deployment, since=at)
    if before == until:
        return deployment
    deployment.confirm_by, deployment.confirmed_at = until, at
    deployment.save(update_fields=["confirm_by", "confirmed_at"])
    record_audit(
        action="deployment.confirm",
        subject=deployment,
        at=at,
        actor=actor,
        project=deployment.project,
        changes={"confirm_by": [before.isoformat() if before else None, until.isoformat()]},
    )
    emit_event(
        type="orchestra.deployment.confirmed",
        subject=deployment,
        at=at,
        project=deployment.project,
        data={"name": deployment.name, "confirm_by": until.isoformat()},
    )
    return deployment


def warn_of_ends(*, at: datetime) -> int:
    """Tell people of every end and every confirmation that comes near; return how many warnings.

    Each warning is one transaction with its row, its notices and its event, so that killed, called
    twice or by two schedulers at once it says nothing twice. What was not confirmed in time is
    told to the operators as well; it is not given back.
    """
    _give_dates()
    rules: dict[int, LeaseRules] = {}
    given = 0
    found = due_within(at=at, days=_earliest(at, rules))
    said = warned_of(found)
    for deployment in found:
        days = _days(deployment, rules=rules, at=at)
        due_at = deployment.lease_end_at or deployment.confirm_by
        assert due_at is not None
        if days is None or (deployment.pk, due_at, days) in said:
            continue
        given += _warn(deployment.pk, rules=rules, at=at)
    return given


def _give_dates() -> None:
    """Let what has neither an end nor a date be confirmed, counted from when it was asked for."""
    for deployment in without_a_date():
        until = confirm_until(
            deployment=deployment, since=deployment.confirmed_at or deployment.created_at
        )
        Deployment.objects.filter(pk=deployment.pk, lease_end_at=None, confirm_by=None).update(
            confirm_by=until
        )


def _earliest(at: datetime, rules: dict[int, LeaseRules]) -> int:
    """Return the most days before a date that any organisation warns; fill in their rules."""
    organisations = (
        Deployment.objects.filter(state=DeploymentState.LIVE)
        .order_by()
        .values_list("project__organisation_id", flat=True)
        .distinct()
    )
    for organisation_id in organisations:
        rules[organisation_id] = lease_rules(organisation_id=organisation_id, at=at)
    return max((rule.warning_days[0] for rule in rules.values()), default=0)


def _days(deployment: Deployment, *, rules: dict[int, LeaseRules], at: datetime) -> int | None:
    """Return which warning is to be given now: so many days before, 0 for an overdue one."""
    due_at = deployment.lease_end_at or deployment.confirm_by
    organisation_id = deployment.project.organisation_id
    if due_at is None or deployment.state != DeploymentState.LIVE or organisation_id not in rules:
        return None
    if at >= due_at:
        return 0 if due_kind(deployment) == DueKind.CONFIRM else None
    zone = billing_zone(project=deployment.project, at=at)
    return warning_now(
        thresholds={
            days: days_before(due_at, days, zone) for days in rules[organisation_id].warning_days
        },
        agreed_at=deployment.confirmed_at or deployment.created_at,
        due_at=due_at,
        at=at,
    )


@transaction.atomic
def _warn(deployment_id: int, *, rules: dict[int, LeaseRules], at: datetime) -> bool:
    """Give the warning that is due now, under the application's lock; False if there is none."""
    deployment = lock_deployment(deployment_id)
    days = _days(deployment, rules=rules, at=at)
    due_at = deployment.lease_end_at or deployment.confirm_by
    if days is None or due_at is None:
        return False
    kind = due_kind(deployment)
    _row, is_new = LeaseWarning.objects.get_or_create(
        deployment=deployment, kind=kind, due_at=due_at, days=days, defaults={"warned_at": at}
    )
    if not is_new:
        return False
    people = answering_for(deployment)
    if days == 0:
        known = {person.pk for person in people}
        people += [one for one in operators_of(deployment, at=at) if one.pk not in known]
    notify(
        people=people,
        kind=_notice_kind(kind, days),
        text=_text(deployment, kind=kind, due_at=due_at, days=days, at=at),
        link=reverse("orchestra:application", args=[deployment.pk]),
        project=deployment.project,
        at=at,
    )
    emit_event(
        type="orchestra.deployment.warned" if days else "orchestra.deployment.overdue",
        subject=deployment,
        at=at,
        project=deployment.project,
        data={
            "name": deployment.name,
            "kind": kind.value,
            "due_at": due_at.isoformat(),
            "days": days,
        },
    )
    return True


def _notice_kind(kind: DueKind, days: int) -> NoticeKind:
    if kind == DueKind.END:
        return NoticeKind.ENDS_SOON
    return NoticeKind.CONFIRM_SOON if days else NoticeKind.CONFIRM_OVERDUE


def _text(
    deployment: Deployment, *, kind: DueKind, due_at: datetime, days: int, at: datetime
) -> str:
    """Return the warning in a sentence, with the day as the project's payer counts it."""
    zone = billing_zone(project=deployment.project, at=at)
    local = due_at.astimezone(ZoneInfo(zone))
    moment = f"{date_format(local, 'j F Y')}, {local:%H:%M} ({zone})"
    left = (local.date() - at.astimezone(ZoneInfo(zone)).date()).days
    when = "today" if left == 0 else "tomorrow" if left == 1 else f"in {left} days"
    what = f"{deployment.name} in {deployment.project}"
    if kind == DueKind.END:
        return f"{what} ends {when}, on {moment}. Then it is given back."
    if days:
        return f"{what} is to be confirmed {when}, by {moment}. Is it still needed?"
    return f"{what} was to be confirmed by {moment} and was not. It goes on running and costing."
