"""What is left of a budget: charged, running, booked."""

from datetime import timedelta
from decimal import Decimal

from billing.choices import BudgetAction
from billing.selectors import QuoteLine, budget_state, quote
from inventory.choices import AllocationState, ResourceStatus
from inventory.foundation.models import Project
from inventory.models import Allocation, Resource, ResourceProvider
from tests.billing.world import LINUX_M, Money, berlin, make_budget, make_machine

YEAR_END = berlin(2027, 1, 1)
AT = berlin(2026, 3, 2, 10)


def test_no_budget_no_state(project: Project, money: Money) -> None:
    assert budget_state(project=project, at=AT) is None


def test_nothing_used_leaves_everything(project: Project, money: Money) -> None:
    make_budget(money.account, "3200.00", project=project)

    state = budget_state(project=project, at=AT)

    assert state is not None
    assert (state.actual, state.committed, state.free) == (0, 0, Decimal("3200.00"))
    assert state.action == BudgetAction.REQUIRE_APPROVAL
    assert state.currency == "EUR"


def test_used_and_promised_tie_with_a_quote(
    project: Project, money: Money, host: ResourceProvider
) -> None:
    start, lease_end = berlin(2026, 1, 12, 9), berlin(2026, 6, 1)
    make_budget(money.account, "5000.00")
    make_machine(project=project, host=host, name="a", start=start, lease_end=lease_end)
    make_machine(project=project, host=host, name="b", start=start)
    line = QuoteLine(LINUX_M, {"DISK_GB": 100}, 1)

    state = budget_state(project=project, at=AT)

    so_far = quote(project=project, lines=[line], start=start, end=AT).term
    leased = quote(project=project, lines=[line], start=AT, end=lease_end).term
    for_ever = quote(project=project, lines=[line], start=AT, end=YEAR_END).term
    assert state is not None
    assert so_far is not None
    assert leased is not None
    assert for_ever is not None
    assert state.actual == 2 * so_far
    assert state.committed == leased + for_ever
    assert state.free == 5000 - state.actual - state.committed


def test_a_booking_is_promised(project: Project, money: Money, host: ResourceProvider) -> None:
    make_budget(money.account, "1000.00", project=project)
    begin, end = AT + timedelta(days=10), AT + timedelta(days=12)
    booked = Resource.objects.create(
        project=project,
        pool=host.pool,
        kind=LINUX_M,
        name="later",
        status=ResourceStatus.PLANNED,
        created_at=AT,
    )
    inventory = host.inventories.get(resource_class__name="DISK_GB")
    Allocation.objects.create(
        resource=booked,
        inventory=inventory,
        provider=host,
        resource_class=inventory.resource_class,
        amount=100,
        state=AllocationState.RESERVED,
        held_from=begin,
        held_to=end,
    )
    line = QuoteLine(LINUX_M, {"DISK_GB": 100}, 1)

    state = budget_state(project=project, at=AT)

    assert state is not None
    assert state.committed == quote(project=project, lines=[line], start=begin, end=end).term


def test_the_tighter_of_two_budgets_binds(
    project: Project, money: Money, host: ResourceProvider
) -> None:
    make_budget(money.account, "900.00")
    make_budget(money.account, "50.00", project=project)

    state = budget_state(project=project, at=AT)

    assert state is not None
    assert state.amount == 50


def test_what_has_no_price_is_named(project: Project, money: Money, host: ResourceProvider) -> None:
    make_budget(money.account, "900.00")
    make_machine(project=project, host=host, name="odd", start=AT, kind="vm.plan9", disk=1)
    money.storage.resource_kind = LINUX_M
    money.storage.save()

    state = budget_state(project=project, at=AT + timedelta(hours=1))

    assert state is not None
    assert state.unpriced == ("vm.plan9",)
    assert state.committed == 0
