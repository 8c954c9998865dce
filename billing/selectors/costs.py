"""The report behind the costs page: sums over months by what for, and how complete they are."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet

from billing import pricing
from billing.choices import PeriodState, Rounding
from billing.models import BillingAccount, BillingPeriod, Charge
from billing.selectors.charges import CostRow, costs_by
from inventory.foundation.periods import next_month, previous_month, zone_named

DAYS_AT_MOST = 2  # months that are drawn day by day; more are drawn month by month


@dataclass(frozen=True)
class CostLine:
    """What one group (a project, a service …) cost.

    `printed` is rounded so that the lines add up to the report's printed total; `share` is in per
    cent of it. `before` is the exact cost over the same days of the months before, `change` how
    much more the whole days of these months cost.
    """

    key: str
    name: str
    exact: Decimal
    printed: Decimal
    share: Decimal
    before: Decimal
    change: Decimal

    @property
    def compared(self) -> Decimal:
        """What the whole days of these months cost, the other side of `before`."""
        return self.before + self.change


@dataclass(frozen=True)
class Completeness:
    """Up to when the ledger is complete: `as_of` None when all months are closed.

    `closed` of `periods` are closed; `failures` says in words what could not be priced.
    """

    periods: int
    closed: int
    as_of: datetime | None
    failures: tuple[str, ...]
    accounts: tuple[BillingAccount, ...]
    zones: tuple[str, ...]


@dataclass(frozen=True)
class CostReport:
    """The costs of [first, last] (months, both included) in one currency.

    `rows` are the sums by day or month and group, exact; `lines` the groups, the largest first;
    `days` says how many whole days the comparison is over; not `has_before`: nothing at all was
    charged in the months before, so that there is nothing to compare with.
    """

    by: str
    every: str
    first: date
    last: date
    currency: str
    currencies: tuple[str, ...]
    rows: tuple[CostRow, ...]
    lines: tuple[CostLine, ...]
    total: Decimal
    printed_total: Decimal
    before: Decimal
    change: Decimal
    days: int
    completeness: Completeness
    has_before: bool = True

    @property
    def compared(self) -> Decimal:
        """What the whole days of these months cost, the other side of `before`."""
        return self.before + self.change


def cost_report(
    *, charges: QuerySet[Charge], by: str, first: date, last: date, currency: str = ""
) -> CostReport:
    """Return the report over the charges of the months `first` to `last`, grouped by `by`.

    Currencies are never added up: without one the first in alphabetical order is reported.
    """
    inside = charges.filter(period__month__gte=first, period__month__lte=last)
    currencies = tuple(
        inside.order_by("currency").values_list("currency", flat=True).distinct("currency")
    )
    chosen = currency or (currencies[0] if currencies else "")
    inside = inside.filter(currency=chosen)
    completeness = completeness_of(charges=inside, first=first, last=last)
    until = _whole_days_until(completeness, last)
    daily = costs_by(charges=inside, by=by, every="day")
    earlier_first, earlier_last, earlier_until = _months_before(first, last, until)
    earlier = charges.filter(
        period__month__gte=earlier_first, period__month__lte=earlier_last, currency=chosen
    )
    earlier_daily = costs_by(charges=earlier, by=by, every="day")
    before = _sums(earlier_daily, earlier_first, earlier_until)
    exact = _sums(daily)
    whole_days = _sums(daily, first, until)
    total = pricing.total(list(exact.values()))
    rounding = completeness.accounts[0].entity.rounding if completeness.accounts else ""
    printed_total = pricing.round_money(total, rounding=rounding or Rounding.HALF_UP)
    names = {row.key: row.name for row in (*earlier_daily, *daily)}
    every = "day" if _months(first, last) <= DAYS_AT_MOST else "month"
    lines = _lines(names, exact, before, whole_days, printed_total)
    return CostReport(
        by=by,
        every=every,
        first=first,
        last=last,
        currency=chosen,
        currencies=currencies,
        rows=tuple(daily if every == "day" else costs_by(charges=inside, by=by, every="month")),
        lines=tuple(lines),
        total=total,
        printed_total=printed_total,
        before=pricing.total(list(before.values())),
        change=pricing.total(list(whole_days.values())) - pricing.total(list(before.values())),
        days=(until - first).days,
        completeness=completeness,
        has_before=bool(earlier_daily),
    )


def billing_zone(*, charges: QuerySet[Charge]) -> str:
    """Return the zone that the charges' months are cut in; UTC where there are none yet."""
    accounts = BillingAccount.objects.filter(pk__in=charges.order_by().values("account_id"))
    return accounts.order_by("pk").values_list("entity__zone", flat=True).first() or "UTC"


def completeness_of(*, charges: QuerySet[Charge], first: date, last: date) -> Completeness:
    """Return how far the months of the accounts behind the charges are rated and closed."""
    periods = list(
        BillingPeriod.objects.filter(
            month__gte=first, month__lte=last, account__in=charges.order_by().values("account_id")
        )
        .select_related("account__entity")
        .order_by("account__name", "month")
    )
    running = [period for period in periods if period.state != PeriodState.CLOSED]
    accounts = {period.account_id: period.account for period in periods}
    return Completeness(
        periods=len(periods),
        closed=len(periods) - len(running),
        as_of=min((period.rated_to or period.start_at for period in running), default=None),
        failures=tuple(
            f"{period.account}: {period.failure}" for period in running if period.failure
        ),
        accounts=tuple(accounts.values()),
        zones=tuple(sorted({account.entity.zone for account in accounts.values()})),
    )


def _months(first: date, last: date) -> int:
    return (last.year - first.year) * 12 + last.month - first.month + 1


def _whole_days_until(completeness: Completeness, last: date) -> date:
    """Return the day before which every day is complete."""
    end = next_month(last)
    if completeness.as_of is None:
        return end
    zone = completeness.zones[0]
    return min(end, completeness.as_of.astimezone(zone_named(zone)).date())


def _months_before(first: date, last: date, until: date) -> tuple[date, date, date]:
    """Return the same number of months before, and the day up to which to compare there."""
    earlier = first
    for _step in range(_months(first, last)):
        earlier = previous_month(earlier)
    if until == next_month(last):
        return earlier, previous_month(first), first
    same_days = earlier + timedelta(days=max((until - first).days, 0))
    return earlier, previous_month(first), min(same_days, first)


def _sums(
    rows: Sequence[CostRow], first: date | None = None, until: date | None = None
) -> dict[str, Decimal]:
    """Add up the rows of [first, until) by key."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if (
            row.start is not None
            and (first is None or row.start >= first)
            and (until is None or row.start < until)
        ):
            sums[row.key] += row.amount
    return sums


def _lines(
    names: Mapping[str, str],
    exact: Mapping[str, Decimal],
    before: Mapping[str, Decimal],
    whole_days: Mapping[str, Decimal],
    printed_total: Decimal,
) -> list[CostLine]:
    ordered = sorted({*exact, *before}, key=lambda key: (-exact.get(key, 0), names[key], key))
    if not ordered:
        return []
    printed = pricing.round_to_total(
        total=printed_total, amounts={key: exact.get(key, Decimal(0)) for key in ordered}
    )
    return [
        CostLine(
            key=key,
            name=names[key],
            exact=exact.get(key, Decimal(0)),
            printed=printed[key],
            share=(
                (printed[key] * 100 / printed_total).quantize(Decimal("0.1"))
                if printed_total
                else Decimal(0)
            ),
            before=before.get(key, Decimal(0)),
            change=whole_days.get(key, Decimal(0)) - before.get(key, Decimal(0)),
        )
        for key in ordered
    ]
