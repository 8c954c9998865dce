"""Charges by program: exact amounts as text, and how each came about."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Charge
from billing.services import close_period, rate_period
from inventory.foundation.models import Project, User
from inventory.models import ResourceProvider
from tests.billing.world import Money, berlin, make_machine
from tests.orchestra.programs import assert_problem, program, send

CHARGES = "/api/v1/charges/"
JANUARY = berlin(2026, 1, 5).date()


@pytest.fixture
def charges(project: Project, money: Money, host: ResourceProvider, finance: User) -> list[Charge]:
    """Close January with one machine in it."""
    make_machine(project=project, host=host, name="web", start=berlin(2026, 1, 5))
    close_period(month=JANUARY, at=berlin(2026, 2, 2), actor=finance)
    return list(Charge.objects.order_by("-id"))


def test_amounts_are_exact_and_text(charges: list[Charge], member: User) -> None:
    answer = program(member).get(CHARGES)

    rows = answer.json()["results"]
    assert [row["id"] for row in rows] == [charge.pk for charge in charges]
    for row, charge in zip(rows, charges, strict=True):
        for name in ("billed_cost", "list_cost", "pricing_quantity", "list_unit_price"):
            assert isinstance(row[name], str)
            assert Decimal(row[name]) == getattr(charge, name)
        assert (row["month"], row["is_final"], row["currency"]) == ("2026-01", True, "EUR")
        assert row["invoice"]


def test_a_charge_explains_itself(charges: list[Charge], member: User) -> None:
    answer = program(member).get(f"{CHARGES}{charges[0].pk}/explanation/")

    assert answer.status_code == 200
    assert "float" not in {type(value).__name__ for value in answer.json().values()}


def test_who_may_not_see_costs_sees_none(
    charges: list[Charge], stranger: User, operator: User
) -> None:
    for person in (stranger, operator):
        client = program(person)
        assert client.get(CHARGES).json()["count"] == 0
        for address in (f"{CHARGES}{charges[0].pk}/", f"{CHARGES}{charges[0].pk}/explanation/"):
            assert_problem(client.get(address), 404)


def test_the_ledger_is_only_read(charges: list[Charge], finance: User) -> None:
    client = program(finance)
    for method in ("post", "put", "patch", "delete"):
        address = f"{CHARGES}{charges[0].pk}/"
        assert_problem(send(client, address, {"billed_cost": "0"}, method=method), 405)


@pytest.mark.parametrize(
    "query", [{"month": "2026-13"}, {"month": "x"}, {"project": "0"}, {"currency": "x" * 99}]
)
def test_a_filter_that_cannot_be_is_refused(
    query: dict[str, str], charges: list[Charge], member: User
) -> None:
    document = assert_problem(program(member).get(CHARGES, query), 400, "invalid")

    assert list(document["errors"]) == list(query)


def test_many_cost_as_many_questions_as_one(
    project: Project, money: Money, host: ResourceProvider, member: User, client: Client
) -> None:
    client.force_login(member)
    counts = []
    for machines in (1, 4):
        for number in range(machines):
            make_machine(
                project=project, host=host, name=f"w{machines}-{number}", start=berlin(2026, 1, 5)
            )
        rate_period(account=money.account, month=JANUARY, at=berlin(2026, 1, 20))
        with CaptureQueriesContext(connection) as asked:
            assert client.get(CHARGES).json()["count"] == Charge.objects.count() >= machines
        counts.append(len(asked))

    assert counts[0] == counts[1] <= 20
