"""The catalogue: what may be ordered, with price, room and who must agree."""

from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _

from inventory.foundation.clock import database_now
from inventory.foundation.files import csv_file, origin_of
from inventory.foundation.pages import PortalPage
from inventory.foundation.permissions import Action, projects_where
from orchestra.filters import CatalogueFilters
from orchestra.selectors.catalogue import catalogue
from orchestra.services.catalogue import COUNT_UP_TO, cards
from orchestra.tables import ServiceTable

SHOWN = 60


class Catalogue(PortalPage):
    """Cards of the services; search, category and the prices' project are in the address."""

    title = _("Services")
    subtitle = _("What you can request, what it costs, and how soon it is there.")
    template_name = "orchestra/catalogue/list.html"
    action = Action.PROJECT_VIEW
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Draw the cards, or answer with all found services as a file."""
        found = catalogue(self.viewer)
        filters = CatalogueFilters(request.GET, queryset=found, request=request)
        if request.GET.get("format") == "csv":
            rows = list(filters.qs) if filters.is_valid() else []
            return csv_file(
                ServiceTable(rows), name="services", count=len(rows), origin=origin_of(request)
            )
        versions = list(filters.qs[:SHOWN]) if filters.is_valid() else []
        places = projects_where(self.viewer, Action.ORDER_PLACE).select_related("organisation")
        seen = projects_where(self.viewer, Action.PROJECT_VIEW).select_related("organisation")
        mine = list(places.order_by("name", "pk")[:SHOWN])
        project = next(
            (one for one in mine if str(one.pk) == request.GET.get("project")),
            mine[0] if mine else seen.order_by("name", "pk").first(),
        )
        shown = (
            cards(project=project, versions=versions, at=database_now())
            if project and versions
            else []
        )
        names: dict[str, Any] = {
            "filterset": filters,
            "categories": list(filters.form.fields["category"].choices),
            "cards": shown,
            "project": project,
            "projects": mine,
            "may_request": bool(mine),
            "counted": COUNT_UP_TO,
            "is_filtered": any(request.GET.get(name) for name in ("q", "category")),
        }
        return self.page(names)
