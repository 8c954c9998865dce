"""Where an amount comes from: intervals × price × time, recomputed live and compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import QuerySet, Sum

from billing import pricing
from billing.choices import PriceBase, UsageOrigin
from billing.models import Charge, ProjectBilling, UsageRecord
from inventory.foundation.periods import month_bounds, month_of
from inventory.models import Allocation, Resource, ResourceState


@dataclass(frozen=True)
class Live:
    """What the inventory says now about the usage behind a charge; None: it is not there."""

    amount: Decimal
    start: datetime
    end: datetime | None


@dataclass(frozen=True)
class Explanation:
    """The derivation of one charge.

    `start`, `end` and `amount` are read live; `quantity` and `cost` are computed from them now,
    `billed` is what the ledger says, `difference` = cost - billed. `formula` is a line such as
    "471 h × 0.112 × 1 = 52.752".
    """

    charge: Charge
    item: str
    origin: str
    origin_id: str
    start: datetime | None
    end: datetime | None
    seconds: Fraction
    amount: Decimal
    level: Fraction
    unit: str
    base: str
    base_seconds: Fraction
    unit_price: Decimal
    price_id: str
    book: str
    quantity: Decimal
    cost: Decimal
    billed: Decimal
    difference: Decimal
    currency: str
    formula: str

    def as_dict(self) -> dict[str, Any]:
        """Return JSON: decimals as plain text, instants as ISO 8601."""
        return {
            "line_id": str(self.charge.line_id),
            "item": self.item,
            "origin": self.origin,
            "origin_id": self.origin_id,
            "start": self.start.isoformat() if self.start else None,
            "end": self.end.isoformat() if self.end else None,
            "seconds": _number(self.seconds),
            "amount": pricing.plain(self.amount),
            "level": _number(self.level),
            "unit": self.unit,
            "base": self.base,
            "base_seconds": _number(self.base_seconds),
            "unit_price": pricing.plain(self.unit_price),
            "price_id": self.price_id,
            "book": self.book,
            "quantity": pricing.plain(self.quantity),
            "cost": pricing.plain(self.cost),
            "billed": pricing.plain(self.billed),
            "difference": pricing.plain(self.difference),
            "currency": self.currency,
            "formula": self.formula,
        }


@dataclass(frozen=True)
class Derivation:
    """The derivation of a sum of charges: like lines together, with what each comes to."""

    lines: tuple[str, ...]
    cost: Decimal
    billed: Decimal
    difference: Decimal
    explanations: tuple[Explanation, ...]


def explain(*, charge: Charge) -> Explanation:
    """Return where the charge's cost comes from, recomputed from what the inventory says now."""
    found = explain_all(charges=Charge.objects.filter(pk=charge.pk))
    return found.explanations[0]


def explain_all(*, charges: QuerySet[Charge]) -> Derivation:
    """Return where the sum of the charges comes from; equal lines are multiplied, not repeated."""
    rows = list(
        charges.select_related(
            "sku__meter", "sku_price__book", "period", "account__entity", "project"
        ).order_by("sku__code", "charge_start", "resource_id", "line_id")
    )
    live = _live(rows)
    windows = _windows(rows)
    found = tuple(_explanation(row, live.get(row.pk), windows) for row in rows)
    groups: dict[tuple[Any, ...], list[Explanation]] = {}
    for one in found:
        key = (one.item, one.level, one.seconds, one.base_seconds, one.unit_price, one.quantity)
        groups.setdefault(key, []).append(one)
    cost = pricing.total([one.cost for one in found])
    billed = pricing.total([one.billed for one in found])
    return Derivation(
        lines=tuple(
            f"{same[0].item}: {_formula(same[0], len(same), _sum(same))}"
            for same in groups.values()
        ),
        cost=cost,
        billed=billed,
        difference=cost - billed,
        explanations=found,
    )


