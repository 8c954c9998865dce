"""Costs: a range of months, what for, the same months before, and as a file."""

from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.charts import (
    budget_figure,
    cost_figure,
    cost_sparks,
    history_figure,
    year_figure,
)
from billing.choices import AccountMode
from billing.filters import GROUPINGS, CostFilter
from billing.models import Budget, Charge
from billing.selectors import visible_accounts, visible_charges
from billing.selectors.costs import CostReport, billing_zone, cost_report
from billing.selectors.histories import (
    budget_by_month,
    budget_course,
    budgets_shown,
    cost_history,
    year_of_costs,
)
from billing.tables import CostByTimeTable, CostTable, cost_rows, cost_rows_by_time
from inventory.foundation.clock import database_now
from inventory.foundation.errors import InvalidInput
from inventory.foundation.figures import Figure
from inventory.foundation.pages import PortalPage, csv_file, figure_file, find
from inventory.foundation.periods import month_of
from inventory.foundation.permissions import Action, projects_where, require
from inventory.selectors import visible_resources

ALWAYS = ("since", "until", "by")
NARROWS = ("project", "service", "environment", "application", "account", "currency")
# Where a click on a line leads: the filter that keeps it, and how to group what is then left.
DRILLS = {
    "project": ("project", "service"),
    "service": ("service", "resource"),
    "environment": ("environment", "project"),
    "application": ("application", "resource"),
}


class CostPage(PortalPage):
    """What both answers need: the filters and the report over what they leave."""

    http_method_names = ["get", "head", "options"]
    action = Action.COST_VIEW

    def filters(self) -> CostFilter:
        """Return the filters over the visible charges: by project over this month, if not asked."""
        charges = visible_charges(self.viewer)
        asked = self.request.GET.copy()
        if not asked.get("since") and not asked.get("until"):
            this_month = month_of(database_now(), billing_zone(charges=charges))
            asked["since"] = asked["until"] = f"{this_month:%Y-%m}"
        if not asked.get("by"):
            asked["by"] = GROUPINGS[0][0]
        return CostFilter(asked, queryset=charges, request=self.request)

    def report(self, filters: CostFilter) -> CostReport:
        """Return the report that the address asks for; one month named is that month alone."""
        asked = filters.form.cleaned_data
        return cost_report(
            charges=filters.qs,
            by=asked["by"],
            first=asked["since"] or asked["until"],
            last=asked["until"] or asked["since"],
            currency=asked["currency"],
        )


