"""The columns of the lists of money."""

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from billing.choices import ChargeCategory, DocumentKind, InvoiceState, PeriodState
from inventory.foundation.tables import (
    BadgeColumn,
    LinkColumn,
    MoneyColumn,
    PortalTable,
    QuantityColumn,
    TextColumn,
    WhenColumn,
)


class LabelColumn(TextColumn):
    """A name as it was when the charge was made (a key of its labels)."""

    def __init__(self, key: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, accessor=f"labels__{key}", orderable=False, **kwargs)


class ChargeTable(PortalTable):
    """The lines of the ledger; each leads to its explanation."""

    caption = _("Charges")
    description = LinkColumn(to="billing:charge", verbose_name=_("What for"))
    project = LabelColumn("project", verbose_name=_("Project"))
    environment = LabelColumn("environment", verbose_name=_("Environment"), hide_narrow=True)
    service = TextColumn(accessor="sku__service_name", verbose_name=_("Service"), hide_narrow=True)
    charge_start = WhenColumn(verbose_name=_("From"), hide_narrow=True)
    charge_end = WhenColumn(verbose_name=_("To"), hide_narrow=True)
    pricing_quantity = QuantityColumn(verbose_name=_("Quantity"), hide_narrow=True)
    pricing_unit = TextColumn(verbose_name=_("Unit"), hide_narrow=True)
    contracted_unit_price = QuantityColumn(verbose_name=_("Unit price"), hide_narrow=True)
    billed_cost = MoneyColumn(verbose_name=_("Amount"), digits=4)
    currency = TextColumn(verbose_name=_("Currency"), visible=False)

    class Meta(PortalTable.Meta):
        order_by = ("-charge_start",)
