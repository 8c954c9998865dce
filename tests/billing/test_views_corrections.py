"""The pages, the API, the desk and the command of corrections and price changes."""

from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from billing.choices import PreparedState
from billing.models import BillingPeriod, Charge, Correction, PriceBook, PriceChange, SkuPrice
from billing.services import (
    PriceRefused,
    close_period,
    publish_price_book,
    rate_period,
    save_price,
    save_price_book,
)
from inventory.foundation.clock import database_now
from inventory.foundation.models import Project, User
from inventory.models import Resource, ResourceProvider
from tests.billing.test_tiers import LADDER, add_tiers, graduated
from tests.billing.world import FIRST_PRICES, Money, berlin, make_machine

JANUARY = date(2026, 1, 1)


@pytest.fixture
def shorter(project: Project, money: Money, host: ResourceProvider, finance: User) -> Resource:
    """Return a machine of which January was billed too long."""
    machine = make_machine(project=project, host=host, name="web", start=berlin(2026, 1, 12, 9))
    close_period(month=JANUARY, at=berlin(2026, 2, 3), actor=finance)
    end = berlin(2026, 1, 20, 9)
    machine.ended_at = end
    machine.save()
    machine.allocations.update(active_to=end)
    return machine


@pytest.fixture
def fiona(finance: User) -> Client:
    """Return a browser of who prepares."""
    client = Client()
    client.force_login(finance)
    return client


@pytest.fixture
def frank(second_finance: User) -> Client:
    """Return a browser of who releases."""
    client = Client()
    client.force_login(second_finance)
    return client


def january() -> BillingPeriod:
    """Return the closed month."""
    return BillingPeriod.objects.get(month=JANUARY)


def test_a_correction_from_the_month_to_the_statement(
    shorter: Resource, money: Money, fiona: Client, frank: Client
) -> None:
    look = reverse("billing:correction-new", args=[january().pk])
    month = fiona.get(reverse("billing:month", args=["2026-01"])).content.decode()
    assert look in month
    shown = fiona.get(look).content.decode()
    assert "Linux M" in shown
    assert "−31.2480" in shown

    made = fiona.post(look, {"reason": "It ended earlier", "idempotency_key": "a" * 32})
    page = made["Location"]
    own = fiona.post(page, {"decision": "release", "idempotency_key": "b" * 32})
    released = frank.post(page, {"decision": "release", "idempotency_key": "c" * 32})
    again = frank.post(page, {"decision": "withdraw", "idempotency_key": "d" * 32})

    assert own.status_code == 403
    assert "Somebody else with the role finance releases it" in own.content.decode()
    assert released.status_code == 302
    assert again.status_code == 409
    correction = Correction.objects.get()
    charge = Charge.objects.get(correction=correction, sku=money.machine)
    after = frank.get(page).content.decode()
    assert reverse("billing:charge", args=[charge.pk]) in after
    assert "It ended earlier" in after
    listed = frank.get(reverse("billing:corrections")).content.decode()
    assert page in listed
    explained = frank.get(reverse("billing:charge", args=[charge.pk])).content.decode()
    assert "(192 − 471) × 0.112 = -31.248" in explained
    assert charge.correction_of is not None
    original = frank.get(reverse("billing:charge", args=[charge.correction_of_id])).content.decode()
    assert "Corrected since" in original
    assert reverse("billing:charge", args=[charge.pk]) in original
    close_period(month=date(2026, 2, 1), at=berlin(2026, 3, 2), actor=None)
    statement = Charge.objects.get(pk=charge.pk).invoice
    assert statement is not None
    page = reverse("billing:statement", args=[statement.pk])
    assert "correction of January 2026" in frank.get(page).content.decode()
    narrowed = frank.get(reverse("billing:charges"), {"correction": correction.pk})
    assert narrowed.context["count"] == 2


def test_nothing_to_correct_says_so(
    project: Project, money: Money, host: ResourceProvider, finance: User, fiona: Client
) -> None:
    make_machine(project=project, host=host, name="web", start=berlin(2026, 1, 12, 9))
    close_period(month=JANUARY, at=berlin(2026, 2, 3), actor=finance)
    page = reverse("billing:correction-new", args=[january().pk])

    assert "There is no difference" in fiona.get(page).content.decode()
    sent = fiona.post(page, {"reason": "x", "idempotency_key": "a" * 32})
    assert sent.status_code == 409


