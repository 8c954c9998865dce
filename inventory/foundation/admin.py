"""The cellar in the stock administration: people and roles to edit, records to read only."""

# ruff: noqa: ARG002 - the administration fixes the arguments

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from inventory.foundation import services
from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError, Forbidden, NotVisible
from inventory.foundation.models import (
    AuditEvent,
    AuditSeal,
    Event,
    IdempotencyKey,
    Membership,
    Organisation,
    Project,
    ProjectRequest,
    ProjectTransfer,
    RoleGrant,
    SavedView,
    Slot,
    User,
    ViewChoice,
)
from inventory.foundation.trail import record_audit


def person(request: HttpRequest) -> User:
    """Return who is at the desk; the admin lets nobody in who has not signed in."""
    return cast("User", request.user)


class RefusingAdmin(admin.ModelAdmin):
    """What a service refuses stands beside the fields of the form, with the refusal's own status;
    what was typed stays. All desks that write derive from it."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Save, or show the form again with what the service refused (all is rolled back)."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except (Forbidden, NotVisible):
            raise
        except DomainError as error:
            request.refusal = error  # type: ignore[attr-defined]
            answer = super().changeform_view(request, *args, **kwargs)
            answer.status_code = error.status
            return answer

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return the form; after a refusal one that says it."""
        form = super().get_form(request, obj, **kwargs)
        error = getattr(request, "refusal", None)
        return form if error is None else refusing(form, error)


class KeptAdmin(RefusingAdmin):
    """Rows that others may refer to: they are changed or retired, not deleted.

    The houses above use it, and `ReadOnlyAdmin`, for their own desks.
    """

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes."""
        return False


def refusing(form: type[forms.ModelForm], error: DomainError) -> type[forms.ModelForm]:
    """Return the form as one that does not pass: each message of the error at its field."""

    class Refused(form):  # type: ignore[valid-type]
        """What was typed, with what the service said to it."""

        def _post_clean(self) -> None:
            super()._post_clean()
            shown = {name: text for name, text in error.fields.items() if name in self.fields}
            for name, message in shown.items():
                self.add_error(name, message)
            if not shown:
                self.add_error(None, error.message)

    return Refused


class ReadOnlyAdmin(KeptAdmin):
    """Rows that services own: here they are read, never written."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Nobody adds."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes."""
        return False


class AuditedAdmin(KeptAdmin):
    """Rows that may be edited here; each save leaves an audit entry."""

    def save_model(self, request: Any, obj: Model, form: Any, change: bool) -> None:
        """Save and record which fields changed, in the admin's own transaction."""
        super().save_model(request, obj, form, change)
        record_audit(
            action=f"{obj._meta.model_name}.{'edit' if change else 'create'}",
            subject=obj,
            at=database_now(),
            actor=request.user,
            changes=changes_of(form),
        )


def changes_of(form: forms.ModelForm) -> dict[str, list[Any]]:
    """Return [before, after] as text for each changed field; a password only says that it did."""
    return {
        name: ["•••", "•••"]
        if "password" in name
        else [str(form.initial.get(name, "")), str(form.cleaned_data.get(name, ""))]
        for name in form.changed_data
    }


@admin.register(User)
class PersonAdmin(AuditedAdmin, UserAdmin):
    """People: accounts and passwords."""

    list_display = ("username", "display_name", "email", "is_active", "is_staff", "last_login")
    search_fields = ("username", "display_name", "email")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("display_name", "email", "time_zone", "theme")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "email", "display_name", "password1", "password2"),
            },
        ),
    )


@admin.register(Organisation)
class OrganisationAdmin(AuditedAdmin):
    """Organisations and what stands above them."""

    list_display = ("name", "slug", "parent")
    search_fields = ("name", "slug")


class ServiceAdmin(admin.ModelAdmin):
    """Rows that are written by a service, here as on the portal's pages."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Only what a service takes away is deleted."""
        return False


