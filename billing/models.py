"""What it costs and what is owed: accounts, prices, usage, charges, invoices.

Money and quantities are exact: NUMERIC(28,12) for quantities and unit prices, NUMERIC(28,10) for
costs. Charges stay unrounded; only a document's printed lines are rounded.
"""

import uuid
from decimal import Decimal
from typing import Any, ClassVar

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import (
    DateRangeField,
    DateTimeRangeField,
    DecimalRangeField,
    RangeOperators,
)
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from billing.choices import (
    AccountKind,
    AccountMode,
    Aggregation,
    BookStatus,
    BudgetAction,
    ChargeCategory,
    DocumentKind,
    InvoiceState,
    MeterSource,
    PeriodState,
    PriceBase,
    PriceModel,
    Rounding,
    TierScope,
    UsageOrigin,
)
from inventory.foundation.models import (
    AppendOnlyModel,
    Both,
    Organisation,
    Project,
    User,
    plain_text,
)
from inventory.models import Resource, ResourceClass, Trait

currency_code = RegexValidator(r"^[A-Z]{3}\Z", _("Use a three-letter code such as EUR."))
code_name = RegexValidator(
    r"^[a-z0-9][a-z0-9._-]*\Z", _("Use small letters, digits, dots, hyphens and underscores.")
)


class QuantityField(models.DecimalField):
    """An exact quantity or unit price."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 28)
        kwargs.setdefault("decimal_places", 12)
        super().__init__(*args, **kwargs)


class CostField(models.DecimalField):
    """An exact, unrounded cost."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 28)
        kwargs.setdefault("decimal_places", 10)
        super().__init__(*args, **kwargs)


class IssuingEntity(models.Model):
    """Who issues statements and invoices: owns zone, currency, rounding and fiscal calendar."""

    name = models.CharField(_("name"), max_length=120, unique=True, validators=[plain_text])
    zone = models.CharField(_("billing time zone"), max_length=64, default="Europe/Berlin")
    currency = models.CharField(
        _("currency"), max_length=3, default="EUR", validators=[currency_code]
    )
    rounding = models.CharField(max_length=10, choices=Rounding, default=Rounding.HALF_UP)
    fiscal_year_start_month = models.PositiveSmallIntegerField(default=1)
    grace_days = models.PositiveSmallIntegerField(_("days for late data"), default=3)
    auto_issue = models.BooleanField(_("issue at the close"), default=True)
    legal = models.JSONField(_("legal particulars"), default=dict, blank=True)

    class Meta:
        verbose_name = _("issuing entity")
        verbose_name_plural = _("issuing entities")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(fiscal_year_start_month__range=(1, 12)),
                name="entity_fiscal_month",
                violation_error_message=_("The fiscal year starts in month 1 to 12."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BillingAccount(models.Model):
    """Who receives the statement or invoice."""

    entity = models.ForeignKey(IssuingEntity, models.PROTECT, related_name="accounts")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="billing_accounts")
    code = models.CharField(_("number"), max_length=40, unique=True, validators=[code_name])
    name = models.CharField(_("name"), max_length=120, validators=[plain_text])
    kind = models.CharField(max_length=14, choices=AccountKind, default=AccountKind.INTERNAL)
    mode = models.CharField(max_length=12, choices=AccountMode, default=AccountMode.SHOWBACK)
    currency = models.CharField(max_length=3, default="EUR", validators=[currency_code])
    owner = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    is_active = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("paying account")
        verbose_name_plural = _("paying accounts")

    def __str__(self) -> str:
        return self.name


