"""How the lists of money are narrowed: one set of filters for page, file and API."""

from typing import Any, ClassVar

import django_filters as filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from billing.choices import (
    AccountKind,
    AccountMode,
    BookStatus,
    ChargeCategory,
    InvoiceState,
    MeterSource,
    PeriodState,
    PreparedState,
    PriceModel,
    UsageOrigin,
)
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
from billing.selectors import visible_accounts
from billing.selectors.statements import charges_of_line
from inventory.foundation.errors import InvalidInput
from inventory.foundation.filters import DayFilter, PortalFilterSet, ProjectFilters
from inventory.foundation.models import Project
from inventory.foundation.periods import parse_month
from inventory.foundation.permissions import Action, projects_where


def projects_of(request: HttpRequest | None) -> QuerySet[Project]:
    """Return the projects that a filter may name: those whose costs the person sees."""
    if request is None or not request.user.is_authenticated:
        return Project.objects.none()
    return projects_where(request.user, Action.COST_VIEW).order_by("name", "pk")


def accounts_of(request: HttpRequest | None) -> QuerySet[BillingAccount]:
    """Return the accounts that a filter may name: those that the person sees."""
    if request is None or not request.user.is_authenticated:
        return BillingAccount.objects.none()
    return visible_accounts(request.user).order_by("name", "pk")


class MonthField(forms.CharField):
    """A month as YYYY-MM; the browser shows a picker where it has one."""

    widget = forms.TextInput(attrs={"type": "month", "placeholder": "YYYY-MM"})

    def clean(self, value: Any) -> Any:
        """Return the first day of the month, None for nothing."""
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_month(text)
        except InvalidInput as error:
            raise ValidationError(error.message) from error


class MonthFilter(filters.Filter):
    """Keep the rows of one month."""

    field_class = MonthField


class ChargeFilter(PortalFilterSet):
    """By text, month, project, service, resource (its number), environment, kind of charge."""

    search = ("description", "labels__resource", "labels__application", "sku__name")
    month = MonthFilter("period__month", label=_("Month"))
    project = filters.ModelChoiceFilter(queryset=projects_of, label=_("Project"))
    account = filters.ModelChoiceFilter(queryset=accounts_of, label=_("Paying account"))
    service = filters.CharFilter("sku__service_name", label=_("Service"), max_length=80)
    item = filters.CharFilter("sku__code", label=_("Price item"), max_length=60)
    resource = filters.NumberFilter(
        "resource_id", label=_("Number of the resource"), min_value=1, max_value=2**63 - 1
    )
    environment = filters.CharFilter("labels__environment", label=_("Environment"), max_length=20)
    application = filters.CharFilter("labels__application", label=_("Application"), max_length=80)
    cost_centre = filters.CharFilter(label=_("Cost centre"), max_length=40)
    currency = filters.CharFilter(label=_("Currency"), max_length=3)
    since = MonthFilter("period__month", "gte", label=_("From month"))
    until = MonthFilter("period__month", "lte", label=_("To month"))
    line = filters.NumberFilter(
        method="of_line", label=_("Number of the statement line"), min_value=1, max_value=2**63 - 1
    )
    category = filters.ChoiceFilter(choices=ChargeCategory.choices, label=_("Kind of charge"))
    correction = filters.NumberFilter(
        "correction_id", label=_("Number of the correction"), min_value=1, max_value=2**63 - 1
    )

    class Meta:
        model = Charge
        fields: ClassVar[list[str]] = []

    def of_line(self, queryset: QuerySet[Charge], _name: str, value: Any) -> QuerySet[Charge]:
        """Keep the charges that a statement's line adds up."""
        return charges_of_line(charges=queryset, line_id=int(value))


GROUPINGS = [
    ("project", _("Project")),
    ("service", _("Service")),
    ("resource", _("Resource")),
    ("environment", _("Environment")),
    ("application", _("Application")),
    ("cost_centre", _("Cost centre")),
]
MONTHS_AT_MOST = 24