def test_a_price_change_from_the_price_to_its_release(
    project: Project, money: Money, host: ResourceProvider, fiona: Client, frank: Client
) -> None:
    graduated(money.machine, LADDER)
    make_machine(
        project=project,
        host=host,
        name="web",
        start=berlin(2026, 1, 1),
        end=berlin(2026, 2, 1),
    )
    rate_period(account=money.account, month=JANUARY, at=berlin(2026, 2, 3))
    price = SkuPrice.objects.get(sku=money.machine, tier__startswith=0, during__isempty=False)
    page = reverse("billing:price", args=[price.pk])
    assert "above 500 up to 1200 Hours a month" in fiona.get(page).content.decode()
    form = reverse("billing:price-new", args=[price.pk])
    assert 'value="0.0901"' in fiona.get(form).content.decode()
    from_at = database_now() + timedelta(days=5)
    sent = {
        "from_at": f"{from_at:%Y-%m-%dT%H:%M}",
        "reason": "Dearer power",
        "lower_0": "0",
        "price_0": "0.112",
        "lower_1": "700",
        "price_1": "0.1",
        "fee_1": "5",
    }

    gap = fiona.post(form, sent | {"lower_0": "1", "idempotency_key": "a" * 32})
    twice = fiona.post(form, sent | {"lower_1": "0", "idempotency_key": "b" * 32})
    made = fiona.post(form, sent | {"idempotency_key": "c" * 32})

    assert gap.status_code == twice.status_code == 400
    assert "starts at 0, so that every quantity has a price" in gap.content.decode()
    assert "start at the same quantity" in twice.content.decode()
    assert made.status_code == 302, made.content.decode()
    shown = frank.get(made["Location"]).content.decode()
    before = 500 * Decimal("0.112") + 244 * Decimal("0.0901")
    after = 700 * Decimal("0.112") + 44 * Decimal("0.1") + 5
    assert f"{before:.2f}" in shown
    assert f"{after:.2f}" in shown
    own = fiona.post(made["Location"], {"decision": "release", "idempotency_key": "d" * 32})
    assert own.status_code == 403
    done = frank.post(made["Location"], {"decision": "release", "idempotency_key": "e" * 32})
    assert done.status_code == 302
    rows = SkuPrice.objects.filter(sku=money.machine, during__endswith=None)
    rows = rows.exclude(during__isempty=True).order_by("tier")
    assert [(row.tier.lower, row.unit_price, row.flat_fee) for row in rows] == [
        (0, Decimal("0.112"), 0),
        (700, Decimal("0.1"), 5),
    ]
    assert PriceChange.objects.get().state == PreparedState.RELEASED


def test_the_price_of_a_new_tier_keeps_the_others_ids(
    money: Money, fiona: Client, frank: Client, finance: User
) -> None:
    graduated(money.machine, LADDER)
    first = SkuPrice.objects.get(sku=money.machine, tier__startswith=0, during__isempty=False)
    form = reverse("billing:price-new", args=[first.pk])
    sent = {
        "from_at": f"{database_now() + timedelta(days=5):%Y-%m-%dT%H:%M}",
        "reason": "Cheaper above",
        "idempotency_key": "a" * 32,
    }
    for row, (lower, _upper, price, _fee) in enumerate([*LADDER[:2], ("1200", None, "0.06", "0")]):
        sent |= {f"lower_{row}": lower, f"price_{row}": price}

    page = fiona.post(form, sent)["Location"]
    frank.post(page, {"decision": "release", "idempotency_key": "b" * 32})

    first.refresh_from_db()
    assert first.during.upper is None
    rows = SkuPrice.objects.filter(sku=money.machine).exclude(during__isempty=True)
    assert rows.count() == 4