class ProjectBilling(models.Model):
    """Which account pays for a project, and since when; never two at once."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="billings")
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="project_billings")
    during = DateTimeRangeField()

    class Meta:
        verbose_name = _("who pays for a project")
        verbose_name_plural = _("who pays for projects")
        constraints: ClassVar = [
            ExclusionConstraint(
                name="project_billing_no_overlap",
                expressions=[
                    ("project", RangeOperators.EQUAL),
                    ("during", RangeOperators.OVERLAPS),
                ],
                violation_error_message=_("Another account pays for the project at that time."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} → {self.account}"


class Budget(models.Model):
    """What an account, or one project of it, may spend in a stretch of days; versions replace."""

    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="budgets")
    project = models.ForeignKey(
        Project, models.PROTECT, null=True, blank=True, related_name="budgets"
    )
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children"
    )
    name = models.CharField(max_length=120, validators=[plain_text])
    during = DateRangeField(help_text=_("From the first day up to, not including, the last."))
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    currency = models.CharField(max_length=3, validators=[currency_code])
    version = models.PositiveIntegerField(default=1)
    is_current = models.BooleanField(default=True)
    phasing = models.JSONField(default=list, blank=True)
    thresholds = models.JSONField(default=list, blank=True)
    action = models.CharField(
        max_length=20, choices=BudgetAction, default=BudgetAction.REQUIRE_APPROVAL
    )

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(amount__gte=0),
                name="budget_not_negative",
                violation_error_message=_("A budget cannot be negative."),
            ),
            ExclusionConstraint(
                name="budget_no_overlap",
                expressions=[
                    ("account", RangeOperators.EQUAL),
                    (Coalesce("project", 0, output_field=models.BigIntegerField()), "="),
                    ("name", RangeOperators.EQUAL),
                    ("during", RangeOperators.OVERLAPS),
                ],
                condition=Q(is_current=True),
                violation_error_message=_("There is a budget for these days already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Meter(models.Model):
    """What is counted: held capacity by class, or counts and states by kind of resource."""

    name = models.CharField(max_length=80, unique=True, validators=[code_name])
    label = models.CharField(max_length=80, validators=[plain_text])
    source = models.CharField(max_length=12, choices=MeterSource)
    resource_class = models.ForeignKey(
        ResourceClass, models.PROTECT, null=True, blank=True, related_name="meters"
    )
    resource_kind = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=10, blank=True)
    unit = models.CharField(max_length=30, help_text=_("Of the quantity, for example GiB."))
    scale = QuantityField(
        default=Decimal(1), help_text=_("Quantity for one unit of the class: MiB to GiB is 1/1024.")
    )
    aggregation = models.CharField(
        max_length=14, choices=Aggregation, default=Aggregation.TIME_WEIGHTED
    )

    class Meta:
        verbose_name = _("meter")
        verbose_name_plural = _("meters")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(source=MeterSource.ALLOCATION, resource_class__isnull=False)
                | (~Q(source=MeterSource.ALLOCATION) & Q(resource_class=None)),
                name="meter_class_for_allocations",
                violation_error_message=_("A meter of held capacity names the kind of capacity."),
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Sku(models.Model):
    """A priced item: matches usage by meter and, where given, kind and properties."""

    code = models.CharField(max_length=60, unique=True, validators=[code_name])
    name = models.CharField(max_length=120, validators=[plain_text])
    meter = models.ForeignKey(Meter, models.PROTECT, null=True, blank=True, related_name="skus")
    resource_kind = models.CharField(max_length=80, blank=True)
    traits = models.ManyToManyField(Trait, blank=True, related_name="skus")
    model = models.CharField(max_length=12, choices=PriceModel, default=PriceModel.STANDARD)
    base = models.CharField(max_length=6, choices=PriceBase, default=PriceBase.HOUR)
    tier_scope = models.CharField(max_length=10, choices=TierScope, default=TierScope.ACCOUNT)
    charge_category = models.CharField(
        max_length=12, choices=ChargeCategory, default=ChargeCategory.USAGE
    )
    service_category = models.CharField(max_length=40, default="Compute")
    service_subcategory = models.CharField(max_length=60, default="Virtual Machines")
    service_name = models.CharField(max_length=80, validators=[plain_text])
    pricing_unit = models.CharField(max_length=30, help_text=_("FOCUS unit, for example Hours."))
    is_active = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("price item")
        verbose_name_plural = _("price items")

    def __str__(self) -> str:
        return self.name


class PriceBook(models.Model):
    """A set of prices; one person prepares it, another releases it, then it never changes."""

    entity = models.ForeignKey(IssuingEntity, models.PROTECT, related_name="price_books")
    name = models.CharField(max_length=120, unique=True, validators=[plain_text])
    currency = models.CharField(max_length=3, validators=[currency_code])
    status = models.CharField(max_length=10, choices=BookStatus, default=BookStatus.DRAFT)
    is_default = models.BooleanField(default=False)
    prepared_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    released_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("price list")
        verbose_name_plural = _("price lists")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(status=BookStatus.DRAFT, released_by=None)
                | (
                    Q(status=BookStatus.PUBLISHED, released_by__isnull=False)
                    & Q(released_at__isnull=False)
                    & ~Q(released_by=F("prepared_by"))
                ),
                name="price_book_two_people",
                violation_error_message=_(
                    "A price list is released by somebody other than who prepared it."
                ),
            ),
            models.UniqueConstraint(
                fields=["entity", "currency"],
                condition=Q(is_default=True),
                name="price_book_one_default",
                violation_error_message=_("There is a default price list for this currency."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SkuPrice(models.Model):
    """One tier of one item's price over one stretch of time, perhaps for one account only."""

    price_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    book = models.ForeignKey(PriceBook, models.PROTECT, related_name="prices")
    account = models.ForeignKey(
        BillingAccount, models.PROTECT, null=True, blank=True, related_name="contracted_prices"
    )
    sku = models.ForeignKey(Sku, models.PROTECT, related_name="prices")
    tier = DecimalRangeField(help_text=_("Quantities from the lower end up to the upper end."))
    during = DateTimeRangeField()
    unit_price = QuantityField()
    flat_fee = CostField(default=Decimal(0))
    package_size = QuantityField(null=True, blank=True)

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        constraints: ClassVar = [
            ExclusionConstraint(
                name="sku_price_no_overlap",
                expressions=[
                    ("book", RangeOperators.EQUAL),
                    (Coalesce("account", 0, output_field=models.BigIntegerField()), "="),
                    ("sku", RangeOperators.EQUAL),
                    ("tier", RangeOperators.OVERLAPS),
                    ("during", RangeOperators.OVERLAPS),
                ],
                violation_error_message=_("Another price of this item holds at that time."),
            ),
            models.CheckConstraint(
                condition=Q(unit_price__gte=0) & Q(flat_fee__gte=0),
                name="sku_price_not_negative",
                violation_error_message=_("A price cannot be negative."),
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Trigger(
                name="published_keeps_its_price",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF NOT EXISTS (
                        SELECT 1 FROM billing_pricebook
                        WHERE id = OLD.book_id AND status = 'published'
                    ) THEN
                        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
                        RETURN NEW;
                    END IF;
                    IF TG_OP = 'DELETE' OR ROW(
                        OLD.price_id, OLD.book_id, OLD.account_id, OLD.sku_id, OLD.tier,
                        lower(OLD.during), OLD.unit_price, OLD.flat_fee, OLD.package_size
                    ) IS DISTINCT FROM ROW(
                        NEW.price_id, NEW.book_id, NEW.account_id, NEW.sku_id, NEW.tier,
                        lower(NEW.during), NEW.unit_price, NEW.flat_fee, NEW.package_size
                    ) THEN
                        RAISE EXCEPTION 'pgtrigger: a published price is never edited; '
                            'let another hold from a date on'
                            USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku}: {self.unit_price.normalize():f}"


class UsageKey(AppendOnlyModel):
    """Decides duplicates of pushed readings: one row per (source, id)."""

    source = models.CharField(max_length=200)
    event_id = models.CharField(max_length=200)
    payload_sha256 = models.CharField(max_length=64)
    received_at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("usage key")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "event_id"], name="usage_key_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"


class UsageRecord(models.Model):
    """One immutable quantity of one meter. Partitioned by month of `usage_start`; nothing points
    here by foreign key. Migration 0002 makes the real table: its primary key is (id, usage_start).
    """

    meter = models.ForeignKey(Meter, models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, models.PROTECT, related_name="+")
    resource = models.ForeignKey(Resource, models.PROTECT, null=True, related_name="+")
    origin = models.CharField(max_length=12, choices=UsageOrigin)
    origin_id = models.CharField(max_length=200, help_text=_("Allocation, state or event id."))
    usage_start = models.DateTimeField()
    usage_end = models.DateTimeField()
    amount = QuantityField(help_text=_("The level held, or the reading."))
    quantity = QuantityField(help_text=_("In unit-seconds for time-weighted meters."))
    dimensions = models.JSONField(default=dict)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        managed = False
        db_table = "billing_usagerecord"

    def __str__(self) -> str:
        return f"{self.meter_id}: {self.quantity}"


class BillingPeriod(models.Model):
    """One month of one account in its entity's zone, as half-open instants."""

    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="periods")
    month = models.DateField(help_text=_("Its first day."))
    start_at = models.DateTimeField()
    end_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=PeriodState, default=PeriodState.OPEN)
    rating_run = models.PositiveIntegerField(default=0)
    rated_at = models.DateTimeField(null=True)
    rated_to = models.DateTimeField(null=True, help_text=_("Usage is rated up to this instant."))
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    failure = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = _("billing period")
        verbose_name_plural = _("billing periods")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "month"], name="period_unique"),
            models.CheckConstraint(condition=Q(end_at__gt=F("start_at")), name="period_in_order"),
            models.CheckConstraint(
                condition=Q(state=PeriodState.CLOSED, closed_at__isnull=False)
                | (~Q(state=PeriodState.CLOSED) & Q(closed_at=None)),
                name="period_closed_has_time",
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="closed_stays_closed",
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Q(old__state="closed"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.month:%Y-%m}"


class InvoiceSeries(models.Model):
    """The locked counter of one gapless series of document numbers."""

    entity = models.ForeignKey(IssuingEntity, models.PROTECT, related_name="series")
    kind = models.CharField(max_length=12, choices=DocumentKind)
    prefix = models.CharField(max_length=20, unique=True, validators=[plain_text])
    last_number = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("number series")
        verbose_name_plural = _("number series")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["entity", "kind"], name="series_unique"),
        ]

    def __str__(self) -> str:
        return self.prefix


