"""Tell the demo's story in order of time, through the same services as the portal."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from django.db import transaction

from billing.services import close_period, rate_open_periods
from inventory.foundation.choices import Via
from inventory.foundation.errors import Conflict
from inventory.foundation.models import Organisation, User
from inventory.foundation.periods import day_start, month_bounds, previous_month, zone_named
from inventory.foundation.trail import Trail, on_trail
from inventory.models import Pool
from orchestra import engine
from orchestra.choices import Decision, OrderState
from orchestra.demo.people import Company, make_company
from orchestra.demo.story import GIVEN_UP, STORY, TOO_LARGE, WAITING, Request
from orchestra.demo.supply import make_supply
from orchestra.models import Connection, Deployment, Offering, Order, WorkerBeat
from orchestra.selectors.orders import latest_plan
from orchestra.services.approvals import decide, submit_order
from orchestra.services.deployments import request_retirement
from orchestra.services.orders import cancel_order, place_order

ZONE = "Europe/Berlin"
CLOSE_AFTER = timedelta(days=3, hours=8)
BUSINESS_DAY = timedelta(hours=9)


class NotEmpty(Conflict):
    """The demo goes into an empty database only."""

    code = "not_empty"
    title = "There is something in this database"


@dataclass(frozen=True)
class DemoReport:
    """What was made."""

    orders: int
    applications: int
    closed_months: tuple[date, ...]


def load_demo(*, as_of: date) -> DemoReport:
    """Make the demo as it stands on the morning after `as_of` began; the same for the same day.

    Two closed months and the open month of `as_of`. Raises NotEmpty when any organisation exists.
    """
    if Organisation.objects.exists():
        message = "The demo needs an empty database. Point ORCHESTRA_VAR or DATABASE_URL elsewhere."
        raise NotEmpty(message)
    now = day_start(as_of, ZONE) + BUSINESS_DAY
    open_month = as_of.replace(day=1)
    months = (open_month, previous_month(open_month), previous_month(previous_month(open_month)))
    start = month_bounds(months[2], ZONE)[0]
    with on_trail(Trail(via=Via.COMMAND, label="demo")):
        with transaction.atomic():
            company = make_company(at=start - timedelta(days=20))
            pool = make_supply(
                company=company,
                at=start - timedelta(days=10),
                prices_from=start - timedelta(days=10),
                year=as_of.replace(month=1, day=1),
            )
        teller = Teller(company=company, pool=pool, months=months, now=now)
        teller.tell()
        # From here on people watch: a machine takes a moment to be made.
        Connection.objects.update(options={"seed": 1, "latency_ms": 1500})
        # The teller was at work, but is no worker that could fall silent.
        WorkerBeat.objects.all().delete()
    return DemoReport(
        orders=Order.objects.count(),
        applications=Deployment.objects.count(),
        closed_months=(months[2], months[1]),
    )


@dataclass(frozen=True)
class Teller:
    """Plays the story's events up to `now`, in order."""

    company: Company
    pool: Pool
    months: tuple[date, date, date]
    now: datetime

    def tell(self) -> None:
        """Play every event that lies before now."""
        events: list[tuple[datetime, Callable[[datetime], None]]] = []
        for request in STORY:
            at = self._instant(request)
            events.append((at, partial(self.order, request)))
            if request.retired_after_days is not None:
                end = at + timedelta(days=request.retired_after_days)
                events.append((end, partial(self.retire, request)))
        for month, follows in ((self.months[2], self.months[1]), (self.months[1], self.months[0])):
            at = month_bounds(follows, ZONE)[0] + CLOSE_AFTER
            # In the first days of a month the last one is still open in life; the demo closes it.
            events.append((min(at, self.now), partial(self.close, month)))
        for hours, request in ((30, GIVEN_UP), (5, TOO_LARGE), (2, WAITING)):
            at = self.now - timedelta(hours=hours)
            events.append((at, partial(self.order, request)))
        for at, play in sorted(events, key=lambda event: event[0]):
            if at <= self.now:
                play(at)
        rate_open_periods(at=self.now)

    def order(self, request: Request, at: datetime) -> None:
        """Place a request, send it where it fits, and decide on it as the story says."""
        requester = self._person(request.who)
        order = place_order(
            requester=requester,
            project=self.company.projects[request.project],
            offering=Offering.objects.get(slug=request.service),
            pool=self.pool,
            name=request.name,
            application=request.name,
            environment=request.environment,
            business_reason=request.reason,
            instances=request.copies,
            parameters=request.choices,
            start_at=None,
            end_at=at + timedelta(days=request.days) if request.days else None,
            at=at,
        )
        plan = latest_plan(order)
        if order.state != OrderState.PLANNED or plan is None:
            return
        if request.decision == "cancel":
            cancel_order(order=order, actor=requester, reason=request.answer, at=at)
            return
        order = submit_order(
            order=order, actor=requester, plan_sha256=plan.sha256, at=at, effective_at=at
        )
        if order.state == OrderState.AWAITING_APPROVAL and request.decision != "wait":
            decided_at = at + timedelta(minutes=95)
            decide(
                order=order,
                approver=self._person("ana"),
                decision=Decision(request.decision),
                reason=request.answer,
                plan_sha256=plan.sha256,
                at=decided_at,
                effective_at=decided_at,
            )
        engine.drain(worker="demo")

    def retire(self, request: Request, at: datetime) -> None:
        """Give an application back."""
        deployment = Deployment.objects.get(
            project=self.company.projects[request.project], name=request.name
        )
        request_retirement(
            deployment=deployment,
            requester=self._person(request.who),
            business_reason="Done with it.",
            at=at,
            effective_at=at,
        )
        engine.drain(worker="demo")

    def close(self, month: date, at: datetime) -> None:
        """Close a month for every account."""
        for result in close_period(month=month, at=at, actor=self._person("fiona")):
            if result.error:
                raise RuntimeError(f"{result.account}: {result.error}")

    def _instant(self, request: Request) -> datetime:
        month = self.months[request.month]
        day = day_start(month + timedelta(days=request.day), ZONE)
        return day + timedelta(hours=request.hour)

    def _person(self, username: str) -> User:
        return self.company.people[username]


def demo_day(now: datetime) -> date:
    """Return the day that the demo stands on when none is named: yesterday in the demo's zone.

    So nothing in it lies in the future, whatever the hour.
    """
    return (now.astimezone(zone_named(ZONE)) - timedelta(days=1)).date()
