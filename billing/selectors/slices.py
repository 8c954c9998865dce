"""From usage to slices: what an account's month is made of, each slice at one price and tier.

Only reads: the rating turns slices into charges, a correction compares them with what was billed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid5

from django.db.models import Sum

from billing import pricing
from billing.choices import MeterSource, PriceModel, TierScope, UsageOrigin
from billing.models import BillingPeriod, Sku, UsageRecord
from billing.selectors.accounts import by_window, paid_stretches
from billing.selectors.prices import (
    NoPrice,
    PricedSku,
    PricedStretch,
    PriceInForce,
    PriceTable,
    edges_of,
    is_over_time,
    level_of,
    price_table,
    tiers_at,
)
from billing.selectors.usage import Usage, items_for, metered_usage
from inventory.models import Resource

LINE_NAMESPACE = UUID("5f1b8f0e-6d3a-5f0b-9d7e-0c4f4f2c7a11")
FEE_NAMESPACE = UUID("5f1b8f0e-6d3a-5f0b-9d7e-0c4f4f2c7a12")
FEE_UNIT = "Fees"
FINEST = Decimal("1E-12")


@dataclass(frozen=True)
class TierPlace:
    """Where a slice lies in the tiers.

    Usage of `whole`, after `before` was used already in the month, reaches into (lower, upper];
    `step` is the grid of its quantities. `is_fee`: what is charged is the fee for entering it.
    """

    scope: str
    before: Decimal
    whole: Decimal
    lower: Decimal
    upper: Decimal | None
    step: Decimal
    is_fee: bool = False


@dataclass(frozen=True)
class Slice:
    """Usage at one price: what one charge is made of. `level` is in the meter's units.

    Usage that touches several tiers is one slice for each; only the one that `is_first` stands for
    the usage itself. `tier` says which part of it this is. Costs are unit price × quantity.
    """

    origin: str
    origin_id: str
    project_id: int
    resource_id: int | None
    sku: Sku
    level: Fraction
    amount: Decimal
    state: str
    start: datetime
    end: datetime
    price: PriceInForce
    listed: PriceInForce
    quantity: Decimal
    consumed: Decimal
    consumed_unit: str
    unit_price: Decimal
    list_unit_price: Decimal
    list_price_id: UUID
    cut: PricedStretch | None = field(default=None, repr=False)
    is_first: bool = True
    tier: TierPlace | None = None

    @property
    def cost(self) -> Decimal:
        """What it costs, exactly."""
        return pricing.multiply(self.unit_price, self.quantity)


@dataclass
class Rated:
    """The outcome of one rating: its slices in a stable order, and what could not be priced."""

    slices: list[Slice] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def slices_of(*, period: BillingPeriod, until: datetime) -> Rated:
    """Return what the account used in the month up to an instant, priced and in its tiers.

    From what the inventory, the readings and the price lists say now. Ordered by usage start and
    resource: in that order tiers fill up.
    """
    rated = Rated()
    if until <= period.start_at:
        return rated
    account = period.account
    table = price_table(account=account, start=period.start_at, end=period.end_at)
    stretches = paid_stretches(account=account, start=period.start_at, end=until)
    projects = _project_of(stretch.project_id for stretch in stretches)
    for start, end, project_ids in by_window(stretches):
        usage, _ = metered_usage(table=table, project_ids=project_ids, start=start, end=end)
        rated.slices += _metered_slices(table, usage, projects, rated)
        rated.slices += _reading_slices(table, period, project_ids, start, end, rated)
    rated.slices.sort(
        key=lambda one: (one.start, one.resource_id or 0, one.sku.code, one.origin, one.origin_id)
    )
    rated.slices = list(in_tiers(rated.slices))
    rated.failures = list(dict.fromkeys(rated.failures))
    return rated


def line_id(*, period: BillingPeriod, one: Slice) -> UUID:
    """Return the id that the same slice of the same period at the same price always has."""
    parts = [
        period.account.code,
        f"{period.month:%Y-%m}",
        one.origin,
        one.origin_id,
        one.sku.code,
        str(one.price.price_id),
        one.start.isoformat(),
    ]
    if one.tier is not None:
        parts += [str(one.listed.price_id), pricing.plain(one.tier.lower), str(one.tier.is_fee)]
    return uuid5(LINE_NAMESPACE, "|".join(parts))


def in_tiers(slices: Sequence[Slice]) -> Iterator[Slice]:
    """Cut the slices of graduated prices at their tiers, which fill up in the given order."""
    used: dict[tuple[int, int], Decimal] = {}
    totals: dict[tuple[int, int], Decimal] = {}
    for one in slices:
        if one.sku.model == PriceModel.GRADUATED:
            key = _scope_of(one)
            totals[key] = totals.get(key, Decimal(0)) + one.quantity
    for one in slices:
        if one.sku.model != PriceModel.GRADUATED or one.cut is None:
            yield one
            continue
        key = _scope_of(one)
        is_without_use = key not in used and not totals[key] and one.sku.fee_without_use
        before = used.get(key, Decimal(0))
        used[key] = before + one.quantity
        yield from _parts(one, one.cut, before, is_without_use=is_without_use)


def _scope_of(one: Slice) -> tuple[int, int]:
    """Return over what the tiers of this slice accumulate."""
    if one.sku.tier_scope == TierScope.PROJECT:
        return one.sku.pk, one.project_id
    if one.sku.tier_scope == TierScope.RESOURCE:
        return one.sku.pk, one.resource_id or -one.project_id
    return one.sku.pk, 0


def _parts(
    one: Slice, cut: PricedStretch, before: Decimal, *, is_without_use: bool
) -> Iterator[Slice]:
    done = consumed = Decimal(0)
    for index, part in enumerate(cut.parts(one.quantity, before)):
        price, listed = part.price.key, part.listed.key
        assert isinstance(price, PriceInForce)
        assert isinstance(listed, PriceInForce)
        place = TierPlace(
            scope=one.sku.tier_scope,
            before=before,
            whole=one.quantity,
            lower=part.lower,
            upper=part.upper,
            step=cut.step,
        )
        done += part.quantity
        reached = one.consumed
        if one.quantity:
            share = Fraction(done) / Fraction(one.quantity)
            reached = pricing.on_grid(Fraction(one.consumed) * share, FINEST)
        piece = replace(
            one,
            price=price,
            listed=listed,
            quantity=part.quantity,
            consumed=reached - consumed,
            unit_price=price.unit_price,
            list_unit_price=listed.unit_price,
            list_price_id=listed.price_id,
            is_first=index == 0,
            tier=place,
        )
        consumed = reached
        yield piece
        fee = price.flat_fee if is_without_use else part.fee
        list_fee = listed.flat_fee if is_without_use else part.list_fee
        if fee or list_fee:
            yield _fee(piece, fee, list_fee, place)


def _fee(piece: Slice, fee: Decimal, list_fee: Decimal, place: TierPlace) -> Slice:
    """Return the fee of a tier as a slice of its own, so that price × quantity stays the cost.

    It has a price id of its own: an id stands for one price.
    """
    source = piece.listed if list_fee else piece.price
    return replace(
        piece,
        quantity=Decimal(1),
        consumed=Decimal(1),
        consumed_unit=FEE_UNIT,
        unit_price=fee,
        list_unit_price=list_fee,
        list_price_id=uuid5(FEE_NAMESPACE, f"{source.price_id}|{list_fee}"),
        is_first=False,
        tier=replace(place, is_fee=True),
    )


def _project_of(project_ids: Iterable[int]) -> dict[int, int]:
    return dict(
        Resource.objects.filter(project_id__in=set(project_ids)).values_list("id", "project_id")
    )


def _metered_slices(
    table: PriceTable, usage: Sequence[Usage], projects: Mapping[int, int], rated: Rated
) -> Iterator[Slice]:
    priced: set[int] = set()
    cache: dict[tuple[Any, ...], list[PricedSku]] = {}
    for one in usage:
        signature = (one.origin, one.kind, one.traits, one.resource_class_id, one.state)
        if signature not in cache:
            cache[signature] = items_for(table=table, usage=one)
        for item in cache[signature]:
            if not is_over_time(item.sku):
                continue
            priced.add(one.resource_id)
            try:
                for cut in table.stretches(item, start=one.start, end=one.end):
                    yield _metered_slice(one, cut, projects)
            except NoPrice as error:
                rated.failures.append(error.message)
    without = sorted({one.kind for one in usage if one.resource_id not in priced})
    rated.failures += [
        f"“{kind}” was used and has no price in {table.currency}. Ask finance to publish one."
        for kind in without
    ]


def _metered_slice(usage: Usage, cut: PricedStretch, projects: Mapping[int, int]) -> Slice:
    level = level_of(sku=cut.sku, amount=usage.amount)
    quantity = cut.quantity(level)
    consumed, unit = consumption(sku=cut.sku, cut=cut, level=level, quantity=quantity)
    return Slice(
        origin=usage.origin,
        origin_id=usage.origin_id,
        project_id=projects[usage.resource_id],
        resource_id=usage.resource_id,
        sku=cut.sku,
        level=level,
        amount=Decimal(usage.amount),
        state=usage.state,
        start=cut.start,
        end=cut.end,
        price=cut.price,
        listed=cut.listed,
        quantity=quantity,
        consumed=consumed,
        consumed_unit=unit,
        unit_price=cut.price.unit_price,
        list_unit_price=cut.listed.unit_price,
        list_price_id=cut.listed.price_id,
        cut=cut,
    )


def consumption(
    *, sku: Sku, cut: PricedStretch, level: Fraction, quantity: Decimal
) -> tuple[Decimal, str]:
    """Return what was consumed and its unit: level × hours whatever the price is for."""
    held = sku.meter is not None and sku.meter.source == MeterSource.ALLOCATION
    unit = f"{sku.meter.unit}-Hours" if held and sku.meter is not None else "Hours"
    if cut.seconds == pricing.SECONDS_OF_HOUR:
        return quantity, unit
    consumed = pricing.prorate(
        level=level,
        start=cut.start,
        end=cut.end,
        origin=cut.month_start,
        seconds=Fraction(pricing.SECONDS_OF_HOUR),
        step=FINEST,
    )
    return consumed, unit


def _reading_slices(
    table: PriceTable,
    period: BillingPeriod,
    project_ids: Sequence[int],
    start: datetime,
    end: datetime,
    rated: Rated,
) -> Iterator[Slice]:
    readings = UsageRecord.objects.filter(
        project_id__in=project_ids,
        origin=UsageOrigin.READING,
        usage_start__gte=start,
        usage_start__lt=end,
    )
    # What is counted and not charged must be named, or it would be given away unseen.
    unmatched = readings.exclude(meter_id__in=table.by_meter)
    labels = unmatched.order_by("meter__label").values_list("meter__label", flat=True)
    rated.failures += [_unpriced(label, "", table) for label in labels.distinct()]
    for meter_id, items in table.by_meter.items():
        meter = items[0].sku.meter
        if meter is None or meter.source != MeterSource.READING:
            continue
        edges = {edge for item in items for edge in edges_of(item, start=start, end=end)}
        for low, high in pairwise(sorted(edges)):
            rows = (
                readings.filter(meter_id=meter_id, usage_start__gte=low, usage_start__lt=high)
                .values_list("project_id", "resource_id", "resource__kind", "resource__attributes")
                .annotate(total=Sum("amount"))
                .order_by("project_id", "resource_id")
            )
            for project_id, resource_id, kind, attributes, amount in rows:
                traits = frozenset((attributes or {}).get("traits", ()))
                item = table.read(meter_id=meter_id, kind=kind or "", traits=traits)
                if item is None:
                    rated.failures.append(_unpriced(meter.label, kind or "", table))
                    continue
                try:
                    found, tiers, list_tiers = tiers_at(item, low, table.zone)
                except NoPrice as error:
                    rated.failures.append(error.message)
                    continue
                yield _reading_slice(
                    PricedStretch(
                        sku=found.sku,
                        start=low,
                        end=high,
                        month=period.month,
                        month_start=period.start_at,
                        month_end=period.end_at,
                        price=tiers[0],
                        listed=list_tiers[0],
                        tiers=tiers,
                        list_tiers=list_tiers,
                        step=(
                            found.step(period.start_at, period.end_at)
                            if found.is_graduated
                            else pricing.quantity_step(
                                tiers[0].unit_price, list_tiers[0].unit_price
                            )
                        ),
                        seconds=Fraction(1),
                    ),
                    amount,
                    project_id,
                    resource_id,
                )


def _unpriced(label: str, kind: str, table: PriceTable) -> str:
    of_kind = f" of “{kind}”" if kind else ""
    return (
        f"Readings of “{label}”{of_kind} have no price in {table.currency}. Ask finance to publish "
        "one."
    )


def _reading_slice(
    cut: PricedStretch, amount: Decimal, project_id: int, resource_id: int | None
) -> Slice:
    sku = cut.sku
    level = level_of(sku=sku, amount=amount)
    quantity = pricing.on_grid(level, cut.step)
    return Slice(
        origin=UsageOrigin.READING,
        origin_id=f"{sku.meter_id}:{project_id}:{resource_id or ''}",
        project_id=project_id,
        resource_id=resource_id,
        sku=sku,
        level=level,
        amount=amount,
        state="",
        start=cut.start,
        end=cut.end,
        price=cut.price,
        listed=cut.listed,
        quantity=quantity,
        consumed=quantity,
        consumed_unit=sku.pricing_unit,
        unit_price=cut.price.unit_price,
        list_unit_price=cut.listed.unit_price,
        list_price_id=cut.listed.price_id,
        cut=cut,
    )
