"""Drive a trace's requests in order of time: order, plan, approval by rule, run, delivery, end.

Everything goes through the services that the portal calls; business time is their argument and the
runs' `effective_at`. What was done is read from the orders themselves, so a replay that was stopped
anywhere goes on where it was, and nothing is done twice.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from billing.choices import PeriodState
from billing.models import BillingPeriod
from billing.services import rate_period
from inventory.foundation.choices import Via
from inventory.foundation.errors import Conflict
from inventory.foundation.periods import months_between
from inventory.foundation.trail import Trail, on_trail
from inventory.models import Pool
from orchestra import engine
from orchestra.bell import silence
from orchestra.choices import DeploymentState, OrderKind, OrderState, RunState
from orchestra.lifecycle import OPEN_RUNS
from orchestra.models import Deployment, Order, Run
from orchestra.replay.stage import PRICED, ZONE, Stage, set_stage, stage_of
from orchestra.replay.trace import TraceRequest
from orchestra.selectors.orders import latest_plan
from orchestra.services.approvals import submit_order
from orchestra.services.deployments import request_retirement
from orchestra.services.orders import place_order

WORKER = "replay"
HELPER = "replay-helper"
LOCK_CLASS = 0x7265706C  # "repl": one replay at a time into each pool
REST = 0.02
PATIENCE = timedelta(minutes=5)


class NotReplayed(Conflict):
    """The replay cannot begin or go on; the message says what to do."""

    code = "not_replayed"
    title = "Nothing was replayed"


@dataclass(frozen=True)
class Progress:
    """How far a replay is: events are beginnings and ends of requests."""

    done: int
    events: int
    at: datetime


@dataclass(frozen=True)
class _Event:
    """Something that happens at an instant; ends come before beginnings of the same one."""

    second: int
    is_start: bool
    request: TraceRequest


def replay(
    *,
    requests: Sequence[TraceRequest],
    pool: Pool,
    start: datetime,
    tell: Callable[[Progress], None] = lambda _: None,
    is_alone: bool = False,
) -> Stage:
    """Drive the requests into the pool, the trace's second 0 at `start`; then rate the months.

    `tell` is called after each event. A second process takes steps meanwhile, unless `is_alone`;
    the outcome is the same. Raises NotReplayed when another replay into the pool is under
    way, when it began at another start, or when a month that it needs is closed.
    """
    with (
        _alone(pool),
        on_trail(Trail(via=Via.COMMAND, label="replay")),
        silence(),
        _helper(is_alone=is_alone),
    ):
        stage = stage_of(pool) or set_stage(pool=pool, start=start)
        player = _Player(stage, start)
        player.check(requests)
        player.play(requests, tell)
        _rate(stage, start, requests)
    return stage


@contextmanager
def _alone(pool: Pool) -> Iterator[None]:
    """Hold the pool's replay lock; the database gives it back when the process dies."""
    key = [LOCK_CLASS, pool.pk % 2**31]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        is_mine = cursor.fetchone() == (True,)
    if not is_mine:
        message = f"Another replay into {pool} is under way. Wait for its end, or stop it."
        raise NotReplayed(message)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)


@contextmanager
def _helper(*, is_alone: bool) -> Iterator[None]:
    """Let a second process take steps meanwhile; without it everything happens here, more slowly.

    It sees when this process is gone, however that ended.
    """
    if is_alone:
        yield
        return
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "work", "--name", HELPER]
    process = subprocess.Popen(command)  # noqa: S603
    try:
        yield
    finally:
        process.terminate()
        process.wait()


