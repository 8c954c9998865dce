# ruff: noqa: ARG002 - the signatures are Django's
"""The desk of finance: configuration goes through the services, the ledger is only shown."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from billing.choices import AccountMode, BookStatus
from billing.models import (
    AccountDefaults,
    BillingAccount,
    BillingExport,
    BillingPeriod,
    Budget,
    Charge,
    Correction,
    Invoice,
    InvoiceLine,
    InvoiceSeries,
    IssuingEntity,
    Meter,
    PriceBook,
    PriceChange,
    ProjectBilling,
    Sku,
    SkuPrice,
    UsageKey,
    UsageRecord,
)
from billing.services import (
    assign_account,
    publish_price_book,
    release_correction,
    release_price_change,
    remove_price,
    save_account,
    save_budget,
    save_entity,
    save_meter,
    save_price,
    save_price_book,
    save_sku,
    set_sku_traits,
    withdraw_correction,
    withdraw_price_change,
)
from inventory.foundation.admin import KeptAdmin, ReadOnlyAdmin, RefusingAdmin, person
from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError


@admin.register(IssuingEntity)
class IssuingEntityAdmin(KeptAdmin):
    """Who issues statements and invoices."""

    list_display = ("name", "zone", "currency", "rounding", "grace_days", "auto_issue")

    def save_model(self, request: HttpRequest, obj: IssuingEntity, form: Any, change: bool) -> None:
        """Save by the service."""
        save_entity(entity=obj, at=database_now(), actor=person(request))


class AccountForm(forms.ModelForm):
    """A paying account; a new one may leave the mode to the organisation's default."""

    mode = forms.ChoiceField(
        required=False,
        choices=[("", _("As the organisation's default")), *AccountMode.choices],
        initial="",
    )

    def clean_mode(self) -> str:
        """An account that is there has a mode."""
        mode: str = self.cleaned_data["mode"]
        if not mode and self.instance.pk:
            raise forms.ValidationError(_("Choose one: the default is for new accounts."))
        return mode

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> Any:
        """Offer the default first where the account is new."""
        if field_name == "mode" and not self.instance.pk:
            return ""
        return super().get_initial_for_field(field, field_name)


@admin.register(BillingAccount)
class BillingAccountAdmin(KeptAdmin):
    """Who receives them."""

    form = AccountForm
    list_display = ("code", "name", "organisation", "entity", "kind", "mode", "is_active")
    list_filter = ("kind", "mode", "is_active")
    list_select_related = ("organisation", "entity")
    search_fields = ("code", "name")

    def save_model(
        self, request: HttpRequest, obj: BillingAccount, form: Any, change: bool
    ) -> None:
        """Save by the service."""
        save_account(account=obj, at=database_now(), actor=person(request))


@admin.register(ProjectBilling)
class ProjectBillingAdmin(KeptAdmin):
    """Who pays for a project since when; a change is a new row from an instant on."""

    list_display = ("project", "account", "during")
    list_select_related = ("project", "account")
    search_fields = ("project__name", "account__code", "account__name")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: add a row instead, the service ends the one before."""
        return False

    def save_model(
        self, request: HttpRequest, obj: ProjectBilling, form: Any, change: bool
    ) -> None:
        """Save by the service, from the lower end of the given time on."""
        saved = assign_account(
            project=obj.project,
            account=obj.account,
            from_at=obj.during.lower or database_now(),
            at=database_now(),
            actor=person(request),
        )
        obj.pk = saved.pk


@admin.register(Budget)
class BudgetAdmin(KeptAdmin):
    """What may be spent; a change makes the next version."""

    list_display = ("name", "account", "project", "during", "amount", "currency", "version")
    list_filter = ("is_current", "action")
    list_select_related = ("account", "project")
    readonly_fields = ("version", "is_current")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse for a version that was replaced."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.is_current)

    def save_model(self, request: HttpRequest, obj: Budget, form: Any, change: bool) -> None:
        """Save by the service."""
        save_budget(budget=obj, at=database_now(), actor=person(request))


@admin.register(Meter)
class MeterAdmin(KeptAdmin):
    """What is counted."""

    list_display = ("name", "label", "source", "resource_class", "unit", "scale", "aggregation")
    list_filter = ("source",)
    list_select_related = ("resource_class",)
    search_fields = ("name", "label")

    def save_model(self, request: HttpRequest, obj: Meter, form: Any, change: bool) -> None:
        """Save by the service."""
        save_meter(meter=obj, at=database_now(), actor=person(request))


@admin.register(Sku)
class SkuAdmin(KeptAdmin):
    """Price items."""

    list_display = ("code", "name", "meter", "resource_kind", "base", "pricing_unit", "is_active")
    list_filter = ("base", "is_active", "service_category")
    list_select_related = ("meter",)
    search_fields = ("code", "name")
    autocomplete_fields = ("meter",)

    def save_model(self, request: HttpRequest, obj: Sku, form: Any, change: bool) -> None:
        """Save by the service."""
        save_sku(sku=obj, at=database_now(), actor=person(request))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the properties by the service."""
        set_sku_traits(
            sku=form.instance,
            traits=list(form.cleaned_data["traits"]),
            at=database_now(),
            actor=person(request),
        )


