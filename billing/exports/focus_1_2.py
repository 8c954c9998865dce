"""FOCUS 1.2 CostAndUsage: the ledger of one month as 57 columns, written by the database itself.

Every format is in the SQL, so memory does not grow with the rows. Names come from the charge and
the document, where they were frozen: a closed month exported again gives the same bytes. One
Adjustment row a document carries its rounding, so that the rows of an InvoiceId add up to its
total.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

from django.db import connection, transaction
from django.db.models import Sum

from billing.choices import PeriodState
from billing.exports.manifest import (
    FileEntry,
    sha256_of,
    sums_of,
    usable_directory,
    write_manifest,
    write_whole,
)
from billing.models import BillingAccount, BillingExport, BillingPeriod, Charge
from billing.selectors.periods import lock_periods
from inventory.foundation.errors import Conflict, NotVisible
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, organisations_where, refusal
from inventory.foundation.trail import record_audit

FORMAT = "focus-1.2"
LEDGER_SUMS = {
    "BilledCost": "billed_cost",
    "EffectiveCost": "effective_cost",
    "ListCost": "list_cost",
    "ContractedCost": "contracted_cost",
}


class NothingToExport(NotVisible):
    """There is no billing period of that month."""

    code = "nothing_to_export"
    title = "There is nothing to export"


class LedgerDiffers(Conflict):
    """The file that was written does not add up to the ledger, so it was not kept."""

    code = "ledger_differs"
    title = "The file does not agree with the ledger"


@dataclass(frozen=True)
class Column:
    """A FOCUS column: its SQL for a charge `c`, and for the Adjustment row of a document `i`."""

    name: str
    charge: str
    adjustment: str = "NULL"


def _instant(expression: str) -> str:
    return f"""to_char({expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


def _label(key: str) -> str:
    return f"nullif(c.labels->>'{key}', '')"


def _frozen(part: str, key: str, live: str) -> str:
    return f"coalesce(i.snapshot->'{part}'->>'{key}', {live})"


_ENTITY = _frozen("entity", "name", "e.name")
_ACCOUNT_TYPE = f"initcap({_frozen('account', 'kind', 'a.kind')})"
_INVOICE = "nullif(i.number, '')"
_USAGE_ONLY = "CASE WHEN c.category = 'Usage' THEN {} END"
_RESOURCE = "'res-' || c.resource_id"
_ROUNDING = "round(i.total - i.exact_total, 10)"
# One user scheme without a prefix; what we add ourselves stands under orchestra/.
_TAGS = """nullif(
    (SELECT coalesce(jsonb_object_agg(key, CASE WHEN jsonb_typeof(value) IN ('object', 'array')
        THEN to_jsonb(value::text) ELSE value END), '{}')
        FROM jsonb_each(CASE WHEN jsonb_typeof(c.labels->'tags') = 'object'
            THEN c.labels->'tags' ELSE '{}' END))
    || jsonb_strip_nulls(jsonb_build_object(
        'orchestra/application', nullif(c.labels->>'application', ''),
        'orchestra/cost_centre', nullif(c.cost_centre, ''),
        'orchestra/environment', nullif(c.labels->>'environment', ''),
        'orchestra/pool', nullif(c.labels->>'pool', ''))),
    '{}')::text"""

COLUMNS = (
    Column("AvailabilityZone", _label("zone")),
    Column("BilledCost", "round(c.billed_cost, 10)", _ROUNDING),
    Column("BillingAccountId", "a.code", "a.code"),
    Column(
        "BillingAccountName",
        _frozen("account", "name", "a.name"),
        _frozen("account", "name", "a.name"),
    ),
    Column("BillingAccountType", _ACCOUNT_TYPE, _ACCOUNT_TYPE),
    Column("BillingCurrency", "c.currency", "i.currency"),
    Column("BillingPeriodEnd", _instant("p.end_at"), _instant("p.end_at")),
    Column("BillingPeriodStart", _instant("p.start_at"), _instant("p.start_at")),
    Column("CapacityReservationId", "NULL"),
    Column("CapacityReservationStatus", "NULL"),
    Column("ChargeCategory", "c.category", "'Adjustment'"),
    Column("ChargeClass", "CASE WHEN c.correction_id IS NOT NULL THEN 'Correction' END"),
    Column("ChargeDescription", "c.description", "'Rounding of ' || i.number"),
    Column(
        "ChargeFrequency",
        "CASE WHEN c.category <> 'Usage' THEN 'One-Time'"
        " WHEN c.labels->'tier'->>'is_fee' = 'true' THEN 'Recurring' ELSE 'Usage-Based' END",
        "'One-Time'",
    ),
    Column("ChargePeriodEnd", _instant("c.charge_end"), _instant("p.end_at")),
    Column("ChargePeriodStart", _instant("c.charge_start"), _instant("p.start_at")),
    Column("CommitmentDiscountCategory", "NULL"),
    Column("CommitmentDiscountId", "NULL"),
    Column("CommitmentDiscountName", "NULL"),
    Column("CommitmentDiscountQuantity", "NULL"),
    Column("CommitmentDiscountStatus", "NULL"),
    Column("CommitmentDiscountType", "NULL"),
    Column("CommitmentDiscountUnit", "NULL"),
    Column("ConsumedQuantity", _USAGE_ONLY.format("round(c.consumed_quantity, 12)")),
    Column("ConsumedUnit", _USAGE_ONLY.format("nullif(c.consumed_unit, '')")),
    Column("ContractedCost", "round(c.contracted_cost, 10)", _ROUNDING),
    Column("ContractedUnitPrice", "round(c.contracted_unit_price, 12)"),
    Column("EffectiveCost", "round(c.effective_cost, 10)", _ROUNDING),
    Column("InvoiceId", _INVOICE, _INVOICE),
    Column("InvoiceIssuerName", _ENTITY, _ENTITY),
    Column("ListCost", "round(c.list_cost, 10)", _ROUNDING),
    Column("ListUnitPrice", "round(c.list_unit_price, 12)"),
    Column("PricingCategory", "'Standard'"),
    Column("PricingCurrency", "c.currency", "i.currency"),
    Column("PricingCurrencyContractedUnitPrice", "round(c.contracted_unit_price, 12)"),
    Column("PricingCurrencyEffectiveCost", "round(c.effective_cost, 10)", _ROUNDING),
    Column("PricingCurrencyListUnitPrice", "round(c.list_unit_price, 12)"),
    Column("PricingQuantity", "round(c.pricing_quantity, 12)"),
    Column("PricingUnit", "nullif(c.pricing_unit, '')"),
    Column("ProviderName", _ENTITY, _ENTITY),
    Column("PublisherName", _ENTITY, _ENTITY),
    Column("RegionId", _label("region")),
    Column("RegionName", _label("region")),
    Column("ResourceId", _RESOURCE),
    Column("ResourceName", _label("resource")),
    Column("ResourceType", _label("kind")),
    Column("ServiceCategory", _label("service_category"), "'Other'"),
    Column("ServiceName", _label("service"), "'Billing'"),
    Column("ServiceSubcategory", _label("service_subcategory"), "'Other (Other)'"),
    Column("SkuId", _label("sku")),
    Column("SkuMeter", _label("meter")),
    Column("SkuPriceDetails", "NULL"),
    Column("SkuPriceId", _label("list_price_id")),
    Column("SubAccountId", "'prj-' || c.project_id"),
    Column("SubAccountName", _label("project")),
    Column("SubAccountType", "'Project'"),
    Column("Tags", _TAGS),
)

_NAMES = ", ".join(f'"{column.name}"' for column in COLUMNS)
_CHARGES = ",\n".join(f'{column.charge} AS "{column.name}"' for column in COLUMNS)
_ADJUSTMENTS = ",\n".join(f'{column.adjustment} AS "{column.name}"' for column in COLUMNS)
SQL = f"""
COPY (
    SELECT {_NAMES} FROM (
        SELECT {_CHARGES},
            a.code AS k1, 0 AS k2, c.project_id AS k3, c.resource_id AS k4,
            c.labels->>'sku' AS k5, c.charge_start AS k6, c.line_id AS k7
        FROM billing_charge c
        JOIN billing_billingperiod p ON p.id = c.period_id
        JOIN billing_billingaccount a ON a.id = c.account_id
        JOIN billing_issuingentity e ON e.id = a.entity_id
        LEFT JOIN billing_invoice i ON i.id = c.invoice_id
        WHERE c.period_id = ANY(%(periods)s)
        UNION ALL
        SELECT {_ADJUSTMENTS},
            a.code, 1, NULL, NULL, i.number, p.start_at, NULL
        FROM billing_invoice i
        JOIN billing_billingperiod p ON p.id = i.period_id
        JOIN billing_billingaccount a ON a.id = i.account_id
        JOIN billing_issuingentity e ON e.id = a.entity_id
        WHERE i.period_id = ANY(%(periods)s) AND i.issued_at IS NOT NULL
            AND i.total <> i.exact_total
    ) AS lines
    ORDER BY k1 COLLATE "C", k2, k3, k4 NULLS FIRST, k5 COLLATE "C", k6, k7
) TO STDOUT WITH (FORMAT csv, HEADER true, ENCODING 'UTF8')
"""  # noqa: S608 - only constants of this file


def file_name(*, month: date, account: BillingAccount | None = None) -> str:
    """Return the name of the month's file."""
    whose = f"-{account.code}" if account else ""
    return f"{FORMAT}-{month:%Y-%m}{whose}.csv"


def write(
    *,
    month: date,
    directory: Path,
    at: datetime,
    account: BillingAccount | None = None,
    actor: User | None = None,
) -> FileEntry:
    """Write the month's file and, last, its manifest; return what the manifest says of the file.

    An open month may be exported and says so (`status` "open", with the rating run). A person
    needs to see the statements of every account concerned; None is the command line. Raises
    CannotWrite, NothingToExport, Forbidden, LedgerDiffers; then nothing is left behind.
    """
    usable_directory(directory)
    with transaction.atomic():
        periods = lock_periods(month=month, account=account)
        if not periods:
            message = (
                f"There is no billing period {month:%Y-%m}. Check the month, or rate it first."
            )
            raise NothingToExport(message)
        _refuse_strangers(periods, actor)
        path = directory / file_name(month=month, account=account)
        write_whole(path, lambda file: _fill(file, path, periods))
        entry = _entry(path, month, periods)
        write_manifest(directory, entry)
        export = BillingExport.objects.create(
            month=month.replace(day=1),
            format=FORMAT,
            is_final=entry.status == PeriodState.CLOSED,
            rows=entry.rows,
            sums=entry.sums,
            sha256=entry.sha256,
            manifest=entry.__dict__,
            created_at=at,
            created_by=actor,
        )
        record_audit(
            action="export.billing",
            subject=export,
            at=at,
            actor=actor,
            organisation=account.organisation if account else None,
            changes={"file": ["", entry.name], "sha256": ["", entry.sha256]},
        )
    return entry


def _refuse_strangers(periods: Sequence[BillingPeriod], actor: User | None) -> None:
    if actor is None:
        return
    seen = organisations_where(actor, Action.STATEMENT_VIEW)
    if any(period.account.organisation_id not in seen for period in periods):
        raise refusal(Action.STATEMENT_VIEW)


def _fill(file: BinaryIO, path: Path, periods: Sequence[BillingPeriod]) -> None:
    """Stream the rows into the file, then read it back: it must agree with the ledger."""
    with (
        connection.cursor() as cursor,
        cursor.copy(SQL, {"periods": [period.pk for period in periods]}) as copy,
    ):
        for block in copy:
            file.write(block)
    file.flush()
    _, sums = sums_of(Path(file.name), by="BillingCurrency", columns=LEDGER_SUMS)
    expected = _ledger(periods)
    if {
        key: {name: Decimal(value) for name, value in row.items()} for key, row in sums.items()
    } != (expected):
        message = f"{path.name} was not kept: it holds {sums}, the ledger {expected}. Tell support."
        raise LedgerDiffers(message)


def _ledger(periods: Sequence[BillingPeriod]) -> dict[str, dict[str, Decimal]]:
    """Return the sums that the file must have: the charges, and the rounding of the documents."""
    found: dict[str, dict[str, Decimal]] = {}
    rows = (
        Charge.objects.filter(period__in=periods)
        .values_list("currency")
        .annotate(*(Sum(field) for field in LEDGER_SUMS.values()))
    )
    for currency, *sums in rows:
        found[currency] = dict(zip(LEDGER_SUMS, sums, strict=True))
    for period in periods:
        for invoice in period.invoices.all():
            rounding = invoice.total - invoice.exact_total
            if invoice.issued_at is not None and rounding:
                for name in LEDGER_SUMS:
                    found[invoice.currency][name] += rounding
    return found


def _entry(path: Path, month: date, periods: Sequence[BillingPeriod]) -> FileEntry:
    rows, sums = sums_of(path, by="BillingCurrency", columns=LEDGER_SUMS)
    is_closed = all(period.state == PeriodState.CLOSED for period in periods)
    return FileEntry(
        name=path.name,
        format=FORMAT,
        period=f"{month:%Y-%m}",
        status=(PeriodState.CLOSED if is_closed else PeriodState.OPEN).value,
        rows=rows,
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        sums=sums,
        ledger={period.account.code: period.rating_run for period in periods},
    )
