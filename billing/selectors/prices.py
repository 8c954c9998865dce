"""Which price holds for what, when, and for whom; and what a level held over time costs by it.

Quote, commitment and rating all go through `PriceTable`, so that they cannot disagree.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from uuid import UUID

from django.db.models import Q

from billing import pricing
from billing.choices import BookStatus, MeterSource, PriceBase, PriceModel
from billing.models import BillingAccount, PriceBook, PriceChange, Sku, SkuPrice
from inventory.foundation.errors import DomainError
from inventory.foundation.periods import month_bounds, month_of, next_month, zone_named


class NoPrice(DomainError):
    """Something that must be priced has no price; the message names it and who can give it one."""

    code = "no_price"
    title = "There is no price for this"


class NoAccount(NoPrice):
    """Nobody pays for the project at that time, so no price list applies."""

    code = "no_account"
    title = "Nobody pays for this project"


@dataclass(frozen=True)
class PriceInForce:
    """One row of a published price list: a tier from `lower` on, over [start, end)."""

    pk: int
    price_id: UUID
    book_id: int
    book: str
    unit_price: Decimal
    start: datetime | None
    end: datetime | None
    lower: Decimal = Decimal(0)
    upper: Decimal | None = None
    flat_fee: Decimal = Decimal(0)

    def holds(self, at: datetime) -> bool:
        """Say whether it holds at the instant."""
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)

    @property
    def tier(self) -> pricing.Tier:
        """The bare numbers; its key leads back here."""
        return pricing.Tier(
            lower=self.lower,
            upper=self.upper,
            unit_price=self.unit_price,
            flat_fee=self.flat_fee,
            key=self,
        )


@dataclass(frozen=True)
class PricedSku:
    """A price item with its list prices and the account's own, in the order of time.

    `others` price the same while it has no price itself: before its first one and after its last.
    """

    sku: Sku
    traits: frozenset[str]
    listed: tuple[PriceInForce, ...] = ()
    contracted: tuple[PriceInForce, ...] = ()
    others: tuple["PricedSku", ...] = field(default=(), repr=False)

    def matches(self, kind: str, traits: Collection[str]) -> bool:
        """Say whether the item is for this kind and asks for no property it lacks."""
        return self.sku.resource_kind in ("", kind) and self.traits <= set(traits)

    @property
    def is_graduated(self) -> bool:
        """Say whether its price depends on how much is used."""
        return self.sku.model == PriceModel.GRADUATED

    def step(self, start: datetime, end: datetime) -> Decimal:
        """Return the grid that suits every price of the item that holds in [start, end).

        Tiers accumulate over the month, so all its quantities must lie on one grid.
        """
        return pricing.quantity_step(
            *(
                price.unit_price
                for price in (*self.listed, *self.contracted)
                if (price.start is None or price.start < end)
                and (price.end is None or price.end > start)
            )
        )

    def has_ended(self, at: datetime) -> bool:
        """Say whether none of its prices holds at the instant or after it."""
        return all(
            price.end is not None and price.end <= at for price in (*self.listed, *self.contracted)
        )

    @property
    def rank(self) -> tuple[bool, int, str]:
        """Sort key: the item that names kind and most properties comes first."""
        return (not self.sku.resource_kind, -len(self.traits), self.sku.code)


@dataclass(frozen=True)
class PricedStretch:
    """An item's prices over [start, end), within one calendar month of the billing zone.

    `price` and `listed` are the only ones, or the first tiers of `tiers` and `list_tiers`.
    """

    sku: Sku
    start: datetime
    end: datetime
    month: date
    month_start: datetime
    month_end: datetime
    price: PriceInForce
    listed: PriceInForce
    tiers: tuple[PriceInForce, ...]
    list_tiers: tuple[PriceInForce, ...]
    step: Decimal
    seconds: Fraction

    def quantity(self, level: Fraction) -> Decimal:
        """Return the exact pricing quantity of a level held over the stretch."""
        return pricing.prorate(
            level=level,
            start=self.start,
            end=self.end,
            origin=self.month_start,
            seconds=self.seconds,
            step=self.step,
        )

    def parts(self, quantity: Decimal, cumulative: Decimal) -> tuple[pricing.TierPart, ...]:
        """Return what a quantity is in the item's tiers after `cumulative` was used already."""
        return pricing.split_tiers(
            tiers=[price.tier for price in self.tiers],
            listed=[price.tier for price in self.list_tiers],
            quantity=quantity,
            cumulative=cumulative,
        )

    def cost(self, quantity: Decimal, cumulative: Decimal = Decimal(0)) -> Decimal:
        """Return the exact cost of a quantity after `cumulative` was used already."""
        if self.sku.model != PriceModel.GRADUATED:
            return pricing.multiply(self.price.unit_price, quantity)
        return pricing.total(
            [
                pricing.EXACT.add(pricing.multiply(part.price.unit_price, part.quantity), part.fee)
                for part in self.parts(quantity, cumulative)
            ]
        )