@admin.register(PriceBook)
class PriceBookAdmin(KeptAdmin):
    """Price lists: drafts may change; somebody other than who prepared one releases it."""

    list_display = ("name", "entity", "currency", "status", "is_default", "prepared_by")
    list_filter = ("status", "currency")
    list_select_related = ("entity", "prepared_by")
    readonly_fields = ("status", "is_default", "prepared_by", "released_by", "released_at")
    actions = ("release", "release_as_default")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse for a list that is in force."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.status == BookStatus.DRAFT)

    def save_model(self, request: HttpRequest, obj: PriceBook, form: Any, change: bool) -> None:
        """Save by the service."""
        save_price_book(book=obj, at=database_now(), actor=person(request))

    @admin.action(description=_("Release the chosen price lists"), permissions=["change"])
    def release(self, request: HttpRequest, queryset: QuerySet[PriceBook]) -> None:
        """Release by the service, and say what it refuses."""
        self._release(request, queryset, is_default=False)

    @admin.action(
        description=_("Release as the list of its issuer and currency"), permissions=["change"]
    )
    def release_as_default(self, request: HttpRequest, queryset: QuerySet[PriceBook]) -> None:
        """Release by the service as the list that holds for everybody."""
        self._release(request, queryset, is_default=True)

    def _release(
        self, request: HttpRequest, queryset: QuerySet[PriceBook], *, is_default: bool
    ) -> None:
        for book in queryset:
            try:
                publish_price_book(
                    book=book, at=database_now(), actor=person(request), is_default=is_default
                )
            except DomainError as error:
                self.message_user(request, f"{book}: {error.message}", messages.ERROR)


@admin.register(SkuPrice)
class SkuPriceAdmin(RefusingAdmin):
    """Prices: only those of drafts may change."""

    list_display = ("sku", "book", "account", "tier", "during", "unit_price", "flat_fee")
    list_filter = ("book",)
    list_select_related = ("sku", "book", "account")
    search_fields = ("sku__code", "sku__name")
    autocomplete_fields = ("sku",)
    fields = ("book", "account", "sku", "tier", "during", "unit_price", "flat_fee")
    actions: Any = None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse for a price that is in force."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.book.status == BookStatus.DRAFT)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse for a price that is in force."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.book.status == BookStatus.DRAFT)

    def save_model(self, request: HttpRequest, obj: SkuPrice, form: Any, change: bool) -> None:
        """Save by the service."""
        save_price(price=obj, at=database_now(), actor=person(request))

    def delete_model(self, request: HttpRequest, obj: SkuPrice) -> None:
        """Remove by the service."""
        remove_price(price=obj, at=database_now(), actor=person(request))