class Costs(CostPage):
    """The page: one figure, its table with totals, and how complete it is."""

    title = _("Costs")
    template_name = "billing/costs/costs.html"

    def get(self, _request: HttpRequest) -> HttpResponse:
        """Draw the report, or the filters with what is wrong with them."""
        filters = self.filters()
        if not filters.is_valid():
            return self.page(self.form_names(filters) | {"report": None}, status=400)
        report = self.report(filters)
        word = dict(GROUPINGS)[report.by]
        kept, sparks = self.kept(report), cost_sparks(report=report)
        return self.page(
            self.form_names(filters)
            | {
                "report": report,
                "word": word,
                "figure": cost_figure(report=report) if report.lines else None,
                "year": self.year(filters, report, word) if report.currency else None,
                "lines": [
                    (line, self.drill(report, line.key, kept), sparks[line.key])
                    for line in report.lines
                ],
                "csv": f"{reverse('billing:costs-csv')}?{urlencode(kept)}",
                "csv_by_time": (
                    f"{reverse('billing:costs-csv')}?{urlencode(kept | {'every': report.every})}"
                ),
                "charges": self.charges(report, kept),
                "modes": sorted(
                    {AccountMode(one.mode).label for one in report.completeness.accounts}
                ),
                "groupings": [
                    (name, label, f"?{urlencode(kept | {'by': name})}") for name, label in GROUPINGS
                ],
            }
        )

    def year(self, filters: CostFilter, report: CostReport, word: Any) -> Figure:
        """Return the twelve months up to the report's last, with the budgets set against them."""
        history = year_of_costs(
            charges=filters.qs, by=report.by, last=report.last, currency=report.currency
        )
        allowed = budget_by_month(
            budgets=self.budgets(filters), months=history.starts, currency=report.currency
        )
        return year_figure(history=history, budget=allowed, what_for=str(word))

    def budgets(self, filters: CostFilter) -> QuerySet[Budget]:
        """Return the budgets for what is shown: of the project, of the account, or of all accounts.

        None where only a part of a budget's costs is shown.
        """
        asked = filters.form.cleaned_data
        if any(asked[name] for name in ("service", "environment", "application")):
            return Budget.objects.none()
        if asked["project"]:
            return Budget.objects.filter(project=asked["project"])
        if asked["account"]:
            return Budget.objects.filter(account=asked["account"], project=None)
        accounts = visible_accounts(self.viewer)
        if accounts.exists():
            return Budget.objects.filter(account__in=accounts.values("pk"), project=None)
        return Budget.objects.filter(project__in=projects_where(self.viewer, Action.COST_VIEW))

    def form_names(self, filters: CostFilter) -> dict[str, Any]:
        """Return what the form above the report reads."""
        return {
            "filterset": filters,
            "always": ALWAYS,
            "narrowed": sum(bool(self.request.GET.get(name)) for name in NARROWS),
        }

    def kept(self, report: CostReport) -> dict[str, str]:
        """Return the address's names for this very report, with the defaults written out."""
        narrowed = {name: self.request.GET[name] for name in NARROWS if self.request.GET.get(name)}
        return {
            "since": f"{report.first:%Y-%m}",
            "until": f"{report.last:%Y-%m}",
            "by": report.by,
        } | narrowed

    def drill(self, report: CostReport, key: str, kept: dict[str, str]) -> dict[str, str]:
        """Return the addresses of one line: its parts (if any) and its charges."""
        links = {"charges": "", "parts": ""}
        if not key:
            return links
        links["charges"] = self.charges(report, kept, **{report.by: key})
        if report.by in DRILLS:
            name, then_by = DRILLS[report.by]
            links["parts"] = f"?{urlencode(kept | {name: key, 'by': then_by})}"
        return links

    def charges(self, report: CostReport, kept: dict[str, str], **more: str) -> str:
        """Return the address of the charges that are added up."""
        names = {name: value for name, value in kept.items() if name != "by"}
        names |= {"currency": report.currency} | more
        return f"{reverse('billing:charges')}?{urlencode(names)}"


class CostsFile(CostPage):
    """The table of the page as a file, its last row the control total; `every` gives the days."""

    def get(self, request: HttpRequest) -> StreamingHttpResponse:
        """Answer with the file, exact amounts beside the printed ones."""
        filters = self.filters()
        if not filters.is_valid():
            message = "The file was not made: the filters in the address are not right."
            raise InvalidInput(message)
        report = self.report(filters)
        table: Any
        if request.GET.get("every"):
            rows = cost_rows_by_time(report=report)
            table = CostByTimeTable(rows)
        else:
            rows = cost_rows(report=report)
            table = CostTable(rows)
        span = f"{report.first:%Y-%m}-to-{report.last:%Y-%m}"
        answer = csv_file(table, name=f"costs-by-{report.by}-{span}", count=len(rows) - 1)
        answer["X-Control-Total"] = f"{report.total:f} {report.currency}".strip()
        return answer


class ResourceCostFile(PortalPage):
    """The file of the figure on a resource's page: what it cost over time."""

    http_method_names = ["get", "head", "options"]

    def get(self, _request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Answer with the file."""
        resource = find(visible_resources(self.viewer).select_related("project"), pk=pk)
        require(self.viewer, Action.COST_VIEW, resource.project)
        charges = Charge.objects.filter(resource=resource)
        history = cost_history(charges=charges, by="item", at=database_now())
        return figure_file(history_figure(history=history))


class BudgetFile(PortalPage):
    """The file of the figure of a budget: what was left at the start of each day."""

    http_method_names = ["get", "head", "options"]
    action = Action.COST_VIEW

    def get(self, _request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Answer with the file."""
        at = database_now()
        budget = find(budgets_shown(user=self.viewer, at=at), pk=pk)
        return figure_file(budget_figure(course=budget_course(budget=budget, at=at)))
