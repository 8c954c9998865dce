"""Who pays for which project, and since when."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.choices import AccountKind, AccountMode, Rounding
from billing.filters import PayerFilter
from billing.forms import PayerForm
from billing.models import BillingAccount
from billing.selectors import visible_accounts
from billing.selectors.projects import account_history, projects_and_payers
from billing.selectors.statements import running_periods
from billing.services import assign_account
from billing.tables import PayerTable
from inventory.foundation.clock import database_now
from inventory.foundation.forms import PortalForm
from inventory.foundation.models import Project
from inventory.foundation.pages import DetailPage, FormPage, ListPage, find
from inventory.foundation.permissions import Action, organisations_where, refusal
from inventory.foundation.selectors import organisations_known, visible_projects

BUDGETS_SHOWN, STATEMENTS_SHOWN = 10, 12


class Payers(ListPage):
    """The projects with the account that pays for each; who has none is found by a filter."""

    title = _("Who pays")
    subtitle = _("The paying account of each project. Without one, requests are refused.")
    filterset_class = PayerFilter
    table_class = PayerTable
    action = Action.COST_VIEW
    empty_title = _("No projects yet")
    empty_icon = "folder"

    def rows(self) -> QuerySet[Project]:
        """Return the projects whose costs the viewer may see."""
        return projects_and_payers(user=self.viewer, at=database_now())


class AccountPage(DetailPage):
    """One paying account: who issues to it, what it pays for, its budgets and statements."""

    template_name = "billing/payers/account.html"

    def rows(self) -> QuerySet[BillingAccount]:
        """Return the accounts whose statements the viewer may see."""
        return visible_accounts(self.viewer).select_related("owner")

    def context(self) -> dict[str, Any]:
        """Return its projects now, its budgets in force and its last statements."""
        account: BillingAccount = self.object
        at = database_now()
        return {
            "kind": AccountKind(account.kind).label,
            "mode": AccountMode(account.mode).label,
            "rounding": Rounding(account.entity.rounding).label,
            "projects": account.project_billings.filter(during__contains=at)
            .select_related("project")
            .order_by("project__name", "pk"),
            "sees_organisation": organisations_known(self.viewer)
            .filter(pk=account.organisation_id)
            .exists(),
            "seen": set(visible_projects(self.viewer).values_list("pk", flat=True)),
            "budgets": account.budgets.filter(is_current=True)
            .select_related("project")
            .order_by("-during", "name", "pk")[:BUDGETS_SHOWN],
            "statements": account.invoices.select_related("period").order_by(
                "-period__month", "-pk"
            )[:STATEMENTS_SHOWN],
            "running": running_periods(
                accounts=visible_accounts(self.viewer).filter(pk=account.pk)
            ),
        }


class ChoosePayer(FormPage):
    """Let an account pay for a project from an instant on."""

    title = _("Choose who pays")
    template_name = "billing/payers/choose.html"
    form_class = PayerForm
    done = _("The paying account is chosen.")

    def load(self) -> None:
        """Find the project and refuse who does not manage its organisation's money."""
        self.subject: Project = find(visible_projects(self.viewer), pk=self.kwargs["pk"])
        self.back = reverse("foundation:project", args=[self.subject.pk])
        self.organisations = organisations_where(self.viewer, Action.MONEY_MANAGE)
        if self.subject.organisation_id not in self.organisations:
            raise refusal(Action.MONEY_MANAGE)

    def form_arguments(self) -> dict[str, Any]:
        """Offer the active accounts of the organisations whose money the viewer manages."""
        accounts = BillingAccount.objects.filter(
            organisation__in=self.organisations, is_active=True
        )
        return {"accounts": accounts.order_by("name")}

    def context(self) -> dict[str, Any]:
        """Show who paid so far."""
        return {"subtitle": self.subject.name, "payers": account_history(self.subject)}

    def act(self, form: PortalForm) -> str:
        """Assign it."""
        at = database_now()
        assign_account(
            project=self.subject,
            account=form.cleaned_data["account"],
            from_at=form.cleaned_data["from_at"] or at,
            reason=form.cleaned_data["reason"],
            at=at,
            actor=self.viewer,
        )
        return self.back
