"""Which price holds for what, when, and for whom; and what a level held over time costs by it.

Quote, commitment and rating all go through `PriceTable`, so that they cannot disagree.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from uuid import UUID

from django.db.models import Q

from billing import pricing
from billing.choices import BookStatus, MeterSource, PriceBase
from billing.models import BillingAccount, PriceBook, Sku, SkuPrice
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
    """One row of a published price list, over [start, end)."""

    pk: int
    price_id: UUID
    book: str
    unit_price: Decimal
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class PricedSku:
    """A price item with its list prices and the account's own, in the order of time."""

    sku: Sku
    traits: frozenset[str]
    listed: tuple[PriceInForce, ...] = ()
    contracted: tuple[PriceInForce, ...] = ()

    def matches(self, kind: str, traits: Collection[str]) -> bool:
        """Say whether the item is for this kind and asks for no property it lacks."""
        return self.sku.resource_kind in ("", kind) and self.traits <= set(traits)

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
    """An item's prices over [start, end), within one calendar month of the billing zone."""

    sku: Sku
    start: datetime
    end: datetime
    month: date
    month_start: datetime
    month_end: datetime
    price: PriceInForce
    listed: PriceInForce

    @property
    def seconds(self) -> Fraction:
        """Seconds that the unit price is for."""
        return pricing.base_seconds(
            base=self.sku.base, month_start=self.month_start, month_end=self.month_end
        )

    @property
    def step(self) -> Decimal:
        """Grid of the quantity: both costs end at the tenth decimal."""
        return pricing.quantity_step(self.price.unit_price, self.listed.unit_price)

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

    def cost(self, level: Fraction) -> Decimal:
        """Return the exact cost of a level held over the stretch."""
        return pricing.multiply(self.price.unit_price, self.quantity(level))


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
        return next(
            (item for item in self.by_meter.get(meter_id, ()) if item.matches(kind, traits)), None
        )

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
            best = next((item for item in items if item.matches(kind, traits)), None)
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
            for cut_start, cut_end in self._cuts(item, low, high):
                price, listed = price_at(item, cut_start, self.zone)
                yield PricedStretch(
                    sku=item.sku,
                    start=cut_start,
                    end=cut_end,
                    month=month,
                    month_start=month_start,
                    month_end=month_end,
                    price=price,
                    listed=listed,
                )
            month = next_month(month)

    @staticmethod
    def _cuts(
        item: PricedSku, start: datetime, end: datetime
    ) -> Iterator[tuple[datetime, datetime]]:
        edges = {start, end}
        for price in (*item.listed, *item.contracted):
            edges |= {edge for edge in (price.start, price.end) if edge and start < edge < end}
        ordered = sorted(edges)
        return pairwise(ordered)


def price_at(item: PricedSku, at: datetime, zone: str) -> tuple[PriceInForce, PriceInForce]:
    """Return what the account pays and the list price at an instant (the same without a contract).

    Raises NoPrice when the item has neither then.
    """
    listed = _in_force(item.listed, at)
    contracted = _in_force(item.contracted, at)
    price = contracted or listed
    if price is None:
        day = at.astimezone(zone_named(zone))
        message = (
            f"“{item.sku.name}” has no price at {day:%d %B %Y %H:%M} ({zone}). "
            "Ask finance to publish one."
        )
        raise NoPrice(message, details={"sku": item.sku.code})
    return price, listed or price


def level_of(*, sku: Sku, amount: int | Decimal) -> Fraction:
    """Return an amount in the units that the item's meter counts (MiB become GiB and so on)."""
    if sku.meter is None:
        return Fraction(amount)
    return Fraction(amount) * Fraction(sku.meter.scale)


def price_table(*, account: BillingAccount, start: datetime, end: datetime) -> PriceTable:
    """Read the price items and the prices that hold for the account in [start, end): 3 queries.

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
        .select_related("book")
        .order_by("sku_id", "-book__released_at", "during", "id")
    )
    listed: dict[int, list[PriceInForce]] = {}
    contracted: dict[int, list[PriceInForce]] = {}
    for row in rows:
        shelf = contracted if row.account_id else listed
        shelf.setdefault(row.sku_id, []).append(_price_in_force(row))
    skus = (
        Sku.objects.filter(is_active=True, meter__isnull=False, id__in=[*listed, *contracted])
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
        book=row.book.name,
        unit_price=row.unit_price,
        start=row.during.lower,
        end=row.during.upper,
    )


def _in_force(prices: Sequence[PriceInForce], at: datetime) -> PriceInForce | None:
    return next(
        (
            price
            for price in prices
            if (price.start is None or price.start <= at) and (price.end is None or at < price.end)
        ),
        None,
    )


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
