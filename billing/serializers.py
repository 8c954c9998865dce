"""The shape in which money is told to programs: amounts are exact decimals, as text."""

from decimal import Decimal
from typing import ClassVar

from rest_framework import serializers

from billing.models import (
    BillingAccount,
    BillingExport,
    BillingPeriod,
    Budget,
    Charge,
    Correction,
    Invoice,
    InvoiceLine,
    IssuingEntity,
    Meter,
    PriceBook,
    PriceChange,
    ProjectBilling,
    Sku,
    SkuPrice,
    UsageRecord,
)
from inventory.foundation.api import StrictSerializer


class ChargeSerializer(serializers.ModelSerializer[Charge]):
    """One line of the ledger."""

    account = serializers.SlugRelatedField(slug_field="code", read_only=True)
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    sku = serializers.SlugRelatedField(slug_field="code", read_only=True)
    month = serializers.DateField(source="period.month", format="%Y-%m")
    is_final = serializers.SerializerMethodField()
    invoice = serializers.SerializerMethodField()

    class Meta:
        model = Charge
        fields: ClassVar = [
            "id",
            "line_id",
            "account",
            "project",
            "project_id",
            "resource_id",
            "sku",
            "month",
            "is_final",
            "invoice",
            "category",
            "description",
            "charge_start",
            "charge_end",
            "consumed_quantity",
            "consumed_unit",
            "pricing_quantity",
            "pricing_unit",
            "list_unit_price",
            "contracted_unit_price",
            "list_cost",
            "contracted_cost",
            "billed_cost",
            "effective_cost",
            "currency",
            "cost_centre",
            "labels",
            "correction",
            "correction_of",
        ]

    def get_is_final(self, charge: Charge) -> bool:
        """Say whether its period is closed, so that it cannot change any more."""
        return charge.period.closed_at is not None

    def get_invoice(self, charge: Charge) -> str | None:
        """Return the number of the document that it stands on."""
        return charge.invoice.number if charge.invoice else None


class CorrectionSerializer(serializers.ModelSerializer[Correction]):
    """A correction of a closed month; its charges are those with its number."""

    account = serializers.CharField(source="period.account.code", read_only=True)
    month = serializers.DateField(source="period.month", format="%Y-%m", read_only=True)
    into = serializers.DateField(source="into.month", format="%Y-%m", read_only=True)
    prepared_by = serializers.SlugRelatedField(slug_field="username", read_only=True)
    released_by = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = Correction
        fields: ClassVar = [
            "id",
            "account",
            "month",
            "into",
            "reason",
            "state",
            "before",
            "after",
            "lines",
            "sha256",
            "prepared_by",
            "prepared_at",
            "released_by",
            "released_at",
        ]


class CorrectionInput(StrictSerializer):
    """Which closed month of which account is corrected, and why."""

    account = serializers.CharField(max_length=40)
    month = serializers.CharField(max_length=7, help_text="YYYY-MM")
    reason = serializers.CharField(max_length=500)


class TierInput(StrictSerializer):
    """A price for what is used above `lower`, up to where the next tier starts."""

    lower = serializers.DecimalField(max_digits=28, decimal_places=4, default=Decimal(0))
    unit_price = serializers.DecimalField(max_digits=28, decimal_places=6)
    flat_fee = serializers.DecimalField(max_digits=28, decimal_places=10, default=Decimal(0))


class PriceChangeInput(StrictSerializer):
    """Another price of an item in a list, from an instant on; no tiers end the price."""

    book = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    sku = serializers.CharField(max_length=60)
    account = serializers.CharField(max_length=40, required=False, allow_null=True)
    tiers = TierInput(many=True)
    from_at = serializers.DateTimeField()
    until = serializers.DateTimeField(required=False, allow_null=True)
    reason = serializers.CharField(max_length=500)
    corrects = serializers.BooleanField(default=False)


