# ruff: noqa: ARG002 - the signatures are Django's
"""The conductor's desk: configuration goes through the services, what they own is only shown.

A refusal of a service is answered by the portal's own page, with the cure.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from inventory.foundation.admin import ReadOnlyAdmin, ServiceAdmin
from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError
from orchestra.models import (
    ApiToken,
    Approval,
    Attempt,
    ChangeWindow,
    Connection,
    Deployment,
    DeploymentResource,
    Effect,
    Freeze,
    LeaseDefaults,
    LeaseWarning,
    Notification,
    Offering,
    OfferingVersion,
    Order,
    Plan,
    Policy,
    PolicyVersion,
    PoolConnection,
    Run,
    Step,
    StepLog,
    WorkerBeat,
)
from orchestra.services.calendar import (
    add_freeze,
    add_window,
    edit_entry,
    end_entry,
    remove_entry,
)
from orchestra.services.connections import connect_pool, create_connection, edit_connection
from orchestra.services.offerings import (
    create_offering,
    draft_version,
    edit_offering,
    publish_version,
    withdraw,
)
from orchestra.services.policies import change_rule, create_policy
from orchestra.services.tokens import revoke_token


def for_each(desk: Any, request: Any, rows: Any, verb: Any) -> None:
    """Do something to each ticked row; what is refused is told beside the rest."""
    for row in rows:
        try:
            verb(row)
        except DomainError as error:
            desk.message_user(request, f"{row}: {error.message}", messages.ERROR)
        else:
            desk.message_user(request, f"{row}: done.", messages.SUCCESS)


class ConfigurationAdmin(ServiceAdmin):
    """What is configured here: nothing is deleted, fields in `fixed` are set once."""

    actions: Any = None
    fixed: tuple[str, ...] = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Show, but do not offer, what cannot be changed."""
        return (*self.readonly_fields, *(self.fixed if obj else ()))


# --- the catalogue -----------------------------------------------------------------------------


@admin.register(Offering)
class OfferingAdmin(ConfigurationAdmin):
    """Services of the catalogue; what they hold stands in their versions."""

    fields = ("slug", "name", "category", "summary")
    list_display = ("name", "slug", "category", "summary")
    list_filter = ("category",)
    search_fields = ("name", "slug", "summary")
    ordering = ("category", "name")
    fixed = ("slug",)

    def save_model(self, request: Any, obj: Offering, form: Any, change: bool) -> None:
        """Save by the service."""
        at = database_now()
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            edit_offering(offering=obj, changes=changes, actor=request.user, at=at)
        else:
            obj.pk = create_offering(**form.cleaned_data, actor=request.user, at=at).pk


@admin.register(OfferingVersion)
class OfferingVersionAdmin(ConfigurationAdmin):
    """Versions of services: drafted here, then published; a change is another version."""

    fields = (
        "offering",
        "resource_kind",
        "resources",
        "required_traits",
        "parameters",
        "max_instances",
        "pools",
        "minutes_to_deliver",
    )
    list_display = ("offering", "number", "status", "resource_kind", "published_at")
    list_filter = ("status", "offering__category")
    list_select_related = ("offering",)
    search_fields = ("offering__name", "offering__slug", "resource_kind")
    autocomplete_fields = ("offering",)
    filter_horizontal = ("pools",)
    ordering = ("offering__name", "-number")
    actions = ("publish", "withdraw")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A version is replaced, not changed."""
        return False

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """Who may draft a version may publish and withdraw it (the services ask for the role)."""
        return self.has_add_permission(request)

    def save_model(self, request: Any, obj: OfferingVersion, form: Any, change: bool) -> None:
        """Draft it by the service."""
        values = dict(form.cleaned_data)
        values["required_traits"] = values["required_traits"] or []
        saved = draft_version(**values, actor=request.user, at=database_now())
        obj.pk, obj.number = saved.pk, saved.number

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        """The service has set the pools already."""

    @admin.action(description=_("Offer from now on"), permissions=["publish"])
    def publish(self, request: Any, queryset: QuerySet[OfferingVersion]) -> None:
        """Publish the ticked versions."""
        at = database_now()
        for_each(
            self,
            request,
            queryset.select_related("offering"),
            lambda version: publish_version(version=version, actor=request.user, at=at),
        )

    @admin.action(description=_("Offer no longer"), permissions=["publish"])
    def withdraw(self, request: Any, queryset: QuerySet[OfferingVersion]) -> None:
        """Withdraw the ticked versions."""
        at, reason = database_now(), "Withdrawn at the desk."
        for_each(
            self,
            request,
            queryset.select_related("offering"),
            lambda version: withdraw(version=version, actor=request.user, at=at, reason=reason),
        )


# --- connections -------------------------------------------------------------------------------


class ConnectionForm(forms.ModelForm):
    """Options may be secret: they are written, never shown."""

    options = forms.JSONField(
        required=False, help_text=_("A JSON object. Empty keeps what is there; it is not shown.")
    )

    class Meta:
        model = Connection
        fields = ("name", "label", "kind", "options", "max_inflight")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.pop("options", None)

    def _post_clean(self) -> None:
        """Leave the row's options alone: the service writes them."""
        typed = self.cleaned_data.pop("options", None)
        super()._post_clean()
        self.cleaned_data["options"] = typed


