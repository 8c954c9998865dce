"""Reads of runs: who may see them, their story, their locks, and what must always be true.

Locks have one order: order, run, step, then the inventory's own; a connection's lock comes last or
stands alone. They leave the key free (NO KEY), so that log lines and tries may be added meanwhile.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q, QuerySet

from inventory.foundation.clock import ClockTime, database_now
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, pools_granted, projects_where
from inventory.foundation.selectors import ancestry
from orchestra.choices import (
    Decision,
    DesiredState,
    Phase,
    RunState,
    StepState,
)
from orchestra.lifecycle import SETTLED_STEPS
from orchestra.models import (
    Approval,
    Attempt,
    ChangeWindow,
    Connection,
    Freeze,
    Order,
    Run,
    Step,
    StepLog,
)


@dataclass(frozen=True)
class TimelineStep:
    """One step as people see it, with its tries and its lines, oldest first."""

    step: Step
    attempts: tuple[Attempt, ...]
    lines: tuple[StepLog, ...]


@dataclass(frozen=True)
class Timeline:
    """The story of a run. `done` of `total` forward steps are done or were not needed."""

    run: Run
    forward: tuple[TimelineStep, ...]
    undo: tuple[TimelineStep, ...]
    log: tuple[StepLog, ...]
    done: int
    total: int


@dataclass(frozen=True)
class Violation:
    """Something that must never be: the broken rule, and the row that breaks it."""

    rule: str
    subject: str


def visible_runs(user: User) -> QuerySet[Run]:
    """Return the runs of projects that the person sees, and of pools that they operate."""
    return (
        Run.objects.filter(
            Q(order__project__in=projects_where(user, Action.PROJECT_VIEW))
            | Q(deployment__pool_id__in=pools_granted(user, Action.RUN_REPAIR))
        )
        .select_related("order__project__organisation", "deployment__pool", "requested_by")
        .order_by("-id")
    )


def timeline(run: Run) -> Timeline:
    """Return the whole story of a run: steps in their order, tries, log lines (four queries)."""
    log = tuple(run.log.select_related("step").order_by("id"))
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in Attempt.objects.filter(step__run=run).order_by("step_id", "fence"):
        attempts[attempt.step_id].append(attempt)
    lines: dict[int, list[StepLog]] = defaultdict(list)
    for line in log:
        if line.step_id is not None:
            lines[line.step_id].append(line)
    shown = [
        TimelineStep(step=step, attempts=tuple(attempts[step.pk]), lines=tuple(lines[step.pk]))
        for step in run.steps.select_related("resource", "connection").order_by("ordinal", "id")
    ]
    forward = tuple(one for one in shown if one.step.phase == Phase.FORWARD)
    return Timeline(
        run=run,
        forward=forward,
        undo=tuple(one for one in shown if one.step.phase == Phase.UNDO),
        log=log,
        done=sum(1 for one in forward if one.step.state in SETTLED_STEPS),
        total=len(forward),
    )


def lock_run(run_id: int) -> Run:
    """Return the run with its order's and its own row locked, in that order."""
    theirs = Order.objects.select_for_update(no_key=True, of=("self",)).filter(runs=run_id)
    theirs.values_list("pk", flat=True).get()
    return (
        Run.objects.select_for_update(no_key=True, of=("self",))
        .select_related("order__project__organisation", "deployment", "requested_by")
        .get(pk=run_id)
    )


def lock_scheduled_run(*, passed: Collection[int]) -> Run | None:
    """Return the next run that waits to start and that nobody else looks at, locked; else None."""
    waiting = (
        Run.objects.select_for_update(no_key=True, of=("self", "order"), skip_locked=True)
        .filter(state=RunState.SCHEDULED, desired_state=DesiredState.RUN)
        .exclude(pk__in=passed)
        .select_related("order")
        .only("order__state")  # it is asked before every step and mostly finds nothing
    )
    found = waiting.order_by("priority", "id").first()
    if found is None:
        return None
    return Run.objects.select_related(
        "order__project__organisation",
        "deployment__pool",
        "deployment__offering_version",
        "requested_by",
    ).get(pk=found.pk)


def lock_claimed_step(*, step_id: int, fence: int) -> Step | None:
    """Return the step, locked, if it still runs under this fence; None when somebody took over."""
    return (
        Step.objects.select_for_update(no_key=True, of=("self",))
        .filter(pk=step_id, fence=fence, state=StepState.RUNNING)
        .select_related("resource")
        .first()
    )


def lock_step(step_id: int) -> Step:
    """Return the step with its row locked; lock its run first."""
    return (
        Step.objects.select_for_update(no_key=True, of=("self",))
        .select_related("resource")
        .get(pk=step_id)
    )