class PriceChangeSerializer(serializers.ModelSerializer[PriceChange]):
    """Another price that was prepared, released or taken back."""

    sku = serializers.SlugRelatedField(slug_field="code", read_only=True)
    account = serializers.SlugRelatedField(slug_field="code", read_only=True)
    prepared_by = serializers.SlugRelatedField(slug_field="username", read_only=True)
    released_by = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = PriceChange
        fields: ClassVar = [
            "id",
            "book",
            "sku",
            "account",
            "tiers",
            "from_at",
            "until",
            "reason",
            "corrects",
            "state",
            "prepared_by",
            "prepared_at",
            "released_by",
            "released_at",
        ]


class IssuingEntitySerializer(serializers.ModelSerializer[IssuingEntity]):
    """Who issues statements: zone, currency, rounding, and what stands on them."""

    class Meta:
        model = IssuingEntity
        fields: ClassVar = [
            "id",
            "name",
            "zone",
            "currency",
            "rounding",
            "fiscal_year_start_month",
            "grace_days",
            "auto_issue",
            "legal",
        ]


class BillingAccountSerializer(serializers.ModelSerializer[BillingAccount]):
    """Who receives statements."""

    entity = serializers.CharField(source="entity.name")
    organisation = serializers.CharField(source="organisation.slug")
    owner = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = BillingAccount
        fields: ClassVar = [
            "id",
            "code",
            "name",
            "entity_id",
            "entity",
            "organisation_id",
            "organisation",
            "kind",
            "mode",
            "currency",
            "owner",
            "is_active",
        ]


class ProjectBillingSerializer(serializers.ModelSerializer[ProjectBilling]):
    """Which account pays for a project over [start, end); null for no end."""

    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    account = serializers.SlugRelatedField(slug_field="code", read_only=True)
    start = serializers.DateTimeField(source="during.lower", allow_null=True)
    end = serializers.DateTimeField(source="during.upper", allow_null=True)

    class Meta:
        model = ProjectBilling
        fields: ClassVar = ["id", "project_id", "project", "account", "start", "end"]


class BudgetSerializer(serializers.ModelSerializer[Budget]):
    """What may be spent in [start, end) by an account, or by one project of it."""

    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    account = serializers.SlugRelatedField(slug_field="code", read_only=True)
    start = serializers.DateField(source="during.lower", allow_null=True)
    end = serializers.DateField(source="during.upper", allow_null=True)

    class Meta:
        model = Budget
        fields: ClassVar = [
            "id",
            "name",
            "account",
            "project_id",
            "project",
            "parent_id",
            "start",
            "end",
            "amount",
            "currency",
            "version",
            "is_current",
            "phasing",
            "thresholds",
            "action",
        ]


class MeterSerializer(serializers.ModelSerializer[Meter]):
    """What is counted, and in which unit."""

    resource_class = serializers.SlugRelatedField(slug_field="name", read_only=True)

    class Meta:
        model = Meter
        fields: ClassVar = [
            "id",
            "name",
            "label",
            "source",
            "resource_class",
            "resource_kind",
            "state",
            "unit",
            "scale",
            "aggregation",
        ]


class SkuSerializer(serializers.ModelSerializer[Sku]):
    """A priced item: what usage it matches and how its price is meant."""

    meter = serializers.SlugRelatedField(slug_field="name", read_only=True)
    traits = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)

    class Meta:
        model = Sku
        fields: ClassVar = [
            "id",
            "code",
            "name",
            "meter",
            "resource_kind",
            "traits",
            "model",
            "base",
            "tier_scope",
            "fee_without_use",
            "charge_category",
            "service_category",
            "service_subcategory",
            "service_name",
            "pricing_unit",
            "is_active",
        ]


class PriceBookSerializer(serializers.ModelSerializer[PriceBook]):
    """A set of prices, and the two people who put it in force."""

    entity = serializers.CharField(source="entity.name")
    prepared_by = serializers.SlugRelatedField(slug_field="username", read_only=True)
    released_by = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = PriceBook
        fields: ClassVar = [
            "id",
            "name",
            "entity_id",
            "entity",
            "currency",
            "status",
            "is_default",
            "prepared_by",
            "released_by",
            "released_at",
        ]


