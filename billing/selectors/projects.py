"""What projects have cost in the running month."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Max, Sum

from billing.models import Charge


@dataclass(frozen=True)
class ProjectSpend:
    """Exact sum of a project's charges of one billing month; `as_of` ends the last of them."""

    project_id: int
    currency: str
    amount: Decimal
    as_of: datetime


def month_to_date(*, project_ids: Collection[int], at: datetime) -> list[ProjectSpend]:
    """Return what each project was charged in the billing month of the instant, by currency."""
    rows = (
        Charge.objects.filter(
            project__in=project_ids, period__start_at__lte=at, period__end_at__gt=at
        )
        .order_by("project_id", "currency")
        .values("project_id", "currency")
        .annotate(amount=Sum("billed_cost"), as_of=Max("charge_end"))
    )
    return [ProjectSpend(**row) for row in rows]
