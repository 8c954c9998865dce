"""Load the demo: old applications in bulk, then the last months in order of time by the services.

Nothing of it is for show: the checkers of the engine, of capacity and of money find nothing wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import product

from django.db import transaction
from django.db.models import Sum

from billing.models import Invoice
from billing.selectors import budget_state
from billing.services import close_period, rate_open_periods
from inventory.foundation.choices import Via
from inventory.foundation.errors import Conflict
from inventory.foundation.models import Organisation, User
from inventory.foundation.trail import Trail, on_trail
from inventory.models import Pool
from orchestra import engine
from orchestra.choices import Decision, OrderState
from orchestra.demo import estate
from orchestra.demo.calendar import CLOSED_MONTHS, Calendar
from orchestra.demo.changes import Changes
from orchestra.demo.estate import App
from orchestra.demo.history import Historian
from orchestra.demo.money import Event, announcements, make_budgets, make_money
from orchestra.demo.office import Office
from orchestra.demo.people import Company, make_company
from orchestra.demo.story import FAILS, RULE, STAYS, Request, ahead, story
from orchestra.demo.supply import GPUS, Supply, make_supply
from orchestra.demo.traffic import Counters
from orchestra.models import Connection, Deployment, Order, WorkerBeat
from orchestra.selectors.orders import latest_plan
from orchestra.services.approvals import decide, submit_order
from orchestra.services.calendar import add_freeze, add_window
from orchestra.services.deployments import request_retirement
from orchestra.services.orders import cancel_order, expire_orders, place_order
from orchestra.services.policies import create_policy

CLOSE_AFTER = timedelta(days=3, hours=8)
# In the first days of a month the last one is still open in life; the demo has closed it by now.
CLOSED_BY = timedelta(hours=2)
RULE_BACK = 2  # months ago since when small things need no approver
SMALL_THINGS = {
    "kind": "auto_approve",
    "max_monthly_cost": "250.00",
    "max_days": 90,
    "within_budget": True,
}
WINDOWS = 26


class NotEmpty(Conflict):
    """The demo goes into an empty database only."""

    code = "not_empty"
    title = "There is something in this database"


class DoesNotTie(RuntimeError):
    """A figure that the demo promises did not come out: a mistake in the demo itself."""


@dataclass(frozen=True)
class DemoReport:
    """What was made; `charged` is the sum of the last closed month's statements."""

    projects: int
    accounts: int
    orders: int
    applications: int
    statements: int
    charged: Decimal
    closed_months: tuple[date, ...]


def load_demo(*, as_of: date) -> DemoReport:
    """Make the demo as it stands on the morning of `as_of`; the same for the same day.

    Twelve closed months and the open one. Raises NotEmpty when any organisation exists, and
    DoesNotTie when a promised figure does not come out.
    """
    if Organisation.objects.exists():
        message = (
            "The demo needs an empty database. Point ORCHESTRA_VAR or DATABASE_URL elsewhere, or "
            "empty a loaded demo with --reset."
        )
        raise NotEmpty(message)
    calendar = Calendar(as_of)
    before = calendar.start - timedelta(days=30)
    with on_trail(Trail(via=Via.COMMAND, label="demo")):
        with transaction.atomic():
            company = make_company(at=before)
            supply = make_supply(company=company, at=before + timedelta(days=5))
            accounts = make_money(
                company=company, calendar=calendar, at=before + timedelta(days=10)
            )
            requests, apps = plan_year(calendar)
            lately = [one for request in requests if (one := request.as_app(calendar.now))]
            monthly = estate.costs(calendar, [*apps, *lately], back=1)
            make_budgets(
                accounts=accounts,
                monthly={code: estate.ceiling(monthly[code]) for code in accounts},
                exact={
                    year: estate.shop_budget(calendar, year)
                    for year in range(as_of.year - 1, as_of.year + 2)
                },
                calendar=calendar,
                at=before + timedelta(days=12),
                actor=company.people["fiona"],
            )
            _set_rules(company, calendar)
            Historian(company=company, supply=supply).write(apps)
        teller = Teller(company=company, supply=supply, calendar=calendar)
        teller.tell(requests, apps)
        teller.look_ahead(ahead(calendar))
        # From here on people watch: a machine takes a moment to be made, and nothing fails.
        Connection.objects.update(options={"seed": 1, "latency_ms": 1500})
        # The teller was at work, but is no worker that could fall silent.
        WorkerBeat.objects.all().delete()
    return _report(company, calendar, len(accounts))


