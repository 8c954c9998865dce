"""The verbs of a run: start it with its decision, steer it, repair it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from inventory.foundation.errors import Conflict, InvalidInput
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, pools_granted, require
from inventory.foundation.trail import emit_event, record_audit, write_told
from inventory.models import Resource
from inventory.placement import Need
from inventory.services import Swap, create_resource, extend, hold_growth, reserve
from orchestra import bell
from orchestra.blueprints import COMPONENT, instance_names
from orchestra.choices import (
    Alteration,
    DeploymentState,
    DesiredState,
    OrderKind,
    Phase,
    RunState,
    StepState,
)
from orchestra.engine.admission import set_deadline
from orchestra.engine.compensate import begin_compensation, settle
from orchestra.engine.outcome import finish_step, free_successors
from orchestra.engine.story import SOURCE, move_run, tell, tell_step
from orchestra.lifecycle import TERMINAL_RUNS, resumed_state, topological
from orchestra.models import (
    Deployment,
    DeploymentResource,
    Effect,
    Order,
    Plan,
    PoolConnection,
    Run,
    Step,
)
from orchestra.providers.base import Handle
from orchestra.selectors.deployments import live_links, lock_deployment
from orchestra.selectors.runs import lock_run, lock_step
from orchestra.services.leases import confirm_until
from orchestra.steps import CREATE, DELETE, DONE_AT_START, RESIZE, handler_of

STUCK = {StepState.FAILED, StepState.PARKED}
MORE_ATTEMPTS = 3


class NoConnection(Conflict):
    """Nothing says how the pool is reached."""

    code = "no_connection"
    title = "The pool is not connected"


class RunIsOver(Conflict):
    """The run has ended, or has gone too far for this."""

    code = "run_is_over"
    title = "Too late for that"


class Changed(Conflict):
    """The application is not any more what the plan starts from."""

    code = "plan_expired"
    title = "The plan does not hold any more"


class StepNotStuck(Conflict):
    """Only a step that waits for an operator is repaired by hand."""

    code = "step_not_stuck"
    title = "Nothing to repair"


class NotSkippable(Conflict):
    """Leaving this step out would make untrue what people see and pay for."""

    code = "not_skippable"
    title = "This step cannot be left out"


@transaction.atomic
def start_run(
    *, order: Order, plan: Plan, at: datetime, effective_at: datetime | None = None
) -> Run:
    """Turn an approved plan into a run that waits to start, within the decision's transaction.

    For new capacity it writes deployment and resources and reserves all of it or nothing
    (NoCapacity, QuotaExceeded). `order.deployment` is set and saved. Older runs of the same
    deployment that have not started are cancelled. Raises NoConnection for an unconnected pool,
    Changed when a change starts from what the application is no more.
    """
    topological({step["key"]: step["needs"] for step in plan.document["steps"]})
    is_retirement = order.kind == OrderKind.RETIRE
    deployment = _deployment(order, at)
    if order.kind == OrderKind.CHANGE:
        _require_unchanged(deployment, plan)
    deployment.generation += 1
    deployment.save(update_fields=["generation"])
    run = Run.objects.create(
        order=order,
        plan=plan,
        deployment=deployment,
        deployment_generation=deployment.generation,
        action=order.kind,
        change_kind=order.change_kind,
        # What was removed cannot be brought back, so a failed removal rests for an operator.
        on_failure="hold" if is_retirement else "compensate",
        plan_sha256=plan.sha256,
        snapshot=plan.document,
        effective_at=effective_at,
        requested_by=order.requester,
        created_at=at,
    )
    _supersede(run, at)
    if order.kind == OrderKind.CREATE:
        resources, swaps = _new_resources(run, at), {}
    else:
        resources = _existing(deployment)
        swaps = _hold_for_change(run, resources, effective_at or at)
    _write_steps(run, resources, swaps, at)
    _record(run, "schedule", at=at)
    _emit(run, "scheduled", at=at)
    tell(run=run, message="Approved, and waiting to start.", at=at)
    bell.ring(run.pk)
    return run


@transaction.atomic
def steer_run(*, run: Run, desired: str, actor: User, at: datetime) -> Run:
    """Pause a run, let it go on, or cancel it, which undoes what was begun.

    A pause takes effect before the next step; calls under way are never cut. Asking twice is
    harmless. Raises RunIsOver when the run has ended, is being undone already, or is a removal
    that has begun.
    """
    require(actor, Action.RUN_STEER, run.order.project)
    if desired not in DesiredState.values:
        message = "Ask to run, to pause or to cancel."
        raise InvalidInput(message, fields={"desired": message})
    locked = lock_run(run.pk)
    if locked.desired_state == desired:
        return locked
    _check_steerable(locked, desired)
    before = locked.desired_state
    locked.desired_state = desired
    locked.save(update_fields=["desired_state"])
    verb = {"run": "resume", "pause": "pause", "cancel": "cancel"}[desired]
    _record(locked, verb, at=at, actor=actor, changes={"desired_state": [before, desired]})
    words = {"run": "lets it go on", "pause": "pauses it", "cancel": "cancels it"}[desired]
    tell(run=locked, message=f"{actor} {words}.", at=at)
    if desired == DesiredState.CANCEL:
        begin_compensation(run=locked, at=at, reason=f"Cancelled by {actor}.")
    else:
        if locked.started_at is not None:
            set_deadline(locked)
        _emit(locked, f"{verb}_requested", at=at)
        bell.ring(locked.pk)
    return locked


@transaction.atomic
def retry_step(*, step: Step, actor: User, at: datetime) -> Step:
    """Try a step again that waits for an operator; it gets three more tries."""
    run, locked = _stuck_step(step, actor)
    locked.state = StepState.UNKNOWN if locked.intent_at else StepState.READY
    locked.max_attempts = locked.attempt + MORE_ATTEMPTS
    locked.not_before = locked.finished_at = None
    locked.save(update_fields=["state", "max_attempts", "not_before", "finished_at"])
    _repaired(run, locked, "retry", f"{actor} lets {locked.label} be tried again.", actor, at)
    return locked


@transaction.atomic
def skip_step(*, step: Step, actor: User, reason: str, at: datetime) -> Step:
    """Leave a step out; those that wait for it go on as if it were done.

    Raises NotSkippable for kinds whose absence would make the plan untrue: retry those, resolve
    them, or cancel the run.
    """
    run, locked = _stuck_step(step, actor)
    handler = handler_of(action=locked.action, version=locked.action_version, phase=locked.phase)
    if handler is None or not handler.skippable:
        message = (
            f"{locked.label} cannot be left out: what people see and pay for would be untrue. "
            "Try it again, mark it resolved, or cancel."
        )
        raise NotSkippable(message)
    locked.state = StepState.SKIPPED
    locked.finished_at = at
    locked.save(update_fields=["state", "finished_at"])
    tell_step(step=locked, at=at, word="skipped", data={"reason": reason[:500]})
    free_successors(run=run, key=locked.key, phase=locked.phase)
    line = f"{actor} leaves {locked.label} out: {reason}"
    _repaired(run, locked, "skip", line, actor, at, reason)
    return locked


@transaction.atomic
def mark_resolved(
    *, step: Step, actor: User, reason: str, at: datetime, external_ref: str = ""
) -> Step:
    """Record that an operator did a step by hand, with all the effects it would have had.

    `external_ref` names what was made; a create step needs it. Raises InvalidInput without it.
    """
    run, locked = _stuck_step(step, actor)
    if locked.action == CREATE and locked.phase == Phase.FORWARD:
        external_ref = external_ref or locked.external_ref
        if not external_ref or len(external_ref) > 200:
            message = "Give the name under which the destination knows it (up to 200 characters)."
            raise InvalidInput(message, fields={"external_ref": message})
        locked.external_ref = external_ref
    handler = handler_of(action=locked.action, version=locked.action_version, phase=locked.phase)
    if handler is None:
        message = "This release does not know that kind of step. Update it, then try again."
        raise StepNotStuck(message)
    line = f"{actor} did it by hand: {locked.label}. {reason}".strip()
    found = Handle(ref=external_ref) if external_ref else None
    finish_step(step=locked, handler=handler, handle=found, at=at, line=line, by_hand=True)
    free_successors(run=run, key=locked.key, phase=locked.phase)
    _repaired(run, locked, "resolve", "", actor, at, reason)
    return locked


def _check_steerable(run: Run, desired: str) -> None:
    if run.state in TERMINAL_RUNS:
        message = "This has ended. Place a new request instead."
        raise RunIsOver(message)
    is_undoing = run.state == RunState.COMPENSATING or (
        run.state == RunState.NEEDS_OPERATOR and run.steps.filter(phase=Phase.UNDO).exists()
    )
    if is_undoing:
        message = "It is being undone already, and that is never stopped. Wait until it has ended."
        raise RunIsOver(message)
    has_begun = run.state != RunState.SCHEDULED
    if desired == DesiredState.CANCEL and run.action == OrderKind.RETIRE and has_begun:
        message = "Giving back has begun, and what is removed cannot be brought back."
        raise RunIsOver(message)


def _stuck_step(step: Step, actor: User) -> tuple[Run, Step]:
    run = lock_run(step.run_id)
    if run.deployment.pool_id not in pools_granted(actor, Action.RUN_REPAIR):
        require(actor, Action.RUN_REPAIR, run.order.project)
    locked = lock_step(step.pk)
    locked.run = run
    if run.state != RunState.NEEDS_OPERATOR or locked.state not in STUCK:
        message = "This step does not wait for an operator (any more). Look at it again."
        raise StepNotStuck(message)
    return run, locked


def _repaired(
    run: Run, step: Step, verb: str, line: str, actor: User, at: datetime, reason: str = ""
) -> None:
    """Let the run go on after a repair."""
    if line:
        tell(run=run, step=step, message=line, at=at)
    record_audit(
        action=f"step.{verb}",
        subject=step,
        at=at,
        actor=actor,
        project=run.order.project,
        changes={"state": [None, step.state]},
        reason=reason,
    )
    has_undo = run.steps.filter(phase=Phase.UNDO).exists()
    set_deadline(run)  # it waited for a person, which is no fault of its own
    move_run(run=run, to=resumed_state(has_undo=has_undo), at=at, reason=reason)
    settle(run=run, at=at)
    bell.ring(run.pk)


def _deployment(order: Order, at: datetime) -> Deployment:
    """Return the deployment, locked; for new capacity a new one that the order now points to."""
    if order.deployment_id is not None:
        return lock_deployment(order.deployment_id)
    deployment = Deployment(
        project=order.project,
        pool=order.pool,
        offering_version=order.offering_version,
        name=order.name,
        application=order.application,
        environment=order.environment,
        owner=order.requester,
        parameters=order.parameters,
        instances=order.instances,
        lease_end_at=order.end_at,
        created_at=at,
    )
    if deployment.lease_end_at is None:
        deployment.confirm_by = confirm_until(deployment=deployment, since=at)
    deployment.save(force_insert=True)
    order.deployment = deployment
    order.save(update_fields=["deployment"])
    return deployment


def _supersede(run: Run, at: datetime) -> None:
    """Cancel what was to be done to the same deployment before, and has not started."""
    older = run.deployment.runs.filter(
        state=RunState.SCHEDULED, deployment_generation__lt=run.deployment_generation
    )
    for run_id in older.order_by("id").values_list("id", flat=True):
        locked = lock_run(run_id)
        if locked.state == RunState.SCHEDULED:
            locked.desired_state = DesiredState.CANCEL
            locked.save(update_fields=["desired_state"])
            reason = "A newer request for the same application has taken its place."
            begin_compensation(run=locked, at=at, reason=reason)


def _require_unchanged(deployment: Deployment, plan: Plan) -> None:
    """Refuse a change of what has been changed, or given back, since it was planned."""
    if deployment.state != DeploymentState.LIVE:
        message = (
            f"{deployment} is “{deployment.get_state_display().lower()}” by now: only a running "
            "application can be changed."
        )
        raise Changed(message)
    if plan.document["change"]["generation"] != deployment.generation:
        message = f"{deployment} was changed since this was planned. Ask for the change again."
        raise Changed(message)


def _hold_for_change(
    run: Run, resources: Mapping[tuple[str, int], Resource], at: datetime
) -> dict[int, Swap]:
    """Hold what a change needs more, for all copies or none; return what each one will deliver."""
    order, copies = run.order, list(resources.values())
    if order.alteration == Alteration.RESIZE:
        return hold_growth(pool=order.pool, resources=copies, need=_need(run), at=at)
    if order.alteration == Alteration.EXTEND and order.end_at is not None:
        extend(pool=order.pool, resources=copies, end=order.end_at, at=at)
    return {}


def _need(run: Run) -> Need:
    asked = run.snapshot["placement"]
    return Need(amounts=asked["amounts"], required_traits=frozenset(asked["required_traits"]))


def _existing(deployment: Deployment) -> dict[tuple[str, int], Resource]:
    return {(link.component, link.index): link.resource for link in live_links(deployment)}


def _new_resources(run: Run, at: datetime) -> dict[tuple[str, int], Resource]:
    """Make the copies' rows and reserve capacity for all of them at once."""
    order, deployment = run.order, run.deployment
    resources = {}
    for index, name in enumerate(instance_names(deployment.name, order.instances)):
        resource = create_resource(
            project=order.project,
            pool=order.pool,
            kind=order.offering_version.resource_kind,
            name=name,
            at=at,
            environment=order.environment,
            application=order.application,
            lease_end_at=order.end_at,
        )
        resources[COMPONENT, index] = resource
    DeploymentResource.objects.bulk_create(
        DeploymentResource(
            deployment=deployment, component=component, index=index, resource=resource
        )
        for (component, index), resource in resources.items()
    )
    need = _need(run)
    reserve(
        pool=order.pool,
        wants=[(resource, need) for resource in resources.values()],
        start=max(at, order.start_at or at),
        end=order.end_at,
        at=at,
    )
    return resources