@admin.register(Project)
class ProjectAdmin(ServiceAdmin):
    """Projects: `create_project` and `edit_project` write them."""

    fields = (
        "organisation",
        "name",
        "slug",
        "description",
        "owner",
        "deputy",
        "cost_centre",
        "end_date",
    )
    list_display = ("name", "organisation", "owner", "deputy", "cost_centre", "status", "end_date")
    list_filter = ("status", "organisation")
    search_fields = ("name", "slug", "cost_centre")
    list_select_related = ("organisation", "owner", "deputy")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Organisation and short name stay as they are."""
        return ["organisation", "slug"] if obj else []

    def save_model(self, request: Any, obj: Project, form: Any, change: bool) -> None:
        """Open or change the project by its service."""
        values = form.cleaned_data
        now = database_now()
        if change:
            changes = {name: values[name] for name in form.changed_data}
            services.edit_project(
                project=obj, actor=request.user, version=obj.version, changes=changes, at=now
            )
        else:
            obj.pk = services.create_project(**values, actor=request.user, at=now).pk


@admin.register(Membership)
class MembershipAdmin(ServiceAdmin):
    """Who belongs where: `add_member` writes it."""

    fields = ("user", "organisation")
    list_display = ("user", "organisation", "since")
    list_filter = ("organisation",)
    search_fields = ("user__username", "user__display_name", "user__email")
    list_select_related = ("user", "organisation")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A membership is there or not; there is nothing to change."""
        return False

    def save_model(self, request: Any, obj: Membership, form: Any, change: bool) -> None:
        """Let the person belong."""
        added = services.add_member(**form.cleaned_data, actor=request.user, at=database_now())
        obj.pk = added.pk


@admin.register(RoleGrant)
class RoleGrantAdmin(ServiceAdmin):
    """Roles in a project or an organisation: `grant_role` and `revoke_role` write them."""

    fields = ("user", "group", "role", "project", "organisation", "expires_at")
    list_display = ("user", "group", "role", "scope", "organisation", "project", "expires_at")
    list_filter = ("role", "scope", "organisation")
    search_fields = ("user__username", "user__display_name", "project__name")
    list_select_related = ("user", "group", "organisation", "project")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A role is taken away and given anew."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Who may administer may take away."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def save_model(self, request: Any, obj: RoleGrant, form: Any, change: bool) -> None:
        """Give the role."""
        granted = services.grant_role(**form.cleaned_data, actor=request.user, at=database_now())
        obj.pk = granted.pk

    def delete_model(self, request: Any, obj: RoleGrant) -> None:
        """Take the role away."""
        services.revoke_role(grant=obj, actor=request.user, at=database_now())

    def delete_queryset(self, request: Any, queryset: QuerySet[RoleGrant]) -> None:
        """Take each of the ticked roles away."""
        for grant in queryset:
            self.delete_model(request, grant)


@admin.register(ProjectRequest)
class ProjectRequestAdmin(ReadOnlyAdmin):
    """Requests for projects: they are decided on the portal's pages and by the API."""

    list_display = ("name", "organisation", "requester", "state", "decided_by", "created_at")
    list_filter = ("state", "organisation")
    search_fields = ("name", "slug", "cost_centre", "requester__username")
    list_select_related = ("organisation", "requester", "decided_by")
    ordering = ("-pk",)


@admin.register(ProjectTransfer)
class ProjectTransferAdmin(ReadOnlyAdmin):
    """Hand-overs of projects: they are answered on the portal's pages and by the API."""

    list_display = ("project", "kind", "user", "organisation", "state", "effective_at")
    list_filter = ("kind", "state")
    search_fields = ("project__name", "user__username", "organisation__name")
    list_select_related = ("project", "user", "organisation")
    ordering = ("-pk",)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """The audit trail."""

    list_display = ("at", "actor_label", "action", "object_type", "object_label", "via", "project")
    list_filter = ("via", "action")
    search_fields = ("object_label", "actor_label", "request_id")
    list_select_related = ("project",)
    ordering = ("-pk",)


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    """The numbers and hashes of the audit trail."""

    list_display = ("number", "event", "sha256")
    list_select_related = ("event",)
    ordering = ("-number",)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """The outbox."""

    list_display = ("time", "type", "subject", "project", "correlation_id")
    list_filter = ("type",)
    search_fields = ("subject", "correlation_id")
    list_select_related = ("project",)
    ordering = ("-pk",)


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    """Keys of writes and the answers they got."""

    list_display = ("key", "user", "scope", "response_status", "created_at")
    list_select_related = ("user",)
    ordering = ("-pk",)


@admin.register(SavedView)
class SavedViewAdmin(ReadOnlyAdmin):
    """Addresses of lists that people keep."""

    list_display = ("name", "path", "user", "project", "organisation", "created_at")
    search_fields = ("name", "path", "user__username")
    list_select_related = ("user", "project", "organisation")
    ordering = ("-pk",)


@admin.register(ViewChoice)
class ViewChoiceAdmin(ReadOnlyAdmin):
    """Who pinned which view, or opens the list with it."""

    list_display = ("view", "user", "path", "is_pinned", "is_default")
    list_select_related = ("user", "view")
    ordering = ("-pk",)


@admin.register(Slot)
class SlotAdmin(ReadOnlyAdmin):
    """Who did which period of which periodic job."""

    list_display = ("job", "period", "taken_at", "done_at")
    list_filter = ("job",)
    ordering = ("-pk",)
