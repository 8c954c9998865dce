"""Changing what runs, from the request to the bill: resize, extend, end earlier."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.choices import BudgetAction
from billing.models import Budget, Charge
from billing.selectors.explanations import explain_all
from billing.services import rate_period
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible, StaleEdit
from inventory.foundation.models import AuditEvent, Event, User
from inventory.models import Allocation, Resource
from inventory.placement import Need
from inventory.services import reserve
from orchestra.choices import (
    Alteration,
    ChangeKind,
    DeploymentState,
    OrderKind,
    OrderState,
    RunState,
)
from orchestra.engine import drain
from orchestra.models import Deployment, Order, PolicyVersion, Run
from orchestra.providers.simulated.world import World
from orchestra.selectors.budgets import budget_state
from orchestra.selectors.runs import invariants
from orchestra.services.approvals import BudgetExceeded, PlanExpired
from orchestra.services.deployments import Busy, NotLive
from orchestra.services.orders import (
    cancel_order,
    plan_order,
    request_retirement,
    submit_order,
)
from orchestra.services.runs import Changed
from tests.billing.world import make_budget, make_price
from tests.cast import NOW
from tests.factories import make_resource
from tests.orchestra.changing import (
    DAY,
    END,
    HOUR,
    carried_out,
    disk_of,
    earlier,
    longer,
    resized,
    send,
    used_disk,
)
from tests.orchestra.world import Catalogue, approve, make_offering, place

pytestmark = pytest.mark.django_db


# --- resize ------------------------------------------------------------------------------------


def test_the_plan_says_from_what_to_what(web: Deployment, member: User) -> None:
    order = resized(web, member)
    assert (order.kind, order.alteration, order.state) == ("change", "resize", "planned")
    assert order.change_kind == ChangeKind.NORMAL
    plan = order.plans.get()
    said = plan.document["change"]
    assert said["before"]["amounts"]["DISK_GB"] == 50
    assert said["after"]["amounts"] == {"DISK_GB": 100, "MEMORY_MB": 16384, "VCPU": 4}
    assert said["generation"] == web.generation
    # two times 50 GiB more at 0.08 a GiB and month, and nothing more for the machines
    assert plan.monthly_cost == Decimal(8)
    assert [step["key"] for step in plan.document["steps"]] == [
        "grow",
        "resize[0]",
        "resize[1]",
        "settle",
    ]
    assert plan.document["steps"][2]["needs"] == ["resize[0]"]


def test_it_is_done_copy_by_copy(web: Deployment, member: User, world: World) -> None:
    order = send(resized(web, member, at=NOW + DAY), member, at=NOW + DAY)
    assert order.state == OrderState.FULFILLED
    web.refresh_from_db()
    assert web.parameters["disk"] == 100
    assert web.state == DeploymentState.LIVE
    assert disk_of(web) == [100, 100]
    assert [thing.spec["amounts"]["DISK_GB"] for thing in world.things()] == [100, 100]
    assert world.counters() == {"made": 2, "changed": 2, "peak": 1} | world.counters()
    assert (used_disk(NOW + DAY), used_disk(END)) == (200, 0)
    assert AuditEvent.objects.filter(action="resource.resize").count() == 2
    assert Event.objects.filter(type="orchestra.resource.resized").count() == 2
    assert invariants() == []
    smaller = send(
        resized(web, member, parameters={"disk": 20}, at=NOW + 2 * DAY), member, at=NOW + 2 * DAY
    )
    assert smaller.state == OrderState.FULFILLED
    assert disk_of(web) == [20, 20]
    assert used_disk(NOW + 2 * DAY) == 40
    assert invariants() == []


def test_the_bill_follows_to_the_last_digit(
    catalogue: Catalogue, web: Deployment, member: User
) -> None:
    """50 GiB from 2 March 09:00, 100 GiB from 12 March 10:30 (UTC) to the end of the month."""
    change = datetime(2026, 3, 12, 10, 30, tzinfo=UTC)
    send(resized(web, member, at=change), member, at=change)
    account = catalogue.money.account
    period = rate_period(account=account, month=date(2026, 3, 1), at=NOW + 60 * DAY)
    charges = Charge.objects.filter(period=period, sku__code="block-storage")
    # March in Berlin: 31 days less the hour of the clock change, which is 743 hours
    before, after = Decimal("241.5"), Decimal("467.5")
    assert (change - NOW).total_seconds() / 3600 == 241.5
    assert (period.end_at - change).total_seconds() / 3600 == 467.5
    expected = 2 * (
        (50 * before / 743).quantize(Decimal("1E-12")) * Decimal("0.08")
        + (100 * after / 743).quantize(Decimal("1E-12")) * Decimal("0.08")
    )
    total = sum(charge.billed_cost for charge in charges)
    assert abs(total - expected) < Decimal("1E-8")
    assert sorted(
        (charge.charge_start, charge.charge_end, charge.labels.get("amount")) for charge in charges
    )[0][:2] == (NOW, change)
    assert charges.count() == 4
    assert explain_all(charges=Charge.objects.filter(period=period)).difference == 0


def test_another_service_is_billed_by_its_name(
    catalogue: Catalogue, web: Deployment, member: User
) -> None:
    large = make_large(catalogue)
    order = resized(web, member, offering=large.offering, parameters={}, at=NOW + DAY)
    plan = order.plans.get()
    assert plan.monthly_cost == 2 * 743 * (Decimal("0.2") - Decimal("0.112"))
    order = approved_change(order, member)
    assert order.state == OrderState.FULFILLED
    web.refresh_from_db()
    assert web.offering_version == large
    period = rate_period(account=catalogue.money.account, month=date(2026, 3, 1), at=NOW + 60 * DAY)
    charges = Charge.objects.filter(period=period, origin="count")
    assert {
        (charge.sku.code, charge.charge_start, charge.charge_end, charge.billed_cost)
        for charge in charges
    } == {
        ("linux-m", NOW, NOW + DAY, Decimal("0.112") * 24),
        (
            "linux-l",
            NOW + DAY,
            period.end_at,
            Decimal("0.2") * Decimal((period.end_at - NOW - DAY).total_seconds()) / 3600,
        ),
    }
    assert explain_all(charges=Charge.objects.filter(period=period)).difference == 0
    assert invariants() == []


def make_large(catalogue: Catalogue, **fields: Any) -> Any:
    """Offer Linux L (8 vCPU) at 0.2 an hour beside Linux M."""
    values: dict[str, Any] = {
        "resource_kind": "vm.linux.l",
        "resources": {"VCPU": 8, "MEMORY_MB": 16384},
    }
    large = make_offering(catalogue.pool, "linux-l", **values | fields)
    sku = catalogue.money.machine
    sku.pk, sku.code, sku.resource_kind = None, "linux-l", "vm.linux.l"
    sku.save(force_insert=True)
    make_price(catalogue.money.book, sku, "0.2")
    return large


def approved_change(order: Order, member: User, *, at: datetime = NOW + DAY) -> Order:
    PolicyVersion.objects.update(during=(NOW, None))
    plan = order.plans.get()
    submit_order(order=order, actor=member, plan_sha256=plan.sha256, at=at, effective_at=at)
    return carried_out(order)


def test_too_large_for_its_place(catalogue: Catalogue, web: Deployment, member: User) -> None:
    other = make_resource(catalogue.project, catalogue.pool, "other")
    reserve(
        pool=catalogue.pool,
        wants=[(other, Need({"DISK_GB": 700}))],
        start=NOW,
        end=None,
        at=NOW,
    )
    order = resized(web, member, parameters={"disk": 400})
    assert order.state == OrderState.DRAFT
    assert order.refusal["code"] == "capacity"
    assert "stays on" in order.refusal["message"]
    assert "at most" in order.refusal["message"]
    assert not order.plans.exists()
    assert used_disk(NOW) == 800


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"parameters": {"disk": 50}}, "parameters", "Nothing would change"),
        ({"parameters": {"disk": 9}}, "parameters.disk", "at least 10"),
        ({"parameters": {"cpu": 9}}, "parameters.cpu", "no such choice"),
        ({"parameters": {"image": "debian-12"}}, "parameters.image", "while it runs"),
        ({"business_reason": " "}, "business_reason", "Say why"),
    ],
)
def test_what_is_not_right_is_named(
    web: Deployment, member: User, changes: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        resized(web, member, **changes)
    assert words in caught.value.fields[field]
    assert not Order.objects.filter(kind=OrderKind.CHANGE).exists()


def test_only_compatible_services(catalogue: Catalogue, web: Deployment, member: User) -> None:
    database = make_offering(catalogue.pool, "database")
    type(database.offering).objects.filter(pk=database.offering.pk).update(category="Databases")
    with pytest.raises(InvalidInput, match="cannot become"):
        resized(web, member, offering=database.offering)


def test_who_may_and_on_which_version(
    web: Deployment, member: User, auditor: User, stranger: User
) -> None:
    with pytest.raises(Forbidden):
        resized(web, auditor)
    with pytest.raises(NotVisible):
        resized(web, stranger)
    with pytest.raises(StaleEdit):
        resized(web, member, version=web.generation + 1)
    assert resized(web, member, version=web.generation).state == OrderState.PLANNED


def test_a_person_decides_on_what_costs_too_much(
    web: Deployment, member: User, approver: User
) -> None:
    PolicyVersion.objects.all().update(during=(None, NOW))
    order = send(resized(web, member), member)
    assert order.state == OrderState.AWAITING_APPROVAL
    assert disk_of(web) == [50, 50]
    approve(order, approver, at=NOW, effective_at=NOW)
    assert carried_out(order).state == OrderState.FULFILLED
    assert disk_of(web) == [100, 100]


def test_a_shrink_needs_no_budget(catalogue: Catalogue, web: Deployment, member: User) -> None:
    web.lease_end_at = None
    web.save()
    order = resized(web, member, parameters={"disk": 10})
    plan = order.plans.get()
    assert plan.monthly_cost == Decimal("-6.4")
    assert plan.quote["gives_back"]
    assert plan.decisions[0]["outcome"] == "approve_by_rule"


def test_two_changes_at_once_cannot_both_pass_a_budget_that_carries_one(
    catalogue: Catalogue, web: Deployment, member: User
) -> None:
    """The first is approved and not delivered yet: what it will cost is committed already."""
    other = send(place(catalogue, member, name="other"), member).deployment
    assert other is not None
    bigger, longer_too = resized(web, member), longer(other, member, END + 30 * DAY)
    costs = [order.plans.get().term_cost or Decimal(0) for order in (bigger, longer_too)]
    assert all(cost > 0 for cost in costs)
    Budget.objects.update(action=BudgetAction.BLOCK)
    before = budget_state(project=catalogue.project, at=NOW)
    assert before is not None
    Budget.objects.update(amount=before.spoken_for + sum(costs) - Decimal("0.01"))
    plan = bigger.plans.get()
    submit_order(order=bigger, actor=member, plan_sha256=plan.sha256, at=NOW, effective_at=NOW)
    assert Run.objects.get(order=bigger).state == RunState.SCHEDULED

    between = budget_state(project=catalogue.project, at=NOW)
    assert between is not None
    assert between.committed == before.committed + costs[0]
    with pytest.raises(BudgetExceeded):
        send(longer_too, member)
    assert not Run.objects.filter(order=longer_too).exists()

    carried_out(bigger)
    after = budget_state(project=catalogue.project, at=NOW)
    assert after is not None
    assert abs(after.committed - between.committed) < Decimal("0.0001")  # now it runs: once


def test_the_budget_is_asked_for_the_difference(
    catalogue: Catalogue, web: Deployment, member: User
) -> None:
    make_budget(catalogue.money.account, "1.00", project=catalogue.project)
    order = resized(web, member)
    assert "left in the budget" in order.plans.get().decisions[0]["reasons"][0]


def test_one_change_at_a_time(web: Deployment, member: User, approver: User) -> None:
    first, second = resized(web, member), resized(web, member, parameters={"disk": 60})
    plan = first.plans.get()
    submit_order(order=first, actor=member, plan_sha256=plan.sha256, at=NOW, effective_at=NOW)
    with pytest.raises(Busy):
        resized(web, member, parameters={"disk": 70})
    with pytest.raises(Busy):
        request_retirement(deployment=web, requester=member, business_reason="x", at=NOW)
    with pytest.raises(Changed, match="changed since"):
        send(second, member)
    carried_out(first)
    with pytest.raises(Changed, match="changed since"):
        send(second, member)
    second.refresh_from_db()
    assert second.state == OrderState.PLANNED
    assert plan_order(order=second, actor=member, at=NOW) is not None
    assert send(second, member).state == OrderState.FULFILLED
    assert disk_of(web) == [60, 60]


def test_what_was_given_back_is_not_changed(web: Deployment, member: User) -> None:
    order = resized(web, member)
    earlier(web, member, None)
    drain(worker="test:1")
    with pytest.raises(Changed, match="given back"):
        send(order, member)
    with pytest.raises(NotLive):
        resized(Deployment.objects.get(pk=web.pk), member)


def test_a_copy_that_cannot_be_changed_takes_all_back(
    catalogue: Catalogue, web: Deployment, member: User, world: World
) -> None:
    catalogue.connection.options |= {"fail_resize_at": ["web-2"]}
    catalogue.connection.save()
    order = send(resized(web, member, parameters={"disk": 20}), member)
    assert order.state == OrderState.FAILED
    assert Run.objects.get(order=order).state == RunState.COMPENSATED
    assert disk_of(web) == [50, 50]
    assert used_disk(NOW + DAY) == 100
    web.refresh_from_db()
    assert (web.state, web.parameters["disk"]) == (DeploymentState.LIVE, 50)
    assert [thing.spec["amounts"]["DISK_GB"] for thing in world.things()] == [50, 50]
    assert invariants() == []


def test_cancelled_before_it_began(web: Deployment, member: User) -> None:
    order = resized(web, member)
    plan = order.plans.get()
    submit_order(order=order, actor=member, plan_sha256=plan.sha256, at=NOW, effective_at=NOW)
    assert used_disk(NOW + DAY) == 200
    cancel_order(order=order, actor=member, reason="", at=NOW)
    assert carried_out(order).state == OrderState.CANCELLED
    assert used_disk(NOW + DAY) == 100
    assert disk_of(web) == [50, 50]
    assert invariants() == []


def test_dearer_prices_need_another_plan(
    catalogue: Catalogue, web: Deployment, member: User, approver: User
) -> None:
    PolicyVersion.objects.all().update(during=(None, NOW))
    order = send(resized(web, member), member)
    account_price(catalogue)
    with pytest.raises(PlanExpired, match="Prices have changed"):
        approve(order, approver, at=NOW)


def account_price(catalogue: Catalogue) -> None:
    """Agree on a price with the account that is dearer than the list's."""
    money = catalogue.money
    make_price(money.book, money.storage, "0.16", account=money.account)