def _write_steps(
    run: Run,
    resources: Mapping[tuple[str, int], Resource],
    swaps: Mapping[int, Swap],
    at: datetime,
) -> None:
    """Write the plan's graph as rows; the reservation is done already and says so."""
    link = PoolConnection.objects.filter(pool=run.order.pool).select_related("connection").first()
    if link is None:
        message = f"{run.order.pool} has no connection. Ask its operator to give it one."
        raise NoConnection(message)
    planned = {step["key"]: step for step in run.snapshot["steps"]}
    is_reserved = {key for key, step in planned.items() if step["action"] in DONE_AT_START}
    rows = []
    for ordinal, (key, step) in enumerate(planned.items(), start=1):
        needs = step["needs"]
        pending = len([need for need in needs if need not in is_reserved])
        version = step.get("version", 1)
        handler = handler_of(action=step["action"], version=version, phase=Phase.FORWARD)
        resource = resources.get((step["component"], step["index"]))
        rows.append(
            Step(
                run=run,
                key=key,
                ordinal=ordinal,
                component=step["component"],
                index=step["index"],
                action=step["action"],
                action_version=version,
                label=step["label"][:120],
                needs=needs,
                pending_deps=pending,
                state=_first_state(key in is_reserved, pending),
                resource=None if key in is_reserved else resource,
                connection=link.connection if handler and handler.touches_provider else None,
                inputs=_inputs(run, step["action"], resource, swaps),
                external_ref=resource.external_ref if resource else "",
                idempotency_key=f"{run.correlation_id}/{key}",
                fence=_last_fence(step["action"], resource),
                finished_at=at if key in is_reserved else None,
            )
        )
    Step.objects.bulk_create(rows)
    for step in rows:
        if step.key in is_reserved:
            write_told(Effect(step=step, phase=step.phase, kind="reserve", at=at))
            tell_step(step=step, at=at, word="done")


