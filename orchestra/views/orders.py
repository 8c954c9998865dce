"""Requests: the form with its live estimate, the list, and the page that shows what will happen."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError
from inventory.foundation.idempotency import KeyReused
from inventory.foundation.models import Project
from inventory.foundation.pages import FormPage, ListPage, PortalPage, find
from inventory.foundation.periods import zone_named
from inventory.foundation.permissions import Action, may, projects_where, require_anywhere
from inventory.selectors import pools_where
from orchestra.blueprints import instance_names
from orchestra.choices import ChangeKind, Decision, Environment, OrderKind, OrderState
from orchestra.filters import OrderFilters
from orchestra.forms import RequestForm, initial_of
from orchestra.models import Order, Plan
from orchestra.policies import by_rule, reasons_of
from orchestra.selectors.catalogue import offered
from orchestra.selectors.changes import Difference, differences
from orchestra.selectors.history import history_of, waiting_since
from orchestra.selectors.orders import deciders, inbox, order_detail, visible_orders
from orchestra.services.approvals import submit_order
from orchestra.services.estimates import COUNTED_UP_TO, Estimate, estimate
from orchestra.services.order_states import NotTheRequester
from orchestra.services.orders import EDITABLE, cancel_order, edit_order, place_order
from orchestra.services.terms import term_words
from orchestra.tables import OrderTable

CANCELLABLE = {
    OrderState.DRAFT,
    OrderState.PLANNED,
    OrderState.AWAITING_APPROVAL,
    OrderState.APPROVED,
    OrderState.FULFILLING,
}
HISTORY_SHOWN = 60


class Requests(ListPage):
    """The requests of the viewer's projects."""

    title = gettext_lazy("Requests")
    subtitle = gettext_lazy("What was asked for in your projects, and how far it is.")
    template_name = "orchestra/orders/list.html"
    filterset_class = OrderFilters
    api = "api:order-list"
    table_class = OrderTable
    empty_title = gettext_lazy("No requests yet")
    empty_text = gettext_lazy("Choose a service; its price and room show before you ask.")
    empty_icon = "inbox"

    def rows(self) -> QuerySet[Order]:
        """Return the visible requests."""
        return visible_orders(self.viewer)


class RequestForService(FormPage):
    """What the form for a new request and the form for a change share."""

    template_name = "orchestra/orders/form.html"
    form_class = RequestForm
    action = Action.ORDER_PLACE
    order: Order | None = None
    heading = ""

    def load(self) -> None:
        """Find the service in the viewer's catalogue."""
        self.version = offered(user=self.viewer, slug=self.kwargs["slug"])

    def form_arguments(self) -> dict[str, Any]:
        """Return the service and the projects in which the viewer may order."""
        projects = projects_where(self.viewer, Action.ORDER_PLACE).order_by("name", "pk")
        return {
            "offering_version": self.version,
            "projects": projects,
            "order": self.order,
            "terms": terms_at(database_now()),
        }

    def context(self) -> dict[str, Any]:
        """Return the service and where the estimate is asked."""
        offering = self.version.offering
        address = reverse("orchestra:request-estimate", args=[offering.slug])
        if self.order is not None:
            address += f"?order={self.order.pk}"
        return {
            "title": self.heading,
            "subtitle": offering.summary,
            "version": self.version,
            "offering": offering,
            "order": self.order,
            "estimate_url": address,
        }


def terms_at(at: datetime) -> Callable[[Project, str], str]:
    """Return what says when an application of a project and environment would end."""
    return lambda project, environment: term_words(project=project, environment=environment, at=at)


