"""The base of every list's filters: one FilterSet serves the page, the CSV and the API."""

import operator
from datetime import date, timedelta
from functools import reduce
from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import Field, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inventory.foundation.choices import ProjectStatus, Via
from inventory.foundation.models import AuditEvent, Event, Project, SavedView, User
from inventory.foundation.periods import day_start
from inventory.foundation.selectors import visible_projects

LONGEST_SEARCH = 200
# What lies before or after is there for no row of ours, and has no instant in every zone.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9998, 12, 31)


def projects_of_viewer(request: HttpRequest | None) -> QuerySet[Project]:
    """Return the projects that the person who asks may see."""
    return visible_projects(request.user) if request else Project.objects.none()  # type: ignore[arg-type]


class ProjectChoice(django_filters.ModelChoiceFilter):
    """Choose one of the projects that the viewer may see."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("queryset", projects_of_viewer)
        kwargs.setdefault("label", _("Project"))
        super().__init__(**kwargs)


class DayFilter(django_filters.DateFilter):
    """Keep the rows from a day of the viewer's zone on, or up to the end of one (`last`).

    The day is turned into an instant at once: a file is streamed when the viewer's zone is gone.
    """

    def __init__(self, field_name: str, *, last: bool = False, **kwargs: Any) -> None:
        self.last = last
        kwargs.setdefault("label", _("To day") if last else _("From day"))
        kwargs.setdefault("widget", forms.DateInput(attrs={"type": "date"}))
        super().__init__(field_name, "lt" if last else "gte", **kwargs)

    def filter(self, qs: QuerySet[Any], value: date | None) -> QuerySet[Any]:
        """Narrow the rows by the day's first instant, or the next day's."""
        if value is None:
            return qs
        day = min(max(value, FIRST_DAY), LAST_DAY) + timedelta(days=self.last)
        return super().filter(qs, day_start(day, timezone.get_current_timezone_name()))


class PortalFilterSet(django_filters.FilterSet):
    """Filters of a list. Name the texts that `?q=` looks into in `search`; a number finds the id.

    Example::

        class ResourceFilters(PortalFilterSet):
            search = ("name", "project__name")

            class Meta:
                model = Resource
                fields = ["status", "project"]
    """

    search: ClassVar[tuple[str, ...]] = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Call the empty choice by its meaning."""
        super().__init__(*args, **kwargs)
        for filter_ in self.filters.values():
            if isinstance(filter_, django_filters.ChoiceFilter | django_filters.ModelChoiceFilter):
                filter_.extra["empty_label"] = _("Any")

    @classmethod
    def filter_for_field(
        cls, field: Field, field_name: str, lookup_expr: str | None = None
    ) -> django_filters.Filter:
        """Offer only visible projects: a choice must not tell what a person may not see."""
        if lookup_expr in (None, "exact") and field.related_model is Project:
            return ProjectChoice(field_name=field_name)
        return super().filter_for_field(field, field_name, lookup_expr)

    q = django_filters.CharFilter(
        method="look_for",
        label=_("Search"),
        max_length=LONGEST_SEARCH,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Search")}),
    )

    def look_for(self, queryset: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """Keep rows in which each word occurs in one of the texts, or whose number it is."""
        for word in value.split():
            found = reduce(
                operator.or_, (Q(**{f"{path}__icontains": word}) for path in self.search), Q()
            )
            if word.isascii() and word.isdecimal() and len(word) < 19:
                found |= Q(pk=int(word))
            queryset = queryset.filter(found)
        return queryset


class ProjectFilters(PortalFilterSet):
    """Filters of the list of projects."""

    search = ("name", "slug", "cost_centre", "description")
    status = django_filters.ChoiceFilter(choices=ProjectStatus, label=_("Status"))
    archive = django_filters.ChoiceFilter(
        method="with_closed",
        choices=[("with", _("With closed ones")), ("only", _("Only closed ones"))],
        label=_("Archive"),
        empty_label=_("Without closed ones"),
    )

    class Meta:
        model = Project
        fields: ClassVar = ["status", "cost_centre"]

    def with_closed(self, queryset: QuerySet[Project], _name: str, value: str) -> QuerySet[Project]:
        """Keep the closed projects alone, or all."""
        return queryset.filter(status=ProjectStatus.CLOSED) if value == "only" else queryset

    def filter_queryset(self, queryset: QuerySet[Project]) -> QuerySet[Project]:
        """Leave closed projects in the archive, unless they are asked for."""
        found = super().filter_queryset(queryset)
        asked = self.form.cleaned_data
        if asked.get("archive") or asked.get("status"):
            return found
        return found.exclude(status=ProjectStatus.CLOSED)


class PersonFilters(PortalFilterSet):
    """Filters of the list of people."""

    search = ("username", "display_name", "email")

    class Meta:
        model = User
        fields: ClassVar = ["is_active"]


class AuditFilters(PortalFilterSet):
    """Filters of the audit trail: who, what, on which thing, when."""

    search = ("object_label", "actor_label", "reason")
    actor = django_filters.CharFilter("actor_label", "icontains", label=_("Who"), max_length=120)
    action = django_filters.CharFilter(lookup_expr="startswith", label=_("Action"), max_length=60)
    object_type = django_filters.CharFilter(label=_("Kind of object"), max_length=60)
    object_id = django_filters.CharFilter(label=_("Number of the object"), max_length=64)
    via = django_filters.ChoiceFilter(choices=Via, label=_("Through"))
    since = DayFilter("at")
    until = DayFilter("at", last=True)
    request_id = django_filters.CharFilter(label=_("Request id"), max_length=64)

    class Meta:
        model = AuditEvent
        fields: ClassVar = ["project"]


class EventFilters(PortalFilterSet):
    """Filters of the events told to other systems."""

    search = ("type", "subject", "correlation_id")
    type = django_filters.CharFilter(lookup_expr="startswith", label=_("Type"), max_length=80)
    subject = django_filters.CharFilter(label=_("About"), max_length=200)
    since = DayFilter("time")
    until = DayFilter("time", last=True)

    class Meta:
        model = Event
        fields: ClassVar = ["project"]


class SavedViewFilters(PortalFilterSet):
    """Filters of the saved views: whose, of which list, pinned or not."""

    search = ("name", "user__display_name", "user__username")
    mine = django_filters.BooleanFilter(method="made_by_me", label=_("Made by me"))
    pinned = django_filters.BooleanFilter(field_name="is_pinned", label=_("Pinned"))
    path = django_filters.CharFilter(label=_("Address of the list"), max_length=200)

    class Meta:
        model = SavedView
        fields: ClassVar = ["project"]

    def made_by_me(
        self, queryset: QuerySet[SavedView], _name: str, value: bool
    ) -> QuerySet[SavedView]:
        """Keep the person's own views, or those of others."""
        own = {"user": self.request.user}
        return queryset.filter(**own) if value else queryset.exclude(**own)
