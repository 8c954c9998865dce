"""Take claimed steps one after the other: intent, call, outcome (engine.md, rules 2 and 3)."""

import json
import logging
from dataclasses import replace
from functools import lru_cache

import rfc8785
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from inventory.foundation.choices import Via
from inventory.foundation.clock import ClockTime
from inventory.foundation.errors import DomainError
from inventory.foundation.trail import Trail, on_trail
from orchestra.choices import AttemptOutcome, Phase, RunState, StepState
from orchestra.engine.admission import admit_runs
from orchestra.engine.claim import Claim, Heartbeat, claim_next, show_life
from orchestra.engine.failpoints import CALLED, CLAIMED, INTENDED, failpoint
from orchestra.engine.outcome import Result, record
from orchestra.engine.story import business_time
from orchestra.lifecycle import Move, after_unknown
from orchestra.models import Step
from orchestra.providers import registry
from orchestra.providers.base import (
    NotOffered,
    OutcomeUnknown,
    Provider,
    ProviderError,
    ResourceSpec,
    checked,
)
from orchestra.steps import Call, Handler, handler_of, spec_from

logger = logging.getLogger(__name__)
DEADLOCK = "40P01"
STEPS_BETWEEN_STARTS = 8


def drain(*, worker: str) -> int:
    """Start what may start and take steps until nothing is ready; return how many were taken.

    One bell drains: it does not matter for which run it rang. Runs that wait to start are looked at
    when no step is due, and after every few steps, so that a long queue does not keep them waiting.
    """
    taken = 0
    passed: set[int] = set()
    with on_trail(Trail(via=Via.WORKER, label=f"worker {worker}"[:120])):
        try:
            show_life(name=worker, kind="worker")
            while True:
                if taken % STEPS_BETWEEN_STARTS == 0:
                    admit_runs(passed=passed)
                claim = claim_next(worker=worker)
                if claim is None and admit_runs(passed=passed):
                    claim = claim_next(worker=worker)
                if claim is None:
                    return taken
                take(claim)
                taken += 1
        except (OperationalError, InterfaceError):
            # The rows say what was going on; the next bell or sweep goes on from there.
            logger.warning("the database is not reachable; work rests", exc_info=True)
            if not connection.in_atomic_block:
                connection.close()
    return taken


def take(claim: Claim) -> None:
    """Carry out one claimed step and write its outcome."""
    step = Step.objects.select_related("run", "resource__provider", "connection").get(
        pk=claim.step_id
    )
    failpoint(CLAIMED, step)
    handler = handler_of(action=step.action, version=step.action_version, phase=step.phase)
    if handler is None:
        error = f"This release does not know {step.action} version {step.action_version}."
        result = Result(AttemptOutcome.UNKNOWN, error=error, is_parked=True)
    elif step.phase == Phase.FORWARD and claim.run_state is not RunState.RUNNING:
        # Taken over while its run is undone: whether the lost worker did it, its undo finds out.
        lost = AttemptOutcome.UNKNOWN if claim.has_intent else AttemptOutcome.TRANSIENT
        result = Result(lost, error="Stopped, because everything is being undone.")
    elif handler.touches_provider:
        called = _call(claim, step, handler)
        if called is None:
            return
        result = called
    else:
        result = Result(AttemptOutcome.DONE)
    _write(claim, handler, result)


def _write(claim: Claim, handler: Handler | None, result: Result) -> None:
    """Write the outcome; where its effects are refused, write that refusal instead."""
    try:
        _record_twice(claim, handler, result)
        return
    except DomainError as refusal:
        error, outcome = refusal.message, AttemptOutcome.PERMANENT
    except (OperationalError, InterfaceError):
        raise
    except Exception as bug:
        logger.exception("the effects of step %s failed", claim.step_id)
        error, outcome = f"Internal error ({type(bug).__name__}).", AttemptOutcome.TRANSIENT
    if handler is not None and handler.touches_provider:
        outcome = AttemptOutcome.UNKNOWN
    record(claim=claim, handler=handler, result=Result(outcome, error=error))


def _record_twice(claim: Claim, handler: Handler | None, result: Result) -> None:
    """Write the outcome, once more if two transactions stood in each other's way."""
    try:
        record(claim=claim, handler=handler, result=result)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != DEADLOCK:
            raise
        record(claim=claim, handler=handler, result=result)


