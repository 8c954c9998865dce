"""What the ledger says to people: sums, derivations, ties, and who sees what."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from billing.models import Charge, Invoice
from billing.selectors import (
    costs_by,
    explain,
    explain_all,
    number_gaps,
    reconcile,
    visible_charges,
    visible_invoices,
)
from billing.services import close_period, rate_period
from inventory.foundation.models import Project, User
from inventory.models import Allocation, ResourceProvider
from tests.billing.world import FIRST_PRICES, Money, berlin, make_machine, make_price

JANUARY = date(2026, 1, 1)
START = berlin(2026, 1, 12, 9)
AFTER = berlin(2026, 2, 3, 10)


@pytest.fixture
def january(project: Project, money: Money, host: ResourceProvider) -> Invoice:
    """Three Linux M ran from 12 January 09:00; January is closed."""
    for index in range(3):
        make_machine(project=project, host=host, name=f"web-{index}", start=START)
    (result,) = close_period(month=JANUARY, at=AFTER, actor=None)
    assert result.invoice is not None
    return result.invoice


def test_explain_173_45(january: Invoice) -> None:
    found = explain_all(charges=Charge.objects.filter(invoice=january))

    assert found.lines[1] == "Linux M: 471 h × 0.112 × 3 = 158.256"
    assert found.lines[0].startswith(
        "Block storage: 100 GiB × 0.08 = 8.00; 8.00 × 471/744 × 3 = 15.19354838"
    )
    assert found.cost == found.billed == january.exact_total
    assert found.difference == 0
    assert january.total == Decimal("173.45")


def test_explain_one_charge(january: Invoice, money: Money) -> None:
    charge = Charge.objects.filter(sku=money.machine).first()
    assert charge is not None

    found = explain(charge=charge)

    assert found.formula == "471 h × 0.112 × 1 = 52.752"
    assert (found.start, found.end) == (START, berlin(2026, 2, 1))
    document = found.as_dict()
    assert document["difference"] == "0"
    assert document["book"] == "Prices 2025"
    assert document["seconds"] == str(471 * 3600)


def test_explain_finds_what_changed_after_the_close(january: Invoice, money: Money) -> None:
    charge = Charge.objects.filter(sku=money.storage).first()
    assert charge is not None
    Allocation.objects.filter(pk=charge.origin_id).update(active_from=START + timedelta(hours=1))

    found = explain(charge=charge)

    assert found.difference < 0
    assert abs(found.difference + Decimal(8) / 744) < Decimal("1e-8")


def test_explain_asks_the_database_the_same_for_many(january: Invoice) -> None:
    first = Charge.objects.filter(origin="count")[:1].get()
    with CaptureQueriesContext(connection) as one:
        explain_all(charges=Charge.objects.filter(pk=first.pk))
    with CaptureQueriesContext(connection) as all_of_them:
        explain_all(charges=Charge.objects.filter(origin="count"))

    assert len(one) == len(all_of_them)


def test_a_moved_price_does_not_move_january(january: Invoice, money: Money) -> None:
    money.machine_price.during = (FIRST_PRICES, AFTER)
    money.machine_price.save()
    make_price(money.book, money.machine, "9", start=AFTER)

    assert explain_all(charges=Charge.objects.filter(invoice=january)).difference == 0


def test_everything_ties(january: Invoice) -> None:
    (found,) = reconcile(month=JANUARY)

    assert found.difference == 0
    assert found.problems == ()
    assert found.usage_cost == found.charges == found.lines == found.document
    assert found.printed_lines == found.printed_total == Decimal("173.45")
    assert number_gaps() == []


def test_an_open_month_ties_too(january: Invoice, money: Money) -> None:
    rate_period(account=money.account, month=date(2026, 2, 1), at=AFTER)

    (found,) = reconcile(month=date(2026, 2, 1))

    assert found.difference == 0
    assert found.charges > 0


def test_days_add_up_to_the_month(january: Invoice) -> None:
    charges = Charge.objects.all()

    days = costs_by(charges=charges, by="project", every="day")
    (month,) = costs_by(charges=charges, by="project", every="month")
    services = costs_by(charges=charges, by="service")

    assert [row.start for row in days] == [date(2026, 1, day) for day in range(12, 32)]
    assert sum(row.amount for row in days) == month.amount == january.exact_total
    assert (month.start, month.name) == (JANUARY, "Shop")
    assert sum(row.amount for row in services) == month.amount
    assert [row.name for row in services] == ["Block storage", "Virtual machines"]
    whole_day = 3 * (24 * Decimal("0.112") + Decimal(8) / 31)
    assert abs(days[1].amount - whole_day) < Decimal("1e-8")
    assert days[0].amount < days[1].amount


def test_who_sees_the_ledger(
    january: Invoice,
    owner: User,
    member: User,
    operator: User,
    finance: User,
    auditor: User,
    stranger: User,
) -> None:
    everything = Charge.objects.aggregate(sum=Sum("billed_cost"))
    for person in (owner, member, finance, auditor):
        assert visible_charges(person).aggregate(sum=Sum("billed_cost")) == everything
    for person in (operator, stranger):
        assert not visible_charges(person).exists()
    for person in (owner, finance, auditor):
        assert list(visible_invoices(person)) == [january]
    for person in (member, operator, stranger):
        assert not visible_invoices(person).exists()


def test_an_owner_does_not_see_a_statement_with_other_peoples_projects(
    january: Invoice, owner: User, project: Project, money: Money, approver: User, finance: User
) -> None:
    other = Project.objects.create(
        organisation=project.organisation,
        name="Lab",
        slug="lab",
        owner=approver,
        deputy=finance,
        cost_centre="4712",
        created_at=AFTER,
    )
    money.account.project_billings.create(project=other, during=(FIRST_PRICES, None))

    assert not visible_invoices(owner).exists()
    assert visible_charges(owner).exists()
    assert visible_invoices(finance).exists()
