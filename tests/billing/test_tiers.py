"""Graduated prices through the real rating: to the last digit what the pure reference says."""

import csv
import json
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import pricing
from billing.choices import PriceModel, TierScope
from billing.exports import focus_1_2
from billing.models import Charge, Invoice, PriceBook, Sku, SkuPrice, UsageRecord
from billing.selectors import QuoteLine, budget_state, explain, quote, reconcile
from billing.services import close_period, rate_period, record_usage
from inventory.foundation.models import Project
from inventory.models import ResourceProvider
from tests.billing.world import (
    FIRST_PRICES,
    LINUX_M,
    Money,
    berlin,
    make_budget,
    make_machine,
    make_reading_meter,
)

JANUARY = date(2026, 1, 1)
AFTER = berlin(2026, 2, 3)
SHARED = Path(__file__).parents[3] / "shared"
CASES = SHARED / "cases" / "billing_cases.json"
VALIDATOR = SHARED / "tools" / "focus_1_2.sh"
Row = tuple[str, str | None, str, str]

prices = st.decimals(min_value=0, max_value=100, places=6, allow_nan=False)
bounds = st.decimals(min_value="0.0001", max_value=2000, places=4, allow_nan=False)
fees = st.sampled_from([Decimal(0), Decimal("2"), Decimal("0.0000000001")])


def graduated(sku: Sku, rows: Sequence[Row], **changes: Any) -> None:
    """Give the item these tiers (from, to, price, fee) instead of the prices that it has."""
    Sku.objects.filter(pk=sku.pk).update(model=PriceModel.GRADUATED, **changes)
    sku.refresh_from_db()
    book = PriceBook.objects.get(is_default=True)
    sku.prices.update(during=(FIRST_PRICES, FIRST_PRICES))
    add_tiers(book, sku, rows)


def add_tiers(book: PriceBook, sku: Sku, rows: Sequence[Row], **changes: Any) -> None:
    """Add tiers that hold since the first prices."""
    for lower, upper, price, fee in rows:
        SkuPrice.objects.create(
            **(
                {
                    "book": book,
                    "sku": sku,
                    "tier": (Decimal(lower), None if upper is None else Decimal(upper)),
                    "during": (FIRST_PRICES, None),
                    "unit_price": Decimal(price),
                    "flat_fee": Decimal(fee),
                }
                | changes
            )
        )


def as_tiers(rows: Sequence[Row]) -> list[pricing.Tier]:
    """Return the bare numbers."""
    return [
        pricing.Tier(
            Decimal(lower), None if upper is None else Decimal(upper), Decimal(price), Decimal(fee)
        )
        for lower, upper, price, fee in rows
    ]


def reference(rows: Sequence[Row], quantity: Decimal) -> Decimal:
    """Return what the pure reference says that a month of this quantity costs."""
    lines = pricing.price_lines(model=PriceModel.GRADUATED, tiers=as_tiers(rows), quantity=quantity)
    return pricing.total([line.cost for line in lines])


@st.composite
def tier_rows(draw: st.DrawFn) -> list[Row]:
    """Draw one to five tiers from zero on."""
    edges = sorted(draw(st.sets(bounds, max_size=4)))
    lowers, uppers = [Decimal(0), *edges], [*edges, None]
    return [
        (str(lower), None if upper is None else str(upper), str(draw(prices)), str(draw(fees)))
        for lower, upper in zip(lowers, uppers, strict=True)
    ]


LADDER: list[Row] = [
    ("0", "500", "0.112", "0"),
    ("500", "1200", "0.0901", "0"),
    ("1200", None, "0.07", "0"),
]


# --- the heart -----------------------------------------------------------------------------------


@given(
    tiers=tier_rows(),
    listed=tier_rows(),
    before=st.decimals(min_value=0, max_value=3000, places=4, allow_nan=False),
    quantity=st.decimals(min_value=0, max_value=3000, places=4, allow_nan=False),
)
def test_parts_cost_what_the_reference_says_by_both_lists(
    tiers: list[Row], listed: list[Row], before: Decimal, quantity: Decimal
) -> None:
    parts = pricing.split_tiers(
        tiers=as_tiers(tiers), listed=as_tiers(listed), quantity=quantity, cumulative=before
    )

    assert parts
    assert pricing.total([part.quantity for part in parts]) == quantity
    for rows, price, fee in (
        (tiers, lambda part: part.price.unit_price, lambda part: part.fee),
        (listed, lambda part: part.listed.unit_price, lambda part: part.list_fee),
    ):
        lines = pricing.price_lines(
            model=PriceModel.GRADUATED, tiers=as_tiers(rows), quantity=quantity, cumulative=before
        )
        assert sum(price(part) * part.quantity + fee(part) for part in parts) == sum(
            line.cost for line in lines
        )


def test_gaps_are_found() -> None:
    tiers = as_tiers([("5", "10", "1", "0"), ("20", "30", "1", "0")])

    assert pricing.tier_gaps(tiers) == [(0, 5), (10, 20), (30, None)]
    assert pricing.tier_gaps(as_tiers(LADDER)) == []
    with pytest.raises(pricing.PricingError, match="no tier prices what lies above 0"):
        pricing.split_tiers(tiers=tiers, listed=tiers, quantity=Decimal(1))


# --- published examples --------------------------------------------------------------------------


def published() -> list[dict[str, Any]]:
    """Return the published worked examples of graduated prices."""
    if not CASES.exists():
        return []
    return [case for case in json.loads(CASES.read_text()) if case["model"] == "graduated"]


@pytest.mark.parametrize("case", published(), ids=lambda case: case["id"])
def test_published_examples_by_the_real_rating(
    case: dict[str, Any], project: Project, money: Money
) -> None:
    rows, lower = [], "0"
    for tier in case["tiers"]:
        rows.append((lower, tier["up_to"], tier["unit"], tier.get("flat", "0")))
        lower = tier["up_to"]
    traffic = make_reading_meter(money)
    graduated(traffic, rows, fee_without_use=case["id"].startswith("lago-"))
    send(project, "1", case["inputs"]["quantity"])

    rate_period(account=money.account, month=JANUARY, at=AFTER)

    charges = Charge.objects.filter(sku=traffic)
    assert charges.aggregate(sum=Sum("billed_cost"))["sum"] == Decimal(case["expected"])
    for charge in charges:
        assert charge.list_cost == charge.list_unit_price * charge.pricing_quantity
        assert explain(charge=charge).difference == 0


def send(project: Project, event_id: str, amount: str) -> None:
    """Report so much traffic on 15 January."""
    (found,) = record_usage(
        events=[
            {
                "source": "//router",
                "id": event_id,
                "data": {
                    "meter": "traffic",
                    "project": project.pk,
                    "start": "2026-01-15T10:00:00+01:00",
                    "end": "2026-01-15T11:00:00+01:00",
                    "amount": amount,
                },
            }
        ],
        at=berlin(2026, 1, 20),
    )
    assert found.verdict == "recorded", found.message


