"""Write how a step ended: once, under its fence, with all its effects, in one transaction."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Case, F, Value, When

from inventory.foundation.clock import ClockTime, database_now
from inventory.foundation.trail import told_together, write_told
from orchestra import bell
from orchestra.choices import AttemptOutcome, Phase, RunState, StepState
from orchestra.engine.breaker import note_answer, note_failure, wait_before
from orchestra.engine.claim import Claim
from orchestra.engine.compensate import settle
from orchestra.engine.failpoints import WRITTEN, failpoint
from orchestra.engine.story import business_time, tell, tell_step
from orchestra.lifecycle import SETTLED_STEPS, TERMINAL_RUNS
from orchestra.models import Attempt, Effect, Run, Step
from orchestra.providers.base import Handle
from orchestra.selectors.runs import lock_claimed_step, lock_run
from orchestra.steps import Handler

logger = logging.getLogger(__name__)
MOST_BELLS = 7


@dataclass(frozen=True)
class Result:
    """How one try went. `is_parked`: nobody may try again before a person has looked.

    `destination_ok` is for the breaker: it answered, it did not, or (None) it was not asked.
    """

    outcome: AttemptOutcome
    handle: Handle | None = None
    error: str = ""
    is_parked: bool = False
    destination_ok: bool | None = None


def record(*, claim: Claim, handler: Handler | None, result: Result) -> bool:
    """Write the outcome if the claim still holds. False: somebody took over, nothing was written.

    Effects, state, try, event, log and what follows for the run are one transaction.
    """
    is_free = _tell_breaker(claim, result)
    with transaction.atomic(), told_together():
        run = lock_run(claim.run_id)
        step = lock_claimed_step(step_id=claim.step_id, fence=claim.fence)
        if step is None:
            logger.info("step %s was taken over; nothing is written", claim.step_id)
            return False
        step.run = run
        at = business_time(run)
        _write_attempt(step, claim, result)
        if result.outcome in {AttemptOutcome.DONE, AttemptOutcome.ADOPTED}:
            adopted = result.outcome == AttemptOutcome.ADOPTED
            found = " It had been done already and was taken over." if adopted else ""
            finish_step(
                step=step,
                handler=handler,
                handle=result.handle,
                at=at,
                line=f"{step.label}: done.{found}",
                adopted=adopted,
            )
        elif result.outcome == AttemptOutcome.SKIPPED and handler and handler.skippable:
            _leave_out(step, result, at)
        else:
            _fail(step, claim, result, at, is_free=is_free)
        if step.state in SETTLED_STEPS:
            _free_successors(step)
        if RunState(run.state) not in TERMINAL_RUNS:
            settle(run=run, at=at)
        failpoint(WRITTEN, step)
    return True


def _tell_breaker(claim: Claim, result: Result) -> bool:
    """Return whether this failure is the connection's fault and so no try of the step."""
    if claim.connection_id is None or result.destination_ok is None:
        return False
    if result.destination_ok:
        note_answer(connection_id=claim.connection_id)
        return False
    return note_failure(connection_id=claim.connection_id) or claim.is_probe


def _write_attempt(step: Step, claim: Claim, result: Result) -> None:
    attempt = Attempt(
        step=step,
        fence=claim.fence,
        worker=claim.worker,
        started_at=claim.claimed_at,
        ended_at=ClockTime(),
        outcome=result.outcome,
        error=result.error[:500],
    )
    write_told(attempt)


def finish_step(
    *,
    step: Step,
    handler: Handler | None,
    handle: Handle | None,
    at: datetime,
    line: str,
    **facts: bool,
) -> None:
    """Write that a locked step is done, with its effects; `facts` go into the event."""
    step.state = StepState.DONE
    step.error = ""
    if handle is not None:
        step.external_ref = handle.ref
        step.outcome = {"ref": handle.ref, "attributes": dict(handle.attributes)}
    _rest(step, at)
    if handler is not None:
        handler.apply(step=step, handle=handle, at=at)
        for kind in handler.effects:
            write_told(Effect(step=step, phase=step.phase, kind=kind, at=at))
    tell(run=step.run, step=step, message=line, at=at)
    tell_step(step=step, at=at, word="done", data=facts)


def _leave_out(step: Step, result: Result, at: datetime) -> None:
    """Write that a step is not needed here: the connection has no such verb."""
    step.state = StepState.SKIPPED
    step.error = ""
    _rest(step, at)
    tell(run=step.run, step=step, message=f"{step.label}: left out. {result.error}", at=at)
    tell_step(step=step, at=at, word="skipped", data={"reason": result.error})


def _fail(step: Step, claim: Claim, result: Result, at: datetime, *, is_free: bool) -> None:
    step.error = result.error[:500]
    step.attempt += 0 if is_free else 1
    is_surely_undone = result.outcome in {AttemptOutcome.TRANSIENT, AttemptOutcome.PERMANENT}
    if is_surely_undone and not claim.has_intent:
        step.intent_at = None
    step.state = _state_after(step, result)
    if step.state in {StepState.READY, StepState.UNKNOWN}:
        wait = wait_before(step.attempt + 1)
        step.not_before = database_now() + wait
        bell.ring(step.run_id, delay=wait)
    _rest(step, at)
    word, level, line = {
        StepState.READY: ("retrying", "warning", "It will be tried again."),
        StepState.UNKNOWN: ("unknown", "warning", "Whether it was done will be looked up."),
        StepState.PARKED: ("parked", "error", "Somebody has to check."),
        StepState.FAILED: ("failed", "error", "It will not be tried again."),
    }[StepState(step.state)]
    tell(run=step.run, step=step, at=at, level=level, message=f"{step.label}: {step.error} {line}")
    tell_step(step=step, at=at, word=word, data={"error": step.error, "attempt": step.attempt})


def _state_after(step: Step, result: Result) -> StepState:
    if result.is_parked:
        return StepState.PARKED
    if result.outcome in {AttemptOutcome.PERMANENT, AttemptOutcome.SKIPPED}:
        return StepState.FAILED
    is_unknown = result.outcome == AttemptOutcome.UNKNOWN
    is_given_up = step.phase == Phase.FORWARD and step.run.state == RunState.COMPENSATING
    if is_given_up:
        return StepState.UNKNOWN if is_unknown else StepState.FAILED
    if step.attempt >= step.max_attempts:
        return StepState.FAILED
    return StepState.UNKNOWN if is_unknown else StepState.READY


def _rest(step: Step, at: datetime) -> None:
    """Give up the lease and write the row."""
    step.lease_owner = ""
    step.lease_until = None
    is_over = step.state in {*SETTLED_STEPS, StepState.FAILED, StepState.PARKED}
    step.finished_at = at if is_over else None
    step.save(
        update_fields=[
            "state",
            "error",
            "attempt",
            "intent_at",
            "not_before",
            "external_ref",
            "outcome",
            "lease_owner",
            "lease_until",
            "finished_at",
        ]
    )


def _free_successors(step: Step) -> None:
    """Let the steps that waited only for this one begin, and wake workers for all but one."""
    freed = free_successors(run=step.run, key=step.key, phase=step.phase)
    if freed > 1:
        bell.ring(step.run_id, times=min(freed - 1, MOST_BELLS))


def free_successors(*, run: Run, key: str, phase: str) -> int:
    """Count a settled step off those that wait for it; return how many became ready at most."""
    waiting = run.steps.filter(phase=phase, state=StepState.BLOCKED, needs__contains=[key])
    return waiting.update(
        pending_deps=F("pending_deps") - 1,
        state=Case(When(pending_deps__lte=1, then=Value(StepState.READY)), default=F("state")),
    )
