"""The lists around projects: who holds a role, requests for projects, hand-overs."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from inventory.foundation.choices import Role, TransferKind, WishState
from inventory.foundation.filters import PortalFilterSet
from inventory.foundation.models import (
    Membership,
    Organisation,
    ProjectRequest,
    ProjectTransfer,
    RoleGrant,
)
from inventory.foundation.selectors import organisations_with_people
from inventory.foundation.tables import BadgeColumn, LinkColumn, PortalTable, TextColumn, WhenColumn
from inventory.foundation.templatetags.portal import badge


class OrganisationFilters(PortalFilterSet):
    """Filters of the organisations."""

    search = ("name", "slug")

    class Meta:
        model = Organisation
        fields: ClassVar[list[str]] = []


def organisations_seen(request: HttpRequest | None) -> QuerySet[Organisation]:
    """Return the organisations that a filter may name: those whose people the viewer sees."""
    if request is None or not request.user.is_authenticated:
        return Organisation.objects.none()
    seen = organisations_with_people(request.user)
    return Organisation.objects.filter(pk__in=seen).order_by("name")


class MembershipFilters(PortalFilterSet):
    """Filters of who belongs where."""

    search = ("user__username", "user__display_name", "organisation__name")
    organisation = django_filters.ModelChoiceFilter(
        queryset=organisations_seen, label=_("Organisation")
    )
    user = django_filters.NumberFilter(
        "user_id", label=_("Number of the person"), min_value=1, max_value=2**63 - 1
    )

    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = []


class OrganisationTable(PortalTable):
    """Organisations, by name."""

    caption = _("Organisations")
    name = LinkColumn(to="foundation:organisation", verbose_name=_("Organisation"))
    slug = TextColumn(verbose_name=_("Short name"))
    parent = TextColumn(verbose_name=_("Part of"))

    class Meta(PortalTable.Meta):
        order_by = ("name",)


class RoleFilters(PortalFilterSet):
    """Filters of the roles in a project or a pool."""

    search = ("user__display_name", "user__username", "user__email", "group__name")
    role = django_filters.ChoiceFilter(choices=Role, label=_("Role"))
    standing = django_filters.ChoiceFilter(
        method="by_standing",
        choices=[("held", _("Held now")), ("ended", _("Run out"))],
        label=_("Standing"),
    )
    principal = django_filters.ChoiceFilter(
        method="by_principal",
        choices=[("person", _("People")), ("group", _("Groups"))],
        label=_("Who"),
    )

    class Meta:
        model = RoleGrant
        fields: ClassVar[list[str]] = []

    def by_standing(
        self, queryset: QuerySet[RoleGrant], _name: str, value: str
    ) -> QuerySet[RoleGrant]:
        """Keep what is held now, or what has run out."""
        return queryset.filter(has_ended=value == "ended")  # type: ignore[misc]

    def by_principal(
        self, queryset: QuerySet[RoleGrant], _name: str, value: str
    ) -> QuerySet[RoleGrant]:
        """Keep the roles of people, or of groups."""
        return queryset.filter(group__isnull=value == "person")


class StandingColumn(TextColumn):
    """Whether a role is held now or has run out."""

    def render(self, value: bool) -> Any:
        """Draw the badge."""
        return badge(_("Run out"), "muted") if value else badge(_("Held now"), "good")

    def value(self, **kwargs: Any) -> str:
        """Write the word into the file."""
        return str(_("Run out") if kwargs["value"] else _("Held now"))


class RoleTable(PortalTable):
    """Who holds which role, until when; the link leads to its change."""

    caption = _("People and roles")
    principal = LinkColumn(to="foundation:role", verbose_name=_("Who"))
    role = TextColumn(accessor="get_role_display", order_by=("role",), verbose_name=_("Role"))
    holder = TextColumn(empty_values=(), orderable=False, verbose_name=_("Holds for"))
    expires_at = WhenColumn(verbose_name=_("Until"))
    granted_by = TextColumn(verbose_name=_("Given by"), hide_narrow=True)
    granted_at = WhenColumn(verbose_name=_("Given"), style="day", hide_narrow=True)
    standing = StandingColumn(accessor="has_ended", verbose_name=_("Standing"))

    class Meta(PortalTable.Meta):
        order_by = ("standing", "principal")

    def render_holder(self, record: RoleGrant) -> str:
        """Name the organisation or the project."""
        return str(record.organisation or record.project or "")

    value_holder = render_holder


class PoolRoleTable(RoleTable):
    """Who holds which role in a pool; roles of its organisation are changed there."""

    principal = TextColumn(verbose_name=_("Who"))

    class Meta(RoleTable.Meta):
        pass

    def render_holder(self, record: RoleGrant) -> str:
        """Name the organisation, or say that it is this pool alone."""
        return str(record.organisation or _("this pool alone"))

    value_holder = render_holder


class WishFilters(PortalFilterSet):
    """What requests for projects and hand-overs are narrowed by."""

    state = django_filters.MultipleChoiceFilter(choices=WishState, label=_("State"))


class ProjectRequestFilters(WishFilters):
    """Filters of the requests for projects."""

    search = ("name", "slug", "description", "requester__display_name", "cost_centre")

    class Meta:
        model = ProjectRequest
        fields: ClassVar[list[str]] = []


class TransferFilters(WishFilters):
    """Filters of the hand-overs."""

    search = ("project__name", "user__display_name", "organisation__name", "reason")
    kind = django_filters.ChoiceFilter(choices=TransferKind, label=_("What changes"))

    class Meta:
        model = ProjectTransfer
        fields: ClassVar[list[str]] = ["project"]


class ProjectRequestTable(PortalTable):
    """Requests for projects, the newest first."""

    caption = _("Requests for projects")
    name = LinkColumn(to="foundation:project-request", verbose_name=_("Project"))
    organisation = TextColumn(verbose_name=_("Organisation"), hide_narrow=True)
    requester = TextColumn(verbose_name=_("Asked by"))
    cost_centre = TextColumn(verbose_name=_("Cost centre"), hide_narrow=True)
    created_at = WhenColumn(verbose_name=_("Asked"), style="ago")
    state = BadgeColumn(verbose_name=_("State"))

    class Meta(PortalTable.Meta):
        order_by = ("-created_at",)


class TransferTable(PortalTable):
    """Hand-overs of projects, the newest first."""

    caption = _("Hand-overs")
    project = LinkColumn(to="foundation:transfer", verbose_name=_("Project"))
    kind = TextColumn(
        accessor="get_kind_display", order_by=("kind",), verbose_name=_("What changes")
    )
    to = TextColumn(empty_values=(), orderable=False, verbose_name=_("To"))
    asked_by = TextColumn(verbose_name=_("Asked by"), hide_narrow=True)
    created_at = WhenColumn(verbose_name=_("Asked"), style="ago", hide_narrow=True)
    effective_at = WhenColumn(verbose_name=_("Takes effect"))
    state = BadgeColumn(verbose_name=_("State"))

    class Meta(PortalTable.Meta):
        order_by = ("-created_at",)

    def render_to(self, record: ProjectTransfer) -> str:
        """Name the organisation or the person."""
        return str(record.organisation or record.user)

    value_to = render_to