class CostForm(forms.Form):
    """Refuse a range that ends before it starts or is longer than two years."""

    def clean(self) -> dict[str, Any]:
        """Check the two months against each other."""
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("since"), cleaned.get("until")
        if first and last and last < first:
            self.add_error("until", _("The last month is before the first. Swap the two."))
        elif (
            first
            and last
            and (last.year - first.year) * 12 + last.month - first.month >= MONTHS_AT_MOST
        ):
            self.add_error("until", _("Show at most 24 months at once."))
        return cleaned


class CostFilter(PortalFilterSet):
    """What the costs page adds up: months, grouping, and of what."""

    q = None
    since = MonthFilter(method="as_asked", label=_("From month"))
    until = MonthFilter(method="as_asked", label=_("To month"))
    by = filters.ChoiceFilter(
        method="as_asked", choices=GROUPINGS, label=_("Grouped by"), empty_label=None
    )
    project = filters.ModelChoiceFilter(queryset=projects_of, label=_("Project"))
    service = filters.CharFilter("sku__service_name", label=_("Service"), max_length=80)
    environment = filters.CharFilter("labels__environment", label=_("Environment"), max_length=20)
    application = filters.CharFilter("labels__application", label=_("Application"), max_length=80)
    account = filters.ModelChoiceFilter(queryset=accounts_of, label=_("Paying account"))
    currency = filters.CharFilter(
        method="as_asked", label=_("Currency"), max_length=3, widget=forms.HiddenInput
    )

    class Meta:
        model = Charge
        form = CostForm
        fields: ClassVar[list[str]] = []

    def as_asked(self, queryset: QuerySet[Charge], _name: str, _value: Any) -> QuerySet[Charge]:
        """Leave the rows: months, grouping and currency are the report's own business."""
        return queryset


class StatementFilter(PortalFilterSet):
    """By number or account, month and state."""

    search = ("number", "account__name", "account__code")
    month = MonthFilter("period__month", label=_("Month"))
    account = filters.ModelChoiceFilter(queryset=accounts_of, label=_("Paying account"))
    state = filters.ChoiceFilter(choices=InvoiceState.choices, label=_("State"))

    class Meta:
        model = Invoice
        fields: ClassVar[list[str]] = []


class PriceFilter(PortalFilterSet):
    """By text and service."""

    search = ("sku__name", "sku__code", "sku__service_name")
    service = filters.CharFilter("sku__service_name", label=_("Service"), max_length=80)

    class Meta:
        model = SkuPrice
        fields: ClassVar[list[str]] = []


class PeriodFilter(PortalFilterSet):
    """By account, month and state."""

    search = ("account__name", "account__code")
    month = MonthFilter("month", label=_("Month"))
    state = filters.ChoiceFilter(choices=PeriodState.choices, label=_("State"))

    class Meta:
        model = BillingPeriod
        fields: ClassVar[list[str]] = []


class PayerFilter(ProjectFilters):
    """Filters of who pays for which project."""

    paid = filters.ChoiceFilter(
        method="by_payer",
        choices=[("yes", _("Somebody pays")), ("no", _("Nobody pays"))],
        label=_("Paid"),
    )

    def by_payer(self, queryset: QuerySet[Project], _name: str, value: str) -> QuerySet[Project]:
        """Keep the projects that somebody pays for, or those that nobody does."""
        return queryset.filter(payer__isnull=value == "no")


class CorrectionFilter(PortalFilterSet):
    """By account, corrected month and state."""

    search = ("period__account__name", "period__account__code", "reason")
    month = MonthFilter("period__month", label=_("Corrected month"))
    state = filters.ChoiceFilter(choices=PreparedState.choices, label=_("State"))

    class Meta:
        model = Correction
        fields: ClassVar[list[str]] = []


class PriceChangeFilter(PortalFilterSet):
    """By item and state."""

    search = ("sku__name", "sku__code", "reason")
    state = filters.ChoiceFilter(choices=PreparedState.choices, label=_("State"))

    class Meta:
        model = PriceChange
        fields: ClassVar[list[str]] = []


