"""The nouns of money by program: what one may see, exact numbers as text, the pages' filters."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.api import ENDPOINTS
from billing.api.base import ReadEndpoint
from billing.models import (
    BillingAccount,
    BillingExport,
    Budget,
    Invoice,
    InvoiceLine,
    IssuingEntity,
    Meter,
    PriceBook,
    ProjectBilling,
    Sku,
    SkuPrice,
    UsageRecord,
)
from billing.services import close_period
from inventory.foundation.choices import Role
from inventory.foundation.models import Organisation, Project, User
from inventory.models import ResourceProvider
from tests.billing.world import Money, berlin, make_account, make_budget, make_machine
from tests.cast import NOW, grant, make_user
from tests.orchestra.programs import assert_problem, program

V1 = "/api/v1/"
JANUARY = berlin(2026, 1, 5).date()
READS = {
    name: endpoint for _path, endpoint, name in ENDPOINTS if issubclass(endpoint, ReadEndpoint)
}


@dataclass
class Foreign:
    """A project of the stranger, in its own organisation, with money of its own."""

    project: Project
    account: BillingAccount


@pytest.fixture
def foreign(
    project: Project,
    money: Money,
    host: ResourceProvider,
    finance: User,
    stranger: User,
) -> Foreign:
    """Close January of two organisations, with a machine, a budget and a file in each."""
    place = Organisation.objects.get(memberships__user=stranger)
    theirs = Project.objects.create(
        organisation=place,
        name="Theirs",
        slug="theirs",
        owner=stranger,
        deputy=make_user("serge", place),
        cost_centre="1",
        created_at=NOW,
    )
    entity = IssuingEntity.objects.create(name="Elsewhere IT")
    account = make_account(entity, place, "theirs", theirs)
    book = PriceBook.objects.get()
    other_book = PriceBook.objects.create(
        entity=entity,
        name="Theirs 2025",
        currency="EUR",
        status=book.status,
        is_default=True,
        prepared_by=book.prepared_by,
        released_by=book.released_by,
        released_at=book.released_at,
    )
    for price in book.prices.all():
        SkuPrice.objects.create(
            book=other_book,
            sku=price.sku,
            tier=price.tier,
            during=price.during,
            unit_price=price.unit_price,
        )
    for whose in (project, theirs):
        make_machine(project=whose, host=host, name="web", start=berlin(2026, 1, 5))
    make_budget(money.account, "500", project=project)
    make_budget(money.account, "900")
    make_budget(account, "7000", project=theirs)
    closer = make_user("felix", place)
    grant(closer, Role.FINANCE, organisation=place)
    for one, who in ((money.account, finance), (account, closer)):
        (closed,) = close_period(month=JANUARY, at=berlin(2026, 2, 2), actor=who, account=one)
        assert closed.invoice is not None, closed.error
    for month, who in ((1, finance), (2, stranger)):
        BillingExport.objects.create(
            month=JANUARY.replace(month=month, day=1),
            format="focus-1.2",
            is_final=True,
            rows=3,
            sums={"EUR": {"BilledCost": "1.50"}},
            sha256=str(month) * 64,
            manifest={},
            created_at=NOW,
            created_by=who,
        )
    return Foreign(theirs, account)


def told(client: Client, noun: str, **query: str) -> list[dict[str, Any]]:
    """Return all rows of a list."""
    answer = client.get(reverse(f"api:{noun}-list"), query)
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = answer.json()["results"]
    assert answer.json()["count"] == len(rows)
    return rows


def test_each_noun_shows_what_is_ones_own_and_nothing_else(
    foreign: Foreign, money: Money, project: Project, owner: User, stranger: User, finance: User
) -> None:
    """What the owner sees, the other organisation's owner does not, and the other way round."""
    shared = {"sku", "meter"}  # items are the installation's; prices and lists are each issuer's
    lone = {"billing-period", "billing-export"}  # these are for who manages money
    for noun in READS:
        ours = {row["id"] for row in told(program(owner), noun)}
        theirs = {row["id"] for row in told(program(stranger), noun)}
        if noun in lone:
            assert ours == set(), noun
            ours = {row["id"] for row in told(program(finance), noun)}
        assert ours, noun
        if noun in shared:
            assert ours == theirs
            continue
        assert not ours & theirs, noun
        for one in ours:
            assert_problem(program(stranger).get(reverse(f"api:{noun}-detail", args=[one])), 404)
        for one in theirs:
            assert_problem(program(owner).get(reverse(f"api:{noun}-detail", args=[one])), 404)