def recompute(*, charge: Charge, level: Fraction, start: datetime, end: datetime) -> Decimal:
    """Return the quantity that a level over [start, end) has at the charge's prices, exactly."""
    month_start, month_end = _month(charge)
    prices = [
        price
        for price in (charge.contracted_unit_price, charge.list_unit_price)
        if price is not None
    ]
    step = pricing.quantity_step(*prices)
    if charge.sku.base == PriceBase.NONE:
        return pricing.on_grid(level, step)
    return pricing.prorate(
        level=level,
        start=start,
        end=end,
        origin=month_start,
        seconds=pricing.base_seconds(
            base=charge.sku.base, month_start=month_start, month_end=month_end
        ),
        step=step,
    )


def _explanation(
    charge: Charge, live: Live | None, windows: dict[tuple[int, int], list[Any]]
) -> Explanation:
    sku, price = charge.sku, charge.sku_price
    scale = Fraction(sku.meter.scale) if sku.meter else Fraction(1)
    amount = live.amount if live else Decimal(0)
    level = Fraction(amount) * scale
    start, end = _clipped(charge, live, windows)
    seconds = pricing.seconds_between(start, end) if start and end else Fraction(0)
    unit_price = price.unit_price if price else charge.contracted_unit_price or Decimal(0)
    quantity = (
        recompute(charge=charge, level=level, start=start, end=end) if start and end else Decimal(0)
    )
    cost = pricing.multiply(unit_price, quantity)
    month_start, month_end = _month(charge)
    over_time = sku.base != PriceBase.NONE
    draft = Explanation(
        charge=charge,
        item=str(charge.labels.get("sku_name", sku.name)),
        origin=charge.origin,
        origin_id=charge.origin_id,
        start=start,
        end=end,
        seconds=seconds,
        amount=amount,
        level=level,
        unit=sku.meter.unit if sku.meter else sku.pricing_unit,
        base=sku.base,
        base_seconds=(
            pricing.base_seconds(base=sku.base, month_start=month_start, month_end=month_end)
            if over_time
            else Fraction(1)
        ),
        unit_price=unit_price,
        price_id=str(price.price_id) if price else "",
        book=price.book.name if price else "",
        quantity=quantity,
        cost=cost,
        billed=charge.billed_cost,
        difference=cost - charge.billed_cost,
        currency=charge.currency,
        formula="",
    )
    return Explanation(**{**draft.__dict__, "formula": _formula(draft, 1, cost)})


def _formula(one: Explanation, count: int, cost: Decimal) -> str:
    """Write the sum as a person would check it with a pocket calculator."""
    price, result = pricing.plain(one.unit_price), pricing.plain(cost)
    level = "" if one.level == 1 and count > 1 else f" × {_number(one.level)}"
    times = f" × {count}" if count > 1 else ""
    if one.base == PriceBase.HOUR:
        return f"{_number(one.seconds / 3600)} h × {price}{level}{times} = {result}"
    if one.base == PriceBase.MONTH:
        whole = pricing.multiply(one.unit_price, pricing.on_grid(one.level, Decimal("1E-12")))
        hours, of = _number(one.seconds / 3600), _number(one.base_seconds / 3600)
        return (
            f"{_number(one.level)} {one.unit} × {price} = {_cents(whole)}; "
            f"{_cents(whole)} × {hours}/{of}{times} = {result}"
        )
    return f"{_number(one.level)} {one.unit} × {price}{times} = {result}"


def _sum(explanations: Sequence[Explanation]) -> Decimal:
    return pricing.total([one.cost for one in explanations])


def _month(charge: Charge) -> tuple[datetime, datetime]:
    zone = charge.account.entity.zone
    return month_bounds(month_of(charge.charge_start, zone), zone)


