"""Statements: the frozen documents, and the one that the running month is on the way to."""

from typing import Any

from django.db.models import QuerySet, Sum
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _

from billing.choices import AccountMode, DocumentKind, InvoiceState
from billing.filters import StatementFilter
from billing.models import BillingPeriod, Invoice
from billing.selectors import visible_accounts, visible_invoices
from billing.selectors.statements import running_periods, running_statement
from billing.tables import LineTable, StatementTable, statement_rows
from inventory.foundation.pages import DetailPage, ListPage, PortalPage, csv_file, find
from inventory.foundation.permissions import Action


class Statements(ListPage):
    """The statements that a person may see; above them the months that still run."""

    title = _("Statements")
    subtitle = _("What was charged, month by month. An issued statement never changes.")
    template_name = "billing/statements/list.html"
    filterset_class = StatementFilter
    api = "api:invoice-list"
    table_class = StatementTable
    action = Action.STATEMENT_VIEW
    empty_title = _("No statement yet")
    empty_text = _("The first one is written when its month is closed.")
    empty_icon = "file"

    def rows(self) -> QuerySet[Invoice]:
        """Return the visible statements."""
        return visible_invoices(self.viewer)

    def context(self) -> dict[str, Any]:
        """Return the months that are not closed yet."""
        return {"running": running_periods(accounts=visible_accounts(self.viewer))}


class StatementDetail(DetailPage):
    """One document as it was issued, with proof that its lines add up."""

    template_name = "billing/statements/detail.html"

    def rows(self) -> QuerySet[Invoice]:
        """Return the visible statements."""
        return visible_invoices(self.viewer)

    def context(self) -> dict[str, Any]:
        """Return the lines and their two sums."""
        invoice: Invoice = self.object
        sums = invoice.lines.aggregate(printed=Sum("amount"), exact=Sum("exact_amount"))
        charged = invoice.charges.aggregate(sum=Sum("billed_cost"))["sum"]
        return {
            "kind": DocumentKind(invoice.kind).label,
            "state": InvoiceState(invoice.state),
            "mode": AccountMode(invoice.account.mode).label,
            "lines": invoice.lines.order_by("position"),
            "printed": sums["printed"],
            "exact": sums["exact"],
            "charged": charged,
            "ties": sums["printed"] == invoice.total
            and sums["exact"] == invoice.exact_total == charged,
        }


class StatementFile(PortalPage):
    """The lines of a statement as a file; the last row is the total."""

    http_method_names = ["get", "head", "options"]

    def get(self, _request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Answer with the file."""
        invoice = find(visible_invoices(self.viewer), pk=pk)
        rows = statement_rows(invoice=invoice)
        return csv_file(LineTable(rows), name=invoice.number or f"draft-{pk}", count=len(rows) - 1)


class RunningStatementPage(DetailPage):
    """What an open month's statement would say now: clearly not final."""

    template_name = "billing/statements/running.html"

    def rows(self) -> QuerySet[BillingPeriod]:
        """Return the periods of the visible accounts."""
        return BillingPeriod.objects.filter(
            account__in=visible_accounts(self.viewer).values("pk")
        ).select_related("account__entity", "account__organisation")

    def context(self) -> dict[str, Any]:
        """Return the statement so far."""
        period: BillingPeriod = self.object
        return {
            "statement": running_statement(period=period),
            "mode": AccountMode(period.account.mode).label,
        }