def test_who_sees_costs_alone_sees_no_accounts_and_who_sees_neither_nothing(
    foreign: Foreign, member: User, operator: User
) -> None:
    costs = {"usage-record", "charge", "project-billing", "budget"}
    prices = {"meter", "sku", "price-book", "sku-price"}
    for noun in READS:
        assert bool(told(program(member), noun)) == (noun in costs | prices), noun
        assert bool(told(program(operator), noun)) == (noun in prices), noun


def test_a_member_sees_the_budget_of_the_project_and_not_of_the_account(
    foreign: Foreign, money: Money, member: User, owner: User
) -> None:
    assert [row["amount"] for row in told(program(member), "budget")] == ["500.00"]
    assert sorted(row["amount"] for row in told(program(owner), "budget")) == ["500.00", "900.00"]


def test_numbers_are_exact_and_text(foreign: Foreign, finance: User) -> None:
    client = program(finance)
    models: dict[str, tuple[Any, tuple[str, ...]]] = {
        "usage-record": (UsageRecord, ("amount", "quantity")),
        "budget": (Budget, ("amount",)),
        "meter": (Meter, ("scale",)),
        "sku-price": (SkuPrice, ("unit_price", "flat_fee")),
        "invoice": (Invoice, ("total", "exact_total")),
        "invoice-line": (InvoiceLine, ("quantity", "amount", "exact_amount")),
    }
    for noun, (model, names) in models.items():
        rows = told(client, noun)
        assert rows
        for row in rows:
            stored = model.objects.get(pk=row["id"])
            for name in names:
                assert isinstance(row[name], str)
                assert Decimal(row[name]) == getattr(stored, name), (noun, name)
    for noun in READS:
        for row in told(client, noun):
            assert not [name for name, value in row.items() if isinstance(value, float)], noun
    (period,) = (row for row in told(client, "billing-period") if row["state"] == "closed")
    assert Decimal(period["total"]) == Invoice.objects.get(account__code="shop").exact_total
    assert period["month"] == "2026-01"


def test_a_range_is_told_by_its_two_ends(foreign: Foreign, owner: User, money: Money) -> None:
    client = program(owner)
    (paid,) = told(client, "project-billing")
    stored = ProjectBilling.objects.get(pk=paid["id"])
    assert (paid["project"], paid["account"], paid["end"]) == ("shop", "shop", None)
    assert paid["start"] == stored.during.lower.isoformat().replace("+00:00", "Z")
    for price in told(client, "sku-price"):
        assert Decimal(price["above"]) == 0
        assert price["up_to"] is price["end"] is None
        assert price["currency"] == "EUR"
    budgets = told(client, "budget")
    assert {(row["start"], row["end"]) for row in budgets} == {("2026-01-01", "2027-01-01")}


