"""The pages of money: who sees what; figure, table, file and ledger say the same."""

import csv
import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.choices import PeriodState
from billing.models import BillingExport, BillingPeriod, Charge, Invoice
from billing.services import close_period, rate_period
from inventory.foundation.models import AuditEvent, Project, User
from inventory.models import ResourceProvider
from tests.billing.world import Money, berlin, make_machine
from tests.lists import rows_only

CEILING = 60
JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
FEB_1, FEB_15 = berlin(2026, 2, 1), berlin(2026, 2, 15)
SPAN = {"since": "2026-01", "until": "2026-02"}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(rows_only(content.decode()))))


def ledger(**where: object) -> Decimal:
    return Charge.objects.filter(**where).aggregate(sum=Sum("billed_cost"))["sum"]


@pytest.fixture
def books(project: Project, money: Money, host: ResourceProvider, finance: User) -> Money:
    """January is closed, February runs: three machines of the demo, since 12 January 09:00."""
    for number in range(3):
        make_machine(project=project, host=host, name=f"web-{number}", start=berlin(2026, 1, 12, 9))
    rate_period(account=money.account, month=JANUARY, at=FEB_1)
    close_period(month=JANUARY, at=FEB_1, actor=finance, account=money.account)
    rate_period(account=money.account, month=FEBRUARY, at=FEB_15)
    return money


@pytest.fixture
def invoice(books: Money) -> Invoice:
    """Return January's statement."""
    return Invoice.objects.get()


@pytest.fixture
def february(books: Money) -> BillingPeriod:
    """Return the running period."""
    return BillingPeriod.objects.get(month=FEBRUARY)


PAGES = ["/costs/", "/charges/", "/statements/", "/prices/", "/months/"]


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        ("owner", {"/costs/", "/charges/", "/statements/", "/prices/"}),
        ("member", {"/costs/", "/charges/", "/prices/"}),
        ("approver", {"/costs/", "/charges/", "/statements/", "/prices/"}),
        ("operator", {"/prices/"}),
        ("finance", set(PAGES)),
        ("auditor", {"/costs/", "/charges/", "/statements/", "/prices/"}),
    ],
)
def test_who_may_open_which_page(
    who: str, allowed: set[str], books: Money, request: pytest.FixtureRequest
) -> None:
    client = signed_in(request.getfixturevalue(who))

    answers = {address: client.get(address).status_code for address in PAGES}

    assert answers == {address: 200 if address in allowed else 403 for address in PAGES}


def test_a_stranger_sees_nothing(invoice: Invoice, february: BillingPeriod, stranger: User) -> None:
    client = signed_in(stranger)
    charge = Charge.objects.first()
    assert charge is not None

    assert client.get("/costs/").status_code == 403
    assert client.get(reverse("billing:charge", args=[charge.pk])).status_code == 404
    assert client.get(reverse("billing:statement", args=[invoice.pk])).status_code == 404
    assert client.get(reverse("billing:statement-csv", args=[invoice.pk])).status_code == 404
    assert client.get(reverse("billing:running", args=[february.pk])).status_code == 404
    assert "Linux M" not in client.get("/prices/").text


def test_a_member_explains_charges_but_sees_no_statement(invoice: Invoice, member: User) -> None:
    client = signed_in(member)
    charge = invoice.charges.first()
    assert charge is not None

    assert client.get(reverse("billing:charge", args=[charge.pk])).status_code == 200
    assert client.get(reverse("billing:statement", args=[invoice.pk])).status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_pages_only_read(method: str, invoice: Invoice, finance: User) -> None:
    client = signed_in(finance)
    pages = [
        *PAGES,
        "/costs.csv",
        "/months/2026-01/",
        reverse("billing:statement", args=[invoice.pk]),
        reverse("billing:statement-csv", args=[invoice.pk]),
    ]

    assert {getattr(client, method)(address).status_code for address in pages} == {405}
    assert client.get("/exports/2026-01/").status_code == 405


# --- costs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["project", "service", "resource", "environment", "cost_centre"])
def test_page_file_and_ledger_agree(by: str, books: Money, owner: User) -> None:
    client = signed_in(owner)

    page = client.get("/costs/", SPAN | {"by": by})
    answer = client.get("/costs.csv", SPAN | {"by": by})
    *lines, total = rows_of(answer.getvalue())
    *_days, control = rows_of(
        client.get("/costs.csv", SPAN | {"by": by, "every": "day"}).getvalue()
    )

    assert Decimal(total["Exact amount"]) == ledger()
    assert sum(Decimal(line["Exact amount"]) for line in lines) == ledger()
    assert sum(Decimal(line["Amount"]) for line in lines) == Decimal(total["Amount"])
    assert Decimal(control["Exact amount"]) == ledger()
    assert answer["X-Control-Total"] == f"{ledger():f} EUR"
    for line in lines:
        assert line["Amount"] in page.text
    assert total["Amount"] in page.text


