"""Months, charges, documents and files: what is owed, and what was issued."""

import uuid
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.choices import (
    ChargeCategory,
    DocumentKind,
    InvoiceState,
    PeriodState,
    PreparedState,
    UsageOrigin,
)
from billing.models.accounts import BillingAccount, IssuingEntity
from billing.models.fields import CostField, QuantityField
from billing.models.prices import Sku, SkuPrice
from inventory.foundation.models import (
    AppendOnlyModel,
    Both,
    Project,
    User,
    plain_text,
)
from inventory.models import Resource


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
    corrects_month = models.DateField(
        null=True, blank=True, help_text=_("The closed month that the line corrects.")
    )

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("statement line")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_unique"),
        ]

    def __str__(self) -> str:
        return self.description


class Correction(models.Model):
    """What a closed month should have been, less what was billed for it: deltas in an open month.

    Prepared by one person with the difference that they saw (`sha256` of its lines), released by
    another; only then are there charges, in the period `into`. Nothing in `period` changes.
    """

    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="corrections")
    into = models.ForeignKey(
        BillingPeriod, models.PROTECT, null=True, related_name="corrections_taken"
    )
    reason = models.CharField(_("reason"), max_length=500, validators=[plain_text])
    state = models.CharField(max_length=10, choices=PreparedState, default=PreparedState.PREPARED)
    before = CostField(help_text=_("Billed for the month before, earlier corrections included."))
    after = CostField(help_text=_("What the month comes to now."))
    lines = models.PositiveIntegerField(help_text=_("How many charges it adds."))
    sha256 = models.CharField(max_length=64)
    prepared_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    prepared_at = models.DateTimeField()
    released_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    released_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=(
                    ~Q(state=PreparedState.RELEASED)
                    | (
                        Q(into__isnull=False)
                        & Q(released_by__isnull=False)
                        & Q(released_at__isnull=False)
                        & ~Q(released_by=F("prepared_by"))
                    )
                ),
                name="correction_two_people",
                violation_error_message=_(
                    "A correction is released by somebody other than who prepared it."
                ),
            ),
            models.UniqueConstraint(
                fields=["period"],
                condition=Q(state=PreparedState.PREPARED),
                name="correction_one_prepared",
                violation_error_message=_("A correction of this month waits already."),
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="decided_stays_decided",
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=~pgtrigger.Q(old__state="prepared"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.period} ({self.pk})"


def _frozen_with_period(
    word: str, operation: pgtrigger.Operation, **referencing: str
) -> pgtrigger.Trigger:
    """Refuse to touch charges of a closed period: once a statement, as a month has thousands.

    For each row it would be a subtransaction that ends, and each of these walks over all the
    foreign keys that wait for the commit: quadratic in the charges of a month.
    """
    return pgtrigger.Trigger(
        name=f"frozen_with_period_{word}",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        referencing=pgtrigger.Referencing(**referencing),
        func="""
            IF EXISTS (
                SELECT 1 FROM changed
                JOIN billing_billingperiod period ON period.id = changed.period_id
                WHERE period.state = 'closed'
            ) THEN
                RAISE EXCEPTION 'pgtrigger: the period of this charge is closed; '
                    'write a correction in the open period'
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        """,
    )


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
    correction = models.ForeignKey(
        Correction, models.PROTECT, null=True, related_name="charges", help_text=_("What made it.")
    )
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
            models.CheckConstraint(
                condition=Q(correction_of=None) | Q(correction__isnull=False),
                name="charge_correction_is_named",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["period", "project"], name="charge_period_idx"),
            models.Index(fields=["project", "charge_start"], name="charge_project_idx"),
        ]
        triggers: ClassVar = [
            _frozen_with_period("insert", pgtrigger.Insert, new="changed"),
            _frozen_with_period("update", pgtrigger.Update, old="changed"),
            _frozen_with_period("delete", pgtrigger.Delete, old="changed"),
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
