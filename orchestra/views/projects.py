"""One project's own page, and the forms that need to know what it holds: closing, answering."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy

from billing.selectors.projects import account_history, month_to_date, monthly_spend
from inventory.foundation import selectors, services
from inventory.foundation.choices import ProjectStatus, TransferKind
from inventory.foundation.clock import database_now
from inventory.foundation.forms import PortalForm
from inventory.foundation.models import Project, ProjectTransfer
from inventory.foundation.pages import DetailPage, FormPage, find
from inventory.foundation.permissions import Action, may, organisations_where
from inventory.foundation.project_forms import AnswerForm, CloseForm
from inventory.foundation.views.projects import ProjectFormPage
from inventory.selectors import quota_use, visible_resources
from orchestra.choices import DeploymentState, OrderState
from orchestra.selectors.budgets import budget_state
from orchestra.selectors.deployments import ENDED, visible_deployments
from orchestra.selectors.history import project_history
from orchestra.selectors.orders import visible_orders
from orchestra.selectors.projects import Obstacle, live_resources, obstacles
from orchestra.services.projects import accept_move, close_project

SHOWN = 8
HISTORY_SHOWN = 12
MONTHS_SHOWN = 6
# Where an obstacle of each kind is looked at.
ADDRESSES = {
    "application": "orchestra:application",
    "resource": "inventory:resource",
    "request": "orchestra:request",
    "run": "orchestra:run",
    "transfer": "foundation:transfer",
}


def address_of(one: Obstacle) -> str:
    """Return the page of what is in the way."""
    return reverse(ADDRESSES[one.kind], args=[one.subject.pk])


class ProjectPage(DetailPage):
    """One project: who answers, who works in it, who pays, what it holds, and what happened."""

    title = gettext_lazy("Project")
    template_name = "orchestra/projects/detail.html"

    def rows(self) -> QuerySet[Project]:
        """Return the visible projects."""
        return selectors.visible_projects(self.viewer)

    def context(self) -> dict[str, Any]:
        """Gather what the viewer may see of it."""
        project: Project = self.object
        viewer, at = self.viewer, database_now()
        applications = visible_deployments(viewer).filter(project=project)
        applications = applications.exclude(state__in=ENDED)
        orders = visible_orders(viewer).filter(project=project)
        resources = visible_resources(viewer).filter(pk__in=live_resources(project).values("pk"))
        grants = selectors.all_grants_of(project)
        transfers = selectors.visible_transfers(viewer).filter(project=project)
        return {
            "at": at,
            "may_edit": may(viewer, Action.PROJECT_EDIT, project),
            "may_order": may(viewer, Action.ORDER_PLACE, project),
            "knows_organisation": selectors.organisations_known(viewer)
            .filter(pk=project.organisation_id)
            .exists(),
            "is_closed": project.status == ProjectStatus.CLOSED,
            "grants": grants[:SHOWN],
            "grant_count": grants.count(),
            "transfers": transfers.filter(state__in=["waiting", "agreed"]),
            "quotas": quota_use(project=project, at=at),
            "applications": [(one, DeploymentState(one.state)) for one in applications[:SHOWN]],
            "application_count": applications.count(),
            "resources": resources.select_related("pool").order_by("name", "pk")[:SHOWN],
            "resource_count": resources.count(),
            "orders": [(one, OrderState(one.state)) for one in orders[:SHOWN]],
            "order_count": orders.count(),
            "history": (
                project_history(project)[:HISTORY_SHOWN]
                if may(viewer, Action.AUDIT_VIEW, project)
                else None
            ),
        } | self.money(project, at)

    def money(self, project: Project, at: datetime) -> dict[str, Any]:
        """Return who pays, what was spent and what is left, for who may see costs."""
        payers = account_history(project)
        pays = next((one for one in payers if at in one.during), None)
        where = organisations_where(self.viewer, Action.MONEY_MANAGE)
        names: dict[str, Any] = {
            "pays": pays,
            "nobody_pays": pays is None,
            "may_choose_payer": project.organisation_id in where,
            "sees_costs": may(self.viewer, Action.COST_VIEW, project),
        }
        if not names["sees_costs"]:
            return names
        return names | {
            "payers": payers,
            "spent": month_to_date(project_ids=[project.pk], at=at),
            "months": monthly_spend(project=project, months=MONTHS_SHOWN),
            "budget": budget_state(project=project, at=at),
        }


class CloseProject(ProjectFormPage):
    """Close a project: names what is in the way, and wants its name typed."""

    title = gettext_lazy("Close the project")
    template_name = "orchestra/projects/close.html"
    form_class = CloseForm
    submit = gettext_lazy("Close the project")
    done = gettext_lazy("The project is closed. It lies in the archive.")

    def form_arguments(self) -> dict[str, Any]:
        """Return the name that must be typed."""
        return {"name": self.subject.name}

    def context(self) -> dict[str, Any]:
        """Return what is in the way, each with its page."""
        found = obstacles(self.subject)
        return super().context() | {
            "project": self.subject,
            "obstacles": [(one, one.subject._meta.verbose_name, address_of(one)) for one in found],
        }

    def act(self, form: PortalForm) -> str:
        """Close it."""
        close_project(
            project=self.subject,
            confirm_name=form.cleaned_data["confirm_name"],
            reason=form.cleaned_data["reason"],
            actor=self.viewer,
            at=database_now(),
        )
        return self.back


class AnswerTransfer(FormPage):
    """Accept a project, or decline it with a reason."""

    title = gettext_lazy("Answer the hand-over")
    template_name = "foundation/transfers/answer.html"
    form_class = AnswerForm
    submit = gettext_lazy("Send the answer")
    done = gettext_lazy("Your answer is recorded.")

    def load(self) -> None:
        """Find the hand-over and refuse who may not answer it."""
        self.found: ProjectTransfer = find(
            selectors.visible_transfers(self.viewer), pk=self.kwargs["pk"]
        )
        services.require_answerer(self.found, self.viewer)
        self.back = reverse("foundation:transfer", args=[self.found.pk])

    def context(self) -> dict[str, Any]:
        """Name it."""
        return {"subtitle": str(self.found), "transfer": self.found}

    def act(self, form: PortalForm) -> str:
        """Answer it."""
        answer = form.cleaned_data["answer"]
        names: dict[str, Any] = {
            "transfer": self.found,
            "actor": self.viewer,
            "answer": answer,
            "at": database_now(),
        }
        if form.cleaned_data["decision"] == "reject":
            services.decline_transfer(**names)
        elif self.found.kind == TransferKind.ORGANISATION:
            accept_move(**names)
        else:
            services.accept_transfer(**names)
        return self.back
