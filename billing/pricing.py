"""The heart of billing: bare numbers and instants in, exact numbers out.

Every function works on integers, fractions and decimals; nothing here knows the database or the
clock. A cost is always exactly unit price × quantity with at most ten decimals, because quantities
lie on the grid of their prices (`quantity_step`), and they telescope: the quantity of a slice is
the difference of two readings of one counter that starts with the billing period, so that n slices
cost exactly what one slice costs (docs/adr/0010-exact-quantities.md).
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm

from billing.choices import PriceBase, PriceModel, Rounding

COST_DECIMALS = 10
QUANTITY_DECIMALS = 12
PRICE_DECIMALS = 6  # so that a quantity is never coarser than a ten-thousandth of its unit
BOUND_DECIMALS = 4  # so that the bounds of tiers lie on the grid of every price
SECONDS_OF_HOUR = 3600
MICROSECOND = timedelta(microseconds=1)
EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])


class PricingError(ValueError):
    """Numbers that cannot be priced; the message says which."""


@dataclass(frozen=True)
class Tier:
    """One price: quantities above `lower` up to and including `upper` (None: without end)."""

    lower: Decimal
    upper: Decimal | None
    unit_price: Decimal
    flat_fee: Decimal = Decimal(0)
    package_size: Decimal | None = None
    key: Hashable = None


@dataclass(frozen=True)
class PricedLine:
    """A quantity at one tier's price: cost = unit price × quantity + fee, exactly."""

    tier: Tier
    quantity: Decimal
    fee: Decimal
    cost: Decimal


@dataclass(frozen=True)
class TierPart:
    """A part of a quantity, in (lower, upper] of what accumulates, at one price and list price.

    `fee` and `list_fee` are due with it because their tier is entered here.
    """

    lower: Decimal
    upper: Decimal | None
    price: Tier
    listed: Tier
    quantity: Decimal
    fee: Decimal
    list_fee: Decimal


def multiply(*factors: Decimal) -> Decimal:
    """Return the exact product; decimal.Inexact if it had to be rounded."""
    product = Decimal(1)
    for factor in factors:
        product = EXACT.multiply(product, factor)
    return product


def total(numbers: Sequence[Decimal]) -> Decimal:
    """Return the exact sum, zero for nothing."""
    result = Decimal(0)
    for number in numbers:
        result = EXACT.add(result, number)
    return result


