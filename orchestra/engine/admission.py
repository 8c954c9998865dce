"""Start the runs that may start now. Approval, freeze and window are asked here, at the claim,
and not only when the order was placed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from inventory.foundation.clock import database_now
from inventory.foundation.permissions import Action, may
from inventory.foundation.trail import told_together
from orchestra.blueprints import digest
from orchestra.choices import ChangeKind, DesiredState, OrderKind, RunState
from orchestra.engine.compensate import begin_compensation
from orchestra.engine.story import business_time, move_run, tell
from orchestra.models import Run
from orchestra.selectors.runs import (
    freezes_ahead,
    is_approved,
    lock_scheduled_run,
    windows_of,
)

SHORTEST_DEADLINE = timedelta(hours=1)
PATIENCE = 12  # a run may take this many times its usual duration


@dataclass(frozen=True)
class Refusal:
    """Why a run does not start; `for_good` when it never will."""

    reason: str
    for_good: bool = False


def admit_runs(*, passed: set[int]) -> int:
    """Start every scheduled run that may start and return how many did.

    `passed` holds the runs looked at already, and gets those looked at now.
    """
    started = 0
    while True:
        with transaction.atomic(), told_together():
            run = lock_scheduled_run(passed=passed)
            if run is None:
                return started
            passed.add(run.pk)
            started += _admit(run)


def _admit(run: Run) -> bool:
    at = business_time(run)
    refusal = refusal_of(run=run, at=at)
    if refusal is None:
        set_deadline(run)
        move_run(run=run, to=RunState.RUNNING, at=at)
        return True
    if refusal.for_good:
        run.desired_state = DesiredState.CANCEL
        run.save(update_fields=["desired_state"])
        begin_compensation(run=run, at=at, reason=refusal.reason)
    elif run.reason != refusal.reason:
        run.reason = refusal.reason
        run.save(update_fields=["reason"])
        tell(run=run, message=refusal.reason, at=at)
    return False


def set_deadline(run: Run) -> None:
    """Give a locked run its time, from now on; what gives back has no deadline."""
    if run.action == OrderKind.RETIRE:
        return
    usual = timedelta(minutes=run.deployment.offering_version.minutes_to_deliver)
    run.deadline_at = database_now() + max(SHORTEST_DEADLINE, PATIENCE * usual)
    run.save(update_fields=["deadline_at"])


def refusal_of(*, run: Run, at: datetime) -> Refusal | None:
    """Return why a run must not start at this business time, or None."""
    if run.deployment_generation < run.deployment.generation:
        reason = "A newer request for the same application has taken its place."
        return Refusal(reason, for_good=True)
    if not may(run.requested_by, Action.ORDER_PLACE, run.order.project):
        reason = f"{run.requested_by} may no longer order in {run.order.project}."
        return Refusal(reason, for_good=True)
    if not is_approved(run) or digest(run.snapshot) != run.plan_sha256:
        reason = "What would be done is not what was approved. Ask for it again."
        return Refusal(reason, for_good=True)
    if run.order.start_at is not None and run.order.start_at > at:
        return Refusal(f"It starts on {_when(run.order.start_at)}.")
    if run.change_kind != ChangeKind.NORMAL:
        return None
    return _calendar(run, at)


def _calendar(run: Run, at: datetime) -> Refusal | None:
    """A normal change starts only if doing it and undoing it end before a freeze or window does."""
    minutes = run.deployment.offering_version.minutes_to_deliver
    end = at + 2 * timedelta(minutes=minutes)
    freeze = freezes_ahead(run=run, start=at, end=end).first()
    if freeze is not None:
        until = freeze.during.upper
        ends = f"to end on {_when(until)}" if until else "to be lifted"
        return Refusal(f"It waits for the freeze {freeze.name} ({freeze.reason}) {ends}.")
    windows = list(windows_of(run))
    if not windows:
        return None
    if any(
        (window.during.lower is None or window.during.lower <= at)
        and (window.during.upper is None or window.during.upper >= end)
        for window in windows
    ):
        return None
    opens = [w for w in windows if w.during.lower is not None and w.during.lower > at]
    if opens:
        return Refusal(
            f"It waits for the change window {opens[0].name}, from {_when(opens[0].during.lower)}."
        )
    return Refusal("It waits for a change window, and none is planned. Ask the pool's operator.")


def _when(moment: datetime) -> str:
    return f"{moment:%-d %B %Y, %H:%M} UTC"
