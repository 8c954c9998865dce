"""The ledger as people read it: what they may see, and its sums by time and by what for."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from django.db.models import Q, QuerySet, Sum

from billing import pricing
from billing.models import Charge, Invoice
from billing.selectors.accounts import visible_accounts
from inventory.foundation.models import User
from inventory.foundation.periods import day_start, zone_named
from inventory.foundation.permissions import Action, projects_where

Every = Literal["day", "month", "total"]
# What a sum may be for: where its identity and its name stand.
GROUPS: Mapping[str, tuple[str, str]] = {
    "project": ("project_id", "project__name"),
    "account": ("account_id", "account__name"),
    "service": ("sku__service_name", "sku__service_name"),
    "item": ("sku__code", "sku__name"),
    "resource": ("resource_id", "labels__resource"),
    "application": ("labels__application", "labels__application"),
    "environment": ("labels__environment", "labels__environment"),
    "cost_centre": ("cost_centre", "cost_centre"),
}


@dataclass(frozen=True)
class CostRow:
    """An exact sum. `start` is the first day of its day or month, None for a total."""

    start: date | None
    key: str
    name: str
    currency: str
    amount: Decimal


def visible_charges(user: User) -> QuerySet[Charge]:
    """Return the charges of the projects whose costs, or accounts whose statements, one may see."""
    return Charge.objects.filter(
        Q(project__in=projects_where(user, Action.COST_VIEW))
        | Q(account__in=visible_accounts(user).values("id"))
    ).select_related("project", "sku", "period")


def visible_invoices(user: User) -> QuerySet[Invoice]:
    """Return the statements and invoices of the accounts that the person may see."""
    return Invoice.objects.filter(account__in=visible_accounts(user).values("id")).select_related(
        "account__entity", "period"
    )


def costs_by(*, charges: QuerySet[Charge], by: str, every: Every = "total") -> list[CostRow]:
    """Return the exact sums of the charges by one of GROUPS, for each day, month or altogether.

    Days and months are those of the billing zone. A charge is spread over its days by seconds, and
    the days add up to it exactly; a correction falls on the first day of the month it is billed in.
    Ordered by start, name and key. One query.
    """
    key_field, name_field = GROUPS[by]
    sums: dict[tuple[date | None, str, str, str], Decimal] = defaultdict(Decimal)
    when = {
        "day": (
            "charge_start",
            "charge_end",
            "account__entity__zone",
            "correction_id",
            "period__month",
        ),
        "month": ("period__month",),
        "total": (),
    }[every]
    fields = list(dict.fromkeys((key_field, name_field, "currency", *when)))
    rows = charges.order_by().values(*fields).annotate(cost=Sum("billed_cost"))
    for row in rows:
        what = (str(row[key_field] or ""), str(row[name_field] or ""), str(row["currency"]))
        if every == "day" and row["correction_id"] is not None:
            sums[row["period__month"], *what] += row["cost"]
        elif every == "day":
            shares = _by_day(
                row["cost"], row["charge_start"], row["charge_end"], row["account__entity__zone"]
            )
            for day, share in shares:
                sums[day, *what] += share
        else:
            sums[row["period__month"] if every == "month" else None, *what] += row["cost"]
    found = [
        CostRow(start=start, key=key, name=name, currency=currency, amount=amount)
        for (start, key, name, currency), amount in sums.items()
    ]
    return sorted(found, key=lambda row: (row.start or date.min, row.name, row.key, row.currency))


def _by_day(cost: Decimal, start: datetime, end: datetime, zone: str) -> list[tuple[date, Decimal]]:
    """Split a cost over the days of the zone that [start, end) touches."""
    first = start.astimezone(zone_named(zone)).date()
    last = end.astimezone(zone_named(zone)).date()
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    starts = [day_start(day, zone) for day in days]
    inside = starts[bisect_right(starts, start) : bisect_left(starts, end)]
    shares = pricing.split_over_time(cost=cost, start=start, end=end, edges=inside)
    return list(zip(days, shares, strict=False))