class RequestNew(RequestForService):
    """A new request: planned as soon as it is complete, sent from its own page."""

    submit = gettext_lazy("Show what will happen")

    @property
    def back(self) -> str:
        """Return to the catalogue."""
        return reverse("orchestra:catalogue")

    def load(self) -> None:
        """Find the service and name the page after it."""
        super().load()
        self.heading = _("Request %s") % self.version.offering.name

    def initial(self) -> dict[str, Any]:
        """Start from an earlier request (`?again=12`) or with the project of the catalogue."""
        again = self.request.GET.get("again", "")
        if again.isascii() and again.isdecimal() and len(again) < 19:
            before = visible_orders(self.viewer).filter(
                pk=int(again), offering_version__offering=self.version.offering
            )
            for order in before:
                kept = initial_of(order)
                return {name: kept[name] for name in kept if name not in NOT_AGAIN}
        project = self.request.GET.get("project", "")
        return {"project": project} if project.isascii() and project.isdecimal() else {}

    def act(self, form: RequestForm) -> str:
        """Place the request."""
        order = place_order(
            requester=self.viewer,
            project=form.cleaned_data["project"],
            offering=self.version.offering,
            at=database_now(),
            **form.wish(),
        )
        return reverse("orchestra:request", args=[order.pk])

    def refused(self, form: RequestForm, error: DomainError) -> HttpResponse:
        """A form that was changed after it had been sent says what it became the first time."""
        if isinstance(error, KeyReused):
            became = (error.details.get("answer") or {}).get("to", "")
            order = visible_orders(self.viewer).filter(pk=last_number(became)).first()
            message = _(
                "This form was sent before and became %s. Send it again to place another request."
            ) % (order or _("a request"))
            error = KeyReused(message)
        return super().refused(form, error)


def last_number(address: str) -> int:
    """Return the number at the end of an address, 0 where there is none."""
    found = re.search(r"/([0-9]{1,18})/\Z", address)
    return int(found[1]) if found else 0


NOT_AGAIN = {"name", "pool", "start_at", "end_at", "version"}


class RequestEdit(RequestForService):
    """Change a request that is not under way; it is planned again and must be sent again."""

    submit = gettext_lazy("Show what will happen")

    @property
    def back(self) -> str:
        """Return to the request."""
        return reverse("orchestra:request", args=[self.kwargs["pk"]])

    def load(self) -> None:
        """Find the request, its service, and refuse who did not ask for it."""
        self.order = find(visible_orders(self.viewer), pk=self.kwargs["pk"])
        if self.order.requester_id != self.viewer.pk:
            message = _("Only %s may change this request.") % self.order.requester
            raise NotTheRequester(message)
        self.version = offered(user=self.viewer, slug=self.order.offering_version.offering.slug)
        self.heading = _("Change %s") % self.order

    def initial(self) -> dict[str, Any]:
        """Return what the request says now."""
        assert self.order is not None
        return initial_of(self.order)

    def act(self, form: RequestForm) -> str:
        """Change it, unless somebody did meanwhile."""
        assert self.order is not None
        edit_order(
            order=self.order,
            actor=self.viewer,
            version=form.cleaned_data.get("version") or 0,
            changes=form.wish(),
            at=database_now(),
        )
        return self.back


