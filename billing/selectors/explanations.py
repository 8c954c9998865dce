"""Where an amount comes from: intervals × price × time, recomputed live and compared."""

from collections.abc import Mapping, Sequence
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
from inventory.selectors import KindBefore, kinds_before


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
    `billed` is what the ledger says, `corrected` what later corrections of the line add to it;
    `difference` = cost - billed - corrected. `formula` is a line such as
    "471 h × 0.112 × 1 = 52.752". `tier` says which part of the usage this is (None: all of it).
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
    corrected: Decimal
    difference: Decimal
    currency: str
    formula: str
    tier: dict[str, Any] | None = None

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
            "corrected": pricing.plain(self.corrected),
            "tier": self.tier,
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


def explain_all(*, charges: QuerySet[Charge], as_billed: bool = False) -> Derivation:
    """Return where the sum of the charges comes from; equal lines are multiplied, not repeated.

    `as_billed` leaves out what became known only after the close: late readings and corrections.
    """
    rows = list(
        charges.select_related(
            "sku__meter", "sku_price__book", "period", "account__entity", "project"
        ).order_by("sku__code", "charge_start", "resource_id", "line_id")
    )
    live = _live(rows, as_billed)
    windows = _windows(rows)
    former = kinds_before(resource_ids={row.resource_id for row in rows if row.resource_id})
    corrected = {} if as_billed else _corrected(rows)
    found = tuple(
        _correction(row)
        if row.correction_id
        else _explanation(row, live.get(row.pk), windows, former, corrected.get(str(row.line_id)))
        for row in rows
    )
    groups: dict[tuple[Any, ...], list[Explanation]] = {}
    for one in found:
        key = (
            one.item,
            one.level,
            one.seconds,
            one.base_seconds,
            one.unit_price,
            one.quantity,
            one.charge.correction_id,
            one.tier and one.charge.pk,
        )
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
        difference=pricing.total([one.difference for one in found]),
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
    tier = charge.labels.get("tier")
    step = Decimal(tier["step"]) if tier else pricing.quantity_step(*prices)
    if charge.sku.base == PriceBase.NONE:
        return _within(tier, pricing.on_grid(level, step))
    whole = pricing.prorate(
        level=level,
        start=start,
        end=end,
        origin=month_start,
        seconds=pricing.base_seconds(
            base=charge.sku.base, month_start=month_start, month_end=month_end
        ),
        step=step,
    )
    return _within(tier, whole)


def _within(tier: dict[str, Any] | None, quantity: Decimal) -> Decimal:
    """Return the part of a usage's quantity that lies in the charge's tier; 1 for its fee."""
    if tier is None:
        return quantity
    if tier["is_fee"]:
        return Decimal(1)
    start = Decimal(tier["before"])
    bottom, top = max(start, Decimal(tier["lower"])), start + quantity
    if tier["upper"] is not None:
        top = min(top, Decimal(tier["upper"]))
    return max(top - bottom, Decimal(0))


def _correction(charge: Charge) -> Explanation:
    """Explain a correction: the quantity that it should have been, less what was billed."""
    labels, price = charge.labels, charge.contracted_unit_price or Decimal(0)
    quantity = charge.pricing_quantity or Decimal(0)
    before, after = labels["correction"]["before"], labels["correction"]["after"]
    cost = pricing.multiply(price, quantity)
    return Explanation(
        charge=charge,
        item=str(labels.get("sku_name", charge.sku.name)),
        origin=charge.origin,
        origin_id=charge.origin_id,
        start=charge.charge_start,
        end=charge.charge_end,
        seconds=pricing.seconds_between(charge.charge_start, charge.charge_end),
        amount=Decimal(labels.get("amount", 0)),
        level=Fraction(labels.get("level", 0)),
        unit=charge.sku.meter.unit if charge.sku.meter else charge.sku.pricing_unit,
        base=charge.sku.base,
        base_seconds=Fraction(1),
        unit_price=price,
        price_id=str(charge.sku_price.price_id) if charge.sku_price else "",
        book=charge.sku_price.book.name if charge.sku_price else "",
        quantity=quantity,
        cost=cost,
        billed=charge.billed_cost,
        corrected=Decimal(0),
        difference=cost - charge.billed_cost,
        currency=charge.currency,
        formula=f"({after} − {before}) × {pricing.plain(price)} = {pricing.plain(cost)}",
        tier=labels.get("tier"),
    )


