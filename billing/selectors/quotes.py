"""What an order would cost: the same rules as the bill, before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils import timezone

from billing import pricing
from billing.choices import PriceBase, PriceModel, TierScope
from billing.models import BillingAccount
from billing.selectors.accounts import account_of
from billing.selectors.prices import (
    NoAccount,
    NoPrice,
    PricedSku,
    PricedStretch,
    PriceTable,
    hours_of,
    is_over_time,
    level_of,
    price_table,
    tiers_at,
)
from inventory.foundation.models import Project
from inventory.foundation.periods import month_bounds, month_of
from inventory.models import ResourceClass

HOURLY_STEP = Decimal("0.000001")


@dataclass(frozen=True)
class QuoteLine:
    """Resources of one kind: what one of them holds (class name → amount), and how many."""

    kind: str
    amounts: Mapping[str, int]
    count: int
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True)
class QuotedTier:
    """What a whole month of a line comes to in one tier: above `lower`, up to `upper`."""

    lower: Decimal
    upper: Decimal | None
    unit_price: Decimal
    quantity: Decimal
    fee: Decimal


@dataclass(frozen=True)
class QuotedLine:
    """One price item of a quote; `quantity` is the level of all copies, in `unit`.

    `unit_price` is for `base` (an hour or a month) and holds at the start; `monthly` and `term`
    are exact. Where the price depends on how much is used, `unit_price` is that of the first tier
    and `tiers` is what the month comes to in each.
    """

    kind: str
    sku: str
    name: str
    price_id: int
    quantity: Decimal
    unit: str
    unit_price: Decimal
    base: str
    monthly: Decimal
    term: Decimal | None
    tiers: tuple[QuotedTier, ...] = ()


@dataclass(frozen=True)
class Quote:
    """An estimate at the prices that are published now; not a promise.

    Graduated prices are counted from their first tier, in each month anew and for what is asked
    alone: what else the account uses decides the tier of the bill (docs/adr/0027).

    `monthly` is the whole calendar month of the start in the billing zone, with its
    `monthly_hours`; `hourly` is an hour in that month (month prices spread over it, six decimals);
    `term` is from start to end, exactly what the bill would say, None without an end.
    """

    currency: str
    hourly: Decimal
    monthly: Decimal
    monthly_hours: Decimal
    term: Decimal | None
    term_hours: Decimal | None
    lines: tuple[QuotedLine, ...]
    account: BillingAccount

    def as_dict(self) -> dict[str, Any]:
        """Return JSON: decimals as plain text, the account by its number."""
        document = {
            "currency": self.currency,
            "hourly": self.hourly,
            "monthly": self.monthly,
            "monthly_hours": self.monthly_hours,
            "term": self.term,
            "term_hours": self.term_hours,
            "account": self.account.code,
            "lines": [asdict(line) for line in self.lines],
        }
        texts: dict[str, Any] = _as_text(document)
        return texts


def quote(
    *,
    project: Project,
    lines: Sequence[QuoteLine],
    start: datetime,
    end: datetime | None,
) -> Quote:
    """Return what the lines cost from `start` on, at the prices of the project's account.

    Raises NoAccount when nobody pays for the project at the start, NoPrice when a line has no
    price at all or an item of it has none for a part of the time. Five queries.
    """
    account = account_of(project=project, at=start)
    if account is None:
        day = timezone.localtime(start)
        message = (
            f"Nobody pays for the project “{project}” on {day:%d %B %Y}. "
            "Ask finance to name its paying account."
        )
        raise NoAccount(message, details={"project": project.slug})
    month_start, month_end = month_bounds(month_of(start, account.entity.zone), account.entity.zone)
    table = price_table(account=account, start=start, end=end or month_end)
    names = {name for line in lines for name in line.amounts}
    class_ids = dict(ResourceClass.objects.filter(name__in=names).values_list("name", "id"))
    used: _Used = {}
    quoted = [
        _quoted_line(table, line, item, level, start, end, used)
        for line in lines
        for item, level in _priced(table, line, class_ids)
    ]
    monthly = pricing.total([line.monthly for line in quoted])
    hours = hours_of(start=month_start, end=month_end)
    return Quote(
        currency=account.currency,
        hourly=pricing.on_grid(Fraction(monthly) / Fraction(hours), HOURLY_STEP),
        monthly=monthly,
        monthly_hours=hours,
        term=pricing.total([line.term or Decimal(0) for line in quoted]) if end else None,
        term_hours=hours_of(start=start, end=end) if end else None,
        lines=tuple(quoted),
        account=account,
    )


def _priced(
    table: PriceTable, line: QuoteLine, class_ids: Mapping[str, int]
) -> list[tuple[PricedSku, Fraction]]:
    """Return the items that price one resource of the line, each with its level."""
    found = [
        (item, level_of(sku=item.sku, amount=1))
        for item in (
            *table.counted(kind=line.kind, traits=line.traits),
            *(
                item
                for item in table.in_states(kind=line.kind, traits=line.traits)
                if item.sku.meter is not None and item.sku.meter.state == "running"
            ),
        )
    ]
    for name, amount in sorted(line.amounts.items()):
        if amount and name in class_ids:
            found += [
                (item, level_of(sku=item.sku, amount=amount))
                for item in table.held(
                    resource_class_id=class_ids[name], kind=line.kind, traits=line.traits
                )
            ]
    priced = [(item, level) for item, level in found if is_over_time(item.sku)]
    if not priced:
        message = f"“{line.kind}” has no price in {table.currency}. Ask finance to publish one."
        raise NoPrice(message, details={"kind": line.kind})
    return priced


# What the lines before use of an item in a month (None: in a whole month of the start).
type _Used = dict[tuple[int, date | None], Decimal]


def _quoted_line(
    table: PriceTable,
    line: QuoteLine,
    item: PricedSku,
    level: Fraction,
    start: datetime,
    end: datetime | None,
    used: _Used,
) -> QuotedLine:
    month_start, month_end = month_bounds(month_of(start, table.zone), table.zone)
    found, tiers, list_tiers = tiers_at(item, start, table.zone)
    month = PricedStretch(
        sku=found.sku,
        start=month_start,
        end=month_end,
        month=month_of(start, table.zone),
        month_start=month_start,
        month_end=month_end,
        price=tiers[0],
        listed=list_tiers[0],
        tiers=tiers,
        list_tiers=list_tiers,
        step=(
            found.step(month_start, month_end)
            if found.is_graduated
            else pricing.quantity_step(tiers[0].unit_price, list_tiers[0].unit_price)
        ),
        seconds=pricing.base_seconds(
            base=found.sku.base, month_start=month_start, month_end=month_end
        ),
    )
    before = used.get((found.sku.pk, None), Decimal(0))
    monthly = _cost(month, level, line.count, used, None)
    term = None
    if end is not None:
        term = pricing.total(
            [
                _cost(cut, level, line.count, used, cut.month)
                for cut in table.stretches(item, start=start, end=end)
            ]
        )
    return QuotedLine(
        kind=line.kind,
        sku=found.sku.code,
        name=found.sku.name,
        price_id=tiers[0].pk,
        quantity=pricing.on_grid(level * line.count, Decimal("0.000001")),
        unit=found.sku.meter.unit if found.sku.meter else found.sku.pricing_unit,
        unit_price=tiers[0].unit_price,
        base=PriceBase(found.sku.base).value,
        monthly=monthly,
        term=term,
        tiers=_tiers(month, level, line.count, before) if found.is_graduated else (),
    )


def _cost(
    cut: PricedStretch, level: Fraction, count: int, used: _Used, month: date | None
) -> Decimal:
    """Return what `count` copies of the level cost over the stretch, and note what they use."""
    one, copies = cut.quantity(level), Decimal(count)
    if cut.sku.model != PriceModel.GRADUATED or cut.sku.tier_scope == TierScope.RESOURCE:
        return pricing.multiply(cut.cost(one), copies)
    key = (cut.sku.pk, month)
    before, all_copies = used.get(key, Decimal(0)), pricing.multiply(one, copies)
    used[key] = before + all_copies
    return cut.cost(all_copies, before)


def _tiers(
    cut: PricedStretch, level: Fraction, count: int, before: Decimal
) -> tuple[QuotedTier, ...]:
    quantity, times = pricing.multiply(cut.quantity(level), Decimal(count)), Decimal(1)
    if cut.sku.tier_scope == TierScope.RESOURCE:
        quantity, times, before = cut.quantity(level), Decimal(count), Decimal(0)
    return tuple(
        QuotedTier(
            lower=part.lower,
            upper=part.upper,
            unit_price=part.price.unit_price,
            quantity=pricing.multiply(part.quantity, times),
            fee=pricing.multiply(part.fee, times),
        )
        for part in cut.parts(quantity, before)
    )


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_text(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_text(inner) for inner in value]
    return pricing.plain(value) if isinstance(value, Decimal) else value