class PreparedAdmin(ReadOnlyAdmin):
    """What waits for a second person: the portal prepares it, here it can be decided too."""

    actions = ("release", "withdraw")

    @admin.action(description=_("Release what somebody else prepared"), permissions=["view"])
    def release(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Release by the service, and say what it refuses."""
        self._decide(request, queryset, self.release_one)

    @admin.action(description=_("Take back"), permissions=["view"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Take back by the service, and say what it refuses."""
        self._decide(request, queryset, self.withdraw_one)

    def release_one(self, row: Any, request: HttpRequest) -> None:
        """Release one row."""
        raise NotImplementedError

    def withdraw_one(self, row: Any, request: HttpRequest) -> None:
        """Take one row back."""
        raise NotImplementedError

    def _decide(self, request: HttpRequest, queryset: QuerySet[Any], decide: Any) -> None:
        for row in queryset.order_by("pk"):
            try:
                decide(row, request)
            except DomainError as error:
                self.message_user(request, f"{row}: {error.message}", messages.ERROR)


@admin.register(PriceChange)
class PriceChangeAdmin(PreparedAdmin):
    """Other prices from an instant on."""

    list_display = ("sku", "book", "account", "from_at", "until", "state", "prepared_by")
    list_filter = ("state",)
    list_select_related = ("sku", "book", "account", "prepared_by")

    def release_one(self, row: PriceChange, request: HttpRequest) -> None:
        """Release by the service."""
        release_price_change(change=row, at=database_now(), actor=person(request))

    def withdraw_one(self, row: PriceChange, request: HttpRequest) -> None:
        """Take back by the service."""
        withdraw_price_change(change=row, at=database_now(), actor=person(request))


@admin.register(Correction)
class CorrectionAdmin(PreparedAdmin):
    """Corrections of closed months."""

    list_display = ("period", "into", "state", "before", "after", "prepared_by", "released_by")
    list_filter = ("state",)
    list_select_related = ("period__account", "into__account", "prepared_by", "released_by")

    def release_one(self, row: Correction, request: HttpRequest) -> None:
        """Release by the service."""
        release_correction(correction=row, at=database_now(), actor=person(request))

    def withdraw_one(self, row: Correction, request: HttpRequest) -> None:
        """Take back by the service."""
        withdraw_correction(correction=row, at=database_now(), actor=person(request))


@admin.register(UsageKey)
class UsageKeyAdmin(ReadOnlyAdmin):
    """Which events were received."""

    list_display = ("source", "event_id", "received_at")
    search_fields = ("source", "event_id")


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin):
    """What was used."""

    list_display = ("meter", "project", "resource", "usage_start", "usage_end", "amount")
    list_filter = ("meter", "origin")
    list_select_related = ("meter", "project", "resource")


@admin.register(BillingPeriod)
class BillingPeriodAdmin(ReadOnlyAdmin):
    """Months of accounts."""

    list_display = ("account", "month", "state", "rating_run", "rated_to", "closed_at", "failure")
    list_filter = ("state", "month")
    list_select_related = ("account",)


@admin.register(Charge)
class ChargeAdmin(ReadOnlyAdmin):
    """The ledger."""

    list_display = ("description", "project", "charge_start", "charge_end", "billed_cost")
    list_filter = ("period__month", "category")
    list_select_related = ("project",)
    search_fields = ("description", "line_id")


class InvoiceLineInline(admin.TabularInline):
    """The printed lines of a document."""

    model = InvoiceLine
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    """Statements and invoices."""

    list_display = ("number", "account", "period", "kind", "state", "total", "currency")
    list_filter = ("state", "kind")
    list_select_related = ("account", "period__account")
    search_fields = ("number",)
    inlines = (InvoiceLineInline,)


@admin.register(InvoiceLine)
class InvoiceLineAdmin(ReadOnlyAdmin):
    """The printed lines of all documents."""

    list_display = ("invoice", "position", "project_name", "sku_name", "amount", "cost_centre")
    list_select_related = ("invoice__period__account",)
    search_fields = ("invoice__number", "project_name", "sku_name")


@admin.register(InvoiceSeries)
class InvoiceSeriesAdmin(ReadOnlyAdmin):
    """The counters of document numbers."""

    list_display = ("prefix", "entity", "kind", "last_number")
    list_select_related = ("entity",)


@admin.register(BillingExport)
class BillingExportAdmin(ReadOnlyAdmin):
    """Files that were written."""

    list_display = ("format", "month", "is_final", "rows", "sha256", "created_at")
    list_filter = ("format", "is_final")


@admin.register(AccountDefaults)
class AccountDefaultsAdmin(ReadOnlyAdmin):
    """What new accounts started as when; the portal's page Defaults changes it."""

    list_display = ("organisation", "number", "mode", "set_by", "set_at", "reason")
    list_filter = ("organisation",)
    list_select_related = ("organisation", "set_by")
    ordering = ("-pk",)