@dataclass(frozen=True)
class PriceTable:
    """All price items of an account's entity with what holds for the account in [start, end)."""

    zone: str
    currency: str
    items: tuple[PricedSku, ...]
    by_meter: Mapping[int, tuple[PricedSku, ...]] = field(repr=False)

    def counted(self, *, kind: str, traits: Collection[str] = ()) -> list[PricedSku]:
        """Return the items that price each resource of the kind for its time, one a meter."""
        return self._best(MeterSource.COUNT, kind, traits)

    def in_states(self, *, kind: str, traits: Collection[str] = ()) -> list[PricedSku]:
        """Return the items that price the kind's time in a state, one a meter."""
        return self._best(MeterSource.STATE, kind, traits)

    def held(
        self, *, resource_class_id: int, kind: str, traits: Collection[str] = ()
    ) -> list[PricedSku]:
        """Return the items that price capacity of the class held by the kind, one a meter."""
        return [
            item
            for item in self._best(MeterSource.ALLOCATION, kind, traits)
            if item.sku.meter is not None and item.sku.meter.resource_class_id == resource_class_id
        ]

    def read(self, *, meter_id: int, kind: str, traits: Collection[str] = ()) -> PricedSku | None:
        """Return the item that prices readings of the meter for the kind."""
        return _first(self.by_meter.get(meter_id, ()), kind, traits)

    @property
    def prices_states(self) -> bool:
        """Say whether any item prices time in a state."""
        return any(
            item.sku.meter is not None and item.sku.meter.source == MeterSource.STATE
            for item in self.items
        )

    def _best(self, source: str, kind: str, traits: Collection[str]) -> list[PricedSku]:
        found = []
        for items in self.by_meter.values():
            meter = items[0].sku.meter
            if meter is None or meter.source != source:
                continue
            if meter.resource_kind not in ("", kind):
                continue
            best = _first(items, kind, traits)
            if best is not None:
                found.append(best)
        return found

    def stretches(
        self, item: PricedSku, *, start: datetime, end: datetime
    ) -> Iterator[PricedStretch]:
        """Cut [start, end) at month boundaries and price changes; NoPrice at the first gap."""
        month = month_of(start, self.zone)
        while True:
            month_start, month_end = month_bounds(month, self.zone)
            if month_start >= end:
                return
            low, high = max(start, month_start), min(end, month_end)
            for cut_start, cut_end in pairwise(edges_of(item, start=low, end=high)):
                found, tiers, list_tiers = tiers_at(item, cut_start, self.zone)
                price, listed = tiers[0], list_tiers[0]
                yield PricedStretch(
                    sku=found.sku,
                    start=cut_start,
                    end=cut_end,
                    month=month,
                    month_start=month_start,
                    month_end=month_end,
                    price=price,
                    listed=listed,
                    tiers=tiers,
                    list_tiers=list_tiers,
                    step=(
                        found.step(month_start, month_end)
                        if found.is_graduated
                        else pricing.quantity_step(price.unit_price, listed.unit_price)
                    ),
                    seconds=pricing.base_seconds(
                        base=found.sku.base, month_start=month_start, month_end=month_end
                    ),
                )
            month = next_month(month)


def edges_of(item: PricedSku, *, start: datetime, end: datetime) -> list[datetime]:
    """Return start, end and the instants between them at which another price may hold."""
    edges = {start, end}
    for one in (item, *item.others):
        for price in (*one.listed, *one.contracted):
            edges |= {edge for edge in (price.start, price.end) if edge and start < edge < end}
    return sorted(edges)


def tiers_at(
    item: PricedSku, at: datetime, zone: str
) -> tuple[PricedSku, tuple[PriceInForce, ...], tuple[PriceInForce, ...]]:
    """Return the item that prices at an instant, what the account pays, and the list prices.

    Both are tiers from zero on, one where there is a price for every unit; without a contract they
    are the same. Raises NoPrice when there are none then, or the tiers leave a gap.
    """
    for one in (item, *item.others):
        listed = _in_force(one.listed, at)
        tiers = _in_force(one.contracted, at) or listed
        if tiers:
            break
    else:
        raise _no_price(item, "", at, zone)
    for some in (tiers, listed or tiers):
        if len(some) > 1 or some[0].lower or some[0].upper is not None:
            gaps = pricing.tier_gaps([price.tier for price in some])
            if gaps:
                raise _no_price(one, f" from {pricing.plain(gaps[0][0])} on", at, zone)
    return one, tiers, listed or tiers


def _no_price(item: PricedSku, what: str, at: datetime, zone: str) -> NoPrice:
    day = at.astimezone(zone_named(zone))
    message = (
        f"“{item.sku.name}” has no price{what} at {day:%d %B %Y %H:%M} ({zone}). "
        "Ask finance to publish one."
    )
    return NoPrice(message, details={"sku": item.sku.code})


