"""Money over time: what something cost by day or month, and how a budget has been used up."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import F, Max, Min, Q, QuerySet

from billing.models import Budget, Charge, ProjectBilling
from billing.selectors.accounts import account_of
from billing.selectors.charges import CostRow, Every, costs_by
from billing.selectors.costs import billing_zone
from inventory.foundation.models import Project, User
from inventory.foundation.periods import day_start, next_month, previous_month, zone_named
from inventory.foundation.permissions import Action, projects_where

DAYS_AT_MOST = 62  # a shorter life is drawn day by day
MONTHS = 12
CENT = Decimal("0.01")
RECENT = timedelta(days=30)  # the pace that a budget's end is told from


@dataclass(frozen=True)
class CostHistory:
    """Exact sums in one currency for each of `starts` (days or months) and each group.

    `as_of` ends the last charge: what came after is not counted yet. None: nothing was charged.
    """

    every: Every
    starts: tuple[date, ...]
    rows: tuple[CostRow, ...]
    currency: str
    as_of: datetime | None

    @property
    def totals(self) -> dict[str, Decimal]:
        """Return the exact sum of each group by its key, the largest first."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.rows:
            sums[row.key] += row.amount
        return dict(sorted(sums.items(), key=lambda pair: (-pair[1], pair[0])))

    def sums(self) -> list[Decimal]:
        """Return the exact sum of each start."""
        found = {start: Decimal(0) for start in self.starts}
        for row in self.rows:
            if row.start in found:
                found[row.start] += row.amount
        return list(found.values())


def cost_history(*, charges: QuerySet[Charge], by: str, at: datetime) -> CostHistory:
    """Return what the charges come to by `by`, from the first of them to the last before `at`.

    By day while that is at most two months, then by month, the last twelve. Of several currencies
    the first in alphabetical order. Three queries.
    """
    bounds = charges.order_by().aggregate(
        first=Min("charge_start"), last=Max("charge_end"), currency=Min("currency")
    )
    if bounds["first"] is None:
        return CostHistory(every="day", starts=(), rows=(), currency="", as_of=None)
    zone = zone_named(billing_zone(charges=charges))
    first, last = (
        bounds["first"].astimezone(zone).date(),
        min(at, bounds["last"]).astimezone(zone).date(),
    )
    inside = charges.filter(currency=bounds["currency"])
    if (last - first).days > DAYS_AT_MOST:
        return _monthly(inside, by, last.replace(day=1), bounds, since=first.replace(day=1))
    days = max((last - first).days, 0) + 1
    return CostHistory(
        every="day",
        starts=tuple(first + timedelta(days=offset) for offset in range(days)),
        rows=tuple(costs_by(charges=inside, by=by, every="day")),
        currency=bounds["currency"],
        as_of=bounds["last"],
    )


def year_of_costs(*, charges: QuerySet[Charge], by: str, last: date, currency: str) -> CostHistory:
    """Return the charges of the twelve months that end with `last`, by month and `by`."""
    inside = charges.filter(currency=currency)
    bounds = inside.filter(period__month__lte=last).aggregate(last=Max("charge_end"))
    return _monthly(inside, by, last, bounds | {"currency": currency})


def _monthly(
    charges: QuerySet[Charge],
    by: str,
    last: date,
    bounds: dict[str, object],
    since: date = date.min,
) -> CostHistory:
    months = [last]
    while len(months) < MONTHS and months[-1] > since:
        months.append(previous_month(months[-1]))
    months.reverse()
    inside = charges.filter(period__month__gte=months[0], period__month__lte=last)
    return CostHistory(
        every="month",
        starts=tuple(months),
        rows=tuple(costs_by(charges=inside, by=by, every="month")),
        currency=str(bounds["currency"]),
        as_of=bounds["last"],  # type: ignore[arg-type]
    )