def quantity_step(*unit_prices: Decimal) -> Decimal:
    """Return the smallest quantity whose cost has at most ten decimals at each of the prices.

    0.08 gives 0.00000000125: every multiple of it times 0.08 ends at the tenth decimal. Never finer
    than twelve decimals; 1 is a multiple of it for every price of at most ten decimals.
    """
    scale = 10 ** (2 * QUANTITY_DECIMALS - COST_DECIMALS)
    step = 1
    for price in unit_prices:
        units = _units(price, QUANTITY_DECIMALS)
        step = lcm(step, scale // gcd(units, scale))
    return _decimal(step, QUANTITY_DECIMALS)


def base_seconds(*, base: str, month_start: datetime, month_end: datetime) -> Fraction:
    """Return the seconds that a unit price is for: an hour, or all of the given month."""
    if base == PriceBase.HOUR:
        return Fraction(SECONDS_OF_HOUR)
    if base == PriceBase.MONTH:
        return seconds_between(month_start, month_end)
    message = f"a price per {base} is not a price over time"
    raise PricingError(message)


def seconds_between(start: datetime, end: datetime) -> Fraction:
    """Return the exact seconds from start to end, to the microsecond.

    Counted in UTC: two times of one zone would be subtracted as clocks on the wall, and an hour is
    lost where the clock changes between them.
    """
    return Fraction((end.astimezone(UTC) - start.astimezone(UTC)) // MICROSECOND, 1_000_000)


def prorate(
    *,
    level: Fraction,
    start: datetime,
    end: datetime,
    origin: datetime,
    seconds: Fraction,
    step: Decimal,
) -> Decimal:
    """Return the quantity of a level held over [start, end), in units of `seconds`.

    It is counter(end) - counter(start), where counter(t) = level × (t - origin) / seconds rounded
    half up to a multiple of `step`. Slices that meet therefore add up to the whole exactly.
    """
    return EXACT.subtract(
        on_grid(level * seconds_between(origin, end) / seconds, step),
        on_grid(level * seconds_between(origin, start) / seconds, step),
    )


def on_grid(value: Fraction, step: Decimal) -> Decimal:
    """Return the multiple of `step` nearest to the value, halves up."""
    units = _units(step, QUANTITY_DECIMALS)
    count = (value * 10**QUANTITY_DECIMALS / units + Fraction(1, 2)).__floor__()
    return _decimal(count * units, QUANTITY_DECIMALS)


def price_lines(
    *,
    model: str,
    tiers: Sequence[Tier],
    quantity: Decimal,
    cumulative: Decimal = Decimal(0),
    fee_without_use: bool = False,
) -> tuple[PricedLine, ...]:
    """Return what a quantity costs after `cumulative` was used already; one line a tier touched.

    Standard: one price for every unit. Graduated: each tier at its own price; the fee of a tier is
    due once, when it is entered, that of the first even where nothing was used if
    `fee_without_use` (published systems disagree). Raises PricingError for tiers that do not fit.
    """
    if quantity < 0 or cumulative < 0:
        message = "a quantity cannot be negative"
        raise PricingError(message)
    if model == PriceModel.STANDARD:
        if len(tiers) != 1:
            message = f"a standard price has exactly one tier, not {len(tiers)}"
            raise PricingError(message)
        return (_line(tiers[0], quantity),)
    if model == PriceModel.GRADUATED:
        if fee_without_use and quantity == cumulative == 0:
            return (_line(min(tiers, key=lambda tier: tier.lower), quantity),)
        return _graduated(tiers, quantity, cumulative)
    message = f"the price model {model!r} has no rule"
    raise PricingError(message)


def split_tiers(
    *,
    tiers: Sequence[Tier],
    listed: Sequence[Tier],
    quantity: Decimal,
    cumulative: Decimal = Decimal(0),
) -> tuple[TierPart, ...]:
    """Cut a quantity at the bounds of the tiers that are paid and of those of the list.

    Each costs what `price_lines` says, by its tiers, to the last digit. A quantity of zero is one
    part of zero. Raises PricingError where the tiers leave a gap.
    """
    end = EXACT.add(cumulative, quantity)
    paid, list_tiers = _ordered(tiers), _ordered(listed)
    bounds = sorted({Decimal(0), *(tier.lower for tier in (*paid, *list_tiers))})
    uppers: list[Decimal | None] = [*bounds[1:], None]
    parts = []
    for lower, upper in zip(bounds, uppers, strict=True):
        top = end if upper is None else min(end, upper)
        bottom = max(cumulative, lower)
        is_place_of_nothing = quantity == 0 and lower <= end and (upper is None or end < upper)
        if top <= bottom and not is_place_of_nothing:
            continue
        price, list_price = _tier_at(paid, lower), _tier_at(list_tiers, lower)
        entered = cumulative <= lower < end
        parts.append(
            TierPart(
                lower=lower,
                upper=upper,
                price=price,
                listed=list_price,
                quantity=EXACT.subtract(top, bottom) if quantity else Decimal(0),
                fee=price.flat_fee if entered and price.lower == lower else Decimal(0),
                list_fee=(
                    list_price.flat_fee if entered and list_price.lower == lower else Decimal(0)
                ),
            )
        )
    return tuple(parts)


def tier_gaps(tiers: Sequence[Tier]) -> list[tuple[Decimal, Decimal | None]]:
    """Return the stretches from zero on that no tier prices, in order."""
    gaps: list[tuple[Decimal, Decimal | None]] = []
    reached: Decimal | None = Decimal(0)
    for tier in _ordered(tiers):
        if reached is not None and tier.lower > reached:
            gaps.append((reached, tier.lower))
        if reached is not None:
            reached = None if tier.upper is None else max(reached, tier.upper)
    return gaps if reached is None else [*gaps, (reached, None)]


def round_money(amount: Decimal, *, rounding: str, decimals: int = 2) -> Decimal:
    """Round to a currency's minor unit: half up (away from zero) or half to even."""
    return _decimal(_round_units(Fraction(amount), rounding, decimals), decimals)


def split_largest_remainder(
    *,
    total: Decimal,
    weights: Mapping[Hashable, Decimal],
    decimals: int = 2,
) -> dict[Hashable, Decimal]:
    """Split a rounded total into shares that add up to it exactly, in the order of `weights`.

    Each share is its weight's part of the total rounded down (towards minus infinity); the units
    that are left go one each to the largest remainders, ties to the earlier key. Without any weight
    the first key takes everything. Raises PricingError when there is nothing to split over.
    """
    if not weights:
        message = "there is nothing to split over"
        raise PricingError(message)
    units = _units(total, decimals)
    whole = sum((Fraction(weight) for weight in weights.values()), Fraction(0))
    if whole == 0:
        shares = [Fraction(units)] + [Fraction(0)] * (len(weights) - 1)
    else:
        shares = [Fraction(weight) * units / whole for weight in weights.values()]
    counts = _hand_out(shares, units)
    return {key: _decimal(count, decimals) for key, count in zip(weights, counts, strict=True)}


def round_to_total(
    *, total: Decimal, amounts: Mapping[Hashable, Decimal], decimals: int = 2
) -> dict[Hashable, Decimal]:
    """Round exact amounts (of either sign) so that they add up to the rounded total.

    Each is rounded down; the units that are missing go one each to the largest remainders, ties to
    the earlier key. No amount moves by a whole minor unit or more when `total` is the rounded sum.
    """
    exact = [Fraction(amount) * 10**decimals for amount in amounts.values()]
    counts = _hand_out(exact, _units(total, decimals))
    return {key: _decimal(count, decimals) for key, count in zip(amounts, counts, strict=True)}


def split_over_time(
    *, cost: Decimal, start: datetime, end: datetime, edges: Sequence[datetime]
) -> list[Decimal]:
    """Split the cost of [start, end) at the edges inside it, by exact seconds, to ten decimals.

    One share more than edges; the shares add up to the cost exactly (differences of one counter).
    """
    whole = seconds_between(start, end)
    instants = [start, *edges, end]
    counter = [
        _round_units(
            Fraction(cost) * seconds_between(start, instant) / whole,
            Rounding.HALF_UP,
            COST_DECIMALS,
        )
        for instant in instants
    ]
    return [_decimal(high - low, COST_DECIMALS) for low, high in pairwise(counter)]


def _hand_out(shares: Sequence[Fraction], units: int) -> list[int]:
    """Round the shares down, then up again one by one by largest remainder until units are out."""
    counts = [share.__floor__() for share in shares]
    left = units - sum(counts)
    if not 0 <= left <= len(counts):
        message = "the total is not the rounded sum of the amounts"
        raise PricingError(message)
    order = sorted(range(len(shares)), key=lambda i: (counts[i] - shares[i], i))
    for index in order[:left]:
        counts[index] += 1
    return counts


def plain(number: Decimal) -> str:
    """Return the number as text without exponent and without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _ordered(tiers: Sequence[Tier]) -> list[Tier]:
    return sorted(tiers, key=lambda tier: tier.lower)


def _tier_at(tiers: Sequence[Tier], lower: Decimal) -> Tier:
    """Return the tier that prices what lies just above `lower`."""
    for tier in tiers:
        if tier.lower <= lower and (tier.upper is None or lower < tier.upper):
            return tier
    message = f"no tier prices what lies above {plain(lower)}"
    raise PricingError(message)


def _graduated(
    tiers: Sequence[Tier], quantity: Decimal, cumulative: Decimal
) -> tuple[PricedLine, ...]:
    lines = []
    end = EXACT.add(cumulative, quantity)
    for tier in sorted(tiers, key=lambda tier: tier.lower):
        top = end if tier.upper is None else min(end, tier.upper)
        bottom = max(cumulative, tier.lower)
        if top > bottom:
            entered = cumulative <= tier.lower
            lines.append(_line(tier, EXACT.subtract(top, bottom), with_fee=entered))
    priced = total([line.quantity for line in lines])
    if priced != quantity:
        message = f"the tiers price {priced} of {quantity}"
        raise PricingError(message)
    return tuple(lines)


def _line(tier: Tier, quantity: Decimal, *, with_fee: bool = True) -> PricedLine:
    fee = tier.flat_fee if with_fee else Decimal(0)
    cost = EXACT.add(multiply(tier.unit_price, quantity), fee)
    return PricedLine(tier=tier, quantity=quantity, fee=fee, cost=cost)


def _round_units(amount: Fraction, rounding: str, decimals: int) -> int:
    scaled = amount * 10**decimals
    if rounding == Rounding.HALF_EVEN:
        return round(scaled)
    if rounding == Rounding.HALF_UP:
        size = (abs(scaled) + Fraction(1, 2)).__floor__()
        return size if scaled >= 0 else -size
    message = f"there is no rounding rule {rounding!r}"
    raise PricingError(message)


def _units(number: Decimal, decimals: int) -> int:
    units = Fraction(number) * 10**decimals
    if units.denominator != 1:
        message = f"{number} has more than {decimals} decimals"
        raise PricingError(message)
    return int(units)


def _decimal(units: int, decimals: int) -> Decimal:
    return EXACT.scaleb(Decimal(units), -decimals)
