"""Billing periods: which are open, in which order they close, and the lock on one."""

from collections.abc import Collection
from datetime import date, datetime

from django.db.models import Min, QuerySet

from billing.choices import PeriodState
from billing.models import BillingAccount, BillingPeriod, InvoiceSeries, ProjectBilling
from inventory.foundation.periods import month_of, months_between
from inventory.models import Resource


def lock_period(*, account: BillingAccount, month: date) -> BillingPeriod:
    """Lock the account's period of the month against every other rating and close."""
    return (
        BillingPeriod.objects.select_for_update(of=("self",))
        .select_related("account__entity", "account__organisation")
        .get(account=account, month=month.replace(day=1))
    )


def lock_series(*, pk: int) -> InvoiceSeries:
    """Lock the counter of a series until the number taken from it is committed."""
    return InvoiceSeries.objects.select_for_update().get(pk=pk)


def months_due(*, account: BillingAccount, at: datetime) -> list[date]:
    """Return the months that the account has, or should have, a period for, up to the present one.

    From the first delivery in a project that the account pays for; the present month always.
    """
    zone = account.entity.zone
    billings = list(
        ProjectBilling.objects.filter(account=account).values_list("project_id", "during")
    )
    delivered = dict(
        Resource.objects.filter(project__in=[project_id for project_id, _ in billings])
        .values_list("project_id")
        .annotate(first=Min("delivered_at"))
    )
    starts = [at]
    for project_id, during in billings:
        start = delivered.get(project_id)
        if start is not None and (during.upper is None or start < during.upper):
            starts.append(max(start, during.lower or start))
    first = min(starts)
    return months_between(first, at, zone) or [month_of(at, zone)]


def open_before(*, account: BillingAccount, month: date) -> BillingPeriod | None:
    """Return the account's earliest period before the month that is not closed."""
    return (
        BillingPeriod.objects.filter(account=account, month__lt=month)
        .exclude(state=PeriodState.CLOSED)
        .order_by("month")
        .first()
    )


def periods_of(*, month: date) -> QuerySet[BillingPeriod]:
    """Return every account's period of the month, by account number."""
    return (
        BillingPeriod.objects.filter(month=month.replace(day=1))
        .select_related("account__entity", "account__organisation")
        .order_by("account__code")
    )


def lock_periods(*, month: date, account: BillingAccount | None = None) -> list[BillingPeriod]:
    """Lock the month's periods in primary-key order, so that nobody rates them meanwhile."""
    periods = BillingPeriod.objects.filter(month=month.replace(day=1))
    if account is not None:
        periods = periods.filter(account=account)
    return list(
        periods.select_for_update(of=("self",))
        .select_related("account__entity", "account__organisation")
        .prefetch_related("invoices")
        .order_by("pk")
    )


def lock_periods_by_id(*, ids: Collection[int]) -> list[BillingPeriod]:
    """Lock the periods in primary-key order: whoever holds them knows they are not closed now."""
    return list(
        BillingPeriod.objects.filter(pk__in=ids)
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )
