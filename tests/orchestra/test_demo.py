"""The demo's year: its figures come out, whatever the day, and the checkers find nothing wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import F, Sum

from billing.choices import PeriodState, PreparedState
from billing.models import (
    BillingAccount,
    BillingPeriod,
    Charge,
    Correction,
    Invoice,
    PriceChange,
    SkuPrice,
)
from billing.selectors import budget_state, reconcile
from billing.selectors.corrections import late_readings
from billing.selectors.reconciliation import number_gaps
from inventory.choices import ResourceStatus
from inventory.foundation.choices import WishState
from inventory.foundation.models import (
    AuditEvent,
    Event,
    Project,
    ProjectRequest,
    ProjectTransfer,
    RoleGrant,
    User,
)
from inventory.foundation.permissions import Action, projects_where
from inventory.models import Allocation, CapacitySpan, Inventory, Pool, Resource
from inventory.placement import Need, headroom
from inventory.selectors import pool_capacity, visible_pools
from orchestra.choices import Alteration, OrderKind, OrderState, RunState
from orchestra.demo import estate, load_demo
from orchestra.demo.calendar import Calendar
from orchestra.demo.load import plan_year
from orchestra.models import Deployment, Offering, Order, Run, Step, StepLog, WorkerBeat
from orchestra.selectors.runs import invariants
from orchestra.services.estimates import Estimate, estimate

pytestmark = pytest.mark.xdist_group("demo")  # loaded once, so on one worker

AS_OF = date(2026, 3, 14)
CALENDAR = Calendar(AS_OF)
M = Need({"VCPU": 4, "MEMORY_MB": 16 * 1024, "DISK_GB": 100})
# An old request that was written in bulk, and a newer one that went through the services.
OLD, NEW = ("insurance", "claims"), ("data", "warehouse")


@pytest.fixture(scope="module")
def loaded(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Load the demo once for the module, in a transaction that is taken back at its end."""
    var, settings.VAR_DIR = settings.VAR_DIR, tmp_path_factory.mktemp("demo")
    whole = transaction.atomic()
    with django_db_blocker.unblock():
        whole.__enter__()
        load_demo(as_of=AS_OF)
    yield
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        whole.__exit__(None, None, None)
    settings.VAR_DIR = var


@pytest.fixture
def demo(loaded: None, db: None) -> None:
    """Look at the loaded demo; what a test changes is taken back."""


def ask(who: str, project: str, copies: int) -> Estimate:
    """Type the request of the story: Linux M with 100 GiB from 12 January for ninety days."""
    start = CALENDAR.winter
    return estimate(
        requester=User.objects.get(username=who),
        project=Project.objects.get(slug=project),
        offering=Offering.objects.get(slug="linux-m"),
        name="winter-shop",
        application="Winter shop",
        environment="production",
        business_reason="More visitors in winter",
        instances=copies,
        parameters={"disk": 100, "image": "debian-13"},
        start_at=start,
        end_at=start + timedelta(hours=2159),
        at=CALENDAR.now,
    )


def test_the_pool_has_what_the_story_says(demo: None) -> None:
    """Step 2: sellable 2,816 vCPU and 10,560 GiB; held 2,112 and 8,448; 132 fit, or 72."""
    pool = Pool.objects.get(slug="frankfurt-1")
    rows = {row.resource_class.name: row for row in pool_capacity(pool=pool, at=CALENDAR.now)}
    vcpus, memory = rows["VCPU"], rows["MEMORY_MB"]
    assert (vcpus.capacity - vcpus.spare, vcpus.used) == (2816, 2112)
    assert (memory.capacity - memory.spare, memory.used) == (10_560 * 1024, 8_448 * 1024)
    assert headroom(pool=pool, need=M, start=CALENDAR.now) == 132
    pool.spare_hosts += 1
    assert headroom(pool=pool, need=M, start=CALENDAR.now) == 72


def test_the_request_costs_and_takes_what_the_story_says(demo: None) -> None:
    """Step 3: the price, the budget, the quota, and who must agree."""
    answer = ask("mia", "shop", 3)
    assert answer.faults == {}
    assert answer.refusal == {}
    assert answer.quote is not None
    assert answer.quote.term is not None
    assert answer.quote.term_hours == 2159
    assert (round(answer.quote.monthly, 2), round(answer.quote.term, 2)) == (
        Decimal("273.98"),
        Decimal("797.72"),
    )
    assert answer.budget is not None
    assert answer.budget_after is not None
    assert (round(answer.budget.free, 2), round(answer.budget_after, 2)) == (
        Decimal("3200.00"),
        Decimal("2402.28"),
    )
    (quota,) = [one for one in answer.quotas if one.holder == "Web shop"]
    assert (quota.before, quota.after, quota.limit) == (36, 48, 48)
    assert answer.reasons == ("over 250.00 EUR a month",)
    assert "Olivia Owner" in answer.approvers