def _first_state(is_done: bool, pending: int) -> StepState:
    if is_done:
        return StepState.DONE
    return StepState.BLOCKED if pending else StepState.READY


def _last_fence(action: str, resource: Resource | None) -> int:
    """Return the fence to go on from: a removal speaks for the key that the create spoke for."""
    if action != DELETE or resource is None:
        return 0
    return resource.steps.aggregate(last=Max("fence"))["last"] or 0


def _inputs(
    run: Run, action: str, resource: Resource | None, swaps: Mapping[int, Swap]
) -> dict[str, Any]:
    """Return what a step hands to the provider: what to make, or the key it was made under."""
    if resource is None:
        return {}
    asked = {
        "amounts": run.snapshot["placement"]["amounts"],
        "parameters": run.snapshot["parameters"],
    }
    if action == CREATE:
        return {"spec": _spec(run, resource, resource.kind, asked)}
    if action == RESIZE:
        kind, swap = run.order.offering_version.resource_kind, swaps[resource.pk]
        was = _spec(run, resource, resource.kind, run.snapshot["change"]["before"])
        return {
            "spec": _spec(run, resource, kind, asked),
            "deliver": {"amounts": swap.after, "kind": kind},
            "undo": {"spec": was, "deliver": {"amounts": swap.before, "kind": resource.kind}},
        }
    if action == DELETE:
        made = resource.steps.filter(action=CREATE, phase=Phase.FORWARD).order_by("-id").first()
        return {"created_key": made.idempotency_key if made else ""}
    return {}


def _spec(run: Run, resource: Resource, kind: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": resource.name,
        "kind": kind,
        "amounts": said["amounts"],
        "parameters": said["parameters"],
        "tags": {
            "project": run.order.project.slug,
            "application": resource.application,
            "environment": resource.environment,
        },
    }


def _record(
    run: Run,
    verb: str,
    *,
    at: datetime,
    actor: User | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    record_audit(
        action=f"run.{verb}",
        subject=run,
        at=at,
        actor=actor,
        project=run.order.project,
        changes=changes,
    )


def _emit(run: Run, word: str, *, at: datetime) -> None:
    emit_event(
        type=f"orchestra.run.{word}",
        subject=run,
        at=at,
        project=run.order.project,
        source=SOURCE,
        correlation_id=str(run.correlation_id),
        data={"run": run.pk, "order": run.order_id, "deployment": run.deployment_id},
    )
