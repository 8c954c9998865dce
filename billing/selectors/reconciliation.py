"""Does everything tie? Usage × price = charges = lines = document, and no number is missing."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.db.models import Q, Sum

from billing import pricing
from billing.choices import PeriodState, UsageOrigin
from billing.models import BillingPeriod, Charge, Invoice, InvoiceSeries, UsageRecord
from billing.selectors.explanations import explain_all, recompute
from billing.selectors.periods import periods_of


@dataclass(frozen=True)
class Reconciliation:
    """One account's month. All figures are exact; `difference` is zero when everything ties.

    `usage_cost` is recomputed: from the frozen usage records of a closed month, from the inventory
    in an open one. `lines` and `document` are None where there is no document. `problems` says in
    words what does not tie.
    """

    period: BillingPeriod
    usage_cost: Decimal
    charges: Decimal
    lines: Decimal | None
    document: Decimal | None
    printed_lines: Decimal | None
    printed_total: Decimal | None
    difference: Decimal
    problems: tuple[str, ...]


@dataclass(frozen=True)
class NumberGap:
    """A number of a series that no document has."""

    series: str
    sequence: int


def reconcile(*, month: date) -> list[Reconciliation]:
    """Return for every account of the month whether usage, charges, lines and document tie."""
    return [reconcile_period(period=period) for period in periods_of(month=month)]


def number_gaps() -> list[NumberGap]:
    """Return the numbers that are missing in any series, in order."""
    gaps = []
    for series in InvoiceSeries.objects.order_by("prefix"):
        used = set(Invoice.objects.filter(series=series).values_list("sequence", flat=True))
        gaps += [
            NumberGap(series=series.prefix, sequence=number)
            for number in range(1, series.last_number + 1)
            if number not in used
        ]
    return gaps


def reconcile_period(*, period: BillingPeriod) -> Reconciliation:
    """Return whether usage, charges, lines and document of one period tie."""
    charges = Charge.objects.filter(period=period)
    charged = charges.aggregate(sum=Sum("billed_cost"))["sum"] or Decimal(0)
    invoice = period.invoices.filter(corrects=None).first()
    problems: list[str] = []
    if period.state == PeriodState.CLOSED:
        usage_cost = _frozen_cost(period, problems)
    else:
        usage_cost = explain_all(charges=charges).cost
    figures = [charged, usage_cost]
    lines = document = printed_lines = printed_total = None
    if invoice is not None:
        sums = invoice.lines.aggregate(exact=Sum("exact_amount"), printed=Sum("amount"))
        lines, printed_lines = sums["exact"] or Decimal(0), sums["printed"] or Decimal(0)
        document, printed_total = invoice.exact_total, invoice.total
        figures += [lines, document]
    difference = max(figures) - min(figures)
    if invoice is not None and printed_lines != printed_total:
        problems.append(f"The printed lines add up to {printed_lines}, not {printed_total}.")
        difference += abs((printed_lines or Decimal(0)) - (printed_total or Decimal(0)))
    if difference and not problems:
        problems.append(f"The figures differ by {pricing.plain(difference)}.")
    return Reconciliation(
        period=period,
        usage_cost=usage_cost,
        charges=charged,
        lines=lines,
        document=document,
        printed_lines=printed_lines,
        printed_total=printed_total,
        difference=difference,
        problems=tuple(problems),
    )


def _frozen_cost(period: BillingPeriod, problems: list[str]) -> Decimal:
    """Price the frozen usage records anew, with the prices that stand on the charges."""
    charges = list(
        Charge.objects.filter(period=period, correction=None).select_related(
            "sku__meter", "account__entity"
        )
    )
    records: dict[tuple[object, ...], Fraction] = defaultdict(Fraction)
    ends: dict[tuple[object, ...], object] = {}
    rows = UsageRecord.objects.filter(
        project__in={charge.project_id for charge in charges},
        usage_start__gte=period.start_at,
        usage_start__lt=period.end_at,
    ).exclude(origin=UsageOrigin.READING)
    for record in rows:
        key: tuple[object, ...] = (
            record.origin,
            record.origin_id,
            record.meter_id,
            record.usage_start,
        )
        records[key] += Fraction(record.amount)
        ends[key] = record.usage_end
    costs = []
    for charge in charges:
        if charge.origin == UsageOrigin.READING:
            continue
        key = (charge.origin, charge.origin_id, charge.sku.meter_id, charge.charge_start)
        if ends.get(key) != charge.charge_end:
            problems.append(f"“{charge.description}” has no usage record.")
            continue
        quantity = recompute(
            charge=charge, level=records[key], start=charge.charge_start, end=charge.charge_end
        )
        costs.append(pricing.multiply(charge.contracted_unit_price or Decimal(0), quantity))
    rest = Charge.objects.filter(
        Q(origin=UsageOrigin.READING) | Q(correction__isnull=False), period=period
    )
    costs.append(explain_all(charges=rest, as_billed=True).cost)
    return pricing.total(costs)