def test_too_many_are_refused_with_what_would_do(demo: None) -> None:
    """Step 4: 132 of 200 fit, 1,088 GiB (and 96 vCPU) are missing; all fit later, or as S."""
    answer = ask("noah", "research", 200)
    assert answer.refusal
    assert (answer.fits, answer.refusal["fits"]) == (132, 132)
    assert answer.refusal["short"] == {"MEMORY_MB": 1088 * 1024, "VCPU": 96}
    assert "132 of 200 fit. Short 1,088 GiB of memory and 96 vCPU" in answer.refusal["message"]
    later = [one["start_at"] for one in answer.refusal["alternatives"] if "start_at" in one]
    assert later == [CALENDAR.thaw.isoformat()]
    assert "from 4 March 2027" in answer.refusal["message"]
    smaller = [one for one in answer.refusal["alternatives"] if "offering" in one]
    assert [one["offering"] for one in smaller] == ["linux-s"]
    assert smaller[0]["message"] == "Frankfurt 1 has room for all 200 as Linux S."


def test_the_last_month_and_last_winter_come_out(demo: None) -> None:
    """Steps 8 and 9: 41 accounts, 186,412.37 charged; the January of the winter sale is 173.45."""
    last = Invoice.objects.filter(period__month=date(2026, 2, 1))
    assert last.count() == 41
    assert last.aggregate(sum=Sum("total"))["sum"] == Decimal("186412.37")
    charged = Charge.objects.filter(period__month=date(2026, 2, 1))
    assert round(charged.aggregate(sum=Sum("billed_cost"))["sum"], 2) == Decimal("186412.37")
    winter = Invoice.objects.get(period__month=date(2026, 1, 1), account__code="outlet")
    assert winter.total == Decimal("173.45")
    lines = {line.sku_name: line for line in winter.lines.all()}
    assert lines["Linux M"].exact_amount == Decimal("158.256")
    assert lines["Linux M"].quantity == 3 * 471
    assert round(lines["Block storage"].exact_amount, 6) == Decimal("15.193548")


def test_money_ties(demo: None) -> None:
    months = sorted(set(BillingPeriod.objects.values_list("month", flat=True)))
    assert len(months) == 13
    for month in (months[0], months[6], *months[-2:]):  # the first, a change of price, the last
        rows = reconcile(month=month)
        state = PeriodState.OPEN if month == date(2026, 3, 1) else PeriodState.CLOSED
        assert {row.period.state for row in rows} == {state}
        assert [row.problems for row in rows if row.difference or row.problems] == []
        assert len(rows) == 41
    assert number_gaps() == []
    assert BillingAccount.objects.count() == 41
    assert SkuPrice.objects.filter(sku__code="database-l").count() == 2


def test_the_checkers_find_nothing(demo: None) -> None:
    assert invariants() == []
    held: dict[int, list[Allocation]] = defaultdict(list)
    for allocation in Allocation.objects.all():
        held[allocation.inventory_id].append(allocation)
    for span in CapacitySpan.objects.all():
        at = span.during.lower or span.during.upper
        used = sum(
            one.amount
            for one in held[span.inventory_id]
            if at
            and span.during.lower
            and one.held_from <= at
            and (one.held_to is None or at < one.held_to)
        )
        assert span.used == used, span
        assert span.shortfall == 0
    spanned = CapacitySpan.objects.values("inventory").distinct().count()
    assert spanned == Inventory.objects.count()
    assert not Resource.objects.filter(delivered_at__gt=F("ended_at")).exists()
    assert not WorkerBeat.objects.exists(), "the teller is no worker that could fall silent"