@admin.register(Connection)
class ConnectionAdmin(ConfigurationAdmin):
    """Configured adapters. Their breaker is the workers' own."""

    form = ConnectionForm
    readonly_fields = ("option_names", "breaker", "failures", "opened_at", "probe_after")
    fields = ("name", "label", "kind", "options", "max_inflight", *readonly_fields)
    list_display = ("label", "name", "kind", "max_inflight", "breaker", "failures")
    list_filter = ("kind", "breaker")
    search_fields = ("name", "label")
    ordering = ("label",)
    fixed = ("name", "kind")

    @admin.display(description=_("Options that are set"))
    def option_names(self, obj: Connection) -> str:
        """Name the options without their values."""
        return ", ".join(sorted(obj.options)) or "–"

    def save_model(self, request: Any, obj: Connection, form: Any, change: bool) -> None:
        """Save by the service."""
        values, at = form.cleaned_data, database_now()
        if change:
            edit_connection(connection=obj, actor=request.user, at=at, **values)
        else:
            obj.pk = create_connection(**values, actor=request.user, at=at).pk


@admin.register(PoolConnection)
class PoolConnectionAdmin(ConfigurationAdmin):
    """Which connection directs which pool."""

    fields = ("pool", "connection")
    list_display = ("pool", "connection")
    list_filter = ("connection",)
    list_select_related = ("pool", "connection")
    search_fields = ("pool__name", "connection__label")
    ordering = ("pool__name",)
    fixed = ("pool",)

    def save_model(self, request: Any, obj: PoolConnection, form: Any, change: bool) -> None:
        """Connect by the service."""
        saved = connect_pool(
            pool=obj.pool, connection=obj.connection, actor=request.user, at=database_now()
        )
        obj.pk = saved.pk


# --- rules and the calendar --------------------------------------------------------------------


class PolicyForm(forms.ModelForm):
    """A rule with what it says; another text makes another version."""

    rule = forms.JSONField(
        help_text=_('For example {"kind": "auto_approve", "max_monthly_cost": "250.00"}.')
    )

    class Meta:
        model = Policy
        fields = ("slug", "name", "organisation", "project")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            newest = self.instance.versions.order_by("-number").first()
            self.initial["rule"] = newest.rule if newest else {}


@admin.register(Policy)
class PolicyAdmin(ConfigurationAdmin):
    """Rules; plans under an earlier version need a new plan."""

    form = PolicyForm
    fields = ("slug", "name", "organisation", "project", "rule")
    list_display = ("name", "slug", "organisation", "project")
    list_filter = ("organisation",)
    list_select_related = ("organisation", "project")
    search_fields = ("name", "slug")
    ordering = ("name",)
    fixed = ("slug", "name", "organisation", "project")

    def save_model(self, request: Any, obj: Policy, form: Any, change: bool) -> None:
        """Make the rule, or another version of it."""
        values, at = form.cleaned_data, database_now()
        if not change:
            obj.pk = create_policy(**values, actor=request.user, at=at).policy_id
        elif "rule" in form.changed_data:
            change_rule(policy=obj, rule=values["rule"], actor=request.user, at=at)


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ReadOnlyAdmin):
    """What a rule said when."""

    list_display = ("policy", "number", "during", "created_by", "created_at")
    list_filter = ("policy",)
    list_select_related = ("policy", "created_by")
    search_fields = ("policy__name", "policy__slug")
    ordering = ("-pk",)