def test_the_days_add_up_to_the_ledger(books: Money, owner: User) -> None:
    answer = signed_in(owner).get("/costs.csv", SPAN | {"every": "day"})
    *days, _control = rows_of(answer.getvalue())

    assert sum(Decimal(row["Exact amount"]) for row in days) == ledger()
    assert days[0]["Start"] == "2026-01-12"
    assert days[-1]["Start"] == "2026-02-14"


def test_the_same_days_are_compared(books: Money, owner: User) -> None:
    answer = signed_in(owner).get("/costs.csv", {"since": "2026-02", "until": "2026-02"})
    (line, _total) = rows_of(answer.getvalue())

    # 1 to 14 February against 1 to 14 January, when the machines ran from the 12th at 9:00.
    assert Decimal(line["Exact amount"]) == ledger(period__month=FEBRUARY)
    assert Decimal("0") < Decimal(line["Same days before, exact"]) < Decimal("26")
    assert Decimal(line["Change, exact"]) == Decimal(line["Exact amount"]) - Decimal(
        line["Same days before, exact"]
    )


def test_with_nothing_before_there_is_nothing_to_compare_with(books: Money, owner: User) -> None:
    """Not "0.00 then": the machines simply were not there yet."""
    page = signed_in(owner).get("/costs/", SPAN).text  # January and February; nothing in 2025

    assert "No figures before" in page
    assert "Same days before" not in page
    later = signed_in(owner).get("/costs/", {"since": "2026-02", "until": "2026-02"}).text
    assert "No figures before" not in later
    assert "Same days before" in later


def test_each_line_shows_its_course(books: Money, owner: User) -> None:
    """As many points as whole days, told in words, and no style that the policy forbids."""
    february = {"since": "2026-02", "until": "2026-02"}
    page = signed_in(owner).get("/costs/", february).text
    (spark,) = re.findall(r'<svg class="spark" role="img" aria-label="([^"]+)".*?</svg>', page)
    assert spark.startswith("Shop by day: ")
    assert " EUR at first, " in spark
    (points,) = re.findall(r'<polyline class="spark-line" points="([^"]+)"', page)
    assert len(points.split()) == 14


def test_completeness_is_said(books: Money, owner: User) -> None:
    page = signed_in(owner).get("/costs/", SPAN).text

    assert "15 Feb 2026" in page
    assert "00:00 CET" in page
    assert "closed months: 1 of 2" in page
    assert "Show only" in page
    assert "Europe/Berlin" in page


def test_what_could_not_be_priced_is_said(
    books: Money, project: Project, host: ResourceProvider, owner: User
) -> None:
    make_machine(
        project=project, host=host, name="odd", start=berlin(2026, 2, 3), kind="vm.odd", disk=1
    )
    BillingPeriod.objects.filter(month=FEBRUARY).update(failure="“vm.odd” has no price in EUR.")

    assert "vm.odd" in signed_in(owner).get("/costs/", SPAN).text


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2026-13"},
        {"since": "soon"},
        {"since": "2026-03", "until": "2026-01"},
        {"since": "2020-01", "until": "2026-01"},
        {"by": "moon"},
        {"project": "999999"},
    ],
)
def test_a_wrong_address_is_explained(query: dict[str, str], books: Money, owner: User) -> None:
    client = signed_in(owner)

    assert client.get("/costs/", query).status_code == 400
    assert "Please check what you entered" in client.get("/costs/", query).text
    assert client.get("/costs.csv", query).status_code == 400


def test_a_line_leads_to_its_charges(books: Money, project: Project, owner: User) -> None:
    client = signed_in(owner)
    page = client.get("/costs/", SPAN).text
    link = f"/charges/?since=2026-01&amp;until=2026-02&amp;currency=EUR&amp;project={project.pk}"

    assert link in page
    answer = client.get(link.replace("&amp;", "&") + "&format=csv")
    assert sum(Decimal(row["Amount"]) for row in rows_of(answer.getvalue())) == ledger()


# --- charges ---------------------------------------------------------------------------------


