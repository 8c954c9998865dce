"""Turn usage into charges: an open period is priced anew as a whole, a closed one never again."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from billing import pricing
from billing.choices import PeriodState, UsageOrigin
from billing.models import (
    BillingAccount,
    BillingPeriod,
    Charge,
    UsageRecord,
)
from billing.selectors.periods import lock_period, months_due
from billing.selectors.slices import FEE_UNIT, Rated, Slice, line_id, slices_of
from inventory.foundation.errors import Conflict
from inventory.foundation.models import Project
from inventory.foundation.periods import month_bounds, next_month
from inventory.models import Resource

logger = logging.getLogger(__name__)

BATCH = 1_000


class PeriodClosed(Conflict):
    """A closed month is never rated again; what is wrong in it becomes a correction."""

    code = "period_closed"
    title = "This month is closed"


@dataclass(frozen=True)
class RatingReport:
    """How many open periods were rated, and what went wrong by account and month."""

    rated: int
    failures: Mapping[str, str]


def open_period(*, account: BillingAccount, month: date) -> BillingPeriod:
    """Return the account's period of the month; open it where it is missing."""
    first = month.replace(day=1)
    start_at, end_at = month_bounds(first, account.entity.zone)
    period, _ = BillingPeriod.objects.get_or_create(
        account=account, month=first, defaults={"start_at": start_at, "end_at": end_at}
    )
    return period


def rate_period(*, account: BillingAccount, month: date, at: datetime) -> BillingPeriod:
    """Replace all charges of the account's month by what was used in it up to `at`.

    One transaction under a lock on the period: nobody ever sees half of it. The same usage and
    prices give the same charges, line ids included. What has no price is named in `failure` and the
    rest is rated. Raises PeriodClosed.
    """
    with transaction.atomic():
        open_period(account=account, month=month)
        period = lock_period(account=account, month=month)
        rate_locked(period=period, at=at)
    return period


def rate_locked(*, period: BillingPeriod, at: datetime) -> Rated:
    """Rate a period whose row the caller has locked; return the slices that became charges."""
    if period.state == PeriodState.CLOSED:
        message = (
            f"{period.account} {period.month:%B %Y} is closed and is not rated again. "
            "Record a correction in the open month."
        )
        raise PeriodClosed(message)
    until = min(max(at, period.start_at), period.end_at)
    rated = slices_of(period=period, until=until)
    period.rating_run += 1
    before = Charge.objects.filter(period=period, correction=None)
    numbers = dict(before.values_list("line_id", "pk"))
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM billing_charge WHERE period_id = %s AND correction_id IS NULL",
            [period.pk],
        )
    charges = charges_of(period=period, slices=rated.slices)
    Charge.objects.bulk_create(_numbered(charges, numbers), batch_size=BATCH)
    period.rated_at, period.rated_to = at, until
    period.failure = " ".join(rated.failures)[:500]
    period.save(update_fields=["rating_run", "rated_at", "rated_to", "failure"])
    return rated


def _numbered(charges: Iterable[Charge], numbers: Mapping[UUID, int]) -> Iterator[Charge]:
    """Give each line the number that it had before, so that a link to it holds."""
    for charge in charges:
        charge.pk = numbers.get(charge.line_id)
        yield charge


def rate_open_periods(*, at: datetime) -> RatingReport:
    """Rate every open period of every active account, opening those that are missing.

    A failing account stops nobody else; it is named in the report and logged.
    """
    rated, failures = 0, {}
    accounts = BillingAccount.objects.filter(is_active=True).select_related("entity")
    for account in accounts.order_by("pk"):
        for month in open_months(account=account, at=at):
            try:
                period = rate_period(account=account, month=month, at=at)
            except Exception as error:
                logger.exception("rating %s %s failed", account.code, month)
                failures[f"{account.code} {month:%Y-%m}"] = str(error)
                continue
            rated += 1
            if period.failure:
                failures[f"{account.code} {month:%Y-%m}"] = period.failure
    return RatingReport(rated=rated, failures=failures)


def open_months(*, account: BillingAccount, at: datetime) -> list[date]:
    """Return the months of the account that are due or opened, and not closed, in order."""
    states = dict(BillingPeriod.objects.filter(account=account).values_list("month", "state"))
    months = {*months_due(account=account, at=at), *states}
    return sorted(month for month in months if states.get(month) != PeriodState.CLOSED)


def ensure_partitions(*, start: datetime, end: datetime) -> None:
    """Make the partitions of the usage table for the UTC months that [start, end) touches."""
    month = start.date().replace(day=1)
    with connection.cursor() as cursor:
        while month <= end.date():
            cursor.execute("SELECT billing_ensure_usage_partition(%s)", [month])
            month = next_month(month)


