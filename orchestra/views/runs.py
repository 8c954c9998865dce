"""Progress: the live timeline of a run, and how people steer and repair it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from inventory.foundation.clock import database_now
from inventory.foundation.errors import InvalidInput
from inventory.foundation.pages import ListPage, PortalPage, find
from inventory.foundation.permissions import Action, may, pools_granted
from inventory.models import Resource
from orchestra.choices import AttemptOutcome, DesiredState, OrderKind, Phase, RunState, StepState
from orchestra.filters import RunFilters
from orchestra.lifecycle import TERMINAL_RUNS
from orchestra.models import Run
from orchestra.selectors.runs import Timeline, TimelineStep, timeline, visible_runs
from orchestra.services.runs import STUCK, mark_resolved, retry_step, skip_step, steer_run
from orchestra.tables import RunTable
from orchestra.templatetags.orchestra import span

POLLED = {RunState.SCHEDULED: 10, RunState.RUNNING: 2, RunState.COMPENSATING: 2}
LINES_SHOWN = 100
ACCESS = {
    "address": gettext_lazy("Address"),
    "hostname": gettext_lazy("Host name"),
    "port": gettext_lazy("Port"),
    "user": gettext_lazy("User"),
    "console_url": gettext_lazy("Console"),
    "url": gettext_lazy("Link"),
}


class Runs(ListPage):
    """The progress of the requests in the viewer's projects."""

    title = gettext_lazy("Progress")
    subtitle = gettext_lazy("What is being delivered, undone or given back, and what was.")
    filterset_class = RunFilters
    api = "api:run-list"
    table_class = RunTable
    empty_title = gettext_lazy("Nothing is under way")
    empty_text = gettext_lazy("Progress begins when a request is approved.")
    empty_icon = "activity"

    def rows(self) -> QuerySet[Run]:
        """Return the visible runs."""
        return visible_runs(self.viewer)


class RunPage(PortalPage):
    """One run: how far it is, each step, the log, and after success how to connect."""

    template_name = "orchestra/runs/detail.html"
    http_method_names = ["get", "head", "options"]

    def get(self, _request: HttpRequest, pk: int) -> HttpResponse:
        """Draw the run."""
        run: Run = find(visible_runs(self.viewer), pk=pk)
        names = live_context(run)
        names |= {
            "title": _("Progress of %s") % run.deployment.name,
            "access": access(copies_of(names["story"])) if run.state == RunState.SUCCEEDED else [],
            "stuck": stuck(names["story"]) if may_repair(self.viewer, run) else [],
            "kind": OrderKind(run.action).label,
            "may_steer": run.state not in TERMINAL_RUNS
            and run.state != RunState.COMPENSATING
            and may(self.viewer, Action.RUN_STEER, run.order.project),
        }
        return self.page(names)


@require_safe
def run_timeline(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the live part of a run's page. When its state has changed the page is loaded anew,
    which brings the right buttons and, at the end, stops the asking."""
    run: Run = find(visible_runs(request.user), pk=pk)  # type: ignore[arg-type]
    names = live_context(run)
    response = render(request, "orchestra/runs/detail.html#live", names)
    if request.GET.get("seen") != names["seen"]:
        response["HX-Refresh"] = "true"
    response["Cache-Control"] = "no-store"
    return response


def live_context(run: Run) -> dict[str, Any]:
    """Return what the live part reads."""
    now = database_now()
    story = timeline(run)
    return {
        "run": run,
        "state": RunState(run.state),
        "story": story,
        "said": in_words(run, story),
        "percent": f"{story.done * 100 / story.total:.0f}" if story.total else "0",
        "groups": groups(story.forward, now),
        "undo": groups(story.undo, now),
        "log": story.log[-LINES_SHOWN:],
        "log_cut": max(len(story.log) - LINES_SHOWN, 0),
        "now": now,
        "poll": POLLED.get(RunState(run.state)),
        "seen": f"{run.state}.{run.desired_state}",
    }


def in_words(run: Run, story: Timeline) -> str:
    """Return how far it is, in one sentence."""
    state = RunState(run.state)
    numbers = {"done": story.done, "total": story.total}
    if state is RunState.SUCCEEDED:
        return _("Done: all %(total)s steps.") % numbers
    if state is RunState.COMPENSATING:
        undone = sum(one.step.state in {StepState.DONE, StepState.SKIPPED} for one in story.undo)
        return _("Undoing: %(done)s of %(total)s steps undone.") % {
            "done": undone,
            "total": len(story.undo),
        }
    if state is RunState.COMPENSATED:
        return _("Undone: nothing is left of it.")
    if state is RunState.CANCELLED:
        return _("Cancelled: nothing is left of it.")
    if state is RunState.NEEDS_OPERATOR:
        return _("Operator needed: %s") % (run.reason or _("a step waits for a check"))
    if run.desired_state == DesiredState.PAUSE:
        return _("Paused after %(done)s of %(total)s steps.") % numbers
    if state is RunState.SCHEDULED:
        return run.reason or _("Waiting to start.")
    return _("%(done)s of %(total)s steps done.") % numbers


def groups(steps: tuple[TimelineStep, ...], now: datetime) -> list[tuple[str, list[Any]]]:
    """Return the steps by copy, in their order, each with what is said of it."""
    found: dict[Any, list[Any]] = {}
    names: dict[Any, str] = {}
    for one in steps:
        step = one.step
        key = step.resource_id
        names.setdefault(key, step.resource.name if step.resource else _("For all copies"))
        found.setdefault(key, []).append(
            {
                "step": step,
                "state": StepState(step.state),
                "end": step.finished_at or (now if step.state == StepState.RUNNING else None),
                "note": step_note(one, now),
                "attempts": [
                    (attempt, AttemptOutcome(attempt.outcome).label) for attempt in one.attempts
                ],
            }
        )
    return [(names[key], rows) for key, rows in found.items()]


def step_note(one: TimelineStep, now: datetime) -> str:
    """Return why a step waits, or what is known of its worker; often empty."""
    step = one.step
    state = StepState(step.state)
    if state is StepState.RUNNING and step.lease_until is not None:
        # A worker renews its lease at each heartbeat: two missed ones mean that it is lost.
        beat = timedelta(seconds=settings.ORCHESTRA_HEARTBEAT_SECONDS)
        left = step.lease_until - now
        if left < timedelta(seconds=settings.ORCHESTRA_LEASE_SECONDS) - 1.5 * beat:
            if left <= timedelta(0):
                return _("Its worker is lost. It is being taken over.")
            return _("No sign of its worker: it will be taken over in %s.") % span(left)
    if state in {StepState.READY, StepState.UNKNOWN} and step.not_before and step.not_before > now:
        wait = span(step.not_before - now)
        return _("Tried again in %(wait)s: %(error)s") % {"wait": wait, "error": step.error}
    if state is StepState.BLOCKED:
        return ""
    return step.error if state is not StepState.DONE else ""


def access(resources: Iterable[Resource]) -> list[tuple[Resource, list[tuple[Any, str]]]]:
    """Return how to reach each copy; nothing secret is among a resource's attributes."""
    found = []
    for resource in resources:
        known = [
            (label, str(resource.attributes[name]))
            for name, label in ACCESS.items()
            if resource.attributes.get(name)
        ]
        if known:
            found.append((resource, known))
    return found


def copies_of(story: Timeline) -> list[Resource]:
    """Return the resources that the steps are about, each once, in the steps' order."""
    return list(dict.fromkeys(one.step.resource for one in story.forward if one.step.resource))


def stuck(story: Timeline) -> list[dict[str, Any]]:
    """Return the steps that an operator may repair."""
    if story.run.state != RunState.NEEDS_OPERATOR:
        return []
    return [
        {
            "step": one.step,
            "state": StepState(one.step.state),
            "wants_ref": one.step.action == "resource.create" and one.step.phase == Phase.FORWARD,
        }
        for one in (*story.forward, *story.undo)
        if one.step.state in STUCK
    ]


def may_repair(user: Any, run: Run) -> bool:
    """Say whether the person operates the run's pool or organisation."""
    return run.deployment.pool_id in pools_granted(user, Action.RUN_REPAIR) or may(
        user, Action.RUN_REPAIR, run.order.project
    )


@require_safe
def run_log(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the whole log as text, times in UTC."""
    run: Run = find(visible_runs(request.user), pk=pk)  # type: ignore[arg-type]
    lines = [
        f"{line.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {line.level:<7} "
        f"[{line.step.key if line.step else '-'}] {line.message}\n"
        for line in timeline(run).log
    ]
    return HttpResponse(
        "".join(lines),
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="progress-{run.pk}.log"'},
    )


@require_POST
def run_steer(request: HttpRequest, pk: int) -> HttpResponse:
    """Pause, let go on, or cancel."""
    run: Run = find(visible_runs(request.user), pk=pk)  # type: ignore[arg-type]
    desired = request.POST.get("desired", "")
    steer_run(run=run, desired=desired, actor=request.user, at=database_now())  # type: ignore[arg-type]
    said = {
        DesiredState.RUN.value: _("It goes on."),
        DesiredState.PAUSE.value: _("Paused. What is under way now is still finished."),
        DesiredState.CANCEL.value: _("Cancelled. What was begun is being undone."),
    }
    messages.success(request, said[desired])
    return to_run(run)


@require_POST
def step_retry(request: HttpRequest, pk: int, step: int) -> HttpResponse:
    """Try a stuck step again."""
    run, found = stuck_step(request, pk, step)
    retry_step(step=found, actor=request.user, at=database_now())  # type: ignore[arg-type]
    messages.success(request, _("It is being tried again."))
    return to_run(run)


@require_POST
def step_skip(request: HttpRequest, pk: int, step: int) -> HttpResponse:
    """Leave a stuck step out, with a reason."""
    run, found = stuck_step(request, pk, step)
    skip_step(
        step=found,
        actor=request.user,  # type: ignore[arg-type]
        reason=needed_reason(request),
        at=database_now(),
    )
    messages.success(request, _("Left out. The rest goes on."))
    return to_run(run)


@require_POST
def step_resolve(request: HttpRequest, pk: int, step: int) -> HttpResponse:
    """Record that a stuck step was done by hand, with a reason."""
    run, found = stuck_step(request, pk, step)
    mark_resolved(
        step=found,
        actor=request.user,  # type: ignore[arg-type]
        reason=needed_reason(request),
        external_ref=request.POST.get("external_ref", "").strip(),
        at=database_now(),
    )
    messages.success(request, _("Recorded as done. The rest goes on."))
    return to_run(run)


def stuck_step(request: HttpRequest, pk: int, step: int) -> tuple[Run, Any]:
    """Return the run and its step among those that the viewer may see."""
    run: Run = find(visible_runs(request.user), pk=pk)  # type: ignore[arg-type]
    found = find(run.steps.select_related("run__order__project", "run__deployment"), pk=step)
    return run, found


def needed_reason(request: HttpRequest) -> str:
    """Return the posted reason; InvalidInput when there is none or it is a novel."""
    reason = request.POST.get("reason", "").strip()
    if not 0 < len(reason) <= 500 or "\0" in reason:
        message = _("Say why, in up to 500 characters: the requester and the auditor read it.")
        raise InvalidInput(message, fields={"reason": message})
    return reason


def to_run(run: Run) -> HttpResponse:
    """Go back to the run's page."""
    return HttpResponseRedirect(reverse("orchestra:run", args=[run.pk]))
