"""The start page: what is mine, what waits for me, what it costs, and what changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.selectors import BudgetState
from billing.selectors.projects import ProjectSpend, month_to_date
from inventory.foundation.clock import database_now
from inventory.foundation.models import Event, Project, User
from inventory.foundation.pages import PortalPage
from inventory.foundation.permissions import Action, may_anywhere, projects_where
from orchestra.choices import DeploymentState, DueKind, NoticeKind, OrderState, RunState
from orchestra.filters import SOON_DAYS
from orchestra.lifecycle import OPEN_RUNS
from orchestra.models import Deployment
from orchestra.selectors.budgets import budget_state
from orchestra.selectors.deployments import ENDED, visible_deployments
from orchestra.selectors.health import SetUp, set_up
from orchestra.selectors.history import latest_changes
from orchestra.selectors.leases import due_kind, ending_soon
from orchestra.selectors.orders import inbox, visible_orders
from orchestra.selectors.runs import visible_runs

SHOWN = 6
BUDGETS_SHOWN = 4
UNDER_WAY = (
    OrderState.DRAFT,
    OrderState.PLANNED,
    OrderState.AWAITING_APPROVAL,
    OrderState.APPROVED,
    OrderState.FULFILLING,
)
CHANGES = {
    "orchestra.order.placed": gettext_lazy("was asked for"),
    "orchestra.order.planned": gettext_lazy("was planned"),
    "orchestra.order.refused": gettext_lazy("does not fit as it stands"),
    "orchestra.order.submitted": gettext_lazy("was sent for approval"),
    "orchestra.order.approved": gettext_lazy("was approved"),
    "orchestra.order.rejected": gettext_lazy("was rejected"),
    "orchestra.order.cancelled": gettext_lazy("was cancelled"),
    "orchestra.order.expired": gettext_lazy("expired"),
    "orchestra.order.fulfilled": gettext_lazy("was delivered"),
    "orchestra.order.failed": gettext_lazy("could not be delivered"),
    "orchestra.order.fulfilling": gettext_lazy("is being delivered"),
    "orchestra.run.scheduled": gettext_lazy("waits to start"),
    "orchestra.run.started": gettext_lazy("began"),
    "orchestra.run.resumed": gettext_lazy("goes on"),
    "orchestra.run.succeeded": gettext_lazy("is done"),
    "orchestra.run.compensating": gettext_lazy("is being undone"),
    "orchestra.run.compensated": gettext_lazy("was undone"),
    "orchestra.run.cancelled": gettext_lazy("was cancelled"),
    "orchestra.run.needs_operator": gettext_lazy("needs an operator"),
}


@dataclass(frozen=True)
class ProjectMoney:
    """What a project spent this month, and the budget that binds it."""

    project: Project
    spent: tuple[ProjectSpend, ...]
    budget: BudgetState | None

    @property
    def used(self) -> Decimal:
        """Return what the budget has lost: charged, used and promised."""
        assert self.budget is not None
        return self.budget.actual + self.budget.committed

    @property
    def tone(self) -> str:
        """Return the colour of the budget's bar."""
        assert self.budget is not None
        if self.budget.free < 0:
            return "bad"
        return "warn" if self.used > self.budget.amount * Decimal("0.8") else "good"


class Start(PortalPage):
    """Everything that waits for the viewer or belongs to them, on one page."""

    title = gettext_lazy("Start")
    template_name = "orchestra/start.html"
    http_method_names = ["get", "head", "options"]

    def get(self, _request: HttpRequest) -> HttpResponse:
        """Gather and draw."""
        viewer, at = self.viewer, database_now()
        applications = visible_deployments(viewer).exclude(state__in=ENDED)
        orders = visible_orders(viewer).filter(state__in=UNDER_WAY)
        runs = visible_runs(viewer).filter(state__in=OPEN_RUNS)
        waiting = inbox(viewer)
        due = ending_soon(visible_deployments(viewer), at=at, days=SOON_DAYS).order_by("due_at")
        return self.page(
            {
                "hello": viewer.display_name or str(viewer),
                "applications": [(one, DeploymentState(one.state)) for one in applications[:SHOWN]],
                "application_count": applications.count(),
                "orders": [(one, OrderState(one.state)) for one in orders[:SHOWN]],
                "order_count": orders.count(),
                "runs": [(one, RunState(one.state)) for one in runs[:SHOWN]],
                "run_count": runs.count(),
                "waiting": waiting[:SHOWN],
                "waiting_count": waiting.count(),
                "due": due_lines(due[:SHOWN], viewer, at),
                "due_count": due.count(),
                "money": money_of(viewer, at),
                "changes": [change(event) for event in latest_changes(viewer)[:SHOWN]],
                "may_request": may_anywhere(viewer, Action.ORDER_PLACE),
                "may_decide": may_anywhere(viewer, Action.ORDER_DECIDE),
                "set_up": setting_up(viewer),
            }
        )


def due_lines(rows: Iterable[Deployment], viewer: User, at: datetime) -> list[dict[str, Any]]:
    """Return the applications that end soon or are to be confirmed, each as a line."""
    found = list(rows)
    may_order = set(
        projects_where(viewer, Action.ORDER_PLACE)
        .filter(pk__in=[row.project_id for row in found])
        .values_list("pk", flat=True)
    )
    lines = []
    for row in found:
        kind = due_kind(row)
        may_extend = kind == DueKind.END and row.project_id in may_order
        lines.append(
            {
                "row": row,
                "kind": kind,
                "overdue": NoticeKind.CONFIRM_OVERDUE,
                "is_overdue": kind == DueKind.CONFIRM and row.due_at <= at,  # type: ignore[attr-defined]
                "extend": address("orchestra:deployment-extend", row.pk) if may_extend else "",
            }
        )
    return lines


def money_of(viewer: User, at: datetime) -> list[ProjectMoney]:
    """Return the money of the first projects whose costs the viewer may see."""
    projects = list(projects_where(viewer, Action.COST_VIEW).order_by("name", "pk")[:BUDGETS_SHOWN])
    spends = month_to_date(project_ids=[one.pk for one in projects], at=at)
    return [
        ProjectMoney(
            project=project,
            spent=tuple(spend for spend in spends if spend.project_id == project.pk),
            budget=budget_state(project=project, at=at),
        )
        for project in projects
    ]


def change(event: Event) -> dict[str, Any]:
    """Return one event as a line: what, in words, where it leads, and when."""
    kind, _slash, number = event.subject.partition("/")
    is_run = kind == "run"
    label = _("Progress %s") % number if is_run else f"R-{int(number):06d}"
    return {
        "label": label,
        "words": CHANGES.get(event.type, _("changed")),
        "url": reverse("orchestra:run" if is_run else "orchestra:request", args=[number]),
        "project": event.project,
        "at": event.time,
    }


def setting_up(viewer: User) -> list[tuple[Any, bool, str]]:
    """Return the set-up's parts as label, done, address; none once done, or for others."""
    if not may_anywhere(viewer, Action.POOL_EDIT):
        return []
    found: SetUp = set_up()
    if found.is_done:
        return []
    return [
        (_("A pool with hosts"), found.pool, address("inventory:pools")),
        (_("A connection that directs it"), found.connection, address("orchestra:connections")),
        (_("A service that is offered"), found.service, address("orchestra:catalogue")),
        (_("A published price list"), found.price, address("billing:prices")),
        (_("A rule that says what needs approval"), found.policy, address("orchestra:defaults")),
        (_("The first request"), found.request, address("orchestra:catalogue")),
    ]


def address(name: str, *arguments: int) -> str:
    """Return a page's address, empty while the page is not there."""
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""