def test_the_list_counts_and_adds_up(books: Money, owner: User) -> None:
    client = signed_in(owner)

    page = client.get("/charges/", {"month": "2026-01"}).text
    rows = rows_of(client.get("/charges/", {"month": "2026-01", "format": "csv"}).getvalue())

    assert len(rows) == 6
    assert sum(Decimal(row["Amount"]) for row in rows) == ledger(period__month=JANUARY)
    assert "173.4495" in page  # 158.256 + 15.1935…, three machines and their storage


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"service": "Block storage"}, 6),
        ({"item": "linux-m", "month": "2026-02"}, 3),
        ({"environment": "production"}, 12),
        ({"environment": "test"}, 0),
        ({"q": "web-1"}, 4),
        ({"category": "Credit"}, 0),
        ({"resource": "999999"}, 0),
    ],
)
def test_filters_of_charges(query: dict[str, str], count: int, books: Money, owner: User) -> None:
    answer = signed_in(owner).get("/charges/", query | {"format": "csv"})

    assert len(rows_of(answer.getvalue())) == count


def test_the_explanation_shows_the_arithmetic(invoice: Invoice, owner: User) -> None:
    client = signed_in(owner)
    machine = invoice.charges.filter(sku__code="linux-m").first()
    storage = invoice.charges.filter(sku__code="block-storage").first()
    assert machine is not None
    assert storage is not None

    page = client.get(reverse("billing:charge", args=[machine.pk])).text
    monthly = client.get(reverse("billing:charge", args=[storage.pk])).text

    assert "471 h × 0.112 × 1 = 52.752" in page
    assert "471 hours" in page
    assert "Prices 2025" in page
    assert "difference 0.00 EUR" in page
    assert "Account shop" in page
    assert invoice.number in page
    assert "471 ÷ 744" in monthly
    assert "100 GiB × 0.08 = 8.00" in monthly
    assert "5.0645" in monthly
    assert "difference 0.00 EUR" in monthly


# --- statements ------------------------------------------------------------------------------


def test_the_statement_ties(invoice: Invoice, owner: User) -> None:
    client = signed_in(owner)

    page = client.get(reverse("billing:statement", args=[invoice.pk])).text
    rows = rows_of(client.get(reverse("billing:statement-csv", args=[invoice.pk])).getvalue())
    *lines, total = rows

    assert invoice.total == Decimal("173.45")
    assert "173.45" in page
    assert "It ties" in page
    assert sum(Decimal(line["Amount"]) for line in lines) == invoice.total
    assert Decimal(total["Amount"]) == invoice.total
    assert sum(Decimal(line["Exact amount"]) for line in lines) == ledger(invoice=invoice)


def test_each_line_opens_its_charges(invoice: Invoice, owner: User) -> None:
    client = signed_in(owner)
    page = client.get(reverse("billing:statement", args=[invoice.pk])).text

    for line in invoice.lines.all():
        assert f"/charges/?line={line.pk}" in page
        rows = rows_of(client.get("/charges/", {"line": line.pk, "format": "csv"}).getvalue())
        assert sum(Decimal(row["Amount"]) for row in rows) == line.exact_amount


def test_a_renamed_account_keeps_its_name_on_the_statement(invoice: Invoice, owner: User) -> None:
    type(invoice.account).objects.update(name="Renamed later")

    page = signed_in(owner).get(reverse("billing:statement", args=[invoice.pk])).text

    assert "Account shop" in page
    assert "Renamed later" not in page


def test_the_running_month_is_a_preview(february: BillingPeriod, owner: User) -> None:
    client = signed_in(owner)

    listed = client.get("/statements/").text
    page = client.get(reverse("billing:running", args=[february.pk])).text

    assert "Upcoming" in listed
    assert "This is no statement yet" in page
    assert "Not final" in page
    total = ledger(period=february).quantize(Decimal("0.01"))
    assert f"{total}" in page


# --- prices ----------------------------------------------------------------------------------


def test_prices_in_force(books: Money, member: User) -> None:
    client = signed_in(member)

    page = client.get("/prices/").text
    rows = rows_of(client.get("/prices/", {"format": "csv"}).getvalue())

    assert "0.112" in page
    assert "1 machine and hour" in page
    assert "1 GiB and month" in page
    assert "≈" in page
    assert {row["What"]: Decimal(row["Price"]) for row in rows} == {
        "Linux M": Decimal("0.112"),
        "Block storage": Decimal("0.08"),
    }


# --- months ----------------------------------------------------------------------------------