def plan_year(calendar: Calendar) -> tuple[list[Request], list[App]]:
    """Return the last months' requests and all old applications, so that the figures come out.

    The volumes fill up what the rest leaves of the last month's sum. Where its parts of a cent do
    not come to a whole one, other hours of the two free choices make them.
    """
    others = [
        *estate.machines(calendar),
        estate.campaign(calendar),
        *estate.pictures(calendar),
    ]
    for hours in product(range(7, 21), range(7, 21)):
        requests = story(calendar, hours=hours)
        lately = [one for request in requests if (one := request.as_app(calendar.now))]
        if estate.is_even(calendar, [*others, *lately]):
            return requests, [*others, *estate.files(calendar, [*others, *lately])]
    message = f"no hours make the cents of {calendar.month(1):%Y-%m} come out"
    raise DoesNotTie(message)


def _set_rules(company: Company, calendar: Calendar) -> None:
    """Set what needs no approver, when payments rests, and when the ledger may be changed."""
    create_policy(
        slug="small-things",
        name="Cheap, short and within budget",
        rule=SMALL_THINGS,
        organisation=company.organisation,
        actor=company.people["helga"],
        at=calendar.bounds(RULE_BACK)[0],
    )
    payments, ledger = company.projects["payments"], company.projects["ledger"]
    for name, start, days in (
        ("Summer sale", calendar.at(6, 9, 0), 12),
        ("Christmas business", calendar.next_day(12, 15, 0), 22),
    ):
        add_freeze(
            name=name,
            reason="Nothing changes while everybody buys.",
            start_at=start,
            end_at=start + timedelta(days=days),
            project=payments,
            actor=payments.owner,
            at=min(start, calendar.now) - timedelta(days=25),
        )
    thursday = calendar.as_of + timedelta(days=(3 - calendar.as_of.weekday()) % 7)
    for week in range(WINDOWS):
        opens = calendar.moment(thursday + timedelta(days=7 * week), 22)
        add_window(
            name="Thursday night",
            reason="The ledger is not in use.",
            start_at=opens,
            end_at=opens + timedelta(hours=4),
            project=ledger,
            actor=ledger.owner,
            at=calendar.now - timedelta(days=25),
        )
    _rest_payroll(company, calendar)


def _rest_payroll(company: Company, calendar: Calendar) -> None:
    """Let one freeze be in force, where nothing else happens, and one window that never shuts."""
    payroll, at = company.projects["payroll"], calendar.now - timedelta(days=1)
    add_freeze(
        name="New tax rules",
        reason="Nothing changes until the new rules are tested.",
        start_at=at,
        end_at=None,
        project=payroll,
        actor=payroll.owner,
        at=at,
    )
    add_window(
        name="Any time",
        reason="The research lab needs no agreed hours.",
        start_at=None,
        end_at=None,
        pool=Pool.objects.get(slug=GPUS),
        actor=company.people["oscar"],
        at=at,
    )


