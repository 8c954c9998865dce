"""Turn usage into charges: an open period is priced anew as a whole, a closed one never again."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.db.models import Sum

from billing import pricing
from billing.choices import MeterSource, PeriodState, UsageOrigin
from billing.models import (
    BillingAccount,
    BillingPeriod,
    Charge,
    Sku,
    UsageRecord,
)
from billing.selectors.accounts import by_window, paid_stretches
from billing.selectors.periods import lock_period, months_due
from billing.selectors.prices import (
    NoPrice,
    PricedSku,
    PricedStretch,
    PriceInForce,
    PriceTable,
    is_over_time,
    level_of,
    price_at,
    price_table,
)
from billing.selectors.usage import Usage, items_for, metered_usage
from inventory.foundation.errors import Conflict
from inventory.foundation.models import Project
from inventory.foundation.periods import month_bounds, next_month
from inventory.models import Resource

logger = logging.getLogger(__name__)

LINE_NAMESPACE = UUID("5f1b8f0e-6d3a-5f0b-9d7e-0c4f4f2c7a11")
BATCH = 1_000


class PeriodClosed(Conflict):
    """A closed month is never rated again; what is wrong in it becomes a correction."""

    code = "period_closed"
    title = "This month is closed"


@dataclass(frozen=True)
class Slice:
    """Usage at one price: what one charge is made of. `level` is in the meter's units."""

    origin: str
    origin_id: str
    project_id: int
    resource_id: int | None
    sku: Sku
    level: Fraction
    amount: Decimal
    state: str
    start: datetime
    end: datetime
    price: PriceInForce
    listed: PriceInForce
    quantity: Decimal
    consumed: Decimal
    consumed_unit: str


@dataclass
class Rated:
    """The outcome of one rating: its slices in a stable order, and what could not be priced."""

    slices: list[Slice] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


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
    rated = _slices(period, until)
    period.rating_run += 1
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM billing_charge WHERE period_id = %s AND correction_of_id IS NULL",
            [period.pk],
        )
    Charge.objects.bulk_create(_charges(period, rated.slices), batch_size=BATCH)
    period.rated_at, period.rated_to = at, until
    period.failure = " ".join(rated.failures)[:500]
    period.save(update_fields=["rating_run", "rated_at", "rated_to", "failure"])
    return rated


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
        if one.origin != UsageOrigin.READING and one.sku.meter is not None
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


# --- from usage to slices ----------------------------------------------------------------------


def _slices(period: BillingPeriod, until: datetime) -> Rated:
    rated = Rated()
    if until <= period.start_at:
        return rated
    account = period.account
    table = price_table(account=account, start=period.start_at, end=period.end_at)
    stretches = paid_stretches(account=account, start=period.start_at, end=until)
    projects = _project_of(stretch.project_id for stretch in stretches)
    for start, end, project_ids in by_window(stretches):
        usage, _ = metered_usage(table=table, project_ids=project_ids, start=start, end=end)
        rated.slices += _metered_slices(table, usage, projects, rated)
        rated.slices += _reading_slices(table, project_ids, start, end, rated)
    rated.slices.sort(
        key=lambda one: (one.start, one.resource_id or 0, one.sku.code, one.origin, one.origin_id)
    )
    rated.failures = list(dict.fromkeys(rated.failures))
    return rated


def _project_of(project_ids: Iterable[int]) -> dict[int, int]:
    return dict(
        Resource.objects.filter(project_id__in=set(project_ids)).values_list("id", "project_id")
    )


def _metered_slices(
    table: PriceTable, usage: Sequence[Usage], projects: Mapping[int, int], rated: Rated
) -> Iterator[Slice]:
    priced: set[int] = set()
    cache: dict[tuple[Any, ...], list[PricedSku]] = {}
    for one in usage:
        signature = (one.origin, one.kind, one.traits, one.resource_class_id, one.state)
        if signature not in cache:
            cache[signature] = items_for(table=table, usage=one)
        for item in cache[signature]:
            if not is_over_time(item.sku):
                continue
            priced.add(one.resource_id)
            try:
                for cut in table.stretches(item, start=one.start, end=one.end):
                    yield _metered_slice(one, item, cut, projects)
            except NoPrice as error:
                rated.failures.append(error.message)
    without = sorted({one.kind for one in usage if one.resource_id not in priced})
    rated.failures += [
        f"“{kind}” was used and has no price in {table.currency}. Ask finance to publish one."
        for kind in without
    ]


