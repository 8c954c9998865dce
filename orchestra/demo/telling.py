"""Tell an old request and its run, as the services and the engine tell theirs."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import Model

from inventory.foundation.choices import Via
from orchestra.choices import OrderState
from orchestra.demo.chronicle import Chronicle
from orchestra.demo.deeds import Copy, Deed
from orchestra.engine.story import SOURCE
from orchestra.models import Order, Plan, Step
from orchestra.steps import ACTIVATE, CREATE, RESERVE


def tell(chronicle: Chronicle, deed: Deed, copies: Sequence[Copy]) -> None:
    """Tell an approved request and its delivery, in the order in which the services do."""
    order, plan, project = deed.order, deed.plan, deed.order.project
    placed, done, requester = deed.placed_at, deed.done_at, deed.order.requester
    audit = partial(chronicle.audit, project=project)
    said = partial(_order_event, chronicle, order)
    audit("order.place", order, placed, requester, reason=order.business_reason)
    said("placed", placed, OrderState.DRAFT)
    audit("order.plan", order, placed, requester, changes={"plan": [None, plan.sha256]})
    said("planned", placed, OrderState.PLANNED, plan)
    audit("order.submit", order, placed, requester)
    said("submitted", placed, OrderState.AWAITING_APPROVAL, plan)
    audit("order.approve", order, done, deed.approval.approver, reason=deed.approval.reason)
    said("approved", done, OrderState.APPROVED, plan)
    for copy in copies:
        changes = {"kind": [None, copy.resource.kind], "pool": [None, order.pool.name]}
        audit("resource.create", copy.resource, done, changes=changes)
    for copy in copies:
        held: dict[str, Any] = {name: [None, one.amount] for name, one in copy.spots.items()}
        held["provider"] = [None, copy.host.name]
        audit("resource.reserve", copy.resource, done, changes=held)
    _tell_run(chronicle, deed)


def _order_event(
    chronicle: Chronicle,
    order: Order,
    word: str,
    at: datetime,
    state: OrderState,
    plan: Plan | None = None,
) -> None:
    data = {
        "number": str(order),
        "kind": str(order.kind),
        "state": str(state),
        "project": order.project.slug,
        "plan_sha256": plan.sha256 if plan else None,
    }
    chronicle.event(f"orchestra.order.{word}", order, at, project=order.project, data=data)


def _tell_run(chronicle: Chronicle, deed: Deed) -> None:
    """Tell the run: begun, each step, done; what follows for the request and the application."""
    run, order, at = deed.run, deed.order, deed.done_at
    steps = [step for step in deed.steps if step.action != RESERVE]
    reserve = next(step for step in deed.steps if step.action == RESERVE)
    about = {"run": run.pk, "order": order.pk, "deployment": deed.deployment.pk}
    _engine(chronicle, deed, "step.done", reserve, _step_data(reserve))
    chronicle.audit("run.schedule", run, at, project=order.project)
    _engine(chronicle, deed, "run.scheduled", run, about)
    chronicle.log(run, at, "Approved, and waiting to start.")
    _move(chronicle, deed, run, ("scheduled", "running"), "started", about | {"reason": ""})
    chronicle.log(run, at, "Work begins.")
    for step in steps:
        _tell_step(chronicle, deed, step)
    _move(chronicle, deed, run, ("running", "succeeded"), "succeeded", about | {"reason": ""})
    chronicle.log(run, at, "Everything is delivered.")
    of_run = {"run": run.pk}
    _move(chronicle, deed, order, ("fulfilling", "fulfilled"), "fulfilled", of_run)
    _move(chronicle, deed, deed.deployment, ("pending", "live"), "live", of_run)


def _move(
    chronicle: Chronicle,
    deed: Deed,
    subject: Model,
    states: tuple[str, str],
    word: str,
    data: dict[str, Any],
) -> None:
    before, after = states
    noun = str(subject._meta.model_name)
    chronicle.audit(
        f"{noun}.{word}",
        subject,
        deed.done_at,
        project=deed.order.project,
        changes={"state": [before, after]},
        via=Via.WORKER,
        label=chronicle.worker,
    )
    _engine(chronicle, deed, f"{noun}.{word}", subject, data | {"from": before, "to": after})


# What a step makes of its copy: the state before and the state after.
BECOMES = {CREATE: ("planned", "creating"), ACTIVATE: ("creating", "running")}


def _tell_step(chronicle: Chronicle, deed: Deed, step: Step) -> None:
    before, after = BECOMES[step.action]
    at, project, resource = deed.done_at, deed.order.project, step.resource
    assert resource is not None
    data = {"name": resource.name, "kind": resource.kind, "before": before, "state": after}
    chronicle.event(f"orchestra.resource.{after}", resource, at, project=project, data=data)
    if step.action == ACTIVATE:
        worker = chronicle.worker
        chronicle.audit(
            "resource.activate", resource, at, project=project, via=Via.WORKER, label=worker
        )
    chronicle.log(deed.run, at, f"{step.label}: done.", step)
    _engine(chronicle, deed, "step.done", step, _step_data(step) | {"adopted": False})


def _engine(
    chronicle: Chronicle, deed: Deed, kind: str, subject: Model, data: dict[str, Any]
) -> None:
    chronicle.event(
        f"orchestra.{kind}",
        subject,
        deed.done_at,
        project=deed.order.project,
        data=data,
        source=SOURCE,
        correlation_id=str(deed.run.correlation_id),
    )


def _step_data(step: Step) -> dict[str, Any]:
    return {
        "run": step.run_id,
        "step": step.key,
        "phase": str(step.phase),
        "action": step.action,
        "label": step.label,
        "state": str(step.state),
    }