def test_requests_stand_in_every_state(demo: None) -> None:
    states = Counter(Order.objects.values_list("state", flat=True))
    assert set(states) == set(OrderState) - {OrderState.APPROVED}, "approved is but a moment"
    assert states[OrderState.AWAITING_APPROVAL] >= 3
    assert Order.objects.filter(kind=OrderKind.RETIRE, state=OrderState.FULFILLED).count() >= 10
    assert set(Run.objects.values_list("state", flat=True)) == {
        RunState.SUCCEEDED,
        RunState.COMPENSATED,
        RunState.CANCELLED,
        RunState.NEEDS_OPERATOR,
        RunState.SCHEDULED,
    }
    assert Resource.objects.filter(status=ResourceStatus.LEFTOVER).count() == 1
    company = Project.objects.filter(organisation__slug__startswith="nordwind")
    assert Counter(company.values_list("status", flat=True)) == {"active": 45, "closed": 1}


def test_what_runs_was_changed_in_every_way(demo: None) -> None:
    changes = Order.objects.filter(kind=OrderKind.CHANGE)
    assert set(changes.values_list("alteration", "state")) == {
        (Alteration.RESIZE, OrderState.FULFILLED),
        (Alteration.RESIZE, OrderState.AWAITING_APPROVAL),
        (Alteration.EXTEND, OrderState.FULFILLED),
        (Alteration.END, OrderState.FULFILLED),
    }
    landing = Deployment.objects.get(project__slug="data", name="landing")
    assert landing.parameters["disk"] == 3000
    overdue = Deployment.objects.filter(lease_end_at=None, confirm_by__lte=CALENDAR.now)
    assert ("shop", "checkout") in overdue.values_list("project__slug", "name")
    assert Deployment.objects.filter(confirmed_at__isnull=False).count() > 20


def test_closed_months_stay_and_are_corrected_in_the_open_one(demo: None) -> None:
    """What is counted late is corrected, waits, or is only noticed; prices to come are known."""
    corrections = Correction.objects.values_list("period__account__code", "state", "period__month")
    last = CALENDAR.month(1)
    assert set(corrections) == {
        ("stores", PreparedState.RELEASED, last),
        ("tracking", PreparedState.PREPARED, last),
    }
    corrected = Charge.objects.filter(correction__isnull=False)
    assert {one.period.month for one in corrected.select_related("period")} == {CALENDAR.month(0)}
    late = late_readings(periods=BillingPeriod.objects.filter(month=last))
    assert {BillingPeriod.objects.get(pk=pk).account.code: n for pk, n in late.items()} == {
        "tracking": 3,
        "loyalty": 3,
    }
    traffic = Charge.objects.filter(sku__code="traffic-out", correction=None)
    prices = traffic.filter(period__account__code="search").values_list(
        "contracted_unit_price", flat=True
    )
    assert set(prices) == {Decimal("0.05"), Decimal("0.04")}, "two tiers by mid-month"
    announced = PriceChange.objects.filter(from_at__gt=CALENDAR.now)
    assert set(announced.values_list("sku__code", "state")) == {
        ("gpu-machine", PreparedState.RELEASED),
        ("database-m", PreparedState.PREPARED),
        ("linux-s", PreparedState.WITHDRAWN),
    }


def test_projects_and_people_come_and_go(demo: None) -> None:
    asked = dict(ProjectRequest.objects.values_list("name", "state"))
    assert asked == {
        "Drone pilot": WishState.DONE,
        "Kiosks": WishState.REJECTED,
        "Gift cards": WishState.WAITING,
    }
    handed = dict(ProjectTransfer.objects.values_list("project__slug", "state"))
    assert handed == {"data": WishState.WAITING, "customs": WishState.DONE}
    ended = RoleGrant.objects.filter(expires_at__lte=CALENDAR.now)
    assert [str(one.user) for one in ended] == ["Greta Graf"]
    assert set(RoleGrant.objects.filter(scope="pool").values_list("pool_id", flat=True)) == set(
        Pool.objects.filter(organisation__slug="nordwind").values_list("pk", flat=True)
    )


def test_the_stranger_sees_nothing_of_the_company(demo: None) -> None:
    sam, mia = (User.objects.get(username=name) for name in ("sam", "mia"))
    assert [str(one) for one in projects_where(sam, Action.PROJECT_VIEW)] == ["Booking"]
    assert [str(one) for one in visible_pools(sam)] == ["Lake 1"]
    assert "Lake 1" not in [str(one) for one in visible_pools(mia)]


def test_a_budget_is_overrun_and_others_are_not(demo: None) -> None:
    free = {
        slug: budget.free
        for slug in ("marketing", "shop", "payments")
        if (budget := budget_state(project=Project.objects.get(slug=slug), at=CALENDAR.now))
    }
    assert free["marketing"] < 0 < min(free["shop"], free["payments"])


def shape(project: str, name: str) -> dict[str, Any]:
    """Return what a request left behind, without its own figures and names."""
    order = Order.objects.get(project__slug=project, name=name, kind=OrderKind.CREATE)
    run = order.runs.get()
    copies = Resource.objects.filter(deployment_link__deployment=order.deployment_id)
    first = copies.order_by("pk")[0]
    plan = order.plans.get()
    subjects = [
        f"{noun}/{row.pk}"
        for noun, row in (
            ("order", order),
            ("run", run),
            ("deployment", order.deployment),
            ("resource", first),
            *(("step", step) for step in run.steps.filter(ordinal__lte=3)),
        )
        if row is not None
    ]
    told = Event.objects.filter(subject__in=subjects).order_by("pk")
    audited = AuditEvent.objects.filter(
        object_label__in=[str(order), str(run), first.name], project=order.project
    ).order_by("pk")
    return {
        "events": [(one.type, one.source, sorted(one.data)) for one in told],
        "audit": [
            (
                one.action,
                one.via,
                bool(one.actor),
                sorted(one.changes),
                one.organisation_id is not None,
            )
            for one in audited
        ],
        "log": list(
            StepLog.objects.filter(run=run, step=None).order_by("pk").values_list("message")
        ),
        "steps": [
            (
                step.key,
                step.action,
                step.state,
                step.fence,
                step.pending_deps,
                sorted(step.inputs),
                sorted(step.outcome),
                bool(step.external_ref),
                bool(step.connection_id),
                bool(step.intent_at),
                [effect.kind for effect in step.effects.all()],
                [(attempt.outcome, attempt.worker) for attempt in step.attempts.all()],
            )
            for step in run.steps.filter(ordinal__lte=3).order_by("ordinal")
        ],
        "plan": sorted(plan.document),
        "quote": sorted(plan.quote),
        "decision": [sorted(one) for one in plan.decisions],
        "placement": [sorted(one) for one in plan.placement][:1],
        "copy": (first.status, sorted(first.attributes), first.generation, first.ended_at),
        "states": list(first.states.values_list("state", "during__upper_inf")),
        "held": sorted(
            (one.state, one.held_to, one.held_from == one.active_from)
            for one in first.allocations.all()
        ),
        "order": (order.state, order.version, order.change_kind),
        "deployment": (order.deployment.state, order.deployment.generation),  # type: ignore[union-attr]
        "run": (run.state, run.on_failure, run.desired_state, run.deployment_generation),
    }


def test_what_is_written_in_bulk_looks_as_the_services_write_it(demo: None) -> None:
    old, new = shape(*OLD), shape(*NEW)
    for name, rows in old.items():
        assert rows == new[name], name
        assert rows, name
    assert Step.objects.filter(run__order__name="claims").count() == 1 + 2 * 10


def every_day(of: int) -> list[date]:
    """Return the days of a year that are the first or last of a month, and every ninth day."""
    days = [date(of, 1, 1) + timedelta(days=number) for number in range(366)]
    return [
        day
        for number, day in enumerate(days)
        if number % 9 == 0 or day.day == 1 or (day + timedelta(days=1)).day == 1
    ]


@pytest.mark.parametrize("year", [2026, 2027, 2028])
def test_the_quantities_are_found_for_every_day(year: int) -> None:
    """Months differ in length: the volumes take up what is left of the last one's sum."""
    for day in every_day(year):
        calendar = Calendar(day)
        requests, apps = plan_year(calendar)
        lately = [one for request in requests if (one := request.as_app(calendar.now))]
        owed = estate.costs(calendar, [*apps, *lately], back=1)
        printed, exact = estate.totals(owed)
        assert printed == estate.CHARGED == round(Decimal(float(exact)), 2), day
        assert len(owed) == 41, day
        assert min(owed.values()) > 0
        assert estate.held_sizes(apps) == estate.HELD_SIZES
        old = [app.start for app in apps if app.project != "outlet"]
        assert max(old) < calendar.bounds(2)[0], "old requests are older than the rule"


def test_the_same_day_is_planned_the_same() -> None:
    assert plan_year(Calendar(AS_OF)) == plan_year(Calendar(AS_OF))


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "14.03.2026"])
def test_a_day_that_is_none_is_refused_with_the_cure(day: str) -> None:
    with pytest.raises(CommandError, match="Write it as YYYY-MM-DD"):
        call_command("demo", as_of=day)