def freeze_usage(*, slices: Sequence[Slice], at: datetime) -> int:
    """Write each metered slice into an immutable usage record; readings are records already."""
    metered = [
        (one, one.sku.meter)
        for one in slices
        if one.origin != UsageOrigin.READING and one.sku.meter is not None and one.is_first
    ]
    if not metered:
        return 0
    ensure_partitions(
        start=min(one.start for one, _ in metered), end=max(one.start for one, _ in metered)
    )
    UsageRecord.objects.bulk_create(
        (
            UsageRecord(
                meter=meter,
                project_id=one.project_id,
                resource_id=one.resource_id,
                origin=one.origin,
                origin_id=one.origin_id,
                usage_start=one.start,
                usage_end=one.end,
                amount=pricing.on_grid(one.level, Decimal("1E-12")),
                quantity=pricing.on_grid(
                    one.level * pricing.seconds_between(one.start, one.end), Decimal("1E-12")
                ),
                dimensions={"sku": one.sku.code, "state": one.state},
                recorded_at=at,
            )
            for one, meter in metered
        ),
        batch_size=BATCH,
    )
    return len(metered)


# --- from slices to charges --------------------------------------------------------------------


def charges_of(*, period: BillingPeriod, slices: Sequence[Slice]) -> Iterator[Charge]:
    """Make the charge of each slice in the account's period, with the names of now; not saved."""
    projects = {
        project.pk: project
        for project in Project.objects.filter(
            pk__in={one.project_id for one in slices}
        ).select_related("organisation")
    }
    resources = {
        resource.pk: resource
        for resource in Resource.objects.filter(
            pk__in={one.resource_id for one in slices}
        ).select_related("pool")
    }
    for one in slices:
        project = projects[one.project_id]
        resource = resources.get(one.resource_id) if one.resource_id else None
        is_fee = one.tier is not None and one.tier.is_fee
        cost = one.cost
        yield Charge(
            line_id=line_id(period=period, one=one),
            account=period.account,
            period=period,
            project=project,
            resource=resource,
            sku=one.sku,
            sku_price_id=one.price.pk,
            rating_run=period.rating_run,
            category=one.sku.charge_category,
            origin=one.origin,
            origin_id=one.origin_id,
            charge_start=one.start,
            charge_end=one.end,
            consumed_quantity=one.consumed,
            consumed_unit=one.consumed_unit,
            pricing_quantity=one.quantity,
            pricing_unit=FEE_UNIT if is_fee else one.sku.pricing_unit,
            list_unit_price=one.list_unit_price,
            contracted_unit_price=one.unit_price,
            list_cost=pricing.multiply(one.list_unit_price, one.quantity),
            contracted_cost=cost,
            billed_cost=cost,
            effective_cost=cost,
            currency=period.account.currency,
            cost_centre=project.cost_centre,
            description=_description(one, resource),
            labels=_labels(one, project, resource),
        )


def _description(one: Slice, resource: Resource | None) -> str:
    subject = f" for {resource.name}" if resource else ""
    fee = ", fee of the tier" if one.tier is not None and one.tier.is_fee else ""
    return f"{one.sku.name}{fee}{subject}"[:200]


def _labels(one: Slice, project: Project, resource: Resource | None) -> dict[str, Any]:
    """The names as they are now: a frozen charge keeps them whatever is renamed later."""
    labels: dict[str, Any] = {
        "project": project.name,
        "project_slug": project.slug,
        "organisation": project.organisation.name,
        "sku": one.sku.code,
        "sku_name": one.sku.name,
        "meter": one.sku.meter.label if one.sku.meter else "",
        "service": one.sku.service_name,
        "service_category": one.sku.service_category,
        "service_subcategory": one.sku.service_subcategory,
        "book": one.price.book,
        "list_price_id": str(one.list_price_id),
        "amount": pricing.plain(one.amount),
        "level": str(one.level),
        "state": one.state,
    }
    if one.tier is not None:
        labels["tier"] = {
            "scope": one.tier.scope,
            "before": pricing.plain(one.tier.before),
            "whole": pricing.plain(one.tier.whole),
            "lower": pricing.plain(one.tier.lower),
            "upper": None if one.tier.upper is None else pricing.plain(one.tier.upper),
            "step": pricing.plain(one.tier.step),
            "is_fee": one.tier.is_fee,
        }
    if resource is not None:
        labels |= {
            "resource": resource.name,
            "kind": resource.kind,
            "pool": resource.pool.name,
            "region": resource.pool.region,
            "zone": resource.pool.zone,
            "environment": resource.environment,
            "application": resource.application,
            "offering": str(resource.attributes.get("offering", "")),
            "tags": resource.tags,
        }
    return labels