def lock_connection(connection_id: int) -> Connection:
    """Return the connection with its row locked."""
    return Connection.objects.select_for_update(no_key=True).get(pk=connection_id)


def live_leases(*, connection_id: int, but: int) -> int:
    """Return how many other steps are being worked on at the connection (database time)."""
    return (
        Step.objects.filter(
            connection_id=connection_id,
            state=StepState.RUNNING,
            lease_until__gt=ClockTime(),
        )
        .exclude(pk=but)
        .count()
    )


def is_approved(run: Run) -> bool:
    """Say whether exactly this plan was approved and by nobody rejected."""
    decisions = set(
        Approval.objects.filter(plan=run.plan_id, plan_sha256=run.plan_sha256).values_list(
            "decision", flat=True
        )
    )
    return decisions == {Decision.APPROVE}


def overdue_runs() -> list[int]:
    """Return the ids of the runs under way, and not paused, whose deadline has passed (database
    time)."""
    return list(
        Run.objects.filter(
            state=RunState.RUNNING,
            desired_state=DesiredState.RUN,
            deadline_at__lt=database_now(),
        )
        .order_by("id")
        .values_list("id", flat=True)
    )


def freezes_ahead(*, run: Run, start: datetime, end: datetime) -> QuerySet[Freeze]:
    """Return the freezes that touch [start, end) where the run would work, longest first."""
    return Freeze.objects.filter(_scope(run), during__overlap=(start, end)).order_by(
        "-during__endswith"
    )


def windows_of(run: Run) -> QuerySet[ChangeWindow]:
    """Return every change window that was ever set where the run would work, oldest first."""
    return ChangeWindow.objects.filter(_scope(run)).order_by("during__startswith")


def _scope(run: Run) -> Q:
    project = run.order.project
    ancestors = ancestry(project.organisation_id)
    return (
        (Q(organisation=None) | Q(organisation__in=ancestors))
        & (Q(project=None) | Q(project=project))
        & (Q(pool=None) | Q(pool=run.deployment.pool_id))
    )


RULES: dict[str, str] = {
    "a fence only grows": """
        SELECT 'step ' || step.id FROM orchestra_step step
          JOIN orchestra_attempt attempt ON attempt.step_id = step.id
         WHERE attempt.fence > step.fence""",
    "a finished run has no step at work": """
        SELECT 'step ' || step.id FROM orchestra_step step
          JOIN orchestra_run run ON run.id = step.run_id
         WHERE run.state IN ('succeeded', 'compensated', 'cancelled')
           AND (step.state IN ('blocked', 'ready', 'running')
                OR step.phase = 'undo' AND step.state NOT IN ('done', 'skipped'))""",
    "a run succeeds only with all its steps": """
        SELECT 'step ' || step.id FROM orchestra_step step
          JOIN orchestra_run run ON run.id = step.run_id
         WHERE run.state = 'succeeded' AND step.state NOT IN ('done', 'skipped')""",
    "a step waits for the steps it needs": """
        SELECT 'step ' || step.id FROM orchestra_step step
         CROSS JOIN unnest(step.needs) AS wanted(key)
          LEFT JOIN orchestra_step need
                 ON need.run_id = step.run_id AND need.phase = step.phase AND need.key = wanted.key
         WHERE step.state IN ('ready', 'running', 'done')
           AND coalesce(need.state, 'missing') NOT IN ('done', 'skipped')""",
    "a run starts only with its plan approved": """
        SELECT 'run ' || run.id FROM orchestra_run run
         WHERE run.started_at IS NOT NULL AND NOT EXISTS (
               SELECT 1 FROM orchestra_approval approval
                WHERE approval.plan_id = run.plan_id AND approval.decision = 'approve'
                  AND approval.plan_sha256 = run.plan_sha256)""",
    "a live application has all its copies": """
        SELECT 'deployment ' || deployment.id FROM orchestra_deployment deployment
         WHERE deployment.state = 'live'
           AND deployment.instances <> (
               SELECT count(*) FROM orchestra_deploymentresource link
                 JOIN inventory_resource resource ON resource.id = link.resource_id
                WHERE link.deployment_id = deployment.id
                  AND resource.status IN ('running', 'stopped'))""",
    "an undone or retired application has none left": """
        SELECT 'resource ' || resource.id FROM orchestra_deployment deployment
          JOIN orchestra_deploymentresource link ON link.deployment_id = deployment.id
          JOIN inventory_resource resource ON resource.id = link.resource_id
         WHERE deployment.state IN ('retired', 'failed') AND resource.status <> 'gone'""",
    "used capacity is the sum of what is held": """
        SELECT 'inventory ' || span.inventory_id FROM inventory_capacityspan span
         WHERE span.during @> clock_timestamp()
           AND span.used <> coalesce((
               SELECT sum(allocation.amount) FROM inventory_allocation allocation
                WHERE allocation.inventory_id = span.inventory_id
                  AND allocation.state <> 'released'
                  AND tstzrange(allocation.held_from, allocation.held_to) @> clock_timestamp()
               ), 0)""",
    "a change leaves nothing held that is not delivered": """
        SELECT 'allocation ' || allocation.id FROM inventory_allocation allocation
          JOIN inventory_resource resource ON resource.id = allocation.resource_id
         WHERE allocation.state = 'reserved' AND resource.status IN ('running', 'stopped')
           AND NOT EXISTS (
               SELECT 1 FROM orchestra_deploymentresource link
                 JOIN orchestra_run run ON run.deployment_id = link.deployment_id
                WHERE link.resource_id = resource.id
                  AND run.state NOT IN ('succeeded', 'compensated', 'cancelled'))""",
    "what is delivered is what the last plan says": """
        SELECT 'resource ' || resource.id FROM orchestra_deployment deployment
          JOIN orchestra_deploymentresource link ON link.deployment_id = deployment.id
          JOIN inventory_resource resource ON resource.id = link.resource_id
          JOIN LATERAL (
               SELECT run.snapshot -> 'placement' -> 'amounts' AS amounts FROM orchestra_run run
                WHERE run.deployment_id = deployment.id AND run.state = 'succeeded'
                  AND run.action IN ('create', 'change')
                ORDER BY run.id DESC LIMIT 1) plan ON true
         CROSS JOIN LATERAL jsonb_each_text(plan.amounts) AS asked(class, amount)
         WHERE deployment.state = 'live' AND resource.status = 'running'
           AND NOT EXISTS (
               SELECT 1 FROM orchestra_run run WHERE run.deployment_id = deployment.id
                  AND run.state NOT IN ('succeeded', 'compensated', 'cancelled'))
           AND asked.amount::bigint <> (
               SELECT coalesce(sum(allocation.amount), 0) FROM inventory_allocation allocation
                 JOIN inventory_resourceclass class ON class.id = allocation.resource_class_id
                WHERE allocation.resource_id = resource.id AND allocation.state = 'active'
                  AND class.name = asked.class)""",
    "nothing is metered that is not delivered": """
        SELECT 'allocation ' || allocation.id FROM inventory_allocation allocation
          JOIN inventory_resource resource ON resource.id = allocation.resource_id
         WHERE allocation.active_from IS NOT NULL AND allocation.active_to IS NULL
           AND (resource.delivered_at IS NULL OR resource.ended_at IS NOT NULL
                OR resource.status IN ('planned', 'leftover', 'gone'))""",
    "what is delivered is metered": """
        SELECT 'resource ' || resource.id FROM inventory_resource resource
         WHERE resource.status = 'running'
           AND EXISTS (SELECT 1 FROM inventory_allocation allocation
                        WHERE allocation.resource_id = resource.id)
           AND NOT EXISTS (SELECT 1 FROM inventory_allocation allocation
                            WHERE allocation.resource_id = resource.id
                              AND allocation.active_from IS NOT NULL
                              AND allocation.active_to IS NULL)""",
    "a run's end is told exactly once": """
        SELECT 'run ' || run.id FROM orchestra_run run
         WHERE run.state IN ('succeeded', 'compensated', 'cancelled')
           AND 1 <> (SELECT count(*) FROM foundation_event event
                      WHERE event.subject = 'run/' || run.id
                        AND event.correlation_id = run.correlation_id::text
                        AND event.type IN ('orchestra.run.succeeded', 'orchestra.run.compensated',
                                           'orchestra.run.cancelled'))""",
    "a step's end is told exactly once": """
        SELECT 'step ' || step.id FROM orchestra_step step
          JOIN orchestra_run run ON run.id = step.run_id
         WHERE step.state = 'done'
           AND 1 <> (SELECT count(*) FROM foundation_event event
                      WHERE event.subject = 'step/' || step.id
                        AND event.correlation_id = run.correlation_id::text
                        AND event.type = 'orchestra.step.done')""",
}


def invariants() -> list[Violation]:
    """Return every broken rule of engine.md's list; the list is empty, or something is wrong."""
    broken = []
    with connection.cursor() as cursor:
        for rule, sql in RULES.items():
            cursor.execute(f"{sql} ORDER BY 1 LIMIT 20")
            broken += [Violation(rule=rule, subject=row[0]) for row in cursor.fetchall()]
    return broken