# --- extend ------------------------------------------------------------------------------------


def test_a_later_end_is_held_and_then_agreed(web: Deployment, member: User) -> None:
    later = END + 10 * DAY
    order = longer(web, member, later)
    plan = order.plans.get()
    assert (order.alteration, order.change_kind) == (Alteration.EXTEND, ChangeKind.STANDARD)
    # ten days of two machines with 50 GiB, in April (720 hours)
    machines = 2 * 240 * Decimal("0.112")
    storage = 2 * 50 * Decimal("0.08") * 240 / 720
    assert plan.term_cost is not None
    assert abs(plan.term_cost - machines - storage) < Decimal("0.0001")
    assert used_disk(END) == 0
    order = send(order, member)
    assert order.state == OrderState.FULFILLED
    web.refresh_from_db()
    assert web.lease_end_at == later
    assert set(Resource.objects.values_list("lease_end_at", flat=True)) == {later}
    assert set(Allocation.objects.values_list("held_to", flat=True)) == {later}
    assert (used_disk(END), used_disk(later)) == (100, 0)
    assert disk_of(web) == [50, 50]
    assert invariants() == []


def test_what_is_promised_to_others(catalogue: Catalogue, web: Deployment, member: User) -> None:
    booked = END + 5 * DAY
    for number in range(2):
        other = make_resource(catalogue.project, catalogue.pool, f"other-{number}")
        reserve(
            pool=catalogue.pool,
            wants=[(other, Need({"VCPU": 16}))],
            start=booked,
            end=None,
            at=NOW,
        )
    order = longer(web, member, END + 10 * DAY)
    assert order.state == OrderState.DRAFT
    (instead,) = order.refusal["alternatives"]
    assert instead["end_at"] == booked.isoformat()
    assert "6 April 2026" in order.refusal["message"]
    again = send(longer(web, member, booked), member)
    assert again.state == OrderState.FULFILLED