class Invoice(models.Model):
    """A statement or invoice: once issued a frozen copy, names included."""

    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="invoices")
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="invoices")
    kind = models.CharField(max_length=12, choices=DocumentKind)
    state = models.CharField(max_length=10, choices=InvoiceState, default=InvoiceState.DRAFT)
    series = models.ForeignKey(InvoiceSeries, models.PROTECT, null=True, related_name="invoices")
    sequence = models.PositiveBigIntegerField(null=True)
    number = models.CharField(max_length=40, blank=True)
    corrects = models.ForeignKey("self", models.PROTECT, null=True, related_name="corrections")
    currency = models.CharField(max_length=3)
    exact_total = CostField(help_text=_("Sum of the charges, unrounded."))
    total = models.DecimalField(max_digits=20, decimal_places=2)
    snapshot = models.JSONField(default=dict, help_text=_("Names as they were when issued."))
    created_at = models.DateTimeField()
    issued_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("statement or invoice")
        verbose_name_plural = _("statements and invoices")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "sequence"], name="invoice_sequence_unique"),
            models.UniqueConstraint(
                fields=["period"],
                condition=Q(corrects=None),
                name="invoice_one_per_period",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[InvoiceState.DRAFT, InvoiceState.REVIEW], issued_at=None)
                | (
                    Q(issued_at__isnull=False)
                    & Q(series__isnull=False)
                    & Q(sequence__isnull=False)
                    & ~Q(number="")
                ),
                name="invoice_issued_has_number",
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="issued_not_deleted",
                operation=pgtrigger.Delete,
                condition=pgtrigger.Q(old__issued_at__isnull=False),
            ),
            pgtrigger.Protect(
                name="issued_is_frozen",
                operation=pgtrigger.Update,
                condition=Both(
                    pgtrigger.Q(old__issued_at__isnull=False),
                    pgtrigger.AnyChange(exclude=["state"]),
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.number or f"{self.get_kind_display()} {self.period}"


class InvoiceLine(AppendOnlyModel):
    """One printed line: cost centre × item × tax, rounded so that the lines add up to the total."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    cost_centre = models.CharField(max_length=40)
    project_name = models.CharField(max_length=120)
    sku_name = models.CharField(max_length=120)
    description = models.CharField(max_length=200)
    quantity = QuantityField()
    unit = models.CharField(max_length=30)
    exact_amount = CostField()
    amount = models.DecimalField(max_digits=20, decimal_places=2)
    tax_category = models.CharField(max_length=20, blank=True)

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("statement line")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_unique"),
        ]

    def __str__(self) -> str:
        return self.description


class Charge(models.Model):
    """One priced line of the ledger (a FOCUS row). Frozen when its period closes."""

    line_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(BillingAccount, models.PROTECT, related_name="charges")
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="charges")
    project = models.ForeignKey(Project, models.PROTECT, related_name="charges")
    resource = models.ForeignKey(Resource, models.PROTECT, null=True, related_name="charges")
    sku = models.ForeignKey(Sku, models.PROTECT, related_name="charges")
    sku_price = models.ForeignKey(SkuPrice, models.PROTECT, null=True, related_name="charges")
    invoice = models.ForeignKey(Invoice, models.PROTECT, null=True, related_name="charges")
    correction_of = models.ForeignKey("self", models.PROTECT, null=True, related_name="corrections")
    rating_run = models.PositiveIntegerField()
    category = models.CharField(max_length=12, choices=ChargeCategory)
    origin = models.CharField(max_length=12, choices=UsageOrigin, blank=True)
    origin_id = models.CharField(max_length=200, blank=True)
    charge_start = models.DateTimeField()
    charge_end = models.DateTimeField()
    consumed_quantity = QuantityField(null=True)
    consumed_unit = models.CharField(max_length=30, blank=True)
    pricing_quantity = QuantityField(null=True)
    pricing_unit = models.CharField(max_length=30, blank=True)
    list_unit_price = QuantityField(null=True)
    contracted_unit_price = QuantityField(null=True)
    list_cost = CostField()
    contracted_cost = CostField()
    billed_cost = CostField()
    effective_cost = CostField()
    currency = models.CharField(max_length=3)
    cost_centre = models.CharField(max_length=40)
    description = models.CharField(max_length=200)
    labels = models.JSONField(
        default=dict, help_text=_("Names, region, kind and tags as they were.")
    )

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(charge_end__gt=F("charge_start")), name="charge_period_in_order"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["period", "project"], name="charge_period_idx"),
            models.Index(fields=["project", "charge_start"], name="charge_project_idx"),
        ]
        triggers: ClassVar = [
            pgtrigger.Trigger(
                name="frozen_with_period",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF EXISTS (
                        SELECT 1 FROM billing_billingperiod
                        WHERE state = 'closed'
                        AND id = CASE WHEN TG_OP = 'INSERT' THEN NEW.period_id
                                      ELSE OLD.period_id END
                    ) THEN
                        RAISE EXCEPTION 'pgtrigger: the period of this charge is closed; '
                            'write a correction in the open period'
                            USING ERRCODE = 'check_violation';
                    END IF;
                    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return self.description


class BillingExport(AppendOnlyModel):
    """A file that was written from the ledger, so that anybody can prove it later."""

    month = models.DateField()
    format = models.CharField(max_length=20)
    is_final = models.BooleanField()
    rows = models.BigIntegerField()
    sums = models.JSONField()
    sha256 = models.CharField(max_length=64)
    manifest = models.JSONField()
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("exported file")
        verbose_name_plural = _("exported files")

    def __str__(self) -> str:
        return f"{self.format} {self.month:%Y-%m}"
