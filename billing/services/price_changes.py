"""Another price from an instant on: prepared by one person, released by another, never edited."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange, NumericRange
from django.db.models import Max

from billing import pricing
from billing.choices import BookStatus, PeriodState, PreparedState, PriceModel
from billing.models import BillingAccount, BillingPeriod, PriceBook, PriceChange, Sku, SkuPrice
from billing.selectors.accounts import lock_accounts
from billing.selectors.prices import lock_book, lock_price_change, lock_prices
from billing.services.accounts import require_issuer
from billing.services.prices import PriceRefused, TwoPeople, refuse_price
from inventory.foundation.errors import Conflict
from inventory.foundation.models import User
from inventory.foundation.trail import emit_event, record_audit

NUMBERS = ("lower", "unit_price", "flat_fee")


class AlreadyDecided(Conflict):
    """What was prepared is released or taken back by now."""

    code = "already_decided"
    title = "This was decided already"


@dataclass(frozen=True)
class NewTier:
    """A price for what is used above `lower`, up to where the next tier starts."""

    lower: Decimal
    unit_price: Decimal
    flat_fee: Decimal = Decimal(0)


@dataclass
class _Plan:
    """What becomes of an item's rows: some end earlier, some never hold, others come in."""

    shortened: list[SkuPrice] = field(default_factory=list)
    new: list[SkuPrice] = field(default_factory=list)
    before: list[SkuPrice] = field(default_factory=list)


def prepare_price_change(
    *,
    book: PriceBook,
    sku: Sku,
    tiers: Sequence[NewTier],
    from_at: datetime,
    reason: str,
    at: datetime,
    actor: User,
    until: datetime | None = None,
    account: BillingAccount | None = None,
    corrects: bool = False,
) -> PriceChange:
    """Write down another price of an item for somebody else to release; nothing changes yet.

    Everything is checked as at the release. Raises PriceRefused.
    """
    require_issuer(actor=actor, entity=book.entity)
    with transaction.atomic():
        fresh = lock_book(pk=book.pk)
        _plan(fresh, sku, account, tiers, from_at, until, corrects=corrects)
        change = PriceChange(
            book=fresh,
            account=account,
            sku=sku,
            from_at=from_at,
            until=until,
            tiers=[
                {
                    "lower": pricing.plain(tier.lower),
                    "unit_price": pricing.plain(tier.unit_price),
                    "flat_fee": pricing.plain(tier.flat_fee),
                }
                for tier in sorted(tiers, key=lambda tier: tier.lower)
            ],
            reason=reason,
            corrects=corrects,
            prepared_by=actor,
            prepared_at=at,
        )
        change.full_clean()
        change.save()
        record_audit(
            action="prepare.price_change",
            subject=change,
            at=at,
            actor=actor,
            changes={"tiers": ["", _text(tiers)], "from": ["", from_at.isoformat()]},
        )
    return change


def release_price_change(*, change: PriceChange, at: datetime, actor: User) -> list[SkuPrice]:
    """Let a prepared price hold from its instant on. Raises TwoPeople, AlreadyDecided, refusals."""
    require_issuer(actor=actor, entity=change.book.entity)
    with transaction.atomic():
        fresh = lock_price_change(pk=change.pk)
        _refuse_decided(fresh)
        new = change_price(
            book=fresh.book,
            sku=fresh.sku,
            tiers=tiers_of(fresh),
            from_at=fresh.from_at,
            until=fresh.until,
            at=at,
            prepared_by=fresh.prepared_by,
            released_by=actor,
            account=fresh.account,
            corrects=fresh.corrects,
        )
        fresh.state, fresh.released_by, fresh.released_at = PreparedState.RELEASED, actor, at
        fresh.save(update_fields=["state", "released_by", "released_at"])
    return new


def withdraw_price_change(*, change: PriceChange, at: datetime, actor: User) -> None:
    """Take a prepared price back; it stays in the list as taken back. Raises AlreadyDecided."""
    require_issuer(actor=actor, entity=change.book.entity)
    with transaction.atomic():
        fresh = lock_price_change(pk=change.pk)
        _refuse_decided(fresh)
        fresh.state = PreparedState.WITHDRAWN
        fresh.save(update_fields=["state"])
        record_audit(action="withdraw.price_change", subject=fresh, at=at, actor=actor)