@pytest.mark.parametrize(
    ("noun", "query", "kept"),
    [
        ("usage-record", {"q": "storage"}, lambda row: row["meter"] == "disk"),
        ("usage-record", {"origin": "count"}, lambda row: row["origin"] == "count"),
        ("usage-record", {"since": "2030-01-01"}, lambda _row: False),
        ("billing-account", {"mode": "chargeback"}, lambda row: row["mode"] == "chargeback"),
        ("project-billing", {"at": "2026-01-10T00:00:00Z"}, lambda _row: True),
        ("project-billing", {"at": "1999-01-10T00:00:00Z"}, lambda _row: False),
        ("budget", {"is_current": "true"}, lambda row: row["is_current"]),
        ("meter", {"source": "count"}, lambda row: row["source"] == "count"),
        ("sku", {"service": "Storage"}, lambda row: row["service_name"] == "Storage"),
        ("price-book", {"status": "draft"}, lambda row: row["status"] == "draft"),
        ("sku-price", {"service": "Storage"}, lambda row: row["sku"].startswith("storage")),
        ("billing-period", {"month": "2026-01"}, lambda row: row["month"] == "2026-01"),
        ("invoice", {"state": "issued"}, lambda row: row["state"] == "issued"),
        ("invoice-line", {"cost_centre": "none"}, lambda _row: False),
        ("billing-export", {"month": "2026-02"}, lambda row: row["month"] == "2026-02"),
        ("issuing-entity", {"q": "acme"}, lambda row: "Acme" in row["name"]),
    ],
)
def test_lists_are_narrowed(
    foreign: Foreign, finance: User, noun: str, query: dict[str, str], kept: Any
) -> None:
    client = program(finance)
    everything = told(client, noun)
    assert told(client, noun, **query) == [row for row in everything if kept(row)]


@pytest.mark.parametrize(
    ("noun", "query"),
    [
        ("usage-record", {"since": "yesterday"}),
        ("usage-record", {"resource": "0"}),
        ("project-billing", {"at": "soon"}),
        ("budget", {"project": "0"}),
        ("meter", {"source": "nowhere"}),
        ("billing-export", {"month": "2026-13"}),
        ("invoice-line", {"invoice": "x"}),
    ],
)
def test_a_filter_that_cannot_be_is_refused(
    foreign: Foreign, owner: User, noun: str, query: dict[str, str]
) -> None:
    answer = program(owner).get(reverse(f"api:{noun}-list"), query)
    assert list(assert_problem(answer, 400, "invalid")["errors"]) == list(query)


def test_a_token_of_one_project_sees_that_project_alone(
    foreign: Foreign, project: Project, owner: User, finance: User
) -> None:
    within = {"usage-record", "charge", "project-billing", "budget"}
    client = program(finance, project=project)
    for noun in READS:
        answer = client.get(reverse(f"api:{noun}-list"))
        if noun in within:
            rows = answer.json()["results"]
            assert rows
            assert {row["project_id"] for row in rows} == {project.pk}, noun
        else:
            assert_problem(answer, 404)


def test_nothing_is_written_here(foreign: Foreign, finance: User) -> None:
    client = program(finance)
    for noun in READS:
        address = reverse(f"api:{noun}-list")
        for method in ("post", "put", "patch", "delete"):
            answer = getattr(client, method)(address, {}, content_type="application/json")
            assert_problem(answer, 405)


def test_many_rows_cost_as_many_questions_as_one(
    foreign: Foreign, money: Money, project: Project, host: ResourceProvider, finance: User
) -> None:
    client = Client()
    client.force_login(finance)

    def asked(noun: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            told(client, noun)
        return len(queries)

    before = {noun: asked(noun) for noun in READS}
    for number in range(3):
        make_machine(project=project, host=host, name=f"w{number}", start=berlin(2026, 2, 5))
        sku = Sku.objects.create(
            code=f"more-{number}", name="More", service_name="More", pricing_unit="Hours"
        )
        price = SkuPrice.objects.filter(book__entity=money.account.entity)[0]
        SkuPrice.objects.create(
            book=price.book, sku=sku, tier=price.tier, during=price.during, unit_price=1
        )
        make_account(money.account.entity, project.organisation, f"more-{number}")
    close_period(
        month=JANUARY.replace(month=2), at=berlin(2026, 3, 2), actor=finance, account=money.account
    )
    after = {noun: asked(noun) for noun in READS}
    assert after == before
    assert max(after.values()) <= 20


def test_a_program_reads_no_number_that_it_could_misread(foreign: Foreign, finance: User) -> None:
    """Texts that are numbers are plain: no exponent, whatever the amount."""
    for noun in READS:
        for row in told(program(finance), noun):
            for name, value in row.items():
                if isinstance(value, str) and name not in {"sha256", "code"}:
                    try:
                        Decimal(value)
                    except InvalidOperation:
                        continue
                    assert "E" not in value.upper(), (noun, name, value)
