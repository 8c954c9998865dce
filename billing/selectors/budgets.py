"""What may be spent, what was, and what is promised already."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum

from billing import pricing
from billing.choices import PeriodState, PriceModel
from billing.models import BillingAccount, BillingPeriod, Budget, Charge
from billing.selectors.accounts import account_of, by_window, paid_stretches
from billing.selectors.prices import NoPrice, PriceTable, is_over_time, level_of, price_table
from billing.selectors.usage import Usage, booked_usage, items_for, metered_usage
from inventory.foundation.models import Project
from inventory.foundation.periods import day_start, zone_named


@dataclass(frozen=True)
class BudgetState:
    """A budget at an instant; all amounts exact, in `currency`.

    `actual` is what was charged in the budget's days, and used since the last rating; `committed`
    is what runs or is booked, from now to the earlier of its end and the budget's; `free` is what
    is left, below zero when it is overrun. `unpriced` names kinds that have no price and so are in
    neither.
    """

    budget: Budget
    amount: Decimal
    actual: Decimal
    committed: Decimal
    free: Decimal
    action: str
    currency: str
    unpriced: tuple[str, ...] = ()

    @property
    def spoken_for(self) -> Decimal:
        """Return what the budget has lost: charged, used and promised."""
        return self.actual + self.committed


# What is promised beside what runs and is booked, by project id and currency.
Promises = Mapping[tuple[int, str], Decimal]


def budget_state(
    *, project: Project, at: datetime, promised: Callable[[], Promises] = dict
) -> BudgetState | None:
    """Return the budget that binds the project at the instant, None when there is none.

    A project's own budget and its account's may both hold: the one with less left binds. `promised`
    is asked, where there is a budget, for what the caller knows to be promised; it counts as
    committed.
    """
    account = account_of(project=project, at=at)
    if account is None:
        return None
    budgets = list(_budgets_of(project, account, at))
    if not budgets:
        return None
    beside = promised()
    states = [_state(budget, account, at, beside) for budget in budgets]
    return min(states, key=lambda state: (state.free, state.budget.pk))


def lock_budgets(*, project: Project, at: datetime) -> list[Budget]:
    """Lock the budgets that bind the project, in primary-key order, before they are asked.

    Until the caller's transaction ends nobody else takes from them, so two decisions cannot both
    spend what is left.
    """
    account = account_of(project=project, at=at)
    if account is None:
        return []
    return list(_budgets_of(project, account, at).select_for_update(of=("self",), no_key=True))


def _budgets_of(project: Project, account: BillingAccount, at: datetime) -> QuerySet[Budget]:
    today = at.astimezone(zone_named(account.entity.zone)).date()
    return Budget.objects.filter(
        Q(project=project) | Q(project=None),
        account=account,
        is_current=True,
        during__contains=today,
    ).order_by("pk")


def _state(
    budget: Budget,
    account: BillingAccount,
    at: datetime,
    beside: Promises,
) -> BudgetState:
    zone = account.entity.zone
    start, end = day_start(budget.during.lower, zone), day_start(budget.during.upper, zone)
    charges = Charge.objects.filter(account=account, charge_start__gte=start, charge_start__lt=end)
    if budget.project_id is not None:
        charges = charges.filter(project=budget.project_id)
    charged = charges.aggregate(sum=Sum("billed_cost"))["sum"] or Decimal(0)
    rated_to = max(start, _rated_to(account, end) or start)
    table = price_table(account=account, start=start, end=end)
    used: Counter[Usage] = Counter()
    promised: Counter[Usage] = Counter()
    more = [Decimal(0)]
    for low, high, project_ids in by_window(paid_stretches(account=account, start=start, end=end)):
        ids = [pk for pk in project_ids if budget.project_id in (None, pk)]
        if low <= at < high:
            more += [beside.get((pk, budget.currency), Decimal(0)) for pk in ids]
        if not ids or high <= rated_to:
            continue
        metered, facts = metered_usage(
            table=table, project_ids=ids, start=max(low, rated_to), end=high
        )
        booked, booked_facts = booked_usage(project_ids=ids, at=at, end=high)
        facts |= booked_facts
        for one in (*metered, *booked):
            lease_end = facts[one.resource_id].lease_end_at or high
            _count(used, one.within(rated_to, at))
            _count(promised, one.within(at, min(lease_end, high)))
    reached = _reached(account, table, start, end)
    actual_costs, without = _cost(table, used, reached)
    committed, without_too = _cost(table, promised, reached)
    actual = pricing.total([charged, actual_costs])
    committed = pricing.total([committed, *more])
    return BudgetState(
        budget=budget,
        amount=budget.amount,
        actual=actual,
        committed=committed,
        free=budget.amount - actual - committed,
        action=budget.action,
        currency=budget.currency,
        unpriced=tuple(sorted(without | without_too)),
    )


def _rated_to(account: BillingAccount, before: datetime) -> datetime | None:
    """Return the instant up to which the account's usage is in the ledger."""
    ends = [
        period.end_at if period.state == PeriodState.CLOSED else period.rated_to
        for period in BillingPeriod.objects.filter(account=account, start_at__lt=before)
    ]
    return max((end for end in ends if end), default=None)


def _count(counter: Counter[Usage], usage: Usage | None) -> None:
    """Count equal usage of many resources once: a thousand alike machines cost one calculation."""
    if usage is not None:
        counter[
            Usage(
                origin=usage.origin,
                origin_id="",
                resource_id=0,
                kind=usage.kind,
                traits=usage.traits,
                amount=usage.amount,
                start=usage.start,
                end=usage.end,
                resource_class_id=usage.resource_class_id,
                state=usage.state,
            )
        ] += 1


def _reached(
    account: BillingAccount, table: PriceTable, start: datetime, end: datetime
) -> dict[tuple[int, date], Decimal]:
    """Return what was charged of each graduated item in each month: where its tiers go on."""
    graduated = [item.sku.pk for item in table.items if item.is_graduated]
    if not graduated:
        return {}
    rows = (
        Charge.objects.filter(
            account=account,
            sku__in=graduated,
            correction=None,
            charge_start__gte=start,
            charge_start__lt=end,
        )
        .exclude(labels__tier__is_fee=True)
        .values_list("sku_id", "period__month")
        .annotate(quantity=Sum("pricing_quantity"))
        .order_by()
    )
    return {(sku, month): quantity for sku, month, quantity in rows}


def _cost(
    table: PriceTable, usage: Counter[Usage], reached: dict[tuple[int, date], Decimal]
) -> tuple[Decimal, set[str]]:
    """Return the exact cost, and the kinds without a price; `reached` moves on with the tiers.

    Tiers that accumulate over less than the account are taken as if they did over it: a forecast.
    """
    costs: list[Decimal] = []
    priced: set[str] = set()
    gaps: set[str] = set()
    for one, count in usage.items():
        for item in items_for(table=table, usage=one):
            if not is_over_time(item.sku):
                continue
            level = level_of(sku=item.sku, amount=one.amount)
            try:
                cuts = list(table.stretches(item, start=one.start, end=one.end))
            except NoPrice:
                gaps.add(one.kind)
                continue
            priced.add(one.kind)
            for cut in cuts:
                quantity = pricing.multiply(cut.quantity(level), Decimal(count))
                before = reached.get((cut.sku.pk, cut.month), Decimal(0))
                costs.append(cut.cost(quantity, before))
                if cut.sku.model == PriceModel.GRADUATED:
                    reached[cut.sku.pk, cut.month] = before + quantity
    return pricing.total(costs), ({one.kind for one in usage} - priced) | gaps
