"""The pages of resources: what projects hold, and what each has been through."""

from typing import Any

from django.db.models import F, QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy

from inventory.choices import AllocationState, ResourceStatus
from inventory.filters import ResourceFilter
from inventory.foundation.pages import DetailPage, ListPage
from inventory.foundation.permissions import Action, may
from inventory.models import Resource
from inventory.selectors import may_look_into, visible_resources
from inventory.selectors.resources import held_by, history_of, kinds_of, states_of
from inventory.tables import ResourceTable

# Attributes that tell how to reach a resource, in the order in which they are shown.
ACCESS = {
    "address": gettext_lazy("Address"),
    "hostname": gettext_lazy("Name"),
    "port": gettext_lazy("Port"),
    "user": gettext_lazy("User"),
    "console_url": gettext_lazy("Console"),
    "url": gettext_lazy("Link"),
}
SHOWN = 50


class Resources(ListPage):
    """The resources that a person sees: what is there first, what is gone last."""

    title = gettext_lazy("Resources")
    subtitle = gettext_lazy("Everything that your projects hold and pay for.")
    filterset_class = ResourceFilter
    api = "api:resource-list"
    table_class = ResourceTable
    empty_title = gettext_lazy("No resources yet")
    empty_text = gettext_lazy("Request a service: what is made for you appears here.")
    empty_icon = "box"

    def rows(self) -> QuerySet[Resource]:
        """Return the visible resources with what the list shows of them."""
        return (
            visible_resources(self.viewer)
            .select_related("project", "pool")
            .order_by(F("ended_at").desc(nulls_first=True), "name", "pk")
        )


class ResourceDetail(DetailPage):
    """One resource: what it is, how to reach it, what it holds, costs and has been through."""

    template_name = "inventory/resources/detail.html"

    def rows(self) -> QuerySet[Resource]:
        """Return the visible resources with who answers for them."""
        return visible_resources(self.viewer).select_related(
            "project__owner", "project__deputy", "pool", "provider"
        )

    def context(self) -> dict[str, Any]:
        """Return what the page shows, by what the viewer may see."""
        found: Resource = self.object
        sees_history = may(self.viewer, Action.AUDIT_VIEW, found.project)
        return {
            "status": ResourceStatus(found.status),
            "access": access_to(found),
            "is_local": may(self.viewer, Action.PROJECT_VIEW, found.project),
            "sees_hosts": may_look_into(self.viewer, found.pool),
            "may_see_costs": may(self.viewer, Action.COST_VIEW, found.project),
            "held": [(row, AllocationState(row.state)) for row in held_by(found)[:SHOWN]],
            "states": states_shown(found),
            "former": [(row.kind, row.during.lower, row.during.upper) for row in kinds_of(found)],
            "history": history_of(found)[:SHOWN] if sees_history else None,
            "application_url": application_url(found),
        }


def access_to(resource: Resource) -> list[tuple[Any, str]]:
    """Return how to reach the resource, as label and value; nothing secret is among these."""
    return [
        (label, str(resource.attributes[name]))
        for name, label in ACCESS.items()
        if resource.attributes.get(name)
    ]


def states_shown(resource: Resource) -> list[tuple[Any, str, Any, Any]]:
    """Return the states with label, tone, start and end, the newest first."""
    rows = []
    for row in states_of(resource)[:SHOWN]:
        state = ResourceStatus(row.state)
        rows.append((state.label, state.tone, row.during.lower, row.during.upper))
    return rows


def application_url(resource: Resource) -> str:
    """Return the address of the applications of that name, if the portal has such a page."""
    try:
        return f"{reverse('orchestra:applications')}?{urlencode({'q': resource.application})}"
    except NoReverseMatch:
        return ""
