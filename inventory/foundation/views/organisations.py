"""The pages of organisations: what stands above and below, who belongs, who holds which role."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.foundation import selectors
from inventory.foundation.models import Organisation
from inventory.foundation.pages import DetailPage, ListPage
from inventory.foundation.permissions import Action, organisations_where
from inventory.foundation.project_lists import OrganisationFilters, OrganisationTable

SHOWN = 50


class OrganisationList(ListPage):
    """The organisations that a person belongs to or holds a role in."""

    title = _("Organisations")
    subtitle = _("Whom projects, pools and paying accounts belong to.")
    filterset_class = OrganisationFilters
    table_class = OrganisationTable
    api = "api:organisation-list"
    sees = None
    empty_title = _("You belong to no organisation yet")
    empty_text = _("Ask its owner to add you.")
    empty_icon = "people"

    def rows(self) -> QuerySet[Organisation]:
        """Return the organisations that the viewer knows."""
        return selectors.organisations_known(self.viewer).select_related("parent")


class OrganisationPage(DetailPage):
    """One organisation."""

    title = _("Organisation")
    template_name = "foundation/organisations/detail.html"

    def rows(self) -> QuerySet[Organisation]:
        """Return the organisations that the viewer knows."""
        return selectors.organisations_known(self.viewer).select_related("parent")

    def context(self) -> dict[str, Any]:
        """Add what belongs to it, by what the viewer may see."""
        found: Organisation = self.object
        projects = selectors.visible_projects(self.viewer).filter(organisation=found)
        sees_people = found.pk in organisations_where(self.viewer, Action.PEOPLE_VIEW)
        roles = selectors.visible_roles(self.viewer).filter(organisation=found)
        known = selectors.organisations_known(self.viewer)
        return {
            "projects": projects.exclude(status="closed")[:SHOWN],
            "below": known.filter(parent=found),
            "above": known.filter(pk=found.parent_id).first(),
            "sees_people": sees_people,
            "people": selectors.members_of(found)[:SHOWN] if sees_people else (),
            "roles": roles.order_by("role", "principal", "pk")[:SHOWN] if sees_people else (),
            "may_add": found.pk in organisations_where(self.viewer, Action.PROJECT_EDIT),
        }
