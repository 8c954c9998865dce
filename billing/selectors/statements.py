"""What a statement's lines are made of, and what the running month's would say today."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import F, QuerySet, Sum

from billing import pricing
from billing.choices import PeriodState
from billing.models import BillingAccount, BillingPeriod, Charge, InvoiceLine

LINE_KEYS = (
    "correction__period__month",
    "cost_centre",
    "labels__project",
    "labels__sku",
    "labels__sku_name",
    "pricing_unit",
)


@dataclass(frozen=True)
class RunningLine:
    """One line as it would be printed if the month ended now."""

    cost_centre: str
    project_name: str
    sku_name: str
    sku: str
    quantity: Decimal
    unit: str
    exact_amount: Decimal
    amount: Decimal
    corrects_month: date | None = None


@dataclass(frozen=True)
class RunningStatement:
    """The statement that an open month is on the way to; nothing of it is final."""

    period: BillingPeriod
    lines: tuple[RunningLine, ...]
    exact_total: Decimal
    total: Decimal


def charges_of_line(*, charges: QuerySet[Charge], line_id: int) -> QuerySet[Charge]:
    """Return those of the charges that the statement's line adds up; none for an unknown line."""
    line = InvoiceLine.objects.filter(pk=line_id).first()
    if line is None:
        return charges.none()
    return charges.filter(
        invoice_id=line.invoice_id,
        cost_centre=line.cost_centre,
        labels__project=line.project_name,
        labels__sku_name=line.sku_name,
        pricing_unit=line.unit,
        **(
            {"correction__period__month": line.corrects_month}
            if line.corrects_month
            else {"correction": None}
        ),
    )


def running_periods(*, accounts: QuerySet[BillingAccount]) -> list[BillingPeriod]:
    """Return the months of the accounts that are not closed, the newest first."""
    return list(
        BillingPeriod.objects.filter(account__in=accounts.order_by().values("pk"))
        .exclude(state=PeriodState.CLOSED)
        .select_related("account__entity", "account__organisation")
        .annotate(exact_total=Sum("charges__billed_cost"))
        .order_by("-month", "account__name", "pk")
    )


def running_statement(*, period: BillingPeriod) -> RunningStatement:
    """Return what the period's statement would say now: grouped and rounded as at the close."""
    groups = line_groups(charges=Charge.objects.filter(period=period))
    exact_total = pricing.total([group["exact"] for group in groups])
    total = pricing.round_money(exact_total, rounding=period.account.entity.rounding)
    amounts = printed_amounts(total=total, groups=groups)
    return RunningStatement(
        period=period,
        lines=tuple(
            RunningLine(
                cost_centre=group["cost_centre"],
                project_name=group["labels__project"],
                sku_name=group["labels__sku_name"],
                sku=group["labels__sku"],
                quantity=group["quantity"] or Decimal(0),
                unit=group["pricing_unit"],
                exact_amount=group["exact"],
                amount=amount,
                corrects_month=group["correction__period__month"],
            )
            for group, amount in zip(groups, amounts, strict=True)
        ),
        exact_total=exact_total,
        total=total,
    )


def line_groups(*, charges: QuerySet[Charge]) -> list[dict[str, Any]]:
    """Return cost centre × project × item with exact sums, in the order they are printed.

    Corrections stand on lines of their own, after the month's, by the month that they correct.
    """
    return list(
        charges.order_by(F(LINE_KEYS[0]).asc(nulls_first=True), *LINE_KEYS[1:])
        .values(*LINE_KEYS)
        .annotate(exact=Sum("billed_cost"), quantity=Sum("pricing_quantity"))
    )


def printed_amounts(*, total: Decimal, groups: Sequence[dict[str, Any]]) -> list[Decimal]:
    """Return the groups' amounts rounded so that they add up to the rounded total."""
    rounded = pricing.round_to_total(
        total=total, amounts={index: group["exact"] for index, group in enumerate(groups)}
    )
    return [rounded[index] for index in range(len(groups))]
