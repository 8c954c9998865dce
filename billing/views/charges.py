"""Usage and charges: what was counted, the lines of the ledger, and where each comes from."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from billing.choices import AccountMode, PriceBase
from billing.filters import ChargeFilter, UsageFilter
from billing.models import Charge, UsageRecord
from billing.selectors import explain, visible_charges, visible_invoices
from billing.selectors.costs import billing_zone
from billing.selectors.visibility import visible_usage
from billing.tables import ChargeTable, UsageTable
from inventory.foundation.pages import DetailPage, ListPage
from inventory.foundation.permissions import Action
from inventory.selectors import visible_resources

CORRECTIONS_SHOWN = 20


class Charges(ListPage):
    """The charges that a person may see, with their exact number and sum."""

    title = _("Charges")
    subtitle = _("Each line of the ledger, unrounded. Open one to see where its amount comes from.")
    template_name = "billing/charges/list.html"
    filterset_class = ChargeFilter
    api = "api:charge-list"
    table_class = ChargeTable
    action = Action.COST_VIEW
    empty_title = _("Nothing was charged yet")
    empty_text = _("Charges appear a few minutes after the first resource is delivered.")
    empty_icon = "coins"

    def rows(self) -> QuerySet[Charge]:
        """Return the visible charges."""
        return visible_charges(self.viewer)

    def file_notes(self) -> tuple[tuple[str, str], ...]:
        """Name the zone in which months and days of charges are cut."""
        zone = billing_zone(charges=visible_charges(self.viewer))
        return (("Billing zone", str(zone)),)


class Usage(ListPage):
    """What was used, record by record, with the exact sum for each unit."""

    title = _("Usage")
    subtitle = _("What was counted: each reading, and what was held in the months that are closed.")
    filterset_class = UsageFilter
    api = "api:usage-record-list"
    table_class = UsageTable
    action = Action.COST_VIEW
    sees = Action.COST_VIEW
    empty_title = _("No usage was recorded yet")
    empty_text = _(
        "Readings appear as they come in. What is held is recorded when its month is closed."
    )
    empty_icon = "activity"

    def rows(self) -> QuerySet[UsageRecord]:
        """Return the visible usage."""
        return visible_usage(self.viewer)


class ChargeDetail(DetailPage):
    """Explain this number: interval, amount, price, proration, rounding; computed anew."""

    template_name = "billing/charges/detail.html"

    def rows(self) -> QuerySet[Charge]:
        """Return the visible charges with what explains them."""
        return visible_charges(self.viewer).select_related(
            "account__entity",
            "sku__meter",
            "sku_price__book",
            "resource",
            "invoice",
            "correction__period",
        )

    def context(self) -> dict[str, Any]:
        """Return the explanation and what the viewer may go on to."""
        charge: Charge = self.object
        found = explain(charge=charge)
        return {
            "explanation": found,
            "hours": found.seconds / 3600,
            "base_hours": found.base_seconds / 3600,
            "is_hourly": charge.sku.base == PriceBase.HOUR,
            "is_monthly": charge.sku.base == PriceBase.MONTH,
            "tier": charge.labels.get("tier"),
            "corrections": visible_charges(self.viewer)
            .filter(correction_of=charge)
            .order_by("pk")[:CORRECTIONS_SHOWN],
            "mode": AccountMode(charge.account.mode).label,
            "sees_resource": visible_resources(self.viewer)
            .filter(pk=charge.resource_id or 0)
            .exists(),
            "sees_statement": visible_invoices(self.viewer)
            .filter(pk=charge.invoice_id or 0)
            .exists(),
            "line": charge.invoice.lines.filter(
                cost_centre=charge.cost_centre,
                project_name=charge.labels.get("project", ""),
                sku_name=charge.labels.get("sku_name", ""),
                unit=charge.pricing_unit,
                corrects_month=charge.correction.period.month if charge.correction else None,
            ).first()
            if charge.invoice
            else None,
        }