@dataclass(frozen=True)
class Teller:
    """Plays the story's events up to the demo's morning, in order."""

    company: Company
    supply: Supply
    calendar: Calendar

    def tell(self, requests: Sequence[Request], apps: Sequence[App]) -> None:
        """Play every event that lies before now, and close the months on the way."""
        now = self.calendar.now
        Connection.objects.update(
            options={"seed": 1, "fail_at": [FAILS], "fail_delete_at": [STAYS]}
        )
        events: list[Event] = []
        for request in requests:
            events.append((request.at, partial(self.order, request)))
            if request.retired_after_days is not None:
                end = request.at + timedelta(days=request.retired_after_days)
                who = self._person(request.who)
                events.append((end, partial(self.retire, request, who, "Done with it.")))
        for app in apps:
            if app.end is not None:
                who = self.company.projects[app.project].owner
                events.append((app.end, partial(self.retire, app, who, app.farewell)))
        for back in range(CLOSED_MONTHS, 0, -1):
            closed_at = min(self.calendar.bounds(back)[1] + CLOSE_AFTER, now - CLOSED_BY)
            events.append((closed_at, partial(self.close, self.calendar.month(back))))
        company, supply, calendar = self.company, self.supply, self.calendar
        events += Office(company, supply, calendar).events()
        events += announcements(company=company, calendar=calendar)
        events += Changes(company, supply, calendar).events(apps)
        events += Counters(company, calendar, closed_at).events()
        for at, play in sorted(events, key=lambda event: event[0]):
            if at <= now:
                play(at)
        expire_orders(at=now)
        rate_open_periods(at=now)

    def order(self, request: Request, at: datetime) -> None:
        """Place a request, send it where it fits, and decide on it as the story says."""
        requester = self._person(request.who)
        order = place_order(
            requester=requester,
            project=self.company.projects[request.project],
            offering=self.supply.versions[request.service].offering,
            pool=self.supply.pools[request.pool],
            name=request.name,
            application=request.name,
            environment=request.environment,
            business_reason=request.reason,
            instances=request.copies,
            parameters=request.choices,
            start_at=request.starts,
            end_at=(request.starts or at) + timedelta(days=request.days) if request.days else None,
            at=at,
        )
        plan = latest_plan(order)
        if order.state != OrderState.PLANNED or plan is None or request.decision == "plan":
            return
        if request.decision == "cancel":
            cancel_order(order=order, actor=requester, reason=request.answer, at=at)
            return
        is_later = request.starts is not None or request.name == "closing-db"
        order = submit_order(
            order=order, actor=requester, plan_sha256=plan.sha256, at=at, effective_at=at
        )
        if (order.state == OrderState.AWAITING_APPROVAL) == (request.decision == RULE):
            message = f"{request.name} needs another decision than the story's {request.decision}"
            raise DoesNotTie(message)
        if request.decision not in (RULE, "wait"):
            decided_at = request.delivered_at
            is_no = request.decision == "reject"
            decide(
                order=order,
                approver=self._person("ana"),
                decision=Decision.REJECT if is_no else Decision.APPROVE,
                reason=request.answer,
                plan_sha256=plan.sha256,
                at=decided_at,
                effective_at=None if is_later else decided_at,
            )
        if is_later:
            return
        engine.drain(worker="demo")

    def retire(self, what: Request | App, who: User, reason: str, at: datetime) -> None:
        """Give an application back; before there was a rule for it, Ana agrees an hour later."""
        deployment = Deployment.objects.get(
            project=self.company.projects[what.project], name=what.name
        )
        is_by_rule = at >= self.calendar.bounds(RULE_BACK)[0]
        order = request_retirement(
            deployment=deployment,
            requester=who,
            business_reason=reason,
            at=at if is_by_rule else at - timedelta(hours=1),
            effective_at=at,
        )
        if order.state == OrderState.AWAITING_APPROVAL:
            plan = latest_plan(order)
            assert plan is not None
            decide(
                order=order,
                approver=self._person("ana"),
                decision=Decision.APPROVE,
                reason="Agreed.",
                plan_sha256=plan.sha256,
                at=at,
                effective_at=at,
            )
        engine.drain(worker="demo")

    def close(self, month: date, at: datetime) -> None:
        """Close a month for every account."""
        for result in close_period(month=month, at=at, actor=self._person("fiona")):
            if result.error:
                raise DoesNotTie(f"{result.account}: {result.error}")

    def look_ahead(self, requests: Sequence[Request]) -> None:
        """Play what is allowed and has not begun; nobody works on it here."""
        for request in requests:
            self.order(request, request.at)
            if request.decision == "withdraw":
                order = Order.objects.get(name=request.name)
                at = request.delivered_at + timedelta(minutes=5)
                actor = self._person(request.who)
                cancel_order(order=order, actor=actor, reason=request.answer, at=at)
                engine.drain(worker="demo")

    def _person(self, username: str) -> User:
        return self.company.people[username]


def _report(company: Company, calendar: Calendar, accounts: int) -> DemoReport:
    """Return what was made, after a look at the promised figures."""
    last = Invoice.objects.filter(period__month=calendar.month(1))
    charged = last.aggregate(sum=Sum("total"))["sum"]
    budget = budget_state(project=company.projects["shop"], at=calendar.now)
    free = budget.free if budget else Decimal(0)
    if charged != estate.CHARGED or round(free, 2) != estate.FREE_IN_SHOP:
        message = f"charged {charged}, not {estate.CHARGED}; free {free}, not {estate.FREE_IN_SHOP}"
        raise DoesNotTie(message)
    return DemoReport(
        projects=len(company.projects),
        accounts=accounts,
        orders=Order.objects.count(),
        applications=Deployment.objects.count(),
        statements=Invoice.objects.count(),
        charged=charged,
        closed_months=tuple(calendar.month(back) for back in range(CLOSED_MONTHS, 0, -1)),
    )
