"""Price lists: prepared by one person, released by another, never edited afterwards."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import Q

from billing import pricing
from billing.choices import (
    Aggregation,
    BookStatus,
    MeterSource,
    PriceBase,
    PriceModel,
)
from billing.models import IssuingEntity, Meter, PriceBook, Sku, SkuPrice
from billing.selectors.prices import lock_book
from billing.services.accounts import require_issuer
from inventory.foundation.errors import Conflict, Forbidden, InvalidInput
from inventory.foundation.models import AuditEvent, User
from inventory.foundation.permissions import (
    Action,
    organisations_where,
    parents_of_organisations,
    require_anywhere,
)
from inventory.foundation.trail import emit_event, record_audit
from inventory.models import Trait

ALL_QUANTITIES = NumericRange(Decimal(0), None)
RATED = frozenset({PriceModel.STANDARD, PriceModel.GRADUATED})


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
        refuse_price(price)
        _refuse_overlap(price)
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
            refuse_price(price)
        _refuse_gaps(prices)
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


def save_meter(*, meter: Meter, at: datetime, actor: User) -> Meter:
    """Create or change what is counted; what is priced already keeps source, scale and class.

    All share it, so only who manages the money of everybody that it is priced for may change it.
    """
    require_anywhere(actor, Action.MONEY_MANAGE)
    with transaction.atomic():
        is_new = meter.pk is None
        if not is_new:
            _require_all(actor, meter, "meter", Q(price_books__prices__sku__meter=meter.pk))
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
    """Create or change a price item; one that was charged keeps what its price means.

    All share it, so only who manages the money of everybody that it is priced for may change it.
    """
    require_anywhere(actor, Action.MONEY_MANAGE)
    with transaction.atomic():
        is_new = sku.pk is None
        if not is_new:
            _require_all(actor, sku, "sku", Q(price_books__prices__sku=sku.pk))
            before = Sku.objects.get(pk=sku.pk)
            _refuse_used(
                before.charges.exists(),
                before,
                sku,
                (
                    "code",
                    "meter_id",
                    "base",
                    "model",
                    "resource_kind",
                    "tier_scope",
                    "fee_without_use",
                ),
            )
        sku.full_clean()
        sku.save()
        _audit("create.sku" if is_new else "edit.sku", sku, at, actor)
    return sku


def set_sku_traits(*, sku: Sku, traits: Sequence[Trait], at: datetime, actor: User) -> None:
    """Let the item price only what was asked with all these properties. Raises BookInForce."""
    require_anywhere(actor, Action.MONEY_MANAGE)
    with transaction.atomic():
        _require_all(actor, sku, "sku", Q(price_books__prices__sku=sku.pk))
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


def refuse_price(price: SkuPrice) -> None:
    """Raise PriceRefused for a price that no rule can rate, or not exactly."""
    sku, problem, name = price.sku, "", "unit_price"
    meter, graduated = sku.meter, sku.model == PriceModel.GRADUATED
    if sku.model not in RATED:
        problem = f"“{sku}”: only a price per unit or prices by tier can be charged so far."
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
    elif price.package_size or (price.flat_fee and not graduated):
        problem, name = f"“{sku}”: a price per unit has no fee and no package size.", "flat_fee"
    elif problem := _tier_problem(price, graduated=graduated):
        name = "tier"
    if problem:
        raise PriceRefused(problem, fields={name: problem})


def _tier_problem(price: SkuPrice, *, graduated: bool) -> str:
    tier = price.tier
    if isinstance(tier, (tuple, list)):
        tier = NumericRange(*tier)
    lower, upper = tier.lower, tier.upper
    if not graduated:
        whole = not tier.isempty and not lower and upper is None
        return (
            ""
            if whole
            else f"“{price.sku}” has one price for every quantity: its tier is from 0 without end."
        )
    if tier.isempty or lower is None or lower < 0 or (upper is not None and upper <= lower):
        return f"“{price.sku}”: a tier starts at 0 or more and ends above its start."
    for bound in (lower, upper):
        if bound is not None and bound != round(bound, pricing.BOUND_DECIMALS):
            return (
                f"“{price.sku}”: where a tier ends has at most {pricing.BOUND_DECIMALS} decimals."
            )
    return ""


def _refuse_overlap(price: SkuPrice) -> None:
    other = (
        SkuPrice.objects.filter(
            book=price.book_id,
            account=price.account_id,
            sku=price.sku_id,
            tier__overlap=price.tier,
            during__overlap=price.during,
        )
        .exclude(pk=price.pk)
        .first()
    )
    if other is not None:
        message = (
            f"“{price.sku}” has a price {_bounds(other.tier.lower, other.tier.upper)} at that time "
            "already. Let one of the two end where the other starts."
        )
        raise PriceRefused(message, fields={"tier": message})


def _refuse_gaps(prices: Sequence[SkuPrice]) -> None:
    """Refuse a list in which some quantity of an item has no price while others have one."""
    shelves: dict[tuple[int, int | None], list[SkuPrice]] = {}
    for price in prices:
        shelves.setdefault((price.sku_id, price.account_id), []).append(price)
    for rows in shelves.values():
        edges = {row.during.lower for row in rows} | {row.during.upper for row in rows}
        for edge in sorted(edge for edge in edges if edge is not None):
            holding = [row for row in rows if edge in row.during]
            gaps = pricing.tier_gaps(
                [pricing.Tier(row.tier.lower, row.tier.upper, row.unit_price) for row in holding]
            )
            if holding and gaps:
                message = (
                    f"“{rows[0].sku}” has no price {_bounds(*gaps[0])} from {edge:%d %B %Y} on. "
                    "Add a tier there, or let the tier before it go on."
                )
                raise PriceRefused(message, fields={"tier": message})


def _bounds(lower: Decimal, upper: Decimal | None) -> str:
    if upper is None:
        return f"from {pricing.plain(lower)} on"
    return f"from {pricing.plain(lower)} to {pricing.plain(upper)}"


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


def _require_all(actor: User, shared: Meter | Sku, noun: str, prices_it: Q) -> None:
    """Refuse a change of what others price, or made and have not priced yet.

    A meter and a price item belong to no organisation. Whoever's price lists name it must all be
    the actor's to manage; before any does, it is its maker's, and that of finance everywhere.
    """
    entities = list(IssuingEntity.objects.filter(prices_it).distinct())
    if not entities:
        is_theirs = AuditEvent.objects.filter(
            action=f"create.{noun}",
            object_type=shared._meta.label_lower,
            object_id=str(shared.pk),
            actor=actor,
        ).exists()
        if is_theirs or organisations_where(actor, Action.MONEY_MANAGE) >= {
            *parents_of_organisations()
        }:
            return
    elif all(_issues(actor, entity) for entity in entities):
        return
    message = (
        f"“{shared}” is used by others too, and you manage the money of only some of them. Make "
        "one of your own, or ask an administrator to change this one."
    )
    raise Forbidden(message)


def _issues(actor: User, entity: IssuingEntity) -> bool:
    try:
        require_issuer(actor=actor, entity=entity)
    except Forbidden:
        return False
    return True


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
