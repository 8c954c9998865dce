"""What an order would cost: the figures of the demo, and what has no price."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.models import ProjectBilling, Sku
from billing.pricing import round_money
from billing.selectors import NoAccount, NoPrice, QuoteLine, quote
from inventory.foundation.models import Project
from tests.billing.world import BERLIN, FIRST_PRICES, LINUX_M, Money, berlin, make_price

START = berlin(2026, 1, 12, 9)
NINETY_DAYS = berlin(2026, 4, 12, 9)
THREE = QuoteLine(LINUX_M, {"VCPU": 4, "MEMORY_MB": 16_384, "DISK_GB": 100}, 3)


def test_figures_of_the_demo(project: Project, money: Money) -> None:
    assert NINETY_DAYS.astimezone(BERLIN) == START.astimezone(BERLIN) + timedelta(days=90)

    found = quote(project=project, lines=[THREE], start=START, end=NINETY_DAYS)

    assert found.monthly == Decimal("273.984")
    assert found.monthly_hours == 744
    assert found.term_hours == 2159
    assert found.term is not None
    assert round_money(found.term, rounding="half_up") == Decimal("797.72")
    assert found.hourly == Decimal("0.368258")
    assert found.account == money.account
    assert [(line.name, line.quantity, line.unit, line.base) for line in found.lines] == [
        ("Linux M", 3, "machine", "hour"),
        ("Block storage", 300, "GiB", "month"),
    ]


def test_january_share(project: Project, money: Money) -> None:
    found = quote(project=project, lines=[THREE], start=START, end=berlin(2026, 2, 1))

    machine, storage = found.lines
    assert found.term_hours == 471
    assert machine.term == Decimal("158.256")
    assert storage.term is not None
    assert abs(storage.term - Decimal("15.19354838709677")) < Decimal("0.000000001")
    assert found.term is not None
    assert round_money(found.term, rounding="half_up") == Decimal("173.45")


def test_as_dict_is_plain_text(project: Project, money: Money) -> None:
    found = quote(project=project, lines=[THREE], start=START, end=None).as_dict()

    assert found["term"] is None
    assert found["account"] == "shop"
    assert found["lines"][0]["unit_price"] == "0.112"
    assert Decimal(found["monthly"]) == Decimal("273.984")


def test_a_price_rise_splits_the_term(project: Project, money: Money) -> None:
    change = berlin(2026, 2, 10)
    money.machine_price.during = (FIRST_PRICES, change)
    money.machine_price.save()
    make_price(money.book, money.machine, "0.2", start=change)
    line = QuoteLine(LINUX_M, {}, 1)

    found = quote(
        project=project,
        lines=[line],
        start=change - timedelta(hours=10),
        end=change + timedelta(hours=5),
    )

    assert found.term == Decimal("2.12")


def test_the_accounts_own_price_wins(project: Project, money: Money) -> None:
    make_price(money.book, money.machine, "0.1", account=money.account)

    found = quote(
        project=project,
        lines=[QuoteLine(LINUX_M, {}, 1)],
        start=START,
        end=START + timedelta(hours=10),
    )

    assert found.term == 1


def test_the_item_that_names_the_kind_wins(project: Project, money: Money) -> None:
    fast = Sku.objects.create(
        code="fast-storage",
        name="Storage of Linux M",
        meter=money.storage.meter,
        resource_kind=LINUX_M,
        base="month",
        service_name="Block storage",
        pricing_unit="GiB-Months",
    )
    make_price(money.book, fast, "0.2")

    found = quote(
        project=project, lines=[QuoteLine(LINUX_M, {"DISK_GB": 10}, 1)], start=START, end=None
    )

    assert [line.sku for line in found.lines] == ["linux-m", "fast-storage"]


def test_an_unknown_kind_has_no_price(project: Project, money: Money) -> None:
    with pytest.raises(NoPrice, match=r"“vm\.plan9” has no price in EUR"):
        quote(project=project, lines=[QuoteLine("vm.plan9", {"VCPU": 1}, 1)], start=START, end=None)


def test_a_gap_in_the_prices_is_named(project: Project, money: Money) -> None:
    money.machine_price.during = (FIRST_PRICES, berlin(2026, 3, 1))
    money.machine_price.save()

    with pytest.raises(NoPrice, match="“Linux M” has no price at 01 March 2026 00:00"):
        quote(project=project, lines=[THREE], start=START, end=NINETY_DAYS)


def test_nobody_pays(project: Project, money: Money) -> None:
    ProjectBilling.objects.all().delete()

    with pytest.raises(NoAccount, match="Nobody pays for the project “Shop” on 12 January 2026"):
        quote(project=project, lines=[THREE], start=START, end=None)
