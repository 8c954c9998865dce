"""Settle a run after each step: what follows from its steps, and how it is undone.

All functions work inside the caller's transaction, which holds the run's lock.
"""

from datetime import datetime

from inventory.choices import ResourceStatus
from inventory.services import deactivate, mark
from orchestra import bell
from orchestra.choices import DesiredState, Phase, RunState, StepState
from orchestra.engine.story import move_run, tell
from orchestra.lifecycle import follows, may_have_touched, stopped, undo_graph
from orchestra.models import Run, Step
from orchestra.steps import CREATE, DELETE, can_undo, handler_of

UNDO_ATTEMPTS = 10
STUCK = (StepState.FAILED, StepState.PARKED)


def settle(*, run: Run, at: datetime) -> None:
    """Give a run the state that follows from its steps, and plan its undoing when that is due."""
    steps = list(run.steps.select_related("resource").order_by("ordinal"))
    forward = [step for step in steps if step.phase == Phase.FORWARD]
    undo: list[Step] | None = [step for step in steps if step.phase == Phase.UNDO] or None
    if run.state == RunState.COMPENSATING and undo is None:
        if any(step.state == StepState.RUNNING for step in forward):
            return
        undo = _plan_undo(run, forward)
    before = RunState(run.state)
    after = follows(
        state=before,
        desired=DesiredState(run.desired_state),
        on_failure=run.on_failure,
        forward=[StepState(step.state) for step in forward],
        undo=None if undo is None else [StepState(step.state) for step in undo],
    )
    if after is before:
        return
    if after is RunState.COMPENSATING:
        begin_compensation(run=run, at=at, reason=_what_failed(forward))
    elif after is RunState.NEEDS_OPERATOR:
        reason = _what_failed(undo or forward)
        left = _mark_leftovers(steps, at)
        if left:
            reason = f"Left behind: {', '.join(left)}. {reason}"
        move_run(run=run, to=after, at=at, reason=reason)
    else:
        move_run(run=run, to=after, at=at, reason=run.reason)


def begin_compensation(*, run: Run, at: datetime, reason: str) -> None:
    """Start to undo a run: what has not begun is left out, what is in flight is waited for."""
    move_run(run=run, to=RunState.COMPENSATING, at=at, reason=reason)
    waiting = run.steps.select_for_update(no_key=True).filter(
        phase=Phase.FORWARD, state__in=[StepState.BLOCKED, StepState.READY]
    )
    for step in waiting.order_by("id"):
        step.state = stopped(state=StepState(step.state), has_intent=step.intent_at is not None)
        step.not_before = None
        step.finished_at = at
        step.save(update_fields=["state", "not_before", "finished_at"])
    settle(run=run, at=at)
    bell.ring(run.pk)


def _plan_undo(run: Run, forward: list[Step]) -> list[Step]:
    """Write one undo step for each forward step that may have left something behind."""
    by_key = {step.key: step for step in forward}
    touched = [step.key for step in forward if _must_undo(step)]
    graph = undo_graph({step.key: step.needs for step in forward}, touched)
    first = max((step.ordinal for step in forward), default=0) + 1
    rows = []
    for place, (key, needs) in enumerate(graph.items()):
        step = by_key[key]
        rows.append(
            Step(
                run=run,
                key=key,
                phase=Phase.UNDO,
                ordinal=first + place,
                component=step.component,
                index=step.index,
                action=step.action,
                action_version=step.action_version,
                label=f"Undo: {step.label}"[:120],
                needs=list(needs),
                pending_deps=len(needs),
                state=StepState.BLOCKED if needs else StepState.READY,
                resource=step.resource,
                connection_id=step.connection_id,
                inputs={
                    "created_key": step.idempotency_key,
                    "is_uncertain": step.intent_at is not None,
                    **step.inputs.get("undo", {}),
                },
                external_ref=step.external_ref,
                idempotency_key=f"{step.idempotency_key}/undo",
                max_attempts=UNDO_ATTEMPTS,
                # Higher than any fence of the step itself, so that a late worker is refused.
                fence=step.fence,
            )
        )
    return Step.objects.bulk_create(rows)


def _must_undo(step: Step) -> bool:
    handler = handler_of(action=step.action, version=step.action_version, phase=step.phase)
    return can_undo(action=step.action, version=step.action_version) and may_have_touched(
        state=StepState(step.state),
        has_intent=step.intent_at is not None,
        touches_provider=handler is not None and handler.touches_provider,
    )


def _what_failed(steps: list[Step]) -> str:
    stuck = [step for step in steps if step.state in STUCK]
    return " ".join(f"{step.label}: {step.error}" for step in stuck[:3])


def _mark_leftovers(steps: list[Step], at: datetime) -> list[str]:
    """Mark what could not be removed as left over, and return what it is called.

    Nobody pays for it any more, but its capacity is held for as long as it is there.
    """
    names = []
    for step in steps:
        removes = step.action == DELETE or (step.action == CREATE and step.phase == Phase.UNDO)
        if removes and step.state in STUCK and step.resource is not None:
            deactivate(resource=step.resource, at=at)
            mark(resource=step.resource, status=ResourceStatus.LEFTOVER, at=at)
            tell(
                run=step.run,
                step=step,
                at=at,
                level="error",
                message=f"{step.resource.name} is left over and must be removed by hand.",
            )
            ref = f" ({step.external_ref})" if step.external_ref else ""
            names.append(f"{step.resource.name}{ref}")
    return names