def _metered_slice(
    usage: Usage, item: PricedSku, cut: PricedStretch, projects: Mapping[int, int]
) -> Slice:
    level = level_of(sku=item.sku, amount=usage.amount)
    quantity = cut.quantity(level)
    consumed, unit = consumption(sku=item.sku, cut=cut, level=level, quantity=quantity)
    return Slice(
        origin=usage.origin,
        origin_id=usage.origin_id,
        project_id=projects[usage.resource_id],
        resource_id=usage.resource_id,
        sku=item.sku,
        level=level,
        amount=Decimal(usage.amount),
        state=usage.state,
        start=cut.start,
        end=cut.end,
        price=cut.price,
        listed=cut.listed,
        quantity=quantity,
        consumed=consumed,
        consumed_unit=unit,
    )


def consumption(
    *, sku: Sku, cut: PricedStretch, level: Fraction, quantity: Decimal
) -> tuple[Decimal, str]:
    """Return what was consumed and its unit: level × hours whatever the price is for."""
    held = sku.meter is not None and sku.meter.source == MeterSource.ALLOCATION
    unit = f"{sku.meter.unit}-Hours" if held and sku.meter is not None else "Hours"
    if cut.seconds == pricing.SECONDS_OF_HOUR:
        return quantity, unit
    consumed = pricing.prorate(
        level=level,
        start=cut.start,
        end=cut.end,
        origin=cut.month_start,
        seconds=Fraction(pricing.SECONDS_OF_HOUR),
        step=Decimal("1E-12"),
    )
    return consumed, unit


def _reading_slices(
    table: PriceTable, project_ids: Sequence[int], start: datetime, end: datetime, rated: Rated
) -> Iterator[Slice]:
    for meter_id, items in table.by_meter.items():
        if items[0].sku.meter is None or items[0].sku.meter.source != MeterSource.READING:
            continue
        edges = {start, end}
        for item in items:
            for price in (*item.listed, *item.contracted):
                edges |= {edge for edge in (price.start, price.end) if edge and start < edge < end}
        ordered = sorted(edges)
        for low, high in pairwise(ordered):
            rows = (
                UsageRecord.objects.filter(
                    meter_id=meter_id,
                    project_id__in=project_ids,
                    origin=UsageOrigin.READING,
                    usage_start__gte=low,
                    usage_start__lt=high,
                )
                .values_list("project_id", "resource_id", "resource__kind", "resource__attributes")
                .annotate(total=Sum("amount"))
                .order_by("project_id", "resource_id")
            )
            for project_id, resource_id, kind, attributes, amount in rows:
                traits = frozenset((attributes or {}).get("traits", ()))
                found = table.read(meter_id=meter_id, kind=kind or "", traits=traits)
                if found is None:
                    continue
                try:
                    price, listed = price_at(found, low, table.zone)
                except NoPrice as error:
                    rated.failures.append(error.message)
                    continue
                level = level_of(sku=found.sku, amount=amount)
                step = pricing.quantity_step(price.unit_price, listed.unit_price)
                quantity = pricing.on_grid(level, step)
                yield Slice(
                    origin=UsageOrigin.READING,
                    origin_id=f"{meter_id}:{project_id}:{resource_id or ''}",
                    project_id=project_id,
                    resource_id=resource_id,
                    sku=found.sku,
                    level=level,
                    amount=amount,
                    state="",
                    start=low,
                    end=high,
                    price=price,
                    listed=listed,
                    quantity=quantity,
                    consumed=quantity,
                    consumed_unit=found.sku.pricing_unit,
                )


# --- from slices to charges --------------------------------------------------------------------


def _charges(period: BillingPeriod, slices: Sequence[Slice]) -> Iterator[Charge]:
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
        contracted = pricing.multiply(one.price.unit_price, one.quantity)
        yield Charge(
            line_id=_line_id(period, one),
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
            pricing_unit=one.sku.pricing_unit,
            list_unit_price=one.listed.unit_price,
            contracted_unit_price=one.price.unit_price,
            list_cost=pricing.multiply(one.listed.unit_price, one.quantity),
            contracted_cost=contracted,
            billed_cost=contracted,
            effective_cost=contracted,
            currency=period.account.currency,
            cost_centre=project.cost_centre,
            description=_description(one, resource),
            labels=_labels(one, project, resource),
        )


def _line_id(period: BillingPeriod, one: Slice) -> UUID:
    """The same slice of the same period at the same price has the same id in every rating."""
    parts = (
        period.account.code,
        f"{period.month:%Y-%m}",
        one.origin,
        one.origin_id,
        one.sku.code,
        str(one.price.price_id),
        one.start.isoformat(),
    )
    return uuid5(LINE_NAMESPACE, "|".join(parts))


def _description(one: Slice, resource: Resource | None) -> str:
    subject = f" for {resource.name}" if resource else ""
    return f"{one.sku.name}{subject}"[:200]


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
        "list_price_id": str(one.listed.price_id),
        "amount": pricing.plain(one.amount),
        "level": str(one.level),
        "state": one.state,
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
