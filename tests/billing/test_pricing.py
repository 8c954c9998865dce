"""The heart, with bare numbers: exact, telescoping, tied to published examples."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import pricing
from billing.choices import PriceBase, PriceModel, Rounding
from inventory.foundation.periods import month_bounds, next_month

CASES = Path(__file__).parents[3] / "shared" / "cases" / "billing_cases.json"
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC")
prices = st.decimals(min_value=0, max_value=1000, places=6, allow_nan=False)
months = st.dates(date(2020, 1, 1), date(2032, 12, 1)).map(lambda day: day.replace(day=1))
levels = st.fractions(min_value=0, max_value=10_000, max_denominator=1024)


@given(prices, prices)
def test_the_grid_makes_costs_end_at_ten_decimals(first: Decimal, second: Decimal) -> None:
    step = pricing.quantity_step(first, second)

    assert step <= Decimal("0.0001")
    assert Fraction(1) % Fraction(step) == 0
    for price in (first, second):
        assert (Fraction(price) * Fraction(step) * 10**10).denominator == 1


@settings(max_examples=200)
@given(
    month=months,
    zone=st.sampled_from(ZONES),
    base=st.sampled_from([PriceBase.HOUR, PriceBase.MONTH]),
    price=prices,
    level=levels,
    cuts=st.lists(st.fractions(min_value=0, max_value=1), max_size=40),
)
def test_slices_cost_what_the_whole_costs(
    month: date, zone: str, base: str, price: Decimal, level: Fraction, cuts: list[Fraction]
) -> None:
    start, end = month_bounds(month, zone)
    seconds = pricing.base_seconds(base=base, month_start=start, month_end=end)
    step = pricing.quantity_step(price)
    span = (end - start) // pricing.MICROSECOND
    edges = sorted({start, end} | {start + timedelta(microseconds=int(cut * span)) for cut in cuts})

    def cost(low: datetime, high: datetime) -> Decimal:
        quantity = pricing.prorate(
            level=level, start=low, end=high, origin=start, seconds=seconds, step=step
        )
        return pricing.multiply(price, quantity)

    pieces = [cost(low, high) for low, high in pairwise(edges)]

    assert pricing.total(pieces) == cost(start, end)
    assert all(Fraction(piece) * 10**10 % 1 == 0 for piece in pieces)
    exact = Fraction(price) * level * pricing.seconds_between(start, end) / seconds
    assert abs(Fraction(cost(start, end)) - exact) <= Fraction(price) * Fraction(step) / 2


@given(month=months, zone=st.sampled_from(ZONES), level=levels, price=prices)
def test_a_whole_month_is_the_monthly_price(
    month: date, zone: str, level: Fraction, price: Decimal
) -> None:
    start, end = month_bounds(month, zone)

    quantity = pricing.prorate(
        level=level,
        start=start,
        end=end,
        origin=start,
        seconds=pricing.base_seconds(base=PriceBase.MONTH, month_start=start, month_end=end),
        step=pricing.quantity_step(price),
    )

    assert quantity == pricing.on_grid(level, pricing.quantity_step(price))
    assert month_bounds(next_month(month), zone)[0] == end


@pytest.mark.parametrize(("month", "hours"), [(3, 743), (10, 745), (2, 672), (1, 744)])
def test_months_have_672_to_745_hours(month: int, hours: int) -> None:
    start, end = month_bounds(date(2026, month, 1), "Europe/Berlin")

    assert pricing.seconds_between(start, end) == hours * 3600


@pytest.mark.parametrize(
    ("day", "wall", "hours"),
    [((2026, 3, 29), (0, 4), 3), ((2026, 10, 25), (0, 4), 5), ((2026, 6, 1), (0, 4), 4)],
)
def test_seconds_over_a_change_of_the_clock_are_those_that_pass(
    day: tuple[int, int, int], wall: tuple[int, int], hours: int
) -> None:
    """The same two instants, told in UTC and on a clock in Berlin, are equally far apart.

    Python subtracts two times of one zone as their clocks on the wall say: 4 hours each time.
    """
    start, end = (datetime(*day, hour, tzinfo=ZoneInfo("Europe/Berlin")) for hour in wall)
    assert end - start == timedelta(hours=4)
    told = [
        (start, end),
        (start.astimezone(UTC), end.astimezone(UTC)),
        (start, end.astimezone(UTC)),
        (start.astimezone(UTC), end),
        (start.astimezone(ZoneInfo("America/New_York")), end),
    ]
    assert {pricing.seconds_between(*one) for one in told} == {Fraction(hours * 3600)}
    assert pricing.seconds_between(end, start) == -hours * 3600


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    """Half past two at the first and at the second time round: an hour lies between them."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert pricing.seconds_between(first, first.replace(fold=1)) == 3600


