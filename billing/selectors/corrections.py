"""What a closed month should have been, less what was billed for it, line by line.

Rated anew from what is known now, compared with the charges of the month and all corrections of
it so far. A line keeps its identity: usage, item, price, tier and start (`line_id`).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid5

from django.db import connection
from django.db.models import QuerySet

from billing import pricing
from billing.choices import PeriodState
from billing.models import BillingAccount, BillingPeriod, Charge, Correction
from billing.selectors.slices import Slice, line_id, slices_of
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, organisations_where

IDENTITIES = UUID("5f1b8f0e-6d3a-5f0b-9d7e-0c4f4f2c7a13")


@dataclass(frozen=True)
class ChangedLine:
    """A line whose quantity differs: `before` was billed, `after` is right.

    `charge` is the row that billed it first (None for a line that nobody billed), `one` what it is
    now (None where nothing of it is left), `related` a charge that a new line belongs to.
    """

    identity: UUID
    charge: Charge | None
    one: Slice | None
    related: Charge | None
    before: Decimal
    after: Decimal
    consumed: Decimal
    unit_price: Decimal
    list_unit_price: Decimal
    description: str
    unit: str

    @property
    def quantity(self) -> Decimal:
        """What the correction adds; below zero where too much was billed."""
        return self.after - self.before

    @property
    def cost_before(self) -> Decimal:
        """What was billed, earlier corrections included."""
        return pricing.multiply(self.unit_price, self.before)

    @property
    def cost_after(self) -> Decimal:
        """What is right."""
        return pricing.multiply(self.unit_price, self.after)

    @property
    def cost(self) -> Decimal:
        """The difference in money, exactly."""
        return pricing.multiply(self.unit_price, self.quantity)


@dataclass(frozen=True)
class Difference:
    """A closed month against what is known now. `sha256` names exactly these lines."""

    period: BillingPeriod
    lines: tuple[ChangedLine, ...]
    before: Decimal
    after: Decimal
    failures: tuple[str, ...]
    sha256: str

    @property
    def cost(self) -> Decimal:
        """What a correction adds to the open month."""
        return self.after - self.before


@dataclass
class _Billed:
    """What was billed of one line: its first row, and the sums of all its rows."""

    charge: Charge
    quantity: Decimal
    consumed: Decimal


def difference_of(*, period: BillingPeriod) -> Difference:
    """Return what differs between a closed month as billed and as it is known now."""
    rated = slices_of(period=period, until=period.end_at)
    billed = _billed(period)
    lines: list[ChangedLine] = []
    seen: set[UUID] = set()
    for one in rated.slices:
        identity = _identity(period, one, billed)
        seen.add(identity)
        line = _changed(identity, billed.get(identity), one)
        if line is not None:
            lines.append(line)
    lines += [
        line
        for identity, found in billed.items()
        if identity not in seen
        for line in [_changed(identity, found, None)]
        if line is not None
    ]
    lines = _related(lines, billed)
    lines.sort(key=_place)
    return Difference(
        period=period,
        lines=tuple(lines),
        before=pricing.total(
            [
                pricing.multiply(one.charge.contracted_unit_price or Decimal(0), one.quantity)
                for one in billed.values()
            ]
        ),
        after=pricing.total([one.cost for one in rated.slices]),
        failures=tuple(rated.failures),
        sha256=_sha256(lines),
    )


def _billed(period: BillingPeriod) -> dict[UUID, _Billed]:
    """Return what was billed of each line of the month: its charges and their corrections."""
    found: dict[UUID, _Billed] = {}
    for charge in Charge.objects.filter(period=period, correction=None).order_by("pk"):
        found[charge.line_id] = _Billed(
            charge, charge.pricing_quantity or Decimal(0), charge.consumed_quantity or Decimal(0)
        )
    for charge in Charge.objects.filter(correction__period=period).order_by("pk"):
        identity = UUID(charge.labels["correction"]["line"])
        if identity not in found:
            found[identity] = _Billed(charge, Decimal(0), Decimal(0))
        one = found[identity]
        one.quantity += charge.pricing_quantity or Decimal(0)
        one.consumed += charge.consumed_quantity or Decimal(0)
    return found


def _identity(period: BillingPeriod, one: Slice, billed: dict[UUID, _Billed]) -> UUID:
    """Return the line that a slice is: one that was billed, unless its list price is another."""
    identity = line_id(period=period, one=one)
    known = billed.get(identity)
    if known is None or known.charge.labels["list_price_id"] == str(one.list_price_id):
        return identity
    return uuid5(IDENTITIES, f"{identity}|{one.list_price_id}")


def _changed(identity: UUID, billed: _Billed | None, one: Slice | None) -> ChangedLine | None:
    before = billed.quantity if billed else Decimal(0)
    after = one.quantity if one else Decimal(0)
    if before == after:
        return None
    charge = billed.charge if billed else None
    source = charge or one
    assert source is not None
    consumed = (one.consumed if one else Decimal(0)) - (billed.consumed if billed else Decimal(0))
    if one is not None:
        unit_price, list_unit_price = one.unit_price, one.list_unit_price
    else:
        assert charge is not None
        unit_price = charge.contracted_unit_price or Decimal(0)
        list_unit_price = charge.list_unit_price or Decimal(0)
    return ChangedLine(
        identity=identity,
        charge=charge,
        one=one,
        related=charge,
        before=before,
        after=after,
        consumed=consumed,
        unit_price=unit_price,
        list_unit_price=list_unit_price,
        description=charge.labels["sku_name"] if charge else source.sku.name,
        unit=charge.pricing_unit if charge else source.sku.pricing_unit,
    )


def _related(lines: list[ChangedLine], billed: dict[UUID, _Billed]) -> list[ChangedLine]:
    """Give new lines a charge to refer to: of the same usage, else of the same resource."""
    by_usage: dict[tuple[object, ...], Charge] = {}
    by_resource: dict[tuple[object, ...], Charge] = {}
    for found in billed.values():
        charge = found.charge
        by_usage.setdefault((charge.origin, charge.origin_id, charge.sku_id), charge)
        by_resource.setdefault((charge.project_id, charge.resource_id, charge.sku_id), charge)
    answer = []
    for line in lines:
        one = line.one
        if line.charge is None and one is not None:
            related = by_usage.get((one.origin, one.origin_id, one.sku.pk)) or by_resource.get(
                (one.project_id, one.resource_id, one.sku.pk)
            )
            answer.append(ChangedLine(**{**line.__dict__, "related": related}))
        else:
            answer.append(line)
    return answer


def _place(line: ChangedLine) -> tuple[str, int, str]:
    """Sort by item, then by resource."""
    source = line.charge or line.one
    return line.description, (source.resource_id if source else None) or 0, str(line.identity)


def _sha256(lines: Sequence[ChangedLine]) -> str:
    content = [
        [str(line.identity), *map(pricing.plain, (line.before, line.after, line.unit_price))]
        for line in lines
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def lock_correction(*, pk: int) -> Correction:
    """Lock a prepared correction, so that it is released or taken back once."""
    return (
        Correction.objects.select_for_update(of=("self",))
        .select_related("period__account__entity", "period__account__organisation", "prepared_by")
        .get(pk=pk)
    )


def managed_corrections(*, user: User) -> QuerySet[Correction]:
    """Return the corrections of the accounts whose money the person manages."""
    return Correction.objects.filter(
        period__account__organisation_id__in=organisations_where(user, Action.MONEY_MANAGE)
    ).select_related("period__account", "into", "prepared_by", "released_by")


def correctable_periods(*, user: User) -> QuerySet[BillingPeriod]:
    """Return the closed months of the accounts whose money the person manages, the newest first."""
    return (
        BillingPeriod.objects.filter(
            account__organisation_id__in=organisations_where(user, Action.MONEY_MANAGE),
            state=PeriodState.CLOSED,
        )
        .select_related("account__entity", "account__organisation")
        .order_by("-month", "account__name", "pk")
    )


def month_to_correct_into(*, account: BillingAccount) -> BillingPeriod | None:
    """Return the account's first month that is not closed, None where none is opened yet."""
    return (
        BillingPeriod.objects.filter(account=account)
        .exclude(state=PeriodState.CLOSED)
        .order_by("month")
        .first()
    )


def late_readings(*, periods: QuerySet[BillingPeriod]) -> dict[int, int]:
    """Return how many readings came after the close and no correction has seen yet, by period."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.id, count(*)
            FROM billing_billingperiod p
            JOIN billing_projectbilling b ON b.account_id = p.account_id
                AND b.during && tstzrange(p.start_at, p.end_at)
            JOIN billing_usagerecord u ON u.project_id = b.project_id
                AND u.usage_start >= p.start_at AND u.usage_start < p.end_at
                AND b.during @> u.usage_start
            WHERE p.id = ANY(%s) AND u.origin = 'reading' AND u.recorded_at > coalesce((
                SELECT max(c.released_at) FROM billing_correction c
                WHERE c.period_id = p.id AND c.state = 'released'
            ), p.closed_at)
            GROUP BY p.id
            """,
            [list(periods.values_list("pk", flat=True))],
        )
        return dict(cursor.fetchall())