class EntryAdmin(ConfigurationAdmin):
    """An entry of the change calendar. Its place stays; it is ended, or taken away."""

    list_display: Any = ("name", "during", "organisation", "project", "pool", "created_by")
    list_filter = ("organisation", "pool")
    list_select_related = ("organisation", "project", "pool", "created_by")
    search_fields = ("name", "reason")
    ordering = ("-pk",)
    fixed = ("organisation", "project", "pool")
    actions = ("end",)
    add: Any

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may administer may take away what the service lets go."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        """Save by the service."""
        values, at = dict(form.cleaned_data), database_now()
        if change:
            values = {name: values[name] for name in form.changed_data}
        if "during" in values:
            during = values.pop("during")
            values |= {"start_at": during.lower, "end_at": during.upper}
        if change:
            edit_entry(entry=obj, changes=values, actor=request.user, at=at)
        else:
            obj.pk = type(self).add(**values, actor=request.user, at=at).pk

    def delete_model(self, request: Any, obj: Any) -> None:
        """Take it away by the service."""
        remove_entry(entry=obj, actor=request.user, at=database_now())

    def delete_queryset(self, request: Any, queryset: QuerySet[Any]) -> None:
        """Take each of the ticked ones away."""
        for entry in queryset:
            self.delete_model(request, entry)

    @admin.action(description=_("End now"), permissions=["change"])
    def end(self, request: Any, queryset: QuerySet[Any]) -> None:
        """End the ticked ones."""
        at = database_now()
        for_each(
            self,
            request,
            queryset,
            lambda entry: end_entry(entry=entry, actor=request.user, at=at),
        )


@admin.register(Freeze)
class FreezeAdmin(EntryAdmin):
    """When normal changes do not start."""

    fields = ("name", "reason", "during", "organisation", "project", "pool", "holds_scaling")
    list_display = (*EntryAdmin.list_display, "holds_scaling")
    add = staticmethod(add_freeze)


@admin.register(ChangeWindow)
class ChangeWindowAdmin(EntryAdmin):
    """When they do; where one is set, only then."""

    fields = ("name", "reason", "during", "organisation", "project", "pool")
    add = staticmethod(add_window)


# --- what the services own -----------------------------------------------------------------------


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Requests."""

    list_display = (
        "__str__",
        "kind",
        "state",
        "project",
        "name",
        "instances",
        "requester",
        "offering_version",
        "pool",
        "created_at",
    )
    list_filter = ("state", "kind", "environment", "change_kind")
    list_select_related = ("project", "requester", "offering_version__offering", "pool")
    search_fields = ("name", "application", "business_reason", "=id")
    ordering = ("-pk",)


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    """What would be done, where and for how much."""

    list_display = ("order", "number", "monthly_cost", "currency", "created_by", "valid_until")
    list_select_related = ("order", "created_by")
    search_fields = ("sha256", "order__name", "=order__id")
    ordering = ("-pk",)


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Who or which rule decided."""

    list_display = ("plan", "decision", "approver", "policy_version", "requester", "decided_at")
    list_filter = ("decision",)
    list_select_related = ("plan__order", "approver", "policy_version__policy", "requester")
    search_fields = ("plan_sha256", "reason", "=plan__order__id")
    ordering = ("-pk",)


@admin.register(Deployment)
class DeploymentAdmin(ReadOnlyAdmin):
    """Applications."""

    list_display = ("name", "project", "offering_version", "pool", "state", "instances")
    list_filter = ("state", "environment")
    list_select_related = ("project", "offering_version__offering", "pool")
    search_fields = ("name", "application")
    ordering = ("-pk",)


@admin.register(DeploymentResource)
class DeploymentResourceAdmin(ReadOnlyAdmin):
    """Which resource is which copy."""

    list_display = ("deployment", "component", "index", "resource")
    list_select_related = ("deployment", "resource")
    search_fields = ("deployment__name", "resource__name")
    ordering = ("-pk",)


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Progress."""

    list_display = (
        "__str__",
        "order",
        "deployment",
        "action",
        "state",
        "desired_state",
        "requested_by",
        "created_at",
    )
    list_filter = ("state", "action", "change_kind")
    list_select_related = ("order", "deployment", "requested_by")
    search_fields = ("deployment__name", "reason", "=id", "=order__id")
    ordering = ("-pk",)


