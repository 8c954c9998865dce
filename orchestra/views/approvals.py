"""Approvals: the inbox, and the page that shows what a decision would change."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError, NotVisible
from inventory.foundation.pages import ListPage, PortalPage
from inventory.foundation.permissions import Action, may, refusal
from orchestra.choices import OrderState
from orchestra.filters import DecisionFilters, InboxFilters
from orchestra.forms import DecisionForm
from orchestra.models import Approval, Order
from orchestra.selectors.orders import (
    deciders,
    inbox,
    order_detail,
    visible_decisions,
    waiting_on_others,
)
from orchestra.services.approvals import decide
from orchestra.services.consequences import consequences
from orchestra.tables import DecisionTable, InboxTable
from orchestra.views.orders import order_context

OTHERS_SHOWN = 20


class Approvals(ListPage):
    """What waits for the viewer, and below it what the viewer asked and others decide."""

    title = gettext_lazy("Approvals")
    subtitle = gettext_lazy("Requests that wait for your decision, the oldest first.")
    template_name = "orchestra/approvals/list.html"
    filterset_class = InboxFilters
    table_class = InboxTable
    action = Action.ORDER_DECIDE
    empty_title = gettext_lazy("Nothing waits for you")
    empty_text = gettext_lazy("Requests that need your decision appear here.")
    empty_icon = "check"

    def rows(self) -> QuerySet[Order]:
        """Return the viewer's inbox."""
        return inbox(self.viewer)

    def context(self) -> dict[str, Any]:
        """Return the viewer's own requests that wait for somebody else."""
        return {"others": waiting_on_others(self.viewer)[:OTHERS_SHOWN]}


class Decisions(ListPage):
    """Who or which rule decided what in the viewer's projects."""

    title = gettext_lazy("Decisions")
    subtitle = gettext_lazy("Who, or which rule, said yes or no to what, and why.")
    filterset_class = DecisionFilters
    api = "api:decision-list"
    table_class = DecisionTable
    empty_title = gettext_lazy("Nothing was decided yet")
    empty_text = gettext_lazy("Each decision on a request of your projects appears here.")
    empty_icon = "check"

    def rows(self) -> QuerySet[Approval]:
        """Return the visible decisions."""
        return visible_decisions(self.viewer)


class ApprovalPage(PortalPage):
    """One request with the consequences of approving it. Looking at it never decides."""

    template_name = "orchestra/approvals/detail.html"
    http_method_names = ["get", "head", "options", "post"]

    def get(self, _request: HttpRequest, pk: int) -> HttpResponse:
        """Show what would change, and the two buttons for who may use them."""
        order = self.load(pk)
        return self.answer(order, DecisionForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Decide, on the plan that was on the screen."""
        order = self.load(pk)
        form = DecisionForm(request.POST)
        if not form.is_valid():
            return self.answer(order, form, status=400)
        try:
            decide(
                order=order,
                approver=self.viewer,
                decision=form.cleaned_data["decision"],
                reason=form.cleaned_data["reason"],
                plan_sha256=form.cleaned_data["plan_sha256"],
                at=database_now(),
            )
        except NotVisible:
            raise
        except DomainError as error:
            form.refuse(error)
            return self.answer(order, form, status=error.status)
        if form.cleaned_data["decision"] == "approve":
            messages.success(request, _("Approved. It is on its way."))
        else:
            messages.success(request, _("Rejected. The requester reads your reason."))
        return HttpResponseRedirect(reverse("orchestra:request", args=[order.pk]))

    def load(self, pk: int) -> Order:
        """Find the request among those that the viewer may see."""
        return order_detail(user=self.viewer, order_id=min(pk, 2**63 - 1))

    def answer(self, order: Order, form: DecisionForm, status: int = 200) -> HttpResponse:
        """Draw the page."""
        names = order_context(order, self.viewer)
        why_not = self.why_not(order)
        waits = order.state == OrderState.AWAITING_APPROVAL
        names |= {
            "form": form,
            "why_not": why_not,
            "may_decide": not why_not,
            "effects": consequences(order=order, at=database_now()) if waits else None,
        }
        return self.page(names, status=status)

    def why_not(self, order: Order) -> str:
        """Return why the viewer may not decide; empty where they may."""
        if order.state != OrderState.AWAITING_APPROVAL:
            return _("%(request)s does not wait for a decision: it is “%(state)s”.") % {
                "request": order,
                "state": order.get_state_display().lower(),
            }
        if order.requester_id == self.viewer.pk:
            people = deciders(project=order.project, requester=self.viewer, at=database_now())
            names = ", ".join(str(person) for person in people[:5]) or _("the project's owner")
            return (
                _(
                    "You asked for this, so somebody else must decide (separation of duties). "
                    "These can: %s."
                )
                % names
            )
        if not may(self.viewer, Action.ORDER_DECIDE, order.project):
            return refusal(Action.ORDER_DECIDE).message
        return ""
