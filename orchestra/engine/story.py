"""Every change of state is told once: to the audit trail, to the outbox, and to whoever reads.

All functions work inside the caller's transaction and on rows that the caller has locked.
"""

from datetime import datetime
from typing import Any

from inventory.foundation.clock import database_now
from inventory.foundation.trail import emit_event, record_audit, write_told
from orchestra.choices import (
    DeploymentState,
    OrderKind,
    OrderState,
    RunState,
)
from orchestra.lifecycle import TERMINAL_RUNS, deployment_follows, may_become, order_follows
from orchestra.models import Run, Step, StepLog

SOURCE = "/orchestra/engine"
LONGEST_REASON = 500

RUN_WORDS = {
    RunState.SUCCEEDED: "Everything is delivered.",
    RunState.COMPENSATED: "Everything that was begun has been undone.",
    RunState.CANCELLED: "Cancelled; everything that was begun has been undone.",
}


def business_time(run: Run) -> datetime:
    """Return the run's business time: the given one, or the database's right now."""
    return run.effective_at or database_now()


def tell(
    *, run: Run, message: str, at: datetime, step: Step | None = None, level: str = "info"
) -> None:
    """Write one line of the run's log, in words that the requester understands."""
    write_told(StepLog(run=run, step=step, at=at, level=level, message=message[:1000]))


def move_run(*, run: Run, to: RunState, at: datetime, reason: str = "") -> None:
    """Change a run's state, and its order's and deployment's with it."""
    before = RunState(run.state)
    if not may_become(before, to):
        message = f"a run does not go from {before} to {to}"
        raise RuntimeError(message)
    run.state = to
    run.reason = reason[:LONGEST_REASON]
    if to is RunState.RUNNING and run.started_at is None:
        run.started_at = at
    if to in TERMINAL_RUNS:
        run.finished_at = at
    run.save(update_fields=["state", "reason", "started_at", "finished_at"])
    word = "resumed" if before is RunState.NEEDS_OPERATOR and to is RunState.RUNNING else to.value
    word = "started" if word == RunState.RUNNING else word
    project = run.order.project
    record_audit(
        action=f"run.{word}",
        subject=run,
        at=at,
        project=project,
        changes={"state": [before.value, to.value]},
        reason=reason,
    )
    emit_event(
        type=f"orchestra.run.{word}",
        subject=run,
        at=at,
        project=project,
        source=SOURCE,
        correlation_id=str(run.correlation_id),
        data={
            "run": run.pk,
            "order": run.order_id,
            "deployment": run.deployment_id,
            "from": before.value,
            "to": to.value,
            "reason": reason[:LONGEST_REASON],
        },
    )
    tell(run=run, message=_run_line(run, to, word, reason), at=at, level=_level(to))
    _move_order(run, to, at)
    _move_deployment(run, to, at)


def tell_step(*, step: Step, at: datetime, word: str, data: dict[str, Any] | None = None) -> None:
    """Put one event about a step into the outbox."""
    run = step.run
    emit_event(
        type=f"orchestra.step.{word}",
        subject=step,
        at=at,
        project=run.order.project,
        source=SOURCE,
        correlation_id=str(run.correlation_id),
        data={
            "run": run.pk,
            "step": step.key,
            "phase": step.phase,
            "action": step.action,
            "label": step.label,
            "state": step.state,
            **(data or {}),
        },
    )


def _run_line(run: Run, to: RunState, word: str, reason: str) -> str:
    if to is RunState.RUNNING:
        return "Work goes on." if word == "resumed" else "Work begins."
    if to is RunState.COMPENSATING:
        return f"Everything that was begun is being undone. {reason}".strip()
    if to is RunState.NEEDS_OPERATOR:
        return f"An operator is needed. {reason}".strip()
    if to is RunState.SUCCEEDED and run.action == OrderKind.RETIRE:
        return "Everything has been given back."
    if to is RunState.SUCCEEDED and run.action == OrderKind.CHANGE:
        return "The change is done."
    return RUN_WORDS[to]


def _level(to: RunState) -> str:
    bad = {RunState.COMPENSATING, RunState.NEEDS_OPERATOR, RunState.COMPENSATED}
    return "warning" if to in bad else "info"


def _move_order(run: Run, to: RunState, at: datetime) -> None:
    after = order_follows(to)
    order = run.order
    if after is None or order.state == after:
        return
    before = order.state
    order.state = after
    order.version += 1
    if after is not OrderState.FULFILLING:
        order.finished_at = at
    order.save(update_fields=["state", "version", "finished_at"])
    _tell_change(run, order, "order", before, after.value, at)


def _move_deployment(run: Run, to: RunState, at: datetime) -> None:
    after = deployment_follows(action=OrderKind(run.action), state=to)
    deployment = run.deployment
    if after is None or deployment.state == after:
        return
    before = deployment.state
    deployment.state = after
    if after is DeploymentState.RETIRED:
        deployment.retired_at = at
    deployment.save(update_fields=["state", "retired_at"])
    _tell_change(run, deployment, "deployment", before, after.value, at)


def _tell_change(run: Run, subject: Any, noun: str, before: str, after: str, at: datetime) -> None:
    project = run.order.project
    record_audit(
        action=f"{noun}.{after}",
        subject=subject,
        at=at,
        project=project,
        changes={"state": [before, after]},
        reason=run.reason,
    )
    emit_event(
        type=f"orchestra.{noun}.{after}",
        subject=subject,
        at=at,
        project=project,
        source=SOURCE,
        correlation_id=str(run.correlation_id),
        data={"from": before, "to": after, "run": run.pk},
    )
