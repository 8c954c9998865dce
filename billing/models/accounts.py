"""Who issues, who pays, and what they may spend."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import (
    DateRangeField,
    DateTimeRangeField,
    RangeOperators,
)
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from billing.choices import (
    AccountKind,
    AccountMode,
    BudgetAction,
    Rounding,
)
from billing.models.fields import code_name, currency_code
from inventory.foundation.defaults import DefaultsVersion
from inventory.foundation.models import (
    Organisation,
    Project,
    User,
    plain_text,
)


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


class AccountDefaults(DefaultsVersion):
    """What a new paying account of the organisation starts as, where nobody says."""

    BUILT_IN: ClassVar[Mapping[str, Any]] = {"mode": AccountMode.SHOWBACK.value}

    mode = models.CharField(
        _("new accounts start as"), max_length=12, choices=AccountMode, null=True, blank=True
    )

    class Meta(DefaultsVersion.Meta):
        verbose_name = _("default of paying accounts")
        verbose_name_plural = _("defaults of paying accounts")
