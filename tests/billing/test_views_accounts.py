"""The page of a paying account, the list of usage, and how one gets there."""

import csv
import io
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.models import UsageRecord
from billing.services import close_period
from inventory.foundation.models import Project, User
from inventory.models import ResourceProvider
from tests.billing.world import Money, berlin, make_budget, make_machine
from tests.lists import split

JANUARY = berlin(2026, 1, 5).date()
USAGE = "/usage/"


@pytest.fixture
def closed(project: Project, money: Money, host: ResourceProvider, finance: User) -> Money:
    """Close January with one machine in it."""
    money.account.entity.legal = {"Seat": "Berlin"}
    money.account.entity.save()
    make_budget(money.account, "1500.50")
    make_machine(project=project, host=host, name="web", start=berlin(2026, 1, 5))
    close_period(month=JANUARY, at=berlin(2026, 2, 2), actor=finance)
    return money


def signed_in(user: User) -> Client:
    """Return a browser in which the person has signed in."""
    client = Client()
    client.force_login(user)
    return client


def test_an_account_tells_what_it_pays_for_and_who_issues_to_it(
    closed: Money, owner: User, project: Project
) -> None:
    invoice = closed.account.invoices.get()
    page = signed_in(owner).get(reverse("billing:account", args=[closed.account.pk])).text

    for text in ("Account shop", "Acme IT", "Europe/Berlin", "Seat", "1,500.50", "Half up"):
        assert text in page
    for address in (
        reverse("foundation:project", args=[project.pk]),
        reverse("billing:statement", args=[invoice.pk]),
        reverse("billing:charges") + f"?account={closed.account.pk}",
    ):
        assert f'href="{address}"' in page


def test_only_who_may_see_the_account_is_led_to_it(
    closed: Money, owner: User, member: User
) -> None:
    address = reverse("billing:account", args=[closed.account.pk])
    assert f'href="{address}"' in signed_in(owner).get(reverse("billing:payers")).text
    statement = reverse("billing:statement", args=[closed.account.invoices.get().pk])
    assert f'href="{address}"' in signed_in(owner).get(statement).text
    theirs = signed_in(member).get(reverse("billing:payers")).text
    assert "Account shop" in theirs
    assert address not in theirs
    assert signed_in(member).get(address).status_code == 404


def test_usage_is_listed_with_the_exact_sum_of_each_unit(closed: Money, member: User) -> None:
    client = signed_in(member)
    page = client.get(USAGE)
    records = list(UsageRecord.objects.select_related("meter"))
    sums: dict[str, Decimal] = {}
    for one in records:
        unit = f"{one.meter.unit}-seconds"
        sums[unit] = sums.get(unit, Decimal(0)) + one.quantity

    assert page.context["count"] == len(records)
    assert {total.currency: total.amount for total in page.context["totals"]} == sums
    text = client.get(USAGE, {"format": "csv"}).getvalue().decode()
    above, foot = split(text)
    header, *rows = list(csv.reader(io.StringIO(above)))
    assert {line[3]: Decimal(line[2]) for line in foot if line[0] == "# Total"} == sums
    assert {row[header.index("Quantity in")] for row in rows} == set(sums)
    exact = {Decimal(row[header.index("Quantity")]) for row in rows}
    assert exact == {one.quantity for one in records}


def test_a_list_of_usage_asks_few_questions(closed: Money, member: User) -> None:
    client = signed_in(member)
    client.get(USAGE)
    with CaptureQueriesContext(connection) as asked:
        client.get(USAGE)
    assert len(asked) <= 20


def test_without_usage_the_list_says_when_there_will_be_some(money: Money, member: User) -> None:
    assert "recorded when its month is closed" in signed_in(member).get(USAGE).text