def tiers_of(change: PriceChange) -> list[NewTier]:
    """Return the tiers of a prepared change."""
    return [
        NewTier(
            lower=Decimal(tier["lower"]),
            unit_price=Decimal(tier["unit_price"]),
            flat_fee=Decimal(tier["flat_fee"]),
        )
        for tier in change.tiers
    ]


def tiers_from(rows: Sequence[Mapping[str, Any]]) -> list[NewTier]:
    """Read tiers from plain data: `lower`, `unit_price`, perhaps `flat_fee`; PriceRefused names."""
    found = []
    for number, row in enumerate(rows, start=1):
        try:
            numbers = {
                name: Decimal(str(row.get(name) or 0))
                for name in ("lower", "unit_price", "flat_fee")
            }
        except (InvalidOperation, AttributeError) as error:
            message = f"Tier {number}: write its start, price and fee as numbers such as 0.112."
            raise PriceRefused(message, fields={"tiers": message}) from error
        found.append(NewTier(**numbers))
    return found


def change_price(
    *,
    book: PriceBook,
    sku: Sku,
    from_at: datetime,
    at: datetime,
    prepared_by: User,
    released_by: User,
    unit_price: Decimal | None = None,
    tiers: Sequence[NewTier] | None = None,
    until: datetime | None = None,
    account: BillingAccount | None = None,
    corrects: bool = False,
) -> list[SkuPrice]:
    """Let another price, or other tiers, hold from an instant on; return the rows that came in.

    What held before ends there, its amount untouched; a tier that stays as it is keeps its row and
    price id. Without `until` it holds up to the next change that is known already. No tiers at all
    end the price. An item that never had a list price gets its first one so. Both people need the
    role finance and must be two. Only `corrects` may reach into a month that an account of the
    entity has closed; the closed months then differ until they are corrected. Raises TwoPeople,
    PriceRefused.
    """
    for person in (prepared_by, released_by):
        require_issuer(actor=person, entity=book.entity)
    if prepared_by.pk == released_by.pk:
        message = "A price is prepared by one person and released by another."
        raise TwoPeople(message)
    if tiers is None:
        tiers = [NewTier(lower=Decimal(0), unit_price=unit_price or Decimal(0))]
    with transaction.atomic():
        fresh = lock_book(pk=book.pk)
        # A close that is under way ends first, so that no month is frozen at the price before.
        payers = BillingAccount.objects.filter(entity=fresh.entity_id)
        lock_accounts(ids=payers.values_list("pk", flat=True))
        plan = _plan(fresh, sku, account, tiers, from_at, until, corrects=corrects)
        for row in plan.shortened:
            row.save(update_fields=["during"])
        for row in plan.new:
            row.full_clean()
            row.save()
        before = ", ".join(_row(row) for row in plan.before)
        subject = next(iter((*plan.new, *plan.shortened)))
        record_audit(
            action="correct.price" if corrects else "change.price",
            subject=subject,
            at=at,
            actor=released_by,
            changes={
                "unit_price": [before, _text(tiers)],
                "from": ["", from_at.isoformat()],
                "until": ["", until.isoformat() if until else ""],
                "prepared_by": ["", str(prepared_by)],
            },
        )
        emit_event(
            type="orchestra.prices.changed",
            subject=subject,
            at=at,
            data={
                "sku": sku.code,
                "from": from_at.isoformat(),
                "before": before,
                "after": _text(tiers),
            },
        )
    return plan.new