def test_drafts_refuse_gaps_and_overlaps(money: Money, finance: User, second_finance: User) -> None:
    graduated(money.machine, LADDER)
    book = PriceBook(entity=money.entity, name="Dollars", currency="USD", prepared_by=finance)
    at = berlin(2026, 1, 5)
    save_price_book(book=book, at=at, actor=finance)
    add_tiers(book, money.machine, [("0", "10", "0.1", "0"), ("20", None, "0.05", "0")])
    overlapping = SkuPrice(
        book=book,
        sku=money.machine,
        tier=(Decimal(5), Decimal(15)),
        during=(FIRST_PRICES, None),
        unit_price=Decimal("0.2"),
    )

    with pytest.raises(PriceRefused, match="has a price from 0 to 10") as overlap:
        save_price(price=overlapping, at=at, actor=finance)
    with pytest.raises(PriceRefused, match="has no price from 10 to 20") as gap:
        publish_price_book(book=book, at=at, actor=second_finance)

    assert set(overlap.value.fields) == set(gap.value.fields) == {"tier"}
    add_tiers(book, money.machine, [("10", "20", "0.07", "0")])
    assert publish_price_book(book=book, at=at, actor=second_finance).status == "published"


def test_the_api_does_the_same(
    shorter: Resource, money: Money, fiona: Client, frank: Client
) -> None:
    where = {"account": money.account.code, "month": "2026-01"}
    found = fiona.get("/api/v1/corrections/difference/", where).json()
    assert Decimal(found["difference"]) < -31
    assert len(found["lines"]) == 2
    made = fiona.post(
        "/api/v1/corrections/",
        where | {"reason": "Ended earlier"},
        content_type="application/json",
        headers={"Idempotency-Key": "one"},
    )
    assert made.status_code == 201, made.content
    address = f"/api/v1/corrections/{made.json()['id']}/release/"
    refused = fiona.post(
        address, headers={"Idempotency-Key": "two"}, content_type="application/json"
    )
    done = frank.post(
        address, headers={"Idempotency-Key": "three"}, content_type="application/json"
    )

    assert refused.status_code == 403
    assert (done.status_code, done.json()["state"], done.json()["into"]) == (
        200,
        "released",
        "2026-02",
    )
    assert found["sha256"] == done.json()["sha256"]
    change = fiona.post(
        "/api/v1/price-changes/",
        {
            "book": money.book.pk,
            "sku": money.machine.code,
            "tiers": [{"unit_price": "0.2"}],
            "from_at": "2031-01-01T00:00:00Z",
            "reason": "Later",
        },
        content_type="application/json",
        headers={"Idempotency-Key": "four"},
    )
    assert change.status_code == 201, change.content
    address = f"/api/v1/price-changes/{change.json()['id']}/withdraw/"
    taken = fiona.post(address, content_type="application/json", headers={"Idempotency-Key": "5"})
    assert taken.json()["state"] == "withdrawn"


def test_the_command_looks_prepares_and_releases(
    shorter: Resource, finance: User, second_finance: User
) -> None:
    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("correct_period", "2026-01", *arguments, stdout=out, stderr=out)
        return out.getvalue()

    assert "shop: 2 lines" in run()
    assert "Linux M: 471 -> 192 Hours, -31.248" in run("--lines")
    with pytest.raises(CommandError, match="Say why"):
        run("--prepare-as", "fiona")
    assert "prepared, 2 lines" in run("--prepare-as", "fiona", "--reason", "Ended earlier")
    with pytest.raises(CommandError, match="could not be corrected"):
        run("--release-as", "fiona")
    assert "released into 2026-02" in run("--release-as", "frank")
    assert "shop: no difference" in run()
    with pytest.raises(CommandError, match="No account has closed 2026-01"):
        run("--account", "nobody")


def test_the_desk_releases_and_says_what_it_refuses(
    shorter: Resource, finance: User, fiona: Client
) -> None:
    fiona.post(
        reverse("billing:correction-new", args=[january().pk]),
        {"reason": "Ended earlier", "idempotency_key": "a" * 32},
    )
    root = User.objects.create_superuser(username="root", email="r@example.org", password="x" * 12)
    desk = Client()
    desk.force_login(root)
    sent = {"action": "release", "_selected_action": [Correction.objects.get().pk]}
    address = reverse("admin:billing_correction_changelist")

    desk.post(address, sent)
    again = desk.post(address, sent, follow=True)

    assert Correction.objects.get().state == PreparedState.RELEASED
    assert "released already" in again.content.decode()