# --- random months against the reference ---------------------------------------------------------


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=tier_rows(),
    own=st.none() | tier_rows(),
    scope=st.sampled_from(list(TierScope)),
    machines=st.lists(
        st.tuples(
            st.integers(0, 31 * 86_400 - 2), st.integers(1, 31 * 86_400), st.integers(1, 5_000)
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_a_random_month_agrees_with_the_reference(
    rows: list[Row],
    own: list[Row] | None,
    scope: str,
    machines: list[tuple[int, int, int]],
    project: Project,
    money: Money,
    host: ResourceProvider,
) -> None:
    month = berlin(2026, 1, 1)
    with transaction.atomic():
        for sku in (money.machine, money.storage):
            graduated(sku, rows, tier_scope=scope)
            if own is not None:
                add_tiers(money.book, sku, own, account=money.account)
        for index, (start, length, disk) in enumerate(machines):
            make_machine(
                project=project,
                host=host,
                name=f"m-{index}",
                start=month + timedelta(seconds=start),
                end=month + timedelta(seconds=start + length),
                disk=disk,
            )
        period = rate_period(account=money.account, month=JANUARY, at=AFTER)

        assert period.failure == ""
        for sku in (money.machine, money.storage):
            agrees(sku, scope, own or rows, rows)
        (result,) = close_period(month=JANUARY, at=AFTER, actor=None)
        assert result.error == ""
        (tied,) = reconcile(month=JANUARY)
        assert (tied.difference, tied.problems) == (0, ())
        transaction.set_rollback(True)


def agrees(sku: Sku, scope: str, paid: list[Row], listed: list[Row]) -> None:
    """Compare each scope's sums with the reference over its total quantity."""
    sums: dict[Any, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for charge in Charge.objects.filter(sku=sku):
        key = charge.resource_id if scope == TierScope.RESOURCE else None
        is_fee = charge.labels["tier"]["is_fee"]
        found = sums[key]
        found[0] += Decimal(0) if is_fee else charge.pricing_quantity
        found[1] += charge.billed_cost
        found[2] += charge.list_cost
        assert charge.billed_cost == charge.contracted_unit_price * charge.pricing_quantity
        assert charge.list_cost == charge.list_unit_price * charge.pricing_quantity
        assert explain(charge=charge).difference == 0
    for quantity, billed, list_cost in sums.values():
        assert billed == reference(paid, quantity)
        assert list_cost == reference(listed, quantity)


# --- one month, looked at ------------------------------------------------------------------------


@pytest.fixture
def ladder(project: Project, money: Money, host: ResourceProvider) -> None:
    """Two machines of 700 and 690 hours; the second crosses both bounds."""
    graduated(money.machine, LADDER)
    start = berlin(2026, 1, 1, 4)
    for index, hours in enumerate((700, 690)):
        make_machine(
            project=project,
            host=host,
            name=f"web-{index}",
            start=start + timedelta(hours=index),
            end=start + timedelta(hours=index + hours),
        )


def machine_charges(money: Money) -> list[Charge]:
    """Return the machines' charges in the order in which tiers fill up."""
    return list(
        Charge.objects.filter(sku=money.machine).order_by("charge_start", "list_unit_price")[::-1]
    )


def test_each_tier_is_a_charge_in_the_order_of_usage(ladder: None, money: Money) -> None:
    rate_period(account=money.account, month=JANUARY, at=AFTER)

    found = {
        (charge.labels["resource"], charge.contracted_unit_price): charge.pricing_quantity
        for charge in machine_charges(money)
    }

    assert found == {
        ("web-0", Decimal("0.112")): 500,
        ("web-0", Decimal("0.0901")): 200,
        ("web-1", Decimal("0.0901")): 500,
        ("web-1", Decimal("0.07")): 190,
    }
    total = sum(charge.billed_cost for charge in machine_charges(money))
    assert total == 500 * Decimal("0.112") + 700 * Decimal("0.0901") + 190 * Decimal("0.07")


def test_rating_again_gives_the_same_tiers(ladder: None, money: Money) -> None:
    rate_period(account=money.account, month=JANUARY, at=AFTER)
    before = list(Charge.objects.order_by("line_id").values_list("line_id", "billed_cost"))

    rate_period(account=money.account, month=JANUARY, at=AFTER + timedelta(hours=1))

    assert before == list(Charge.objects.order_by("line_id").values_list("line_id", "billed_cost"))


def test_a_price_change_in_the_month_goes_on_in_the_tiers(
    project: Project, money: Money, host: ResourceProvider
) -> None:
    change = berlin(2026, 1, 20, 7, 30)
    graduated(money.machine, LADDER)
    money.machine.prices.exclude(during__isempty=True).update(during=(FIRST_PRICES, change))
    second: list[Row] = [("0", "400", "0.3", "0"), ("400", None, "0.000001", "0")]
    add_tiers(money.book, money.machine, second, during=(change, None))
    make_machine(project=project, host=host, name="web", start=berlin(2026, 1, 12, 9))

    rate_period(account=money.account, month=JANUARY, at=AFTER)

    first, low, high = Charge.objects.filter(sku=money.machine).order_by(
        "charge_start", "-list_unit_price"
    )
    assert first.pricing_quantity == Decimal("190.5")
    assert (low.charge_start, low.pricing_quantity) == (change, 400 - Decimal("190.5"))
    assert high.pricing_quantity == Decimal("280.5") - low.pricing_quantity
    assert high.labels["tier"]["before"] == "190.5"


def test_one_usage_record_whatever_the_tiers(ladder: None, money: Money) -> None:
    close_period(month=JANUARY, at=AFTER, actor=None)

    machines = UsageRecord.objects.filter(meter=money.machine.meter)
    assert [record.quantity for record in machines.order_by("usage_start")] == [
        700 * 3600,
        690 * 3600,
    ]


def test_a_gap_between_tiers_is_named(ladder: None, money: Money) -> None:
    money.machine.prices.filter(unit_price=Decimal("0.0901")).update(
        during=(FIRST_PRICES, FIRST_PRICES)
    )

    period = rate_period(account=money.account, month=JANUARY, at=AFTER)

    assert "“Linux M” has no price from 500 on" in period.failure


def test_tiers_of_each_resource(ladder: None, money: Money) -> None:
    Sku.objects.filter(pk=money.machine.pk).update(tier_scope=TierScope.RESOURCE)

    rate_period(account=money.account, month=JANUARY, at=AFTER)

    cheapest = Charge.objects.filter(sku=money.machine, contracted_unit_price=Decimal("0.07"))
    assert not cheapest.exists()


def test_the_quote_counts_from_the_first_tier(project: Project, money: Money, ladder: None) -> None:
    start = berlin(2026, 3, 1)
    found = quote(
        project=project,
        lines=[QuoteLine(LINUX_M, {}, 2), QuoteLine(LINUX_M, {}, 1)],
        start=start,
        end=start + timedelta(hours=300),
    )

    two, one = found.lines
    assert two.monthly + one.monthly == reference(LADDER, Decimal(3 * 743))
    assert [(tier.unit_price, tier.quantity) for tier in two.tiers] == [
        (Decimal("0.112"), 500),
        (Decimal("0.0901"), 700),
        (Decimal("0.07"), 286),
    ]
    assert found.term == reference(LADDER, Decimal(900))
    assert found.as_dict()["lines"][0]["tiers"][2]["upper"] is None


def test_a_budget_goes_on_where_the_month_is(
    project: Project, money: Money, host: ResourceProvider
) -> None:
    graduated(money.machine, LADDER)
    graduated(money.storage, [("0", None, "0", "0")])
    make_machine(
        project=project,
        host=host,
        name="web",
        start=berlin(2026, 1, 1),
        lease_end=berlin(2026, 2, 1),
    )
    make_budget(money.account, "1000", project=project)
    now = berlin(2026, 1, 25)
    rate_period(account=money.account, month=JANUARY, at=now)

    state = budget_state(project=project, at=now)

    assert state is not None
    assert state.actual == reference(LADDER, Decimal(24 * 24))
    assert state.actual + state.committed == reference(LADDER, Decimal(744))


def test_the_file_has_a_row_and_a_price_id_for_each_tier(
    ladder: None, money: Money, tmp_path: Path
) -> None:
    fee_rows: list[Row] = [("0", "100", "0.08", "2"), ("100", None, "0.07", "3.5")]
    graduated(money.storage, fee_rows)
    close_period(month=JANUARY, at=AFTER, actor=None)

    focus_1_2.write(month=JANUARY, directory=tmp_path, at=AFTER)

    with (tmp_path / "focus-1.2-2026-01.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["ChargeCategory"] == "Usage"]
    by_id: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in rows:
        assert Decimal(row["ListCost"]) == Decimal(row["ListUnitPrice"]) * Decimal(
            row["PricingQuantity"]
        )
        by_id[row["SkuPriceId"]].add((row["SkuId"], row["ListUnitPrice"]))
    assert all(len(found) == 1 for found in by_id.values())
    assert len(by_id) == 3 + 4
    fees = [row for row in rows if row["ChargeFrequency"] == "Recurring"]
    assert [(row["PricingUnit"], Decimal(row["ListCost"])) for row in fees] == [
        ("Fees", 2),
        ("Fees", Decimal("3.5")),
    ]
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Invoice.objects.get().exact_total
    if VALIDATOR.exists():
        official(tmp_path / "focus-1.2-2026-01.csv")


def official(path: Path) -> None:
    """Ask the official validator."""
    found = subprocess.run(
        ["bash", VALIDATOR, path], capture_output=True, text=True, check=False, timeout=600
    )
    if "needs Python 3.12" in found.stdout:
        pytest.skip("the validator needs Python 3.12")
    assert found.returncode == 0, found.stdout


@given(
    rows=tier_rows(),
    level=st.fractions(min_value=0, max_value=50, max_denominator=64),
)
def test_all_bounds_lie_on_the_grid(rows: list[Row], level: Fraction) -> None:
    step = pricing.quantity_step(*(Decimal(price) for _, _, price, _ in rows))

    assert all(Fraction(lower) % Fraction(step) == 0 for lower, _, _, _ in rows)
    assert Fraction(pricing.on_grid(level, step)) % Fraction(step) == 0