@given(
    st.dictionaries(
        st.integers(),
        st.decimals(min_value=-100_000, max_value=100_000, places=10, allow_nan=False),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from(list(Rounding)),
)
def test_rounded_lines_add_up_and_none_moves_a_cent(
    amounts: dict[int, Decimal], rounding: str
) -> None:
    total = pricing.round_money(pricing.total(list(amounts.values())), rounding=rounding)

    rounded = pricing.round_to_total(total=total, amounts=amounts)

    assert sum(rounded.values()) == total
    assert all(abs(rounded[key] - amounts[key]) < Decimal("0.01") for key in amounts)


@given(
    st.decimals(min_value=-10_000, max_value=10_000, places=2, allow_nan=False),
    st.lists(st.decimals(min_value=0, max_value=1000, places=4, allow_nan=False), min_size=1),
)
def test_a_split_conserves_the_total(total: Decimal, weights: list[Decimal]) -> None:
    shares = pricing.split_largest_remainder(total=total, weights=dict(enumerate(weights)))

    assert sum(shares.values()) == total


def test_ties_go_to_the_earlier() -> None:
    weights = {"a": Decimal(1), "b": Decimal(1), "c": Decimal(1)}

    shares = pricing.split_largest_remainder(total=Decimal("100.00"), weights=weights)

    assert shares == {"a": Decimal("33.34"), "b": Decimal("33.33"), "c": Decimal("33.33")}
    with pytest.raises(pricing.PricingError, match="nothing to split"):
        pricing.split_largest_remainder(total=Decimal(1), weights={})


@given(
    st.decimals(min_value=-1000, max_value=1000, places=10, allow_nan=False),
    st.lists(st.integers(min_value=1, max_value=2_678_399), max_size=31, unique=True),
)
def test_days_of_a_cost_add_up(cost: Decimal, seconds: list[int]) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    edges = [start + timedelta(seconds=second) for second in sorted(seconds)]

    shares = pricing.split_over_time(
        cost=cost, start=start, end=start + timedelta(days=31), edges=edges
    )

    assert len(shares) == len(edges) + 1
    assert pricing.total(shares) == cost


@pytest.mark.parametrize(
    ("amount", "half_up", "half_even"),
    [
        ("0.125", "0.13", "0.12"),
        ("0.135", "0.14", "0.14"),
        ("-0.125", "-0.13", "-0.12"),
        ("1.005", "1.01", "1.00"),
        ("173.4495483870", "173.45", "173.45"),
    ],
)
def test_rounding(amount: str, half_up: str, half_even: str) -> None:
    assert pricing.round_money(Decimal(amount), rounding=Rounding.HALF_UP) == Decimal(half_up)
    assert pricing.round_money(Decimal(amount), rounding=Rounding.HALF_EVEN) == Decimal(half_even)
    with pytest.raises(pricing.PricingError, match="no rounding rule"):
        pricing.round_money(Decimal(amount), rounding="bankers")


def test_nothing_is_rounded_in_silence() -> None:
    huge = Decimal("12345678901234567890123456789.123456789012")

    assert pricing.multiply(huge, Decimal("1.000000000001")) > huge
    assert pricing.plain(Decimal("1.500")) == "1.5"
    assert pricing.plain(Decimal("1E+3")) == "1000"
    assert pricing.plain(Decimal("1E-12")) == "0.000000000001"


def published(model: str) -> list[dict[str, object]]:
    """Return the published worked examples of a model."""
    if not CASES.exists():
        return []
    return [case for case in json.loads(CASES.read_text()) if case["model"] == model]


@pytest.mark.parametrize("case", published("graduated"), ids=lambda case: case["id"])
def test_published_graduated_prices(case: dict) -> None:
    tiers, lower = [], Decimal(0)
    for tier in case["tiers"]:
        upper = None if tier["up_to"] is None else Decimal(tier["up_to"])
        tiers.append(
            pricing.Tier(lower, upper, Decimal(tier["unit"]), Decimal(tier.get("flat", "0")))
        )
        lower = upper or lower

    lines = pricing.price_lines(
        model=PriceModel.GRADUATED,
        tiers=tiers,
        quantity=Decimal(case["inputs"]["quantity"]),
        fee_without_use=case["id"].startswith("lago-"),
    )

    assert pricing.total([line.cost for line in lines]) == Decimal(case["expected"])


@given(
    quantity=st.decimals(min_value=0, max_value=500, places=3, allow_nan=False),
    cuts=st.lists(st.fractions(min_value=0, max_value=1), max_size=10),
)
def test_graduated_slices_cost_what_the_whole_costs(
    quantity: Decimal, cuts: list[Fraction]
) -> None:
    tiers = [
        pricing.Tier(Decimal(0), Decimal(10), Decimal("0.3"), Decimal(1)),
        pricing.Tier(Decimal(10), Decimal(100), Decimal("0.2"), Decimal(2)),
        pricing.Tier(Decimal(100), None, Decimal("0.1")),
    ]
    step = Decimal("0.001")
    edges = sorted(
        {Decimal(0), quantity} | {pricing.on_grid(cut * Fraction(quantity), step) for cut in cuts}
    )

    def cost(amount: Decimal, used: Decimal) -> Decimal:
        lines = pricing.price_lines(
            model=PriceModel.GRADUATED, tiers=tiers, quantity=amount, cumulative=used
        )
        return pricing.total([line.cost for line in lines])

    pieces = [cost(high - low, low) for low, high in pairwise(edges)]

    assert pricing.total(pieces) == cost(quantity, Decimal(0))


def test_tiers_that_do_not_fit_are_refused() -> None:
    tier = pricing.Tier(Decimal(0), Decimal(10), Decimal(1))

    with pytest.raises(pricing.PricingError, match="exactly one tier"):
        pricing.price_lines(model=PriceModel.STANDARD, tiers=[tier, tier], quantity=Decimal(1))
    with pytest.raises(pricing.PricingError, match="price 10 of 11"):
        pricing.price_lines(model=PriceModel.GRADUATED, tiers=[tier], quantity=Decimal(11))
    with pytest.raises(pricing.PricingError, match="no rule"):
        pricing.price_lines(model=PriceModel.VOLUME, tiers=[tier], quantity=Decimal(1))
    with pytest.raises(pricing.PricingError, match="cannot be negative"):
        pricing.price_lines(model=PriceModel.STANDARD, tiers=[tier], quantity=Decimal(-1))
    (line,) = pricing.price_lines(
        model=PriceModel.STANDARD, tiers=[tier], quantity=Decimal("471"), cumulative=Decimal(9)
    )
    assert line.cost == 471
