"""What is counted, what is priced, and at which price since when."""

import uuid
from decimal import Decimal
from typing import ClassVar

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import (
    DateTimeRangeField,
    DecimalRangeField,
    RangeOperators,
)
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from billing.choices import (
    Aggregation,
    BookStatus,
    ChargeCategory,
    MeterSource,
    PreparedState,
    PriceBase,
    PriceModel,
    TierScope,
)
from billing.models.accounts import BillingAccount, IssuingEntity
from billing.models.fields import CostField, QuantityField, code_name, currency_code
from inventory.foundation.models import (
    User,
    plain_text,
)
from inventory.models import ResourceClass, Trait


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
    tier_scope = models.CharField(
        _("tiers count the use of"),
        max_length=10,
        choices=TierScope,
        default=TierScope.ACCOUNT,
    )
    fee_without_use = models.BooleanField(
        _("fee of the first tier without use"),
        default=False,
        help_text=_("Charge it where readings say that nothing was used."),
    )
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
    """One tier of one item's price over one stretch of time, perhaps for one account only.

    A published row whose `during` is empty was corrected away: it never holds, but charges of
    closed months still name it.
    """

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
                        OLD.unit_price, OLD.flat_fee, OLD.package_size
                    ) IS DISTINCT FROM ROW(
                        NEW.price_id, NEW.book_id, NEW.account_id, NEW.sku_id, NEW.tier,
                        NEW.unit_price, NEW.flat_fee, NEW.package_size
                    ) OR (
                        lower(OLD.during) IS DISTINCT FROM lower(NEW.during)
                        AND (isempty(OLD.during) OR NOT isempty(NEW.during))
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


class PriceChange(models.Model):
    """Another price of one item, prepared by one person and waiting for another to release it.

    `tiers` is a list of objects with `lower`, `unit_price` and `flat_fee` as decimal text. Over
    [from_at, until) they take the place of what holds for the item, `until` None: of all that
    holds up to the next change. `corrects` says that it may reach into closed months.
    """

    book = models.ForeignKey(PriceBook, models.PROTECT, related_name="changes")
    account = models.ForeignKey(
        BillingAccount, models.PROTECT, null=True, blank=True, related_name="price_changes"
    )
    sku = models.ForeignKey(Sku, models.PROTECT, related_name="price_changes")
    from_at = models.DateTimeField(_("holds from"))
    until = models.DateTimeField(_("up to"), null=True, blank=True)
    tiers = models.JSONField(_("tiers"))
    reason = models.CharField(_("reason"), max_length=500, validators=[plain_text])
    corrects = models.BooleanField(_("corrects closed months"), default=False)
    state = models.CharField(max_length=10, choices=PreparedState, default=PreparedState.PREPARED)
    prepared_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    prepared_at = models.DateTimeField()
    released_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("change of a price")
        verbose_name_plural = _("changes of prices")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(state=PreparedState.RELEASED)
                | (
                    Q(released_by__isnull=False)
                    & Q(released_at__isnull=False)
                    & ~Q(released_by=F("prepared_by"))
                ),
                name="price_change_two_people",
                violation_error_message=_(
                    "A price is released by somebody other than who prepared it."
                ),
            ),
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gt=F("from_at")),
                name="price_change_in_order",
                violation_error_message=_("The end must be after the start."),
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
        return f"{self.sku} {self.from_at:%Y-%m-%d}"
