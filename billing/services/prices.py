"""Price lists: prepared by one person, released by another, never edited afterwards."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange, NumericRange
from django.db.models import Max

from billing import pricing
from billing.choices import (
    Aggregation,
    BookStatus,
    MeterSource,
    PeriodState,
    PriceBase,
    PriceModel,
)
from billing.models import BillingAccount, BillingPeriod, Meter, PriceBook, Sku, SkuPrice
from billing.selectors.accounts import lock_accounts
from billing.selectors.prices import lock_book, lock_prices
from billing.services.accounts import require_issuer
from inventory.foundation.errors import Conflict, Forbidden, InvalidInput
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, require_anywhere
from inventory.foundation.trail import emit_event, record_audit
from inventory.models import Trait

ALL_QUANTITIES = NumericRange(Decimal(0), None)


class BookInForce(Conflict):
    """A published price list is never edited."""

    code = "book_in_force"
    title = "This price list is in force"


class TwoPeople(Forbidden):
    """Who prepares prices does not release them."""

    code = "two_people"


class PriceRefused(InvalidInput):
    """A price that the ledger could not hold exactly, or that no rule can rate."""

    code = "price_refused"


def save_price_book(*, book: PriceBook, at: datetime, actor: User) -> PriceBook:
    """Create or change a draft; whoever creates it is who prepared it. Raises BookInForce."""
    require_issuer(actor=actor, entity=book.entity)
    with transaction.atomic():
        is_new = book.pk is None
        if is_new:
            book.prepared_by, book.status = actor, BookStatus.DRAFT
        else:
            _lock_draft(pk=book.pk, actor=actor)
        book.full_clean()
        book.save()
        _audit("create.price_book" if is_new else "edit.price_book", book, at, actor)
    return book


def save_price(*, price: SkuPrice, at: datetime, actor: User) -> SkuPrice:
    """Create or change a price of a draft. Raises BookInForce, PriceRefused."""
    with transaction.atomic():
        _lock_draft(pk=price.book_id, actor=actor)
        if price.pk is not None:
            _lock_draft(pk=SkuPrice.objects.get(pk=price.pk).book_id, actor=actor)
        _refuse_price(price)
        is_new = price.pk is None
        price.full_clean()
        price.save()
        _audit("create.price" if is_new else "edit.price", price, at, actor)
    return price


def remove_price(*, price: SkuPrice, at: datetime, actor: User) -> None:
    """Take a price out of a draft. Raises BookInForce."""
    with transaction.atomic():
        _lock_draft(pk=price.book_id, actor=actor)
        _audit("remove.price", price, at, actor)
        price.delete()


def publish_price_book(
    *, book: PriceBook, at: datetime, actor: User, is_default: bool = False
) -> PriceBook:
    """Put a draft in force; from then on it never changes. Asked twice, nothing happens again.

    `is_default` makes it the list of its entity and currency; there is one, and its prices change
    by `change_price`. Raises TwoPeople when the actor prepared it, PriceRefused, Conflict.
    """
    with transaction.atomic():
        fresh = lock_book(pk=book.pk)
        require_issuer(actor=actor, entity=fresh.entity)
        if fresh.status == BookStatus.PUBLISHED:
            return fresh
        if fresh.prepared_by_id == actor.pk:
            message = (
                "You prepared this price list. Somebody else with the role finance releases it."
            )
            raise TwoPeople(message)
        prices = list(fresh.prices.select_related("sku__meter"))
        if not prices:
            message = "This price list has no prices. Add them before you release it."
            raise PriceRefused(message)
        for price in prices:
            _refuse_price(price)
        if is_default:
            _refuse_second_default(fresh)
            fresh.is_default = True
        fresh.status = BookStatus.PUBLISHED
        fresh.released_by, fresh.released_at = actor, at
        fresh.save()
        _audit("release.price_book", fresh, at, actor)
        emit_event(
            type="orchestra.prices.released",
            subject=fresh,
            at=at,
            data={"book": fresh.name, "currency": fresh.currency, "prices": len(prices)},
        )
    return fresh


def change_price(
    *,
    book: PriceBook,
    sku: Sku,
    unit_price: Decimal,
    from_at: datetime,
    at: datetime,
    prepared_by: User,
    released_by: User,
    account: BillingAccount | None = None,
) -> SkuPrice:
    """Let another price hold from an instant on; the old one ends there, its amount untouched.

    An item that never had a list price gets its first one so. Both people need the role finance and
    must be two. The instant may not lie in a month that any account of the entity has closed.
    Raises TwoPeople, PriceRefused.
    """
    for person in (prepared_by, released_by):
        require_issuer(actor=person, entity=book.entity)
    if prepared_by.pk == released_by.pk:
        message = "A price is prepared by one person and released by another."
        raise TwoPeople(message)
    with transaction.atomic():
        fresh = lock_book(pk=book.pk)
        if fresh.status != BookStatus.PUBLISHED:
            message = "This price list is a draft: change the price itself, then release the list."
            raise PriceRefused(message)
        # A close that is under way ends first, so that no month is frozen at the price before.
        payers = BillingAccount.objects.filter(entity=fresh.entity_id)
        lock_accounts(ids=payers.values_list("pk", flat=True))
        _refuse_closed_past(fresh, from_at)
        prices = lock_prices(book=fresh, sku=sku, account=account)
        old = next(
            (
                price
                for price in prices
                if price.during.lower < from_at
                and (price.during.upper is None or from_at < price.during.upper)
            ),
            None,
        )
        if old is None and (prices or account is not None):
            message = (
                f"“{sku}” has no price in this list that holds just before {from_at:%d %B %Y}."
            )
            raise PriceRefused(message, fields={"from_at": message})
        new = SkuPrice(
            book=fresh,
            account=account,
            sku=sku,
            tier=ALL_QUANTITIES,
            during=DateTimeTZRange(from_at, old.during.upper if old else None),
            unit_price=unit_price,
        )
        _refuse_price(new)
        if old is not None:
            old.during = DateTimeTZRange(old.during.lower, from_at)
            old.save(update_fields=["during"])
        before = pricing.plain(old.unit_price) if old else ""
        new.full_clean()
        new.save()
        record_audit(
            action="change.price",
            subject=new,
            at=at,
            actor=released_by,
            changes={
                "unit_price": [before, pricing.plain(unit_price)],
                "from": ["", from_at.isoformat()],
                "prepared_by": ["", str(prepared_by)],
            },
        )
        emit_event(
            type="orchestra.prices.changed",
            subject=new,
            at=at,
            data={
                "sku": sku.code,
                "from": from_at.isoformat(),
                "before": before,
                "after": pricing.plain(unit_price),
            },
        )
    return new


def save_meter(*, meter: Meter, at: datetime, actor: User) -> Meter:
    """Create or change what is counted; what is priced already keeps source, scale and class."""
    require_anywhere(actor, Action.MONEY_MANAGE)
    with transaction.atomic():
        is_new = meter.pk is None
        if not is_new:
            before = Meter.objects.get(pk=meter.pk)
            _refuse_used(
                before.skus.filter(prices__charges__isnull=False).exists(),
                before,
                meter,
                ("source", "resource_class_id", "resource_kind", "state", "scale", "aggregation"),
            )
        meter.full_clean()
        meter.save()
        _audit("create.meter" if is_new else "edit.meter", meter, at, actor)
    return meter


def save_sku(*, sku: Sku, at: datetime, actor: User) -> Sku:
    """Create or change a price item; one that was charged keeps what its price means."""
    require_anywhere(actor, Action.MONEY_MANAGE)
    with transaction.atomic():
        is_new = sku.pk is None
        if not is_new:
            before = Sku.objects.get(pk=sku.pk)
            _refuse_used(
                before.charges.exists(), before, sku, ("code", "meter_id", "base", "model")
            )
        sku.full_clean()
        sku.save()
        _audit("create.sku" if is_new else "edit.sku", sku, at, actor)
    return sku


def set_sku_traits(*, sku: Sku, traits: Sequence[Trait], at: datetime, actor: User) -> None:
    """Let the item price only what was asked with all these properties. Raises BookInForce."""
    require_anywhere(actor, Action.MONEY_MANAGE)
    with transaction.atomic():
        before = sorted(trait.name for trait in sku.traits.all())
        after = sorted(trait.name for trait in traits)
        if before == after:
            return
        if sku.charges.exists():
            message = f"“{sku}” was charged already, so its properties stay. Make a new item."
            raise BookInForce(message)
        sku.traits.set(traits)
        record_audit(
            action="edit.sku",
            subject=sku,
            at=at,
            actor=actor,
            changes={"traits": [before, after]},
        )


def _lock_draft(*, pk: int, actor: User) -> None:
    """Lock a price list that the actor may change, and that is not in force."""
    book = lock_book(pk=pk)
    require_issuer(actor=actor, entity=book.entity)
    _refuse_in_force(book)


def _refuse_in_force(book: PriceBook) -> None:
    if book.status == BookStatus.PUBLISHED:
        message = (
            f"“{book}” is in force and is never edited. Change a price from a date on, "
            "or prepare another list."
        )
        raise BookInForce(message)


def _refuse_price(price: SkuPrice) -> None:
    sku, problem = price.sku, ""
    meter = sku.meter
    if sku.model != PriceModel.STANDARD:
        problem = f"“{sku}”: only a price per unit can be charged so far."
    elif meter is None:
        problem = f"“{sku}” has no meter. Say first what it counts."
    elif meter.source == MeterSource.READING and (
        sku.base != PriceBase.NONE or meter.aggregation != Aggregation.SUM
    ):
        problem = f"“{sku}” counts readings: its price is per unit, of their sum."
    elif meter.source != MeterSource.READING and sku.base == PriceBase.NONE:
        problem = f"“{sku}” is held over time: its price is for an hour or a month."
    elif not price.unit_price.is_finite():
        problem = f"“{sku}”: a price is a number."
    elif price.unit_price != round(price.unit_price, pricing.PRICE_DECIMALS):
        problem = (
            f"“{sku}”: a price has at most {pricing.PRICE_DECIMALS} decimals, so that every cost "
            "is exact. Price a larger unit, such as a thousand."
        )
    elif price.flat_fee or price.package_size:
        problem = f"“{sku}”: a price per unit has no fee and no package size."
    if problem:
        raise PriceRefused(problem, fields={"unit_price": problem})


def _refuse_second_default(book: PriceBook) -> None:
    other = (
        PriceBook.objects.filter(entity=book.entity_id, currency=book.currency, is_default=True)
        .exclude(pk=book.pk)
        .first()
    )
    if other is not None:
        message = (
            f"“{other}” is the list of {book.entity} in {book.currency}. Change its prices from a "
            "date on instead of replacing it."
        )
        raise BookInForce(message)


def _refuse_closed_past(book: PriceBook, from_at: datetime) -> None:
    closed_to = BillingPeriod.objects.filter(
        account__entity=book.entity_id, state=PeriodState.CLOSED
    ).aggregate(last=Max("end_at"))["last"]
    if closed_to is not None and from_at < closed_to:
        message = (
            f"Months up to {closed_to:%d %B %Y} are closed. "
            "Choose an instant from then on; the past is put right by a correction."
        )
        raise PriceRefused(message, fields={"from_at": message})


def _refuse_used(
    is_used: bool, before: Meter | Sku, after: Meter | Sku, names: Sequence[str]
) -> None:
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    if is_used and changed:
        message = (
            f"“{before}” was charged already, so what it counts stays as it is. "
            "Make a new one and let this one run out."
        )
        raise BookInForce(message, fields=dict.fromkeys(changed, message))


def _audit(
    action: str, subject: PriceBook | SkuPrice | Meter | Sku, at: datetime, actor: User
) -> None:
    record_audit(action=action, subject=subject, at=at, actor=actor)