def _call(claim: Claim, step: Step, handler: Handler) -> Result | None:
    """Commit the intent, then call; None when the claim was lost before the call."""
    try:
        provider = provider_of(step)
    except Exception as error:
        logger.exception("connection %s cannot be used", step.connection)
        error_text = f"The connection cannot be used: {error}"
        return Result(AttemptOutcome.UNKNOWN, error=error_text, is_parked=True)
    try:
        if not _intend(claim, step, handler):
            return None
    except DomainError as refusal:
        return Result(AttemptOutcome.PERMANENT, error=refusal.message)
    failpoint(INTENDED, step)
    call = Call(
        key=step.inputs.get("created_key") or step.idempotency_key,
        fence=claim.fence,
        ref=step.external_ref,
        spec=_spec(step),
    )
    with Heartbeat(claim):
        result = ask(
            provider=provider,
            handler=handler,
            call=call,
            has_intent=claim.has_intent,
            is_uncertain=bool(step.inputs.get("is_uncertain")),
        )
    failpoint(CALLED, step)
    return result


def _intend(claim: Claim, step: Step, handler: Handler) -> bool:
    """Commit what is about to be asked of the provider; False when the claim is lost."""
    with transaction.atomic():
        mine = Step.objects.filter(pk=claim.step_id, fence=claim.fence, state=StepState.RUNNING)
        if not mine.update(intent_at=ClockTime()):
            return False
        handler.intend(step=step, at=business_time(step.run))
    return True


def ask(
    *, provider: Provider, handler: Handler, call: Call, has_intent: bool, is_uncertain: bool
) -> Result:
    """Call the provider and say how it went; never raises.

    With an unfinished intent from before it looks first (rule 3). `is_uncertain` belongs to an
    undo without a reference: something may have been made.
    """
    try:
        promises = provider.capabilities()
        if not handler.is_offered(promises):
            return Result(AttemptOutcome.SKIPPED, error="This connection does not offer it.")
        if call.spec is None and not call.ref and not promises.lookup:
            if not is_uncertain:
                return Result(AttemptOutcome.DONE)
            error = "It may exist, and this connection cannot find it. Look there by hand."
            return Result(AttemptOutcome.UNKNOWN, error=error, is_parked=True)
        if has_intent and not handler.repeatable:
            found = provider.lookup(call.key) if promises.lookup else None
            move = after_unknown(found=found is not None, idempotent=promises.idempotent_create)
            if move is Move.ADOPT:
                return Result(AttemptOutcome.ADOPTED, handle=checked(found), destination_ok=True)
            if move is Move.PARK:
                error = "It may have been made already, and a second one must not be. Look there."
                return Result(AttemptOutcome.UNKNOWN, error=error, is_parked=True)
        handle = handler.call(provider=provider, call=call)
        answer = None if handle is None else checked(handle)
        return Result(AttemptOutcome.DONE, handle=answer, destination_ok=True)
    except NotOffered as error:
        return Result(AttemptOutcome.SKIPPED, error=error.message)
    except OutcomeUnknown as error:
        return Result(AttemptOutcome.UNKNOWN, error=error.message, destination_ok=False)
    except ProviderError as error:
        outcome = AttemptOutcome.PERMANENT if error.permanent else AttemptOutcome.TRANSIENT
        return Result(outcome, error=error.message, destination_ok=error.permanent)
    except Exception as error:
        # A provider with a bug may have done anything; that is an unknown outcome.
        logger.exception("a provider failed in an unexpected way")
        text = f"The connection failed in an unexpected way ({type(error).__name__})."
        return Result(AttemptOutcome.UNKNOWN, error=text, destination_ok=False)


def provider_of(step: Step) -> Provider:
    """Return the provider that the step's connection configures."""
    link = step.connection
    if link is None:
        message = "this step has no connection; give its pool one"
        raise LookupError(message)
    folder = settings.VAR_DIR / link.kind / link.name
    return _built(link.kind, rfc8785.dumps({"state_dir": str(folder), **link.options}))


@lru_cache(maxsize=64)
def _built(kind: str, options: bytes) -> Provider:
    return registry.build(kind, json.loads(options), settings.ORCHESTRA_PROVIDERS)


def _spec(step: Step) -> ResourceSpec | None:
    """Return what to make, with the host that the reservation chose."""
    spec = spec_from(step.inputs)
    host = step.resource.provider if step.resource else None
    return replace(spec, host=host.name) if spec and host else spec