def _plan(
    book: PriceBook,
    sku: Sku,
    account: BillingAccount | None,
    tiers: Sequence[NewTier],
    from_at: datetime,
    until: datetime | None,
    *,
    corrects: bool,
) -> _Plan:
    """Return what the change would do to the item's rows; PriceRefused says what is wrong."""
    if book.status != BookStatus.PUBLISHED:
        message = "This price list is a draft: change the price itself, then release the list."
        raise PriceRefused(message)
    if until is not None and until <= from_at:
        message = "The end must be after the start."
        raise PriceRefused(message, fields={"until": message})
    if not corrects:
        _refuse_closed_past(book, from_at)
    rows = [
        row for row in lock_prices(book=book, sku=sku, account=account) if not row.during.isempty
    ]
    later = [row.during.lower for row in rows if row.during.lower > from_at]
    limit = until or min(later, default=None)
    touched = [
        row
        for row in rows
        if (limit is None or row.during.lower < limit)
        and (row.during.upper is None or row.during.upper > from_at)
    ]
    if not touched and (rows or account is not None):
        message = f"“{sku}” has no price in this list that holds just before {from_at:%d %B %Y}."
        raise PriceRefused(message, fields={"from_at": message})
    wanted = _rows(book, sku, account, tiers, from_at, limit)
    plan = _Plan(before=touched)
    kept = set()
    for row in touched:
        same = next((new for new in wanted if _is_same(row, new)), None)
        reaches = row.during.upper == limit
        if same is not None and row.during.lower <= from_at and reaches:
            kept.add(id(same))
            continue
        _shorten(plan, row, from_at, limit)
    plan.new = [row for row in wanted if id(row) not in kept] + plan.new
    if not plan.new and not plan.shortened:
        message = f"“{sku}” has this price already. Enter another one."
        raise PriceRefused(message, fields={"tiers": message, "unit_price": message})
    return plan


def _shorten(plan: _Plan, row: SkuPrice, from_at: datetime, limit: datetime | None) -> None:
    """Let a row end at the instant, or never hold; after the limit it goes on as a new row."""
    upper = row.during.upper
    if limit is not None and (upper is None or upper > limit):
        plan.new.append(
            SkuPrice(
                book=row.book,
                account=row.account,
                sku=row.sku,
                tier=row.tier,
                during=DateTimeTZRange(limit, upper),
                unit_price=row.unit_price,
                flat_fee=row.flat_fee,
            )
        )
    row.during = (
        DateTimeTZRange(row.during.lower, from_at)
        if row.during.lower < from_at
        else DateTimeTZRange(empty=True)
    )
    plan.shortened.append(row)


def _rows(
    book: PriceBook,
    sku: Sku,
    account: BillingAccount | None,
    tiers: Sequence[NewTier],
    from_at: datetime,
    limit: datetime | None,
) -> list[SkuPrice]:
    """Return the new rows, checked: they start at zero and each ends where the next starts."""
    ordered = sorted(tiers, key=lambda tier: tier.lower)
    problem = ""
    if ordered and ordered[0].lower != 0:
        problem = f"The first tier of “{sku}” starts at 0, so that every quantity has a price."
    elif len({tier.lower for tier in ordered}) < len(ordered):
        problem = f"Two tiers of “{sku}” start at the same quantity. Let each start higher."
    elif len(ordered) > 1 and sku.model != PriceModel.GRADUATED:
        problem = f"“{sku}” has one price for every quantity. Enter one tier, from 0 on."
    if problem:
        raise PriceRefused(problem, fields={"tiers": problem})
    uppers: list[Decimal | None] = [*(tier.lower for tier in ordered[1:]), None]
    found = [
        SkuPrice(
            book=book,
            account=account,
            sku=sku,
            tier=NumericRange(tier.lower, upper),
            during=DateTimeTZRange(from_at, limit),
            unit_price=tier.unit_price,
            flat_fee=tier.flat_fee,
        )
        for tier, upper in zip(ordered, uppers, strict=True)
    ]
    for row in found:
        refuse_price(row)
    return found


def _is_same(row: SkuPrice, new: SkuPrice) -> bool:
    return (row.tier.lower, row.tier.upper, row.unit_price, row.flat_fee) == (
        new.tier.lower,
        new.tier.upper,
        new.unit_price,
        new.flat_fee,
    )


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


def _refuse_decided(change: PriceChange) -> None:
    if change.state != PreparedState.PREPARED:
        message = f"This change is {PreparedState(change.state).label.lower()} already."
        raise AlreadyDecided(message)


def _row(row: SkuPrice) -> str:
    return _tier_text(row.tier.lower or Decimal(0), row.unit_price, row.flat_fee)


def _text(tiers: Sequence[NewTier]) -> str:
    return ", ".join(_tier_text(tier.lower, tier.unit_price, tier.flat_fee) for tier in tiers)


def _tier_text(lower: Decimal, unit_price: Decimal, fee: Decimal) -> str:
    start = f"from {pricing.plain(lower)}: " if lower else ""
    more = f" + {pricing.plain(fee)}" if fee else ""
    return f"{start}{pricing.plain(unit_price)}{more}"