@require_POST
def request_estimate(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer the form while it is filled in: a fragment, never an error for what is typed."""
    user = request.user
    require_anywhere(user, Action.ORDER_PLACE)  # type: ignore[arg-type]
    version = offered(user=user, slug=slug)  # type: ignore[arg-type]
    projects = projects_where(user, Action.ORDER_PLACE).order_by("name", "pk")  # type: ignore[arg-type]
    order = edited_order(request)
    at = database_now()
    form = RequestForm(
        request.POST,
        offering_version=version,
        projects=projects,
        order=order,
        terms=terms_at(at),
    )
    form.is_valid()
    project = order.project if order else form.cleaned_data.get("project")
    found = None
    if project is not None:
        found = estimate(
            requester=user,  # type: ignore[arg-type]
            project=project,
            offering=version.offering,
            at=at,
            **form.wish(),
        )
    names = {"estimate": found, "hints": hints(form, found, order), "version": version}
    if found is not None:
        names |= drawn(found)
    return render(request, "orchestra/orders/form.html#estimate", names)


def drawn(found: Estimate) -> dict[str, Any]:
    """Return what the estimate's drawing needs beside its figures."""
    names: dict[str, Any] = {
        "clock_changes": False,
        "budget_used": 0,
        "budget_tone": "info",
        "counted": COUNTED_UP_TO,
    }
    if found.end_at is not None:
        zone = zone_named(found.zone)
        start = found.start_at or database_now()
        both = (start.astimezone(zone).utcoffset(), found.end_at.astimezone(zone).utcoffset())
        names["clock_changes"] = both[0] != both[1]
    if found.budget is not None:
        names["budget_used"] = found.budget.amount - found.budget.free
        is_over = found.budget_after is not None and found.budget_after < 0
        names["budget_tone"] = "bad" if is_over else "info"
    return names


def edited_order(request: HttpRequest) -> Order | None:
    """Return the viewer's own request that the form changes, if it is about one."""
    number = request.GET.get("order", "")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        return None
    mine = visible_orders(request.user).filter(requester=request.user)  # type: ignore[arg-type]
    return mine.filter(pk=int(number)).first()


def hints(form: RequestForm, found: Estimate | None, order: Order | None) -> list[tuple[Any, str]]:
    """Return what is typed and not right yet, as label and message; what is empty is left alone."""
    said: dict[str, Any] = {name: errors[0] for name, errors in form.errors.items()}
    for name, message in (found.faults if found else {}).items():
        said.setdefault(name, message)
    if order is not None and form.cleaned_data.get("name") == order.name:
        said.pop("name", None)  # its own name is not taken by somebody else
    said.pop("idempotency_key", None)
    lines = []
    for name, message in said.items():
        if name in form.fields:
            if form[name].value() not in (None, ""):
                lines.append((form[name].label, message))
        elif not name.startswith("parameters"):
            lines.append(("", message))
    return lines


class RequestPage(PortalPage):
    """One request: what will happen as it is stored, who decides, how far it is."""

    template_name = "orchestra/orders/detail.html"
    http_method_names = ["get", "head", "options"]

    def get(self, _request: HttpRequest, pk: int) -> HttpResponse:
        """Draw the request with what the viewer may do about it."""
        order = order_detail(user=self.viewer, order_id=min(pk, 2**63 - 1))
        return self.page(order_context(order, self.viewer))


def order_context(order: Order, viewer: Any) -> dict[str, Any]:
    """Return what the page of a request reads."""
    plans = sorted(order.plans.all(), key=lambda plan: plan.number)
    plan = plans[-1] if plans else None
    state = OrderState(order.state)
    is_mine = order.requester_id == viewer.pk
    waiting = None
    if state is OrderState.AWAITING_APPROVAL:
        at = database_now()
        people = deciders(project=order.project, requester=order.requester, at=at)
        waiting = {"people": list(people[:5]), "since": waiting_since(order)}
    may_place = is_mine and may(viewer, Action.ORDER_PLACE, order.project)
    sees_hosts = (
        plan is not None
        and bool(plan.placement)
        and pools_where(viewer, Action.POOL_VIEW).filter(pk=order.pool_id).exists()
    )
    return {
        "order": order,
        "title": str(order),
        "state": state,
        "kind": order.get_alteration_display() or OrderKind(order.kind).label,
        "environment": Environment(order.environment).label,
        "change_kind": ChangeKind(order.change_kind).label,
        "choices": chosen(order),
        "plan": plan,
        "plans": plans,
        "steps": grouped_steps(plan, order) if plan else [],
        "rows": changed_by(plan) if plan else [],
        "approvals": [
            (approval, Decision(approval.decision), one)
            for one in plans
            for approval in one.approvals.all()
        ],
        "is_by_rule": plan is not None and by_rule(plan.decisions) is not None,
        "reasons": reasons_of(plan.decisions) if plan else [],
        "waiting": waiting,
        "run": max(order.runs.all(), key=lambda run: run.pk, default=None),
        "sees_hosts": sees_hosts,
        "history": history_of(order)[:HISTORY_SHOWN],
        "payload": payload(order),
        "may_send": may_place and state is OrderState.PLANNED,
        "may_edit": may_place and state in EDITABLE and order.kind == OrderKind.CREATE,
        "may_cancel": state in CANCELLABLE and may(viewer, Action.ORDER_CANCEL, order.project),
        "may_decide": inbox(viewer).filter(pk=order.pk).exists(),
        "may_repeat": order.kind == OrderKind.CREATE
        and may(viewer, Action.ORDER_PLACE, order.project),
    }


def changed_by(plan: Plan) -> list[Difference]:
    """Return from what to what a change goes; empty for new capacity and for giving back."""
    said = plan.document.get("change")
    return differences(said["before"], said["after"]) if said else []


def chosen(order: Order) -> list[tuple[str, Any]]:
    """Return the service's choices as label and value."""
    properties = order.offering_version.parameters.get("properties", {})
    return [
        (properties.get(name, {}).get("title") or name.replace("_", " ").capitalize(), value)
        for name, value in order.parameters.items()
    ]


def grouped_steps(plan: Plan, order: Order) -> list[dict[str, Any]]:
    """Return the plan's steps by copy, in their order; what is for all stands first."""
    hosts = [candidate["root_name"] for candidate in plan.placement]
    names = instance_names(order.name, order.instances)
    groups: dict[Any, dict[str, Any]] = {}
    for step in plan.document["steps"]:
        is_of_copy = "[" in step["key"] and not order.alteration
        index = step["index"] if is_of_copy else None
        group = groups.setdefault(
            index,
            {
                "name": "" if index is None else names[index] if index < len(names) else "",
                "host": "" if index is None or index >= len(hosts) else hosts[index],
                "labels": [],
            },
        )
        group["labels"].append(step["label"])
    return list(groups.values())


def payload(order: Order) -> dict[str, Any]:
    """Return the same request as the API takes it."""
    return {
        "project": order.project_id,
        "offering": order.offering_version.offering.slug,
        "name": order.name,
        "application": order.application,
        "environment": order.environment,
        "business_reason": order.business_reason,
        "instances": order.instances,
        "parameters": order.parameters,
        "start_at": order.start_at.isoformat() if order.start_at else None,
        "end_at": order.end_at.isoformat() if order.end_at else None,
    }


def posted(data: Mapping[str, Any], name: str, longest: int = 600) -> str:
    """Return a posted text, cut so that nobody sends a novel."""
    return str(data.get(name, ""))[:longest]


@require_POST
def request_submit(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the plan that was on the screen; by rule it starts, else it waits for a person."""
    order: Order = find(visible_orders(request.user), pk=pk)  # type: ignore[arg-type]
    order = submit_order(
        order=order,
        actor=request.user,  # type: ignore[arg-type]
        plan_sha256=posted(request.POST, "plan_sha256"),
        at=database_now(),
    )
    if order.state == OrderState.AWAITING_APPROVAL:
        messages.success(request, _("Sent. It waits for an approver now."))
    else:
        messages.success(request, _("Approved by rule. It is on its way."))
    return HttpResponseRedirect(reverse("orchestra:request", args=[order.pk]))


@require_POST
def request_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Withdraw a request, or have what was begun undone."""
    order: Order = find(visible_orders(request.user), pk=pk)  # type: ignore[arg-type]
    order = cancel_order(
        order=order,
        actor=request.user,  # type: ignore[arg-type]
        reason=posted(request.POST, "reason"),
        at=database_now(),
    )
    if order.state == OrderState.CANCELLED:
        messages.success(request, _("Cancelled. Nothing is held for it."))
    else:
        messages.success(request, _("What was begun is being undone."))
    return HttpResponseRedirect(reverse("orchestra:request", args=[order.pk]))