def _first(items: Sequence[PricedSku], kind: str, traits: Collection[str]) -> PricedSku | None:
    """Return the best item for the kind, with those that come after it."""
    found = [item for item in items if item.matches(kind, traits)]
    if not found:
        return None
    return replace(found[0], others=tuple(found[1:])) if len(found) > 1 else found[0]


def level_of(*, sku: Sku, amount: int | Decimal) -> Fraction:
    """Return an amount in the units that the item's meter counts (MiB become GiB and so on)."""
    if sku.meter is None:
        return Fraction(amount)
    return Fraction(amount) * Fraction(sku.meter.scale)


def price_table(*, account: BillingAccount, start: datetime, end: datetime) -> PriceTable:
    """Read the price items and the prices that hold for the account in [start, end): 3 queries.

    An item that is retired keeps its price for what runs: only its prices' ends end it.
    List prices stand in the default published book of the entity and currency; the account's own
    prices in any published book of both, the one released last first. An item whose prices have
    all ended before comes after those of its meter that have one, so that what only it would charge
    is named as without a price, and not given away.
    """
    rows = (
        SkuPrice.objects.exclude(during__fully_gt=(start, end))
        .filter(
            Q(account=None, book__is_default=True) | Q(account=account),
            book__entity=account.entity,
            book__currency=account.currency,
            book__status=BookStatus.PUBLISHED,
        )
        .exclude(during__isempty=True)
        .select_related("book")
        .order_by("sku_id", "-book__released_at", "during", "id")
    )
    listed: dict[int, list[PriceInForce]] = {}
    contracted: dict[int, list[PriceInForce]] = {}
    for row in rows:
        shelf = contracted if row.account_id else listed
        shelf.setdefault(row.sku_id, []).append(_price_in_force(row))
    skus = (
        Sku.objects.filter(meter__isnull=False, id__in=[*listed, *contracted])
        .select_related("meter__resource_class")
        .prefetch_related("traits")
    )
    items = sorted(
        (
            PricedSku(
                sku=sku,
                traits=frozenset(trait.name for trait in sku.traits.all()),
                listed=tuple(listed.get(sku.pk, ())),
                contracted=tuple(contracted.get(sku.pk, ())),
            )
            for sku in skus
        ),
        key=lambda item: (item.has_ended(start), *item.rank),
    )
    by_meter: dict[int, list[PricedSku]] = {}
    for item in items:
        if item.sku.meter_id is not None:
            by_meter.setdefault(item.sku.meter_id, []).append(item)
    return PriceTable(
        zone=account.entity.zone,
        currency=account.currency,
        items=tuple(items),
        by_meter={meter: tuple(found) for meter, found in sorted(by_meter.items())},
    )


def hours_of(*, start: datetime, end: datetime) -> Decimal:
    """Return the hours from start to end to six decimals, without trailing zeros."""
    hours = pricing.on_grid(pricing.seconds_between(start, end) / 3600, Decimal("0.000001"))
    return Decimal(pricing.plain(hours))


def is_over_time(sku: Sku) -> bool:
    """Say whether the item's price is for a stretch of time."""
    return sku.base != PriceBase.NONE


def _price_in_force(row: SkuPrice) -> PriceInForce:
    return PriceInForce(
        pk=row.pk,
        price_id=row.price_id,
        book_id=row.book_id,
        book=row.book.name,
        unit_price=row.unit_price,
        start=row.during.lower,
        end=row.during.upper,
        lower=row.tier.lower or Decimal(0),
        upper=row.tier.upper,
        flat_fee=row.flat_fee,
    )


def _in_force(prices: Sequence[PriceInForce], at: datetime) -> tuple[PriceInForce, ...]:
    """Return the tiers that hold at the instant, of the first list that has any then."""
    found = [price for price in prices if price.holds(at)]
    if len(found) > 1:
        found = sorted(
            (price for price in found if price.book_id == found[0].book_id),
            key=lambda price: price.lower,
        )
    return tuple(found)


def lock_book(*, pk: int) -> PriceBook:
    """Lock a price list, so that it is not released while one of its prices changes."""
    return PriceBook.objects.select_for_update(of=("self",)).select_related("entity").get(pk=pk)


def lock_prices(*, book: PriceBook, sku: Sku, account: BillingAccount | None) -> list[SkuPrice]:
    """Lock an item's prices in a list, in primary-key order."""
    return list(
        SkuPrice.objects.filter(book=book, sku=sku, account=account)
        .order_by("pk")
        .select_for_update(of=("self",))
    )


def lock_price_change(*, pk: int) -> PriceChange:
    """Lock a prepared change, so that it is released or taken back once."""
    return (
        PriceChange.objects.select_for_update(of=("self",))
        .select_related("book__entity", "sku__meter", "account", "prepared_by")
        .get(pk=pk)
    )
