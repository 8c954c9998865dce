"""The filters of the lists of requests, applications, runs and services: page, CSV and API."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.filters import pools_of
from inventory.foundation.clock import database_now
from inventory.foundation.filters import PortalFilterSet, ProjectChoice
from orchestra.choices import (
    BreakerState,
    Decision,
    DeploymentState,
    EntryStanding,
    Environment,
    NoticeKind,
    OrderKind,
    OrderState,
    RunState,
)
from orchestra.models import (
    Approval,
    ChangeWindow,
    Connection,
    Deployment,
    Freeze,
    Notification,
    Order,
    PolicyVersion,
    Run,
)
from orchestra.selectors.leases import ending_soon, overdue

SOON_DAYS = 30  # what the lists and the start page call soon


class NumberedFilterSet(PortalFilterSet):
    """Also finds a thing by the number that the screen shows: R-000012, or the bare 12."""

    number_prefix: ClassVar[str] = "R-"

    def look_for(self, queryset: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """Take the prefix off before the words are looked for."""
        text = value.strip()
        if text.upper().startswith(self.number_prefix) and text[2:].isdecimal():
            text = text[2:]
        return super().look_for(queryset, _name, text)


class OrderFilters(NumberedFilterSet):
    """Filters of the list of requests."""

    search = ("name", "application", "business_reason", "offering_version__offering__name")
    state = django_filters.MultipleChoiceFilter(choices=OrderState, label=_("State"))
    project = ProjectChoice()
    kind = django_filters.ChoiceFilter(choices=OrderKind, label=_("Kind"))
    environment = django_filters.ChoiceFilter(choices=Environment, label=_("Environment"))
    mine = django_filters.BooleanFilter(method="asked_by_me", label=_("Asked by me"))

    class Meta:
        model = Order
        fields: ClassVar[list[str]] = []

    def asked_by_me(self, queryset: QuerySet[Order], _name: str, value: bool) -> QuerySet[Order]:
        """Keep the viewer's own requests, or those of others."""
        if value:
            return queryset.filter(requester=self.request.user)
        return queryset.exclude(requester=self.request.user)


class InboxFilters(NumberedFilterSet):
    """Filters of what waits for a decision."""

    search = ("name", "application", "business_reason", "requester__display_name")
    project = ProjectChoice()
    environment = django_filters.ChoiceFilter(choices=Environment, label=_("Environment"))

    class Meta:
        model = Order
        fields: ClassVar[list[str]] = []


class DeploymentFilters(PortalFilterSet):
    """Filters of the list of applications."""

    search = ("name", "application", "offering_version__offering__name")
    state = django_filters.MultipleChoiceFilter(choices=DeploymentState, label=_("State"))
    project = ProjectChoice()
    environment = django_filters.ChoiceFilter(choices=Environment, label=_("Environment"))
    term = django_filters.ChoiceFilter(
        method="of_term",
        label=_("Term"),
        choices=[
            ("soon", _("Ends soon or to confirm")),
            ("overdue", _("Not confirmed in time")),
        ],
    )

    class Meta:
        model = Deployment
        fields: ClassVar[list[str]] = []

    def of_term(self, queryset: QuerySet[Deployment], _name: str, value: str) -> Any:
        """Keep what ends or is to be confirmed within 30 days, or was not confirmed in time."""
        at = database_now()
        if value == "overdue":
            return overdue(queryset, at=at)
        return ending_soon(queryset, at=at, days=SOON_DAYS)


class NoticeFilters(PortalFilterSet):
    """Filters of a person's notices."""

    search = ("text", "project__name")
    unread = django_filters.BooleanFilter("read_at", "isnull", label=_("Not read yet"))
    kind = django_filters.MultipleChoiceFilter(choices=NoticeKind, label=_("About"))
    project = ProjectChoice()

    class Meta:
        model = Notification
        fields: ClassVar[list[str]] = []


class RunFilters(NumberedFilterSet):
    """Filters of the list of progress."""

    search = ("deployment__name", "deployment__application", "reason")
    state = django_filters.MultipleChoiceFilter(choices=RunState, label=_("State"))
    project = ProjectChoice(field_name="order__project")
    action = django_filters.ChoiceFilter(choices=OrderKind, label=_("Kind"))

    class Meta:
        model = Run
        fields: ClassVar[list[str]] = []


class CatalogueFilters(PortalFilterSet):
    """Search and category of the catalogue."""

    search = ("offering__name", "offering__summary", "offering__category", "resource_kind")
    category = django_filters.AllValuesFilter("offering__category", label=_("Category"))


class ConnectionFilters(PortalFilterSet):
    """Filters of the list of connections."""

    search = ("label", "name", "kind", "pool_links__pool__name")
    breaker = django_filters.ChoiceFilter(choices=BreakerState, label=_("State"))
    kind = django_filters.CharFilter(label=_("Kind"), max_length=60)

    class Meta:
        model = Connection
        fields: ClassVar[list[str]] = []


class EntryFilters(PortalFilterSet):
    """What freezes and windows are narrowed by: text, standing, and where they hold."""

    search = ("name", "reason", "pool__name", "project__name", "organisation__name")
    standing = django_filters.MultipleChoiceFilter(
        choices=EntryStanding.choices, label=_("Standing")
    )
    pool = django_filters.ModelChoiceFilter(queryset=pools_of, label=_("Pool"))
    project = ProjectChoice()


class FreezeFilters(EntryFilters):
    """Filters of the freezes."""

    holds_scaling = django_filters.BooleanFilter(label=_("Scaling waits too"))

    class Meta:
        model = Freeze
        fields: ClassVar[list[str]] = []


class WindowFilters(EntryFilters):
    """Filters of the change windows."""

    class Meta:
        model = ChangeWindow
        fields: ClassVar[list[str]] = []


class RuleFilters(PortalFilterSet):
    """Filters of what rules said: text, standing."""

    search = ("policy__name", "policy__slug", "policy__organisation__name")
    standing = django_filters.MultipleChoiceFilter(
        choices=EntryStanding.choices, label=_("Standing")
    )

    class Meta:
        model = PolicyVersion
        fields: ClassVar[list[str]] = []


class DecisionFilters(PortalFilterSet):
    """Filters of the decisions: text (request, reason, who), project, which, by whom."""

    search = (
        "plan__order__name",
        "reason",
        "approver__display_name",
        "policy_version__policy__name",
    )
    project = ProjectChoice(field_name="plan__order__project")
    decision = django_filters.ChoiceFilter(choices=Decision, label=_("Decision"))
    by = django_filters.ChoiceFilter(
        method="decided_by",
        choices=[("person", _("A person")), ("rule", _("A rule"))],
        label=_("Decided by"),
    )

    class Meta:
        model = Approval
        fields: ClassVar[list[str]] = []

    def decided_by(self, queryset: QuerySet[Approval], _name: str, value: str) -> Any:
        """Keep what a person decided, or a rule."""
        return queryset.filter(approver__isnull=value == "rule")