class SkuPriceSerializer(serializers.ModelSerializer[SkuPrice]):
    """One tier of one item's price, in force from `start` up to `end` (null: no end)."""

    sku = serializers.SlugRelatedField(slug_field="code", read_only=True)
    account = serializers.SlugRelatedField(slug_field="code", read_only=True)
    currency = serializers.CharField(source="book.currency")
    above = serializers.DecimalField(
        source="tier.lower", max_digits=28, decimal_places=12, allow_null=True
    )
    up_to = serializers.DecimalField(
        source="tier.upper", max_digits=28, decimal_places=12, allow_null=True
    )
    start = serializers.DateTimeField(source="during.lower", allow_null=True)
    end = serializers.DateTimeField(source="during.upper", allow_null=True)

    class Meta:
        model = SkuPrice
        fields: ClassVar = [
            "id",
            "price_id",
            "book_id",
            "sku",
            "account",
            "above",
            "up_to",
            "start",
            "end",
            "unit_price",
            "flat_fee",
            "package_size",
            "currency",
        ]


class BillingPeriodSerializer(serializers.ModelSerializer[BillingPeriod]):
    """One month of one account; `total` is the exact sum of its charges, null without any."""

    account = serializers.SlugRelatedField(slug_field="code", read_only=True)
    month = serializers.DateField(format="%Y-%m")
    currency = serializers.CharField(source="account.currency")
    closed_by = serializers.SlugRelatedField(slug_field="username", read_only=True)
    total = serializers.DecimalField(max_digits=38, decimal_places=10, allow_null=True)

    class Meta:
        model = BillingPeriod
        fields: ClassVar = [
            "id",
            "account",
            "month",
            "start_at",
            "end_at",
            "state",
            "rating_run",
            "rated_at",
            "rated_to",
            "total",
            "currency",
            "closed_at",
            "closed_by",
            "failure",
        ]


class InvoiceSerializer(serializers.ModelSerializer[Invoice]):
    """A statement or invoice; its lines are those of `invoice-lines` with its number."""

    account = serializers.SlugRelatedField(slug_field="code", read_only=True)
    month = serializers.DateField(source="period.month", format="%Y-%m")

    class Meta:
        model = Invoice
        fields: ClassVar = [
            "id",
            "number",
            "account",
            "month",
            "kind",
            "state",
            "corrects_id",
            "currency",
            "exact_total",
            "total",
            "created_at",
            "issued_at",
        ]


class InvoiceLineSerializer(serializers.ModelSerializer[InvoiceLine]):
    """One printed line of a statement."""

    number = serializers.CharField(source="invoice.number")
    currency = serializers.CharField(source="invoice.currency")
    corrects_month = serializers.DateField(format="%Y-%m", allow_null=True)

    class Meta:
        model = InvoiceLine
        fields: ClassVar = [
            "id",
            "invoice_id",
            "number",
            "position",
            "cost_centre",
            "project_name",
            "sku_name",
            "description",
            "quantity",
            "unit",
            "exact_amount",
            "amount",
            "currency",
            "tax_category",
            "corrects_month",
        ]


class BillingExportSerializer(serializers.ModelSerializer[BillingExport]):
    """A file that was written: rows, sums by currency, checksum and manifest."""

    month = serializers.DateField(format="%Y-%m")
    created_by = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = BillingExport
        fields: ClassVar = [
            "id",
            "month",
            "format",
            "is_final",
            "rows",
            "sums",
            "sha256",
            "manifest",
            "created_at",
            "created_by",
        ]


class UsageRecordSerializer(serializers.ModelSerializer[UsageRecord]):
    """What was used in [usage_start, usage_end): `quantity` is in `quantity_unit`."""

    meter = serializers.SlugRelatedField(slug_field="name", read_only=True)
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    resource = serializers.CharField(source="resource.name", allow_null=True, default=None)
    unit = serializers.CharField(source="meter.unit")
    quantity_unit = serializers.CharField()

    class Meta:
        model = UsageRecord
        fields: ClassVar = [
            "id",
            "meter",
            "project_id",
            "project",
            "resource_id",
            "resource",
            "origin",
            "origin_id",
            "usage_start",
            "usage_end",
            "amount",
            "unit",
            "quantity",
            "quantity_unit",
            "dimensions",
            "recorded_at",
        ]
