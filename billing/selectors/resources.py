"""What resources have cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import DecimalField, Max, Q, Sum, Value
from django.db.models.functions import Coalesce

from billing.models import Charge
from inventory.models import Resource


@dataclass(frozen=True)
class ResourceCost:
    """Exact sums of a resource's charges in one currency; `as_of` ends the last of them."""

    currency: str
    this_month: Decimal
    to_date: Decimal
    as_of: datetime


def cost_of_resource(*, resource: Resource, at: datetime) -> list[ResourceCost]:
    """Return what the resource cost in the billing month of the instant, and ever, by currency."""
    return cost_of_resources(resources=[resource], at=at)


def cost_of_resources(*, resources: Sequence[Resource], at: datetime) -> list[ResourceCost]:
    """Return what the resources cost together, in the instant's billing month and ever."""
    nothing = Value(Decimal(0), output_field=DecimalField(max_digits=28, decimal_places=10))
    rows = (
        Charge.objects.filter(resource__in=resources)
        .order_by("currency")
        .values("currency")
        .annotate(
            this_month=Coalesce(
                Sum("billed_cost", filter=Q(period__start_at__lte=at, period__end_at__gt=at)),
                nothing,
            ),
            to_date=Sum("billed_cost"),
            as_of=Max("charge_end"),
        )
    )
    return [ResourceCost(**row) for row in rows]