def test_a_rule_caps_the_whole_term(
    catalogue: Catalogue, web: Deployment, member: User, finance: User
) -> None:
    rule = catalogue.rule
    PolicyVersion.objects.filter(pk=rule.pk).update(during=(NOW - DAY, NOW))
    PolicyVersion.objects.create(
        policy=rule.policy,
        number=2,
        rule=rule.rule | {"max_total_days": 40},
        during=(NOW, None),
        created_by=finance,
        created_at=NOW,
    )
    order = longer(web, member, END + 11 * DAY)
    assert order.refusal["code"] == "term"
    assert order.refusal["alternatives"][0]["end_at"] == (NOW + 40 * DAY).isoformat()
    assert longer(web, member, END + 10 * DAY).state == OrderState.PLANNED


def test_too_long_in_all_needs_a_person(web: Deployment, member: User) -> None:
    order = longer(web, member, END + 61 * DAY)
    assert order.plans.get().decisions[0]["reasons"] == ["longer than 90 days"]
    assert send(order, member).state == OrderState.AWAITING_APPROVAL


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (END, "after the agreed one"),
        (END - DAY, "after the agreed one"),
        (NOW + 3661 * DAY, "within ten years"),
        ("soon", "time zone"),
    ],
)
def test_ends_that_are_no_extension(web: Deployment, member: User, end: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        longer(web, member, end)
    assert words in caught.value.fields["end_at"]


def test_no_end_and_an_end_that_is_reached(web: Deployment, member: User) -> None:
    with pytest.raises(InvalidInput, match="reached"):
        longer(web, member, END + 9 * DAY, at=END)
    web.lease_end_at = None
    web.save()
    with pytest.raises(InvalidInput, match="no agreed end"):
        longer(web, member, END + DAY)


def test_cancelled_while_it_waits_gives_the_time_back(web: Deployment, member: User) -> None:
    order = longer(web, member, END + 10 * DAY)
    plan = order.plans.get()
    submit_order(order=order, actor=member, plan_sha256=plan.sha256, at=NOW, effective_at=NOW)
    assert used_disk(END) == 100
    cancel_order(order=order, actor=member, reason="", at=NOW)
    assert carried_out(order).state == OrderState.CANCELLED
    assert used_disk(END) == 0
    assert set(Allocation.objects.values_list("held_to", flat=True)) == {END}


# --- end ---------------------------------------------------------------------------------------


def test_an_earlier_end_is_free_for_others_at_once(
    catalogue: Catalogue, web: Deployment, member: User
) -> None:
    early = NOW + 10 * DAY
    order = carried_out(earlier(web, member, early))
    assert (order.alteration, order.state) == (Alteration.END, OrderState.FULFILLED)
    saved = order.plans.get().term_cost
    assert saved is not None
    assert saved < 0
    web.refresh_from_db()
    assert web.lease_end_at == early
    assert (used_disk(early), used_disk(early - HOUR)) == (0, 100)
    assert disk_of(web) == [50, 50]
    other = make_resource(catalogue.project, catalogue.pool, "other")
    reserve(
        pool=catalogue.pool,
        wants=[(other, Need({"VCPU": 16}))],
        start=early,
        end=None,
        at=NOW,
    )
    assert invariants() == []


def test_billing_stops_at_the_end_of_delivery(
    catalogue: Catalogue, web: Deployment, member: User
) -> None:
    early = datetime(2026, 3, 12, 10, 30, tzinfo=UTC)
    carried_out(earlier(web, member, early))
    order = carried_out(earlier(web, member, None, at=early))
    assert (order.kind, order.state) == (OrderKind.RETIRE, OrderState.FULFILLED)
    period = rate_period(account=catalogue.money.account, month=date(2026, 3, 1), at=NOW + 60 * DAY)
    charges = Charge.objects.filter(period=period)
    assert {charge.charge_end for charge in charges} == {early}
    machines = sum(charge.billed_cost for charge in charges.filter(origin="count"))
    assert machines == 2 * Decimal("241.5") * Decimal("0.112")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (NOW - DAY, "is past"),
        (END, "before the agreed one"),
        (END + DAY, "before the agreed one"),
        ("soon", "time zone"),
    ],
)
def test_ends_that_are_not_earlier(web: Deployment, member: User, end: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        earlier(web, member, end)
    assert words in caught.value.fields["end_at"]


def test_what_has_no_end_gets_one(web: Deployment, member: User) -> None:
    Deployment.objects.update(lease_end_at=None)
    web.refresh_from_db()
    order = carried_out(earlier(web, member, NOW + DAY))
    assert order.state == OrderState.FULFILLED
    assert order.plans.get().term_cost == 0
    web.refresh_from_db()
    assert web.lease_end_at == NOW + DAY