def budget_by_month(
    *, budgets: QuerySet[Budget], months: Sequence[date], currency: str
) -> list[Decimal | None]:
    """Return what the budgets allow in each month together, to the cent; None where none holds.

    A budget is spread evenly over its days.
    """
    allowed: list[Decimal | None] = []
    rows = list(
        budgets.filter(
            is_current=True,
            currency=currency,
            during__overlap=(months[0], next_month(months[-1])),
        )
    )
    for month in months:
        parts = []
        for budget in rows:
            days = (budget.during.upper - budget.during.lower).days
            start = max(budget.during.lower, month)
            end = min(budget.during.upper, next_month(month))
            if end > start:
                parts.append(budget.amount * (end - start).days / days)
        allowed.append(sum(parts, Decimal(0)).quantize(CENT) if parts else None)
    return allowed


@dataclass(frozen=True)
class BudgetCourse:
    """What a budget had left at the start of each of `days`, the day of its end included.

    `left` is None after `as_of`; `even` is what would be left were it spent evenly. `runs_out` is
    the first day on which nothing is left at the pace of the last 30 days, None when it lasts.
    """

    budget: Budget
    days: tuple[date, ...]
    left: tuple[Decimal | None, ...]
    even: tuple[Decimal, ...]
    as_of: datetime | None
    runs_out: date | None


def current_budgets(*, project: Project, at: datetime) -> list[Budget]:
    """Return the budgets that bind the project at the instant, its own before its account's."""
    account = account_of(project=project, at=at)
    if account is None:
        return []
    today = at.astimezone(zone_named(account.entity.zone)).date()
    budgets = Budget.objects.filter(
        Q(project=project) | Q(project=None),
        account=account,
        is_current=True,
        during__contains=today,
    ).select_related("account__entity")
    return list(budgets.order_by(F("project").asc(nulls_last=True), "pk"))


def budgets_shown(*, user: User, at: datetime) -> QuerySet[Budget]:
    """Return the current budgets that bind a project whose costs the person may see."""
    projects = projects_where(user, Action.COST_VIEW)
    paying = ProjectBilling.objects.filter(project__in=projects, during__contains=at)
    return Budget.objects.filter(
        Q(project__in=projects) | Q(project=None, account__in=paying.values("account_id")),
        is_current=True,
    ).select_related("account__entity")


def budget_course(*, budget: Budget, at: datetime) -> BudgetCourse:
    """Return how the budget has been used up by what was charged. Two queries."""
    zone = budget.account.entity.zone
    first, end = budget.during.lower, budget.during.upper
    charges = Charge.objects.filter(
        Q(project=budget.project_id) if budget.project_id else Q(),
        account=budget.account_id,
        currency=budget.currency,
        charge_start__gte=day_start(first, zone),
        charge_start__lt=day_start(end, zone),
    )
    as_of = charges.aggregate(last=Max("charge_end"))["last"]
    known = min(at, as_of).astimezone(zone_named(zone)).date() if as_of else None
    spent = {row.start: row.amount for row in _daily(charges)}
    total = (end - first).days
    days = tuple(first + timedelta(days=offset) for offset in range(total + 1))
    left: list[Decimal | None] = []
    rest = budget.amount
    for day in days:
        left.append(rest.quantize(CENT) if known and day <= known else None)
        rest -= spent.get(day, Decimal(0))
    return BudgetCourse(
        budget=budget,
        days=days,
        left=tuple(left),
        even=tuple(
            (budget.amount * (total - offset) / total).quantize(CENT) for offset in range(total + 1)
        ),
        as_of=as_of,
        runs_out=_runs_out(dict(zip(days, left, strict=True)), known, end),
    )


def _daily(charges: QuerySet[Charge]) -> list[CostRow]:
    return costs_by(charges=charges, by="account", every="day")


def _runs_out(left: dict[date, Decimal | None], known: date | None, end: date) -> date | None:
    """Return the day on which nothing is left, at the pace of up to 30 days before `known`."""
    if known is None:
        return None
    now = left.get(known)
    if now is None:
        return None
    if now <= 0:
        return min(day for day, amount in left.items() if amount is not None and amount <= 0)
    since = max(known - RECENT, min(left))
    before = left[since]
    if before is None or known == since or before <= now:
        return None
    days = int(now * (known - since).days / (before - now))
    return known + timedelta(days=days) if days < (end - known).days else None