def _corrected(charges: Sequence[Charge]) -> dict[str, Decimal]:
    """Return what corrections add to each line of a closed month, by line id; one query."""
    periods = {charge.period_id for charge in charges if charge.period.closed_at is not None}
    if not periods:
        return {}
    rows = Charge.objects.filter(correction__period__in=periods)
    if len(charges) == 1:
        rows = rows.filter(labels__correction__line=str(charges[0].line_id))
    return dict(
        rows.values_list("labels__correction__line").annotate(sum=Sum("billed_cost")).order_by()
    )


def _explanation(
    charge: Charge,
    live: Live | None,
    windows: dict[tuple[int, int], list[Any]],
    former: Mapping[int, Sequence[KindBefore]],
    corrected: Decimal | None,
) -> Explanation:
    sku, price = charge.sku, charge.sku_price
    scale = Fraction(sku.meter.scale) if sku.meter else Fraction(1)
    amount = live.amount if live else Decimal(0)
    level = Fraction(amount) * scale
    start, end = _clipped(charge, live, windows, former)
    seconds = pricing.seconds_between(start, end) if start and end else Fraction(0)
    tier = charge.labels.get("tier")
    unit_price = (
        price.unit_price
        if price and not (tier and tier["is_fee"])
        else charge.contracted_unit_price or Decimal(0)
    )
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
        corrected=corrected or Decimal(0),
        difference=cost - charge.billed_cost - (corrected or Decimal(0)),
        currency=charge.currency,
        formula="",
        tier=tier,
    )
    return Explanation(**{**draft.__dict__, "formula": _formula(draft, 1, cost)})


def _formula(one: Explanation, count: int, cost: Decimal) -> str:
    """Write the sum as a person would check it with a pocket calculator."""
    price, result = pricing.plain(one.unit_price), pricing.plain(cost)
    if one.charge.correction_id:
        return one.formula
    if one.tier is not None:
        return f"{pricing.plain(one.quantity)} × {price} = {result}"
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
    charge: Charge,
    live: Live | None,
    windows: dict[tuple[int, int], list[Any]],
    former: Mapping[int, Sequence[KindBefore]],
) -> tuple[datetime | None, datetime | None]:
    """Clip the live interval to what this charge stands for: period, price, and who pays."""
    if live is None or (charge.sku_price is not None and charge.sku_price.during.isempty):
        return None, None
    period, price = charge.period, charge.sku_price
    ends = [period.rated_to or period.end_at]
    starts = [period.start_at, live.start]
    if live.end is not None:
        ends.append(live.end)
    contract = "tier" in charge.labels or charge.list_unit_price != charge.contracted_unit_price
    if price is not None and not contract:
        starts.append(price.during.lower or period.start_at)
        ends.append(price.during.upper or period.end_at)
    elif contract:  # several prices may change at different instants: the charge's own cut
        starts.append(charge.charge_start)
        ends.append(charge.charge_end)
    for before in former.get(charge.resource_id or 0, ()):
        if charge.charge_start < before.end:  # it was another kind of thing, at another price
            starts.append(before.start or live.start)
            ends.append(before.end)
            break
        starts.append(before.end)
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


def _live(all_charges: Sequence[Charge], as_billed: bool) -> dict[int, Live]:
    """Read what the inventory says now, by charge; at most four queries however many charges."""
    by_origin: dict[str, list[Charge]] = {}
    for charge in all_charges:
        if charge.correction_id is not None:
            continue
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
        records = UsageRecord.objects.filter(
            meter=charge.sku.meter_id,
            project=charge.project_id,
            resource=charge.resource_id,
            origin=UsageOrigin.READING,
            usage_start__gte=charge.charge_start,
            usage_start__lt=charge.charge_end,
        )
        if as_billed and charge.period.closed_at is not None:
            records = records.filter(recorded_at__lte=charge.period.closed_at)
        total = records.aggregate(sum=Sum("amount"))["sum"]
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