def test_the_month_ties(books: Money, finance: User) -> None:
    client = signed_in(finance)

    january = client.get("/months/2026-01/").text
    february = client.get("/months/2026-02/").text
    total = january[january.index("<tfoot>") : january.index("</tfoot>")]
    assert "Total of 1 account in EUR" in total
    charged = ledger(period__month=JANUARY)
    for shown in (f"{charged:.4f}", f"{charged:.2f}"):
        assert shown in total
    assert "0.00" in total

    assert "It ties" in january
    assert "1 of 1 accounts are closed" in january
    assert "/close" not in january
    assert "It ties" in february
    assert "/close" in february  # by the clock of the database February is over
    assert client.get("/months/2031-01/").status_code == 404
    assert client.get("/months/2026-1/").status_code == 400
    assert client.get("/months/no-month-at-all/").status_code == 404


def test_a_get_never_closes_and_a_post_does(february: BillingPeriod, finance: User) -> None:
    client = signed_in(finance)
    address = reverse("billing:close", args=[february.pk])

    assert "None of it can be undone" in client.get(address).text
    february.refresh_from_db()
    assert february.state == PeriodState.OPEN

    answer = client.post(address, {"idempotency_key": "0123456789abcdef"})
    february.refresh_from_db()

    assert february.state == PeriodState.CLOSED
    statement = Invoice.objects.get(period=february)
    assert answer["Location"] == reverse("billing:statement", args=[statement.pk])
    again = client.post(address, {"idempotency_key": "0123456789abcdef"})
    assert again["Location"] == answer["Location"]
    assert Invoice.objects.count() == 2


def test_a_month_that_runs_is_not_closed(books: Money, finance: User, project: Project) -> None:
    now = datetime.now(tz=UTC)
    period = rate_period(account=books.account, month=now.date(), at=now)

    answer = signed_in(finance).post(
        reverse("billing:close", args=[period.pk]), {"idempotency_key": "0123456789abcdef"}
    )

    assert answer.status_code == 409
    assert "is open until" in answer.text
    period.refresh_from_db()
    assert period.state == PeriodState.OPEN


@pytest.mark.parametrize("who", ["owner", "member", "approver", "operator", "auditor"])
def test_only_finance_closes(
    who: str, february: BillingPeriod, request: pytest.FixtureRequest
) -> None:
    client = signed_in(request.getfixturevalue(who))

    answer = client.post(
        reverse("billing:close", args=[february.pk]), {"idempotency_key": "0123456789abcdef"}
    )

    assert answer.status_code == 403
    february.refresh_from_db()
    assert february.state == PeriodState.OPEN


# --- files -----------------------------------------------------------------------------------


def test_the_focus_file_is_handed_out_and_recorded(books: Money, finance: User) -> None:
    client = signed_in(finance)

    answer = client.post("/exports/2026-01/")
    content = answer.getvalue()
    again = client.post("/exports/2026-01/", {"account": books.account.pk})

    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]
    assert content
    export = BillingExport.objects.order_by("pk").first()
    assert export is not None
    assert (export.created_by, export.rows, export.sha256) == (
        finance,
        int(answer["X-Row-Count"]),
        answer["X-SHA256"],
    )
    assert again.status_code == 200
    assert AuditEvent.objects.filter(action="export.billing", actor=finance).count() == 2


def test_who_may_not_see_statements_gets_no_file(
    books: Money, member: User, stranger: User, owner: User
) -> None:
    assert signed_in(member).post("/exports/2026-01/").status_code == 403
    assert signed_in(stranger).post("/exports/2026-01/").status_code == 403
    assert signed_in(owner).post("/exports/2026-01/", {"account": "moon"}).status_code == 404
    assert signed_in(owner).post("/exports/2031-01/").status_code == 404
    assert not BillingExport.objects.exists()


# --- speed -----------------------------------------------------------------------------------


def queries_of(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def test_queries_do_not_grow(
    books: Money, project: Project, host: ResourceProvider, finance: User
) -> None:
    client = signed_in(finance)
    charge = Charge.objects.filter(period__month=JANUARY).first()
    assert charge is not None
    pages = [
        "/costs/?since=2026-01&until=2026-02",
        "/charges/",
        "/statements/",
        "/prices/",
        "/months/",
        reverse("billing:charge", args=[charge.pk]),
    ]
    few = {address: queries_of(client, address) for address in pages}

    for number in range(20):
        make_machine(project=project, host=host, name=f"more-{number}", start=berlin(2026, 2, 2))
    rate_period(account=books.account, month=FEBRUARY, at=FEB_15)

    assert {address: queries_of(client, address) for address in pages} == few
    assert max(few.values()) <= CEILING
