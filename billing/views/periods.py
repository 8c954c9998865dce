"""Months for finance: what is open, does it tie, close it, and take the file away."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.db.models import QuerySet, Sum
from django.http import FileResponse, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import pricing
from billing.choices import PeriodState
from billing.exports import focus_1_2
from billing.filters import PeriodFilter
from billing.forms import CloseForm
from billing.models import BillingPeriod
from billing.selectors import reconcile, visible_accounts
from billing.selectors.reconciliation import Reconciliation
from billing.selectors.visibility import managed_months, managed_periods
from billing.services import CannotClose, close_period
from billing.tables import PeriodTable
from inventory.foundation.clock import database_now
from inventory.foundation.errors import NotVisible
from inventory.foundation.forms import PortalForm
from inventory.foundation.pages import FormPage, ListPage, PortalPage, find
from inventory.foundation.periods import parse_month
from inventory.foundation.permissions import Action


class Periods(ListPage):
    """Every account's month with its state and sum."""

    title = gettext_lazy("Months")
    subtitle = gettext_lazy("Open a month to see whether it ties, to close it and to export it.")
    filterset_class = PeriodFilter
    api = "api:billing-period-list"
    table_class = PeriodTable
    action = Action.MONEY_MANAGE
    empty_title = gettext_lazy("No month yet")
    empty_text = gettext_lazy("A month opens with the first delivery that an account pays for.")
    empty_icon = "calendar"

    def rows(self) -> QuerySet[BillingPeriod]:
        """Return the periods with the exact sum of their charges."""
        return managed_months(self.viewer)


class MonthDetail(PortalPage):
    """One month of all accounts: usage = charges = lines = document, difference 0.00."""

    template_name = "billing/periods/month.html"
    http_method_names = ["get", "head", "options"]
    action = Action.MONEY_MANAGE

    def get(self, _request: HttpRequest, month: str) -> HttpResponse:
        """Reconcile the month for the accounts that the viewer manages."""
        first = month_in_address(month)
        managed = set(managed_periods(self.viewer).filter(month=first).values_list("pk", flat=True))
        if not managed:
            message = f"There is no month {month} yet. Open the list of months."
            raise NotVisible(message)
        at = database_now()
        rows = [row for row in reconcile(month=first) if row.period.pk in managed]
        return self.page(
            {
                "title": _("Month"),
                "month": first,
                "rows": [
                    (row, PeriodState(row.period.state), at >= row.period.end_at) for row in rows
                ],
                "closed": sum(row.period.state == PeriodState.CLOSED for row in rows),
                "ties": all(not row.difference for row in rows),
                "totals": totals_of(rows),
            }
        )


@dataclass(frozen=True)
class MonthTotal:
    """The sums of a month's accounts in one currency; of documents only where there are any."""

    currency: str
    accounts: int
    usage_cost: Decimal
    charges: Decimal
    printed_total: Decimal | None
    difference: Decimal


def totals_of(rows: Sequence[Reconciliation]) -> list[MonthTotal]:
    """Add up each currency by itself, in alphabetical order."""
    by_currency: dict[str, list[Reconciliation]] = defaultdict(list)
    for row in rows:
        by_currency[row.period.account.currency].append(row)
    totals = []
    for currency, mine in sorted(by_currency.items()):
        printed = [row.printed_total for row in mine if row.printed_total is not None]
        totals.append(
            MonthTotal(
                currency=currency,
                accounts=len(mine),
                usage_cost=pricing.total([row.usage_cost for row in mine]),
                charges=pricing.total([row.charges for row in mine]),
                printed_total=pricing.total(printed) if printed else None,
                difference=pricing.total([row.difference for row in mine]),
            )
        )
    return totals


class ClosePeriod(FormPage):
    """Confirm and close one account's month; a GET only asks."""

    title = gettext_lazy("Close a month")
    template_name = "billing/periods/close.html"
    form_class = CloseForm
    submit = gettext_lazy("Close the month")
    done = gettext_lazy("The month is closed.")
    action = Action.MONEY_MANAGE

    def load(self) -> None:
        """Find the period among those that the viewer manages."""
        self.period: BillingPeriod = find(managed_periods(self.viewer), pk=self.kwargs["pk"])
        self.back = reverse("billing:month", args=[f"{self.period.month:%Y-%m}"])

    def context(self) -> dict[str, Any]:
        """Return what would be closed."""
        return {
            "period": self.period,
            "state": PeriodState(self.period.state),
            "is_over": database_now() >= self.period.end_at,
            "total": self.period.charges.aggregate(sum=Sum("billed_cost"))["sum"] or 0,
        }

    def act(self, _form: PortalForm) -> str:
        """Close it; what stands in the way is shown as the form's error."""
        (result,) = close_period(
            month=self.period.month,
            at=database_now(),
            actor=self.viewer,
            account=self.period.account,
        )
        if result.error:
            raise CannotClose(result.error)
        if result.invoice is None:
            return self.back
        return reverse("billing:statement", args=[result.invoice.pk])


class Export(PortalPage):
    """Write a month's FOCUS file and hand it out; the export is recorded with its checksum."""

    http_method_names = ["post", "options"]
    action = Action.STATEMENT_VIEW

    def post(self, request: HttpRequest, month: str) -> FileResponse:
        """Answer with the file; the folder is gone with the answer."""
        first = month_in_address(month)
        account = None
        if request.POST.get("account"):
            account = find(visible_accounts(self.viewer), pk=number(request.POST["account"]))
        with TemporaryDirectory() as folder:
            entry = focus_1_2.write(
                month=first,
                directory=Path(folder),
                at=database_now(),
                account=account,
                actor=self.viewer,
            )
            # An open file outlives its name: the folder may go before the answer is sent.
            file = (Path(folder) / entry.name).open("rb")
        answer = FileResponse(file, as_attachment=True, filename=entry.name)
        answer["X-Row-Count"] = str(entry.rows)
        answer["X-SHA256"] = entry.sha256
        return answer


def month_in_address(text: str) -> date:
    """Return the month that an address names; what is no month is not found."""
    if len(text) > len("YYYY-MM"):
        message = "There is nothing at this address."
        raise NotVisible(message)
    return parse_month(text)


def number(text: str) -> int:
    """Return the number that a form sent, 0 (which nothing has) for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
