"""How the inventory's lists are narrowed: one set of filters for page, file and API."""

from typing import Any, ClassVar

import django_filters as filters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from inventory.choices import ProviderState, ResourceStatus
from inventory.foundation.filters import PortalFilterSet, ProjectChoice
from inventory.models import Pool, Resource, ResourceProvider
from inventory.selectors import visible_pools


def pools_of(request: HttpRequest | None) -> QuerySet[Pool]:
    """Return the pools that a filter may name: those that the person sees."""
    if request is None or not request.user.is_authenticated:
        return Pool.objects.none()
    return visible_pools(request.user).distinct().order_by("name")


class ResourceFilter(PortalFilterSet):
    """By text (name, application, kind), project, state, kind, pool, environment, application."""

    search = ("name", "application", "kind")
    project = ProjectChoice()
    status = filters.ChoiceFilter(
        method="in_state",
        choices=[("live", _("Everything but gone")), *ResourceStatus.choices],
        label=_("State"),
    )
    kind = filters.CharFilter(label=_("Kind"), max_length=80)
    pool = filters.ModelChoiceFilter(queryset=pools_of, label=_("Pool"))
    environment = filters.CharFilter(label=_("Environment"), max_length=20)
    application = filters.CharFilter(label=_("Application"), max_length=80)

    class Meta:
        model = Resource
        fields: ClassVar[list[str]] = []

    def in_state(self, queryset: Any, _name: str, value: str) -> QuerySet[Resource]:
        """Keep one state, or all that is not gone."""
        return queryset.live() if value == "live" else queryset.filter(status=value)


class HostFilter(PortalFilterSet):
    """By name and by whether it takes new work."""

    search = ("name",)
    state = filters.ChoiceFilter(choices=ProviderState.choices, label=_("State"))

    class Meta:
        model = ResourceProvider
        fields: ClassVar[list[str]] = []