@admin.register(Step)
class StepAdmin(ReadOnlyAdmin):
    """Steps and undoing ones."""

    list_display = ("label", "run", "phase", "state", "attempt", "lease_owner", "lease_until")
    list_filter = ("state", "phase", "action")
    list_select_related = ("run",)
    search_fields = ("label", "external_ref", "error", "=run__id")
    ordering = ("-pk",)


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    """Tries."""

    list_display = ("step", "fence", "worker", "outcome", "started_at", "ended_at", "error")
    list_filter = ("outcome",)
    list_select_related = ("step",)
    search_fields = ("worker", "error", "=step__run__id")
    ordering = ("-pk",)


@admin.register(Effect)
class EffectAdmin(ReadOnlyAdmin):
    """What steps did to our own rows."""

    list_display = ("step", "phase", "kind", "at")
    list_filter = ("phase", "kind")
    list_select_related = ("step",)
    search_fields = ("=step__run__id",)
    ordering = ("-pk",)


@admin.register(StepLog)
class StepLogAdmin(ReadOnlyAdmin):
    """Lines of logs."""

    list_display = ("at", "run", "step", "level", "message")
    list_filter = ("level",)
    list_select_related = ("run", "step")
    search_fields = ("message", "=run__id")
    ordering = ("-pk",)


@admin.register(WorkerBeat)
class WorkerBeatAdmin(ReadOnlyAdmin):
    """Signs of life."""

    list_display = ("name", "kind", "seen_at")
    list_filter = ("kind",)
    search_fields = ("name",)
    ordering = ("-seen_at",)


# --- access tokens -------------------------------------------------------------------------------


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """People's access tokens. The hash is their key in the database and is shown nowhere."""

    fields = ("name", "token_key", "user", "scopes", "project", "created", "expiry", "last_used_at")
    list_display = ("name", "token_key", "user", "scopes", "project", "expiry", "last_used_at")
    list_display_links = None
    list_select_related = ("user", "project")
    search_fields = ("name", "token_key", "user__username", "user__display_name")
    ordering = ("-created",)
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who could delete tokens may revoke them."""
        return request.user.has_perm("orchestra.delete_apitoken")

    @admin.display(description=_("Tick"))
    def action_checkbox(self, obj: ApiToken) -> str:
        """Tick a token by its public beginning."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            obj.token_key,
            obj.name,
        )

    def response_action(self, request: Any, queryset: Any, *where: Any, **more: Any) -> Any:
        """Find the ticked tokens by their public beginnings."""
        posted = request.POST.copy()
        ticked = queryset.filter(token_key__in=posted.getlist(ACTION_CHECKBOX_NAME))
        posted.setlist(ACTION_CHECKBOX_NAME, list(ticked.values_list("pk", flat=True)))
        request.POST = posted
        return super().response_action(request, queryset, *where, **more)

    @admin.action(description=_("Revoke at once"), permissions=["revoke"])
    def revoke(self, request: Any, queryset: QuerySet[ApiToken]) -> None:
        """Revoke the ticked tokens."""
        at = database_now()
        for_each(
            self,
            request,
            queryset.select_related("user", "project"),
            lambda token: revoke_token(token=token, actor=request.user, at=at),
        )


# --- terms and notices -------------------------------------------------------------------------


@admin.register(LeaseDefaults)
class LeaseDefaultsAdmin(ReadOnlyAdmin):
    """Which terms held when; the portal's page Defaults changes them."""

    list_display = (
        "organisation",
        "number",
        "lease_days",
        "confirm_months",
        "warning_days",
        "stop_first",
        "set_by",
        "set_at",
    )
    list_filter = ("organisation",)
    list_select_related = ("organisation", "set_by")
    ordering = ("-pk",)


@admin.register(LeaseWarning)
class LeaseWarningAdmin(ReadOnlyAdmin):
    """Which warnings were given."""

    list_display = ("deployment", "kind", "due_at", "days", "warned_at")
    list_filter = ("kind",)
    list_select_related = ("deployment",)
    search_fields = ("deployment__name",)
    ordering = ("-pk",)


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """What people were told, and what became of the e-mails."""

    list_display = ("user", "kind", "text", "created_at", "read_at", "mail_state", "mailed_at")
    list_filter = ("kind", "mail_state")
    list_select_related = ("user",)
    search_fields = ("text", "user__username")
    ordering = ("-pk",)