def _clipped(
    charge: Charge, live: Live | None, windows: dict[tuple[int, int], list[Any]]
) -> tuple[datetime | None, datetime | None]:
    """Clip the live interval to what this charge stands for: period, price, and who pays."""
    if live is None:
        return None, None
    period, price = charge.period, charge.sku_price
    ends = [period.rated_to or period.end_at]
    starts = [period.start_at, live.start]
    if live.end is not None:
        ends.append(live.end)
    contract = charge.list_unit_price != charge.contracted_unit_price
    if price is not None and not contract:
        starts.append(price.during.lower or period.start_at)
        ends.append(price.during.upper or period.end_at)
    elif contract:  # list and own price may change at different instants: the charge's own cut
        starts.append(charge.charge_start)
        ends.append(charge.charge_end)
    for during in windows.get((charge.account_id, charge.project_id), ()):
        lower, upper = during.lower or period.start_at, during.upper or period.end_at
        if lower <= charge.charge_start < upper:
            starts.append(lower)
            ends.append(upper)
    start, end = max(starts), min(ends)
    return (start, end) if start < end else (None, None)


def _windows(charges: Sequence[Charge]) -> dict[tuple[int, int], list[Any]]:
    windows: dict[tuple[int, int], list[Any]] = {}
    rows = ProjectBilling.objects.filter(
        account__in={charge.account_id for charge in charges},
        project__in={charge.project_id for charge in charges},
    ).values_list("account_id", "project_id", "during")
    for account_id, project_id, during in rows:
        windows.setdefault((account_id, project_id), []).append(during)
    return windows


def _live(charges: Sequence[Charge]) -> dict[int, Live]:
    """Read what the inventory says now, by charge; at most four queries however many charges."""
    by_origin: dict[str, list[Charge]] = {}
    for charge in charges:
        by_origin.setdefault(charge.origin, []).append(charge)
    found: dict[int, Live] = {}
    held = by_origin.get(UsageOrigin.ALLOCATION, [])
    allocations = Allocation.objects.in_bulk([int(charge.origin_id) for charge in held])
    for charge in held:
        allocation = allocations.get(int(charge.origin_id))
        if allocation is not None and allocation.active_from is not None:
            found[charge.pk] = Live(
                Decimal(allocation.amount), allocation.active_from, allocation.active_to
            )
    counted = by_origin.get(UsageOrigin.COUNT, [])
    resources = Resource.objects.in_bulk([int(charge.origin_id) for charge in counted])
    for charge in counted:
        resource = resources.get(int(charge.origin_id))
        if resource is not None and resource.delivered_at is not None:
            found[charge.pk] = Live(Decimal(1), resource.delivered_at, resource.ended_at)
    in_states = by_origin.get(UsageOrigin.STATE, [])
    for state in ResourceState.objects.filter(
        resource__in={charge.resource_id for charge in in_states}
    ):
        for charge in in_states:
            if (
                charge.resource_id == state.resource_id
                and charge.labels.get("state") == state.state
                and state.during.lower < charge.charge_end
                and (state.during.upper is None or state.during.upper > charge.charge_start)
            ):
                found[charge.pk] = Live(Decimal(1), state.during.lower, state.during.upper)
    for charge in by_origin.get(UsageOrigin.READING, []):
        total = UsageRecord.objects.filter(
            meter=charge.sku.meter_id,
            project=charge.project_id,
            resource=charge.resource_id,
            origin=UsageOrigin.READING,
            usage_start__gte=charge.charge_start,
            usage_start__lt=charge.charge_end,
        ).aggregate(sum=Sum("amount"))["sum"]
        if total is not None:
            found[charge.pk] = Live(total, charge.charge_start, charge.charge_end)
    return found


def _number(value: Fraction) -> str:
    """Write a fraction with at most six decimals, and … where it goes on."""
    text = pricing.plain(pricing.on_grid(value, Decimal("0.000001")))
    return text if Fraction(text) == value else f"{text}…"


def _cents(value: Decimal) -> str:
    """Write an amount with at least two decimals."""
    text = pricing.plain(value)
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:0<2}"
