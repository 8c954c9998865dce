"""The figures of money: exact sums, captions that follow from them, budgets beside them."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from billing.charts import budget_figure, history_figure, year_figure
from billing.models import Budget, Charge
from billing.selectors.histories import (
    BudgetCourse,
    budget_by_month,
    budget_course,
    cost_history,
    current_budgets,
    year_of_costs,
)
from billing.services import rate_period
from inventory.foundation.figures import Figure
from inventory.foundation.models import Project, User
from inventory.models import Resource, ResourceProvider
from tests.billing.world import Money, berlin, make_budget, make_machine

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
FEB_15 = berlin(2026, 2, 15)


def total(figure: Figure, *, without: str = "") -> Decimal:
    """Return the sum of all that a figure draws."""
    return sum(
        (
            Decimal(value)
            for series in figure.series
            if series.name != without
            for value in series.values
            if value is not None
        ),
        Decimal(0),
    )


@pytest.fixture
def machine(project: Project, money: Money, host: ResourceProvider) -> Resource:
    """Return a machine that ran since 12 January and is charged up to 15 February."""
    found = make_machine(project=project, host=host, name="web", start=berlin(2026, 1, 12, 9))
    rate_period(account=money.account, month=JANUARY, at=berlin(2026, 2, 1))
    rate_period(account=money.account, month=FEBRUARY, at=FEB_15)
    return found


def test_twelve_months_hold_the_ledger_and_the_budgets_of_each(
    machine: Resource, money: Money
) -> None:
    make_budget(money.account, "3650.00")
    charges = Charge.objects.all()

    history = year_of_costs(charges=charges, by="service", last=FEBRUARY, currency="EUR")
    allowed = budget_by_month(budgets=Budget.objects.all(), months=history.starts, currency="EUR")
    figure = year_figure(history=history, budget=allowed, what_for="Service")

    ledger = sum((charge.billed_cost for charge in charges), Decimal(0))
    assert len(figure.x) == 12
    assert sum(history.sums()) == ledger
    assert abs(total(figure, without="Budget") - ledger) < Decimal("0.02")
    assert figure.x[-1] == "Feb 2026"
    budget = figure.series[-1]
    assert budget.is_line
    assert list(budget.values) == [*[None] * 10, Decimal("310.00"), Decimal("280.00")]
    assert "No month went over its budget." in figure.caption


def test_the_caption_says_how_often_a_budget_was_passed(machine: Resource) -> None:
    history = year_of_costs(
        charges=Charge.objects.all(), by="project", last=FEBRUARY, currency="EUR"
    )

    figure = year_figure(
        history=history, budget=[*[None] * 10, Decimal(1), Decimal(999)], what_for="Project"
    )

    assert "1 month of 2 went over its budget." in figure.caption


def test_a_resource_is_drawn_by_day_while_it_is_young_and_then_by_month(
    machine: Resource, money: Money
) -> None:
    charges = Charge.objects.filter(resource=machine)

    young = cost_history(charges=charges, by="item", at=berlin(2026, 9, 1))
    in_february = charges.order_by("-charge_end")[0].charge_end
    assert sum(young.sums()) == sum(one.billed_cost for one in charges.all())
    for month in (2, 3, 4):
        rate_period(account=money.account, month=date(2026, month, 1), at=berlin(2026, 4, 10))
    old = cost_history(charges=charges, by="item", at=berlin(2026, 9, 1))

    assert (young.every, young.starts[0], young.starts[-1]) == (
        "day",
        date(2026, 1, 12),
        date(2026, 2, 15),
    )
    assert (old.every, old.starts) == (
        "month",
        tuple(date(2026, month, 1) for month in range(1, 5)),
    )
    assert sum(old.sums()) == sum(one.billed_cost for one in charges.all())
    assert history_figure(history=young).as_of == in_february
    assert "of it for Linux M" in history_figure(history=young).caption


def test_nothing_charged_says_so(project: Project, money: Money) -> None:
    figure = history_figure(
        history=cost_history(charges=Charge.objects.none(), by="item", at=FEB_15)
    )

    assert figure.is_empty
    assert figure.caption == "Nothing was charged yet."


def test_a_budget_burns_down_by_exactly_what_was_charged(
    machine: Resource, money: Money, project: Project
) -> None:
    make_budget(money.account, "500.00", project=project)
    make_budget(money.account, "9000.00")

    own, of_the_account = current_budgets(project=project, at=FEB_15)
    course = budget_course(budget=own, at=FEB_15)

    assert (own.project, of_the_account.project) == (project, None)
    known = [amount for amount in course.left if amount is not None]
    spent = sum((one.billed_cost for one in Charge.objects.all()), Decimal(0))
    assert known[0] == 500
    assert known[-1] == (500 - spent).quantize(Decimal("0.01"))
    assert course.days[len(known) - 1] == date(2026, 2, 15)
    assert (course.even[0], course.even[-1]) == (500, 0)
    assert course.runs_out is not None
    assert date(2026, 2, 15) < course.runs_out < date(2027, 1, 1)
    assert "it is used up on" in budget_figure(course=course).caption


def course_of(left: list[str], runs_out: date | None = None) -> BudgetCourse:
    """Return the course of a budget of 100 over ten days."""
    budget = Budget(pk=1, name="Ten days", amount=Decimal(100), currency="EUR")
    days = [JANUARY + timedelta(days=offset) for offset in range(11)]
    budget.during = type("Days", (), {"lower": days[0], "upper": days[-1]})()
    known = [Decimal(text) for text in left]
    return BudgetCourse(
        budget=budget,
        days=tuple(days),
        left=(*known, *[None] * (11 - len(known))),
        even=tuple(Decimal(100 - 10 * offset) for offset in range(11)),
        as_of=None,
        runs_out=runs_out,
    )


@pytest.mark.parametrize(
    ("left", "runs_out", "said"),
    [
        ([], None, "nothing of 100.00 EUR is used yet"),
        (["100", "95"], None, "95.00 of 100.00 EUR are left; it lasts to 10 January 2026"),
        (["100", "50"], date(2026, 1, 3), "it is used up on 3 January 2026"),
        (["100", "-2.50"], date(2026, 1, 2), "2.50 EUR were spent beyond it"),
    ],
)
def test_the_caption_of_a_budget(left: list[str], runs_out: date | None, said: str) -> None:
    assert said in budget_figure(course=course_of(left, runs_out)).caption


def test_pages_show_the_figures_and_their_files(
    machine: Resource, money: Money, project: Project, member: User
) -> None:
    make_budget(money.account, "500.00", project=project)
    client = Client()
    client.force_login(member)
    budget = Budget.objects.get()

    page = client.get(reverse("inventory:resource", args=[machine.pk])).text
    costs = client.get(reverse("billing:resource-cost", args=[machine.pk]))
    left = client.get(reverse("billing:budget-csv", args=[budget.pk]))
    year = client.get(
        reverse("billing:costs"),
        {"since": "2026-01", "until": "2026-02", "figure": "year", "format": "csv"},
    )
    missing = client.get(reverse("billing:costs"), {"figure": "nothing", "format": "csv"})

    assert "Cost over time" in page
    assert b"".join(costs).startswith(b"Day,Linux M (EUR),Block storage (EUR)")
    assert len(b"".join(left).splitlines()) == 367
    assert b"Feb 2026" in b"".join(year)
    assert missing.status_code == 404
