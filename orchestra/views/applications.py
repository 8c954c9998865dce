"""Applications: what runs, what it holds and costs, and whether it is still needed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from billing.charts import history_figure
from billing.models import Charge
from billing.selectors.histories import cost_history
from billing.selectors.resources import cost_of_resources
from inventory.choices import ResourceStatus
from inventory.foundation.clock import database_now
from inventory.foundation.figures import Figure
from inventory.foundation.pages import ListPage, PortalPage
from inventory.foundation.permissions import Action, may
from orchestra.choices import DeploymentState, DueKind, Environment, OrderState, RunState
from orchestra.filters import DeploymentFilters
from orchestra.models import Deployment, DeploymentResource
from orchestra.selectors.deployments import deployment_detail, visible_deployments
from orchestra.selectors.leases import due_kind
from orchestra.selectors.orders import open_retirement
from orchestra.services.leases import confirm_deployment
from orchestra.tables import DeploymentTable
from orchestra.views.runs import access

MAX_ID = 2**63 - 1


class Applications(ListPage):
    """The applications of the viewer's projects."""

    title = gettext_lazy("Applications")
    subtitle = gettext_lazy("What runs for your projects, and what ran.")
    template_name = "orchestra/applications/list.html"
    filterset_class = DeploymentFilters
    table_class = DeploymentTable
    empty_title = gettext_lazy("No applications yet")
    empty_text = gettext_lazy("Request a service: it becomes an application when it is delivered.")
    empty_icon = "layers"

    def rows(self) -> QuerySet[Deployment]:
        """Return the visible applications."""
        return visible_deployments(self.viewer)


class ApplicationPage(PortalPage):
    """One application with its copies, requests, progress and cost."""

    template_name = "orchestra/applications/detail.html"
    http_method_names = ["get", "head", "options"]

    def get(self, _request: HttpRequest, pk: int) -> HttpResponse:
        """Draw the application."""
        found = deployment_detail(user=self.viewer, deployment_id=min(pk, MAX_ID))
        links = sorted(found.links.all(), key=lambda link: (link.component, link.index, link.pk))
        sees_costs = may(self.viewer, Action.COST_VIEW, found.project)
        at = database_now()
        giving_back = open_retirement(found)
        names: dict[str, Any] = {
            "application": found,
            "title": found.name,
            "state": DeploymentState(found.state),
            "environment": Environment(found.environment).label,
            "copies": [(link, ResourceStatus(link.resource.status)) for link in links],
            "access": access(
                link.resource for link in links if link.resource.status != ResourceStatus.GONE
            ),
            "orders": [
                (order, OrderState(order.state))
                for order in sorted(found.orders.all(), key=lambda one: -one.pk)
            ],
            "runs": [
                (run, RunState(run.state))
                for run in sorted(found.runs.all(), key=lambda one: -one.pk)
            ],
            "costs": (
                cost_of_resources(resources=[link.resource for link in links], at=at)
                if sees_costs
                else None
            ),
            "figure": cost_over_time(links, at) if sees_costs else None,
            "giving_back": giving_back,
            "is_overdue": due_kind(found) == DueKind.CONFIRM
            and found.confirm_by is not None
            and found.confirm_by <= at,
            "may_confirm": found.state == DeploymentState.LIVE
            and found.lease_end_at is None
            and may(self.viewer, Action.ORDER_PLACE, found.project),
            "may_retire": found.state == DeploymentState.LIVE
            and giving_back is None
            and may(self.viewer, Action.ORDER_PLACE, found.project),
        }
        return self.page(names)


def cost_over_time(links: Sequence[DeploymentResource], at: datetime) -> Figure:
    """Return what the copies, also those that are gone, cost over time."""
    charges = Charge.objects.filter(resource__in=[link.resource_id for link in links])
    return history_figure(history=cost_history(charges=charges, by="item", at=at))


@require_POST
def application_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that an application without an end is still needed."""
    found = deployment_detail(user=request.user, deployment_id=min(pk, MAX_ID))  # type: ignore[arg-type]
    confirmed = confirm_deployment(deployment=found, actor=request.user, at=database_now())  # type: ignore[arg-type]
    assert confirmed.confirm_by is not None
    day = date_format(localtime(confirmed.confirm_by), "j F Y")
    told = _("%(name)s is confirmed until %(day)s.") % {"name": found, "day": day}
    messages.success(request, told)
    return HttpResponseRedirect(reverse("orchestra:application", args=[found.pk]))