class UsageFilter(PortalFilterSet):
    """By text, what is counted, project, resource (its number), origin and days."""

    search = ("meter__label", "meter__name", "resource__name", "origin_id")
    meter = filters.CharFilter("meter__name", label=_("Meter"), max_length=80)
    project = filters.ModelChoiceFilter(queryset=projects_of, label=_("Project"))
    resource = filters.NumberFilter(
        "resource_id", label=_("Number of the resource"), min_value=1, max_value=2**63 - 1
    )
    origin = filters.ChoiceFilter(choices=UsageOrigin.choices, label=_("Made from"))
    since = DayFilter("usage_start")
    until = DayFilter("usage_start", last=True)

    class Meta:
        model = UsageRecord
        fields: ClassVar[list[str]] = []


class IssuerFilter(PortalFilterSet):
    """By name and currency."""

    currency = filters.CharFilter(label=_("Currency"), max_length=3)

    class Meta:
        model = IssuingEntity
        fields: ClassVar[list[str]] = []


class AccountFilter(PortalFilterSet):
    """By text, kind, mode and whether it is active."""

    search = ("name", "code")
    kind = filters.ChoiceFilter(choices=AccountKind.choices, label=_("Kind"))
    mode = filters.ChoiceFilter(choices=AccountMode.choices, label=_("How it is billed"))

    class Meta:
        model = BillingAccount
        fields: ClassVar[list[str]] = ["is_active"]


class BillingFilter(PortalFilterSet):
    """By project, account and an instant at which it pays."""

    search = ("project__name", "account__name", "account__code")
    project = filters.ModelChoiceFilter(queryset=projects_of, label=_("Project"))
    account = filters.ModelChoiceFilter(queryset=accounts_of, label=_("Paying account"))
    at = filters.IsoDateTimeFilter("during", "contains", label=_("Pays at"))

    class Meta:
        model = ProjectBilling
        fields: ClassVar[list[str]] = []


class BudgetFilter(PortalFilterSet):
    """By project, account and whether it is in force or was replaced."""

    search = ("name", "account__name", "account__code", "project__name")
    project = filters.ModelChoiceFilter(queryset=projects_of, label=_("Project"))
    account = filters.ModelChoiceFilter(queryset=accounts_of, label=_("Paying account"))

    class Meta:
        model = Budget
        fields: ClassVar[list[str]] = ["is_current"]


class MeterFilter(PortalFilterSet):
    """By text and source."""

    search = ("name", "label")
    source = filters.ChoiceFilter(choices=MeterSource.choices, label=_("Source"))

    class Meta:
        model = Meter
        fields: ClassVar[list[str]] = []


class SkuFilter(PortalFilterSet):
    """By text, service, price model and whether it is still ordered."""

    search = ("name", "code", "service_name")
    service = filters.CharFilter("service_name", label=_("Service"), max_length=80)
    model = filters.ChoiceFilter(choices=PriceModel.choices, label=_("Price model"))

    class Meta:
        model = Sku
        fields: ClassVar[list[str]] = ["is_active"]


class BookFilter(PortalFilterSet):
    """By text, state and currency."""

    status = filters.ChoiceFilter(choices=BookStatus.choices, label=_("State"))
    currency = filters.CharFilter(label=_("Currency"), max_length=3)

    class Meta:
        model = PriceBook
        fields: ClassVar[list[str]] = ["is_default"]


class LineFilter(PortalFilterSet):
    """By text, statement, month, account and cost centre."""

    search = ("description", "project_name", "sku_name", "invoice__number")
    invoice = filters.NumberFilter(
        "invoice_id", label=_("Number of the statement"), min_value=1, max_value=2**63 - 1
    )
    month = MonthFilter("invoice__period__month", label=_("Month"))
    account = filters.ModelChoiceFilter(
        field_name="invoice__account", queryset=accounts_of, label=_("Paying account")
    )
    cost_centre = filters.CharFilter(label=_("Cost centre"), max_length=40)

    class Meta:
        model = InvoiceLine
        fields: ClassVar[list[str]] = []


class ExportFilter(PortalFilterSet):
    """By month, format and whether its months were closed."""

    search = ("format", "sha256")
    month = MonthFilter("month", label=_("Month"))
    format = filters.CharFilter(label=_("Format"), max_length=20)

    class Meta:
        model = BillingExport
        fields: ClassVar[list[str]] = ["is_final"]
