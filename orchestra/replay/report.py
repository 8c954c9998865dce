"""What a replay came to, read from the rows that it left: nothing is counted along the way."""

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, QuerySet, Sum

from billing import pricing
from billing.models import BillingPeriod, Charge, Invoice
from billing.selectors.reconciliation import reconcile_period
from inventory.capacity import peak
from inventory.models import Allocation, CapacitySpan, Resource
from orchestra.choices import OrderKind
from orchestra.models import Order
from orchestra.replay.stage import Stage


@dataclass(frozen=True)
class Report:
    """The figures of a replay, JSON as they stand; amounts of money are decimal text.

    `refused` counts by reason, `peak` is the most that was held at any instant by class,
    `overallocated` the inventories' spans that hold more than their capacity or not what the
    allocations add up to, `difference` what usage × price and the lines differ by: both are 0.
    """

    orders: int
    placed: int
    refused: dict[str, int]
    resources: int
    peak: dict[str, int]
    charges: int
    invoices: int
    total: str
    overallocated: int
    difference: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def report_of(stage: Stage) -> Report:
    """Read what stands in the stage's project, pool and account."""
    orders = Order.objects.filter(project=stage.project, kind=OrderKind.CREATE)
    refusals = orders.exclude(refusal={}).values_list("refusal__code", flat=True)
    charges = Charge.objects.filter(account=stage.account)
    total = charges.aggregate(sum=Sum("billed_cost"))["sum"] or Decimal(0)
    periods = BillingPeriod.objects.filter(account=stage.account).order_by("month")
    difference = sum((reconcile_period(period=one).difference for one in periods), Decimal(0))
    return Report(
        orders=orders.count(),
        placed=orders.filter(deployment__isnull=False).count(),
        refused=dict(sorted(Counter(refusals).items())),
        resources=Resource.objects.filter(project=stage.project).count(),
        peak=_peaks(stage),
        charges=charges.count(),
        invoices=Invoice.objects.filter(account=stage.account, issued_at__isnull=False).count(),
        total=pricing.plain(total),
        overallocated=_overallocated(stage),
        difference=pricing.plain(difference),
    )


Held = dict[Any, list[tuple[datetime, datetime | None, int]]]


def _held_by(rows: QuerySet[Allocation], key: str) -> Held:
    """Return (from, to, amount) of the allocations that lasted, by the key's value."""
    held: Held = defaultdict(list)
    lasting = rows.exclude(held_to=F("held_from"))
    for name, start, end, amount in lasting.values_list(
        key, "held_from", "held_to", "amount"
    ).iterator():
        held[name].append((start, end, amount))
    return held


def _peaks(stage: Stage) -> dict[str, int]:
    rows = Allocation.objects.filter(resource__project=stage.project)
    return {
        name: peak(held, start=min(start for start, _, _ in held), end=None)
        for name, held in sorted(_held_by(rows, "resource_class__name").items())
    }


def _overallocated(stage: Stage) -> int:
    """Count the pool's spans that break the constraint, or that its allocations do not keep to."""
    spans = CapacitySpan.objects.filter(inventory__provider__pool=stage.pool)
    broken = spans.filter(Q(used__gt=F("capacity")) | Q(shortfall__gt=0)).count()
    held = _held_by(Allocation.objects.filter(provider__pool=stage.pool), "inventory_id")
    for span in spans.filter(inventory_id__in=held).iterator():
        mine = held[span.inventory_id]
        first = span.during.lower or min(start for start, _, _ in mine)
        broken += peak(mine, start=first, end=span.during.upper) > span.capacity
    return broken