class _Player:
    """Plays one trace on one stage."""

    def __init__(self, stage: Stage, start: datetime) -> None:
        self.stage = stage
        self.start = start
        self.placed = {
            order.name: order
            for order in Order.objects.filter(project=stage.project, kind=OrderKind.CREATE)
        }

    def check(self, requests: Sequence[TraceRequest]) -> None:
        """Refuse what would not go on where the last replay stopped."""
        for request in requests:
            order = self.placed.get(request.name)
            if order is not None and order.created_at != self._instant(request.created):
                begun = order.created_at - timedelta(seconds=request.created)
                message = (
                    f"{request.name} was replayed into {self.stage.pool} at another time already. "
                    f"Go on with --start {begun:%Y-%m-%d}, or import another pool."
                )
                raise NotReplayed(message)
        closed = (
            BillingPeriod.objects.filter(
                account=self.stage.account, state=PeriodState.CLOSED, end_at__gt=self.start
            )
            .order_by("-month")
            .first()
        )
        if closed is not None:
            message = (
                f"{closed.month:%B %Y} is closed for {self.stage.account}, so nothing can be "
                "replayed into it. Read what is there with --report, or import another pool and "
                "replay into that."
            )
            raise NotReplayed(message)

    def play(self, requests: Sequence[TraceRequest], tell: Callable[[Progress], None]) -> None:
        """Play all events in order of time."""
        events = sorted(
            [
                *(_Event(one.created, True, one) for one in requests),
                *(_Event(one.deleted, False, one) for one in requests),
            ],
            key=lambda event: (event.second, event.is_start, event.request.line),
        )
        self._finish_work()
        for number, event in enumerate(events, start=1):
            at = self._instant(event.second)
            if event.is_start:
                self._begin(event.request, at)
            else:
                self._end(event.request, at)
            tell(Progress(number, len(events), at))
        self._finish_work()

    def _begin(self, request: TraceRequest, at: datetime) -> None:
        order = self.placed.get(request.name)
        if order is None:
            order = self._place(request, at)
            self.placed[request.name] = order
        if order.state != OrderState.PLANNED:
            return
        plan = latest_plan(order)
        assert plan is not None
        order = self.placed[request.name] = submit_order(
            order=order,
            actor=self.stage.requester,
            plan_sha256=plan.sha256,
            at=at,
            effective_at=at,
        )
        if order.state == OrderState.AWAITING_APPROVAL:
            message = (
                f"{order} ({request.name}) needs a person's approval: the rule of "
                f"{self.stage.project} does not let it pass. Restore that rule, then go on."
            )
            raise NotReplayed(message)

    def _place(self, request: TraceRequest, at: datetime) -> Order:
        amounts = (request.cpu_milli, request.memory_mib, request.gpu_milli)
        return place_order(
            requester=self.stage.requester,
            project=self.stage.project,
            offering=self.stage.offering,
            pool=self.stage.pool,
            name=request.name,
            application=request.name,
            environment="production",
            business_reason=f"Line {request.line} of a recorded trace",
            instances=1,
            parameters={
                each.parameter: amount for each, amount in zip(PRICED, amounts, strict=True)
            },
            start_at=None,
            end_at=self._instant(request.deleted),
            at=at,
            keep_refused=True,
        )

    def _end(self, request: TraceRequest, at: datetime) -> None:
        order = self.placed.get(request.name)
        if order is None or order.deployment_id is None:
            return
        deployment = self._delivered(order)
        if deployment.state == DeploymentState.LIVE:
            request_retirement(
                deployment=deployment,
                requester=self.stage.requester,
                business_reason="The recorded request ended.",
                at=at,
                effective_at=at,
            )

    def _delivered(self, order: Order) -> Deployment:
        """Return the request's application once nothing is being done to it any more."""
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while True:
            deployment = Deployment.objects.select_related("project").get(orders=order)
            if deployment.state != DeploymentState.PENDING:
                return deployment
            engine.drain(worker=WORKER)
            self._rest(self._work_left(), deadline)

    def _finish_work(self) -> None:
        """Take steps until no run of the project is under way; a lost worker's are waited for."""
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while True:
            engine.drain(worker=WORKER)
            left = self._work_left()
            if not left:
                return
            self._rest(left, deadline)

    def _rest(self, left: Collection[str], deadline: float) -> None:
        """Rest a moment; refuse to wait for what needs a person, or for ever.

        `left` are the states of the runs that have not ended.
        """
        if RunState.NEEDS_OPERATOR in left:
            message = f"A run of {self.stage.project} waits for an operator. Repair it, then go on."
            raise NotReplayed(message)
        if time.monotonic() > deadline:
            message = f"Work in {self.stage.project} does not end. Look at its runs, then go on."
            raise NotReplayed(message)
        time.sleep(REST)

    def _work_left(self) -> list[str]:
        """Return the states of the project's runs that have not ended."""
        # Few are open anywhere, and the project has had thousands: the state's index comes first.
        runs = Run.objects.filter(state__in=OPEN_RUNS).values_list("state", "order__project_id")
        return [state for state, project_id in runs if project_id == self.stage.project.pk]

    def _instant(self, second: int) -> datetime:
        return self.start + timedelta(seconds=second)


def _rate(stage: Stage, start: datetime, requests: Sequence[TraceRequest]) -> None:
    """Turn what was used into charges, month by month."""
    if not requests:
        return
    end = start + timedelta(seconds=max(one.deleted for one in requests))
    for month in months_between(start, end, ZONE):
        rate_period(account=stage.account, month=month, at=end)
