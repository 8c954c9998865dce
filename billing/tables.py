"""The columns of the lists of money; `*_rows` make the rows of tables that are no query."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from billing import pricing
from billing.choices import InvoiceState, PeriodState, PreparedState, PriceBase, PriceModel
from billing.models import Charge, Correction, Invoice, SkuPrice, UsageRecord
from billing.selectors.costs import CostReport
from billing.selectors.prices import hours_of
from inventory.foundation.periods import month_bounds, month_of
from inventory.foundation.tables import (
    BadgeColumn,
    LinkColumn,
    MoneyColumn,
    PortalTable,
    QuantityColumn,
    TextColumn,
    WhenColumn,
)
from inventory.foundation.templatetags.portal import money, quantity

SPREAD = Decimal("0.000001")
THREE_DECIMALS = Decimal("0.001")


class ChargeTable(PortalTable):
    """The lines of the ledger; each leads to its explanation."""

    caption = _("Charges")
    description = LinkColumn(to="billing:charge", verbose_name=_("What for"))
    project = TextColumn(
        accessor="labels__project",
        verbose_name=_("Project"),
        order_by="labels__project",
        hide_narrow=True,
    )
    environment = TextColumn(
        accessor="labels__environment",
        verbose_name=_("Environment"),
        order_by="labels__environment",
        visible=False,
    )
    service = TextColumn(accessor="sku__service_name", verbose_name=_("Service"), hide_narrow=True)
    charge_start = WhenColumn(verbose_name=_("From"), style="day", hide_narrow=True)
    charge_end = WhenColumn(verbose_name=_("To"), style="day", hide_narrow=True)
    pricing_quantity = QuantityColumn(
        verbose_name=_("Quantity"), hide_narrow=True, beside=("pricing_unit",)
    )
    pricing_unit = TextColumn(verbose_name=_("Unit"), visible=False)
    contracted_unit_price = QuantityColumn(verbose_name=_("Unit price"), visible=False)
    billed_cost = MoneyColumn(verbose_name=_("Amount"), digits=4)
    currency = TextColumn(verbose_name=_("Currency"), visible=False)

    class Meta(PortalTable.Meta):
        order_by = ("-charge_start",)

    def render_pricing_quantity(self, value: Decimal, record: Charge) -> SafeString:
        """Draw the quantity to three decimals, with its unit."""
        return quantity(value.quantize(THREE_DECIMALS), record.pricing_unit)

    def value_pricing_quantity(self, value: Decimal) -> Decimal:
        """Return all of it."""
        return value


class MeasuredColumn(MoneyColumn):
    """A quantity that adds up for each unit; `unit` is the accessor of the row's unit."""

    def __init__(self, *args: Any, unit: str, digits: int = 3, **kwargs: Any) -> None:
        super().__init__(*args, currency=unit, digits=digits, **kwargs)

    def render(self, value: Decimal, record: Any) -> SafeString:
        """Draw the quantity, rounded, with its unit."""
        rounded = value.quantize(Decimal(1).scaleb(-self.digits))
        return quantity(rounded, self.code(record))


class UsageTable(PortalTable):
    """What was used, the latest first."""

    caption = _("Usage")
    meter = TextColumn(
        accessor="meter__label", verbose_name=_("What is counted"), order_by="meter__label"
    )
    usage_start = WhenColumn(verbose_name=_("From"))
    usage_end = WhenColumn(verbose_name=_("To"), hide_narrow=True)
    project = TextColumn(
        accessor="project__name", verbose_name=_("Project"), order_by="project__name"
    )
    resource = LinkColumn(
        to="inventory:resource",
        pick=lambda record: record.resource_id,
        accessor="resource__name",
        verbose_name=_("Resource"),
        order_by="resource__name",
    )
    amount = QuantityColumn(verbose_name=_("Amount"), hide_narrow=True, beside=("unit",))
    unit = TextColumn(
        accessor="meter__unit", verbose_name=_("Unit"), order_by="meter__unit", visible=False
    )
    quantity = MeasuredColumn(unit="quantity_unit", verbose_name=_("Quantity"))
    quantity_unit = TextColumn(verbose_name=_("Quantity in"), visible=False)
    origin = TextColumn(verbose_name=_("Made from"), visible=False)
    origin_id = TextColumn(verbose_name=_("Its number"), visible=False)
    recorded_at = WhenColumn(verbose_name=_("Recorded"), visible=False)

    class Meta(PortalTable.Meta):
        order_by = ("-usage_start",)

    def render_amount(self, value: Decimal, record: UsageRecord) -> SafeString:
        """Draw the level or reading to three decimals, with its unit."""
        return quantity(value.quantize(THREE_DECIMALS), record.meter.unit)

    def value_amount(self, value: Decimal) -> Decimal:
        """Return all of it."""
        return value


class StatementTable(PortalTable):
    """The statements, the newest first."""

    caption = _("Statements")
    number = TextColumn(verbose_name=_("Number"), empty_values=())
    month = TextColumn(accessor="period__month", verbose_name=_("Month"), order_by="period__month")
    account = TextColumn(verbose_name=_("Paying account"), order_by="account__name")
    kind = TextColumn(verbose_name=_("Kind"), visible=False)
    state = BadgeColumn(choices=InvoiceState, verbose_name=_("State"))
    issued_at = WhenColumn(verbose_name=_("Issued"), style="day", hide_narrow=True)
    total = MoneyColumn(verbose_name=_("Total"))
    currency = TextColumn(verbose_name=_("Currency"), visible=False)

    class Meta(PortalTable.Meta):
        order_by = ("-month", "account")

    def render_number(self, record: Invoice) -> SafeString:
        """Draw the link; a draft has no number yet."""
        address = reverse("billing:statement", args=[record.pk])
        name = record.number or InvoiceState(record.state).label
        return format_html('<a class="row-link" href="{}">{}</a>', address, name)

    def value_number(self, record: Invoice) -> str:
        """Return the number alone."""
        return record.number

    def render_month(self, value: Any) -> str:
        """Write the month, on screen as in the file."""
        return f"{value:%Y-%m}"


class SpreadColumn(TextColumn):
    """The price over the other base: what an hour's price comes to in this month, or back."""

    is_number = True

    def render(self, record: SkuPrice) -> SafeString | str:
        """Draw it with ≈ and the hours it stands for."""
        hours, other, word = spread(record)
        if other is None:
            return ""
        return format_html(
            '<span class="money">≈ {}</span><br><span class="soft small">{}</span>',
            money(other, record.book.currency, 2 if word == "month" else 6),
            _text("a month of %(hours)s h") % {"hours": hours}
            if word == "month"
            else _text("an hour, the month has %(hours)s") % {"hours": hours},
        )

    def value(self, **kwargs: Any) -> Any:
        """Return the number."""
        return spread(kwargs["record"])[1]


class PriceTable(PortalTable):
    """The prices in force."""

    caption = _("Prices in force")
    item = LinkColumn(
        to="billing:price", accessor="sku__name", verbose_name=_("What"), order_by="sku__name"
    )
    service = TextColumn(
        accessor="sku__service_name",
        verbose_name=_("Service"),
        order_by="sku__service_name",
        hide_narrow=True,
    )
    above = TextColumn(
        accessor="tier__lower", verbose_name=_("Above"), orderable=False, visible=False
    )
    unit_price = TextColumn(verbose_name=_("Price"))
    per = TextColumn(accessor="sku", verbose_name=_("For"), orderable=False, visible=False)
    other = SpreadColumn(accessor="sku__base", verbose_name=_("Is about"), orderable=False)
    since = WhenColumn(
        accessor="during__lower", verbose_name=_("Since"), style="day", order_by="during"
    )
    account = TextColumn(verbose_name=_("Only for"), order_by="account__name", hide_narrow=True)
    book = TextColumn(verbose_name=_("Price list"), order_by="book__name", hide_narrow=True)
    currency = TextColumn(
        accessor="book__currency", verbose_name=_("Currency"), orderable=False, visible=False
    )

    class Meta(PortalTable.Meta):
        order_by = ("service", "item")

    def render_unit_price(self, value: Decimal, record: SkuPrice) -> SafeString:
        """Draw the price with all its decimals, at least two, and what it is for."""
        digits = max(2, -int(value.normalize().as_tuple().exponent))
        what = _text("for %(what)s") % {"what": price_for(record)}
        if record.sku.model == PriceModel.GRADUATED:
            what = f"{what}, {tier_text(record)}"
        return format_html(
            '{}<br><span class="soft small">{}</span>',
            money(value, record.book.currency, digits),
            what,
        )

    def value_unit_price(self, value: Decimal) -> Decimal:
        """Return the number alone."""
        return value

    def render_per(self, record: SkuPrice) -> str:
        """Say what the price is for: 1 GiB and month."""
        return price_for(record)


class PeriodTable(PortalTable):
    """The accounts' months."""

    caption = _("Months")
    month = LinkColumn(
        to="billing:month", pick=lambda record: f"{record.month:%Y-%m}", verbose_name=_("Month")
    )
    account = TextColumn(verbose_name=_("Paying account"), order_by="account__name")
    state = BadgeColumn(choices=PeriodState, verbose_name=_("State"))
    rated_to = WhenColumn(verbose_name=_("Counted up to"), hide_narrow=True)
    rated_at = WhenColumn(verbose_name=_("Last counted"), style="ago", hide_narrow=True)
    rating_run = QuantityColumn(verbose_name=_("Times counted"), hide_narrow=True)
    total = MoneyColumn(verbose_name=_("Charged"), currency="account__currency", order_by="total")
    failure = TextColumn(verbose_name=_("What is wrong"), orderable=False)

    class Meta(PortalTable.Meta):
        order_by = ("-month", "account")

    def value_month(self, value: Any) -> str:
        """Write the month as files do."""
        return f"{value:%Y-%m}"


class LineTable(PortalTable):
    """The lines of one statement, for the file."""

    caption = _("Lines")
    document = TextColumn(verbose_name=_("Document"))
    month = TextColumn(verbose_name=_("Month"))
    position = TextColumn(verbose_name=_("Position"))
    cost_centre = TextColumn(verbose_name=_("Cost centre"))
    project = TextColumn(verbose_name=_("Project"))
    item = TextColumn(verbose_name=_("What"))
    quantity = QuantityColumn(verbose_name=_("Quantity"))
    unit = TextColumn(verbose_name=_("Unit"))
    exact = TextColumn(verbose_name=_("Exact amount"))
    amount = TextColumn(verbose_name=_("Amount"))
    currency = TextColumn(verbose_name=_("Currency"))


class CostTable(PortalTable):
    """The costs by group, for the file; its last row is the control total."""

    caption = _("Costs")
    group = TextColumn(verbose_name=_("Group"))
    key = TextColumn(verbose_name=_("Key"))
    amount = TextColumn(verbose_name=_("Amount"))
    exact = TextColumn(verbose_name=_("Exact amount"))
    share = TextColumn(verbose_name=_("Per cent"))
    compared = TextColumn(verbose_name=_("Whole days, exact"))
    before = TextColumn(verbose_name=_("Same days before, exact"))
    change = TextColumn(verbose_name=_("Change, exact"))
    currency = TextColumn(verbose_name=_("Currency"))


class CostByTimeTable(PortalTable):
    """The costs by day or month and group, for the file; its last row is the control total."""

    caption = _("Costs by time")
    start = TextColumn(verbose_name=_("Start"))
    group = TextColumn(verbose_name=_("Group"))
    key = TextColumn(verbose_name=_("Key"))
    exact = TextColumn(verbose_name=_("Exact amount"))
    currency = TextColumn(verbose_name=_("Currency"))


def cost_rows(*, report: CostReport) -> list[dict[str, Any]]:
    """Return the report's lines and its total as rows of CostTable."""
    lines = [
        {
            "group": line.name,
            "key": line.key,
            "amount": line.printed,
            "exact": line.exact,
            "share": line.share,
            "compared": line.compared,
            "before": line.before,
            "change": line.change,
            "currency": report.currency,
        }
        for line in report.lines
    ]
    total = {
        "group": _text("Total"),
        "amount": report.printed_total,
        "exact": report.total,
        "compared": report.compared,
        "before": report.before,
        "change": report.change,
        "currency": report.currency,
    }
    return [*lines, total]


def cost_rows_by_time(*, report: CostReport) -> list[dict[str, Any]]:
    """Return the report's sums by day or month and its total as rows of CostByTimeTable."""
    rows: list[dict[str, Any]] = [
        {
            "start": row.start,
            "group": row.name,
            "key": row.key,
            "exact": row.amount,
            "currency": row.currency,
        }
        for row in report.rows
    ]
    return [*rows, {"group": _text("Total"), "exact": report.total, "currency": report.currency}]


def statement_rows(*, invoice: Invoice) -> list[dict[str, Any]]:
    """Return the document's lines and its total as rows of LineTable."""
    frame = {
        "document": invoice.number,
        "month": f"{invoice.period.month:%Y-%m}",
        "currency": invoice.currency,
    }
    return [*_lines(invoice, frame), frame | {"item": _text("Total")} | _totals(invoice)]


def _lines(invoice: Invoice, frame: dict[str, str]) -> Iterator[dict[str, Any]]:
    for line in invoice.lines.order_by("position"):
        yield frame | {
            "position": line.position,
            "cost_centre": line.cost_centre,
            "project": line.project_name,
            "item": line.sku_name,
            "quantity": line.quantity,
            "unit": line.unit,
            "exact": line.exact_amount,
            "amount": line.amount,
        }


def _totals(invoice: Invoice) -> dict[str, Decimal]:
    return {"exact": invoice.exact_total, "amount": invoice.total}


def price_for(price: SkuPrice) -> str:
    """Say what a price is for: "1 machine and hour", "1 GiB and month", "1 request"."""
    unit = price.sku.meter.unit if price.sku.meter else price.sku.pricing_unit
    if price.sku.base == PriceBase.NONE:
        return f"1 {unit}"
    base = PriceBase(price.sku.base).label
    return _text("1 %(unit)s and %(base)s") % {"unit": unit, "base": base}


def tier_text(price: SkuPrice) -> str:
    """Say which quantities a month the tier is for: "above 100 up to 500 Hours"."""
    lower, upper = price.tier.lower or Decimal(0), price.tier.upper
    words = {
        "lower": pricing.plain(lower),
        "upper": pricing.plain(upper) if upper is not None else "",
        "unit": price.sku.pricing_unit,
    }
    if upper is None:
        return _text("above %(lower)s %(unit)s a month") % words
    if not lower:
        return _text("up to %(upper)s %(unit)s a month") % words
    return _text("above %(lower)s up to %(upper)s %(unit)s a month") % words


def spread(price: SkuPrice) -> tuple[Decimal, Decimal | None, str]:
    """Return the hours of this month in the billing zone, and the price over the other base."""
    zone = price.book.entity.zone
    start, end = month_bounds(month_of(timezone.now(), zone), zone)
    hours = hours_of(start=start, end=end)
    if price.sku.base == PriceBase.HOUR:
        return hours, pricing.multiply(price.unit_price, hours), "month"
    if price.sku.base == PriceBase.MONTH:
        return hours, (price.unit_price / hours).quantize(SPREAD), "hour"
    return hours, None, ""


class PayerTable(PortalTable):
    """Projects with the account that pays for them now."""

    caption = _("Who pays")
    name = LinkColumn(to="foundation:project", verbose_name=_("Project"))
    organisation = TextColumn(verbose_name=_("Organisation"), hide_narrow=True)
    cost_centre = TextColumn(verbose_name=_("Cost centre"), hide_narrow=True)
    payer = LinkColumn(
        to="billing:account",
        pick=lambda record: record.payer_seen,
        verbose_name=_("Paying account"),
        default=_("nobody"),
    )
    payer_code = TextColumn(verbose_name=_("Number"), hide_narrow=True)
    paid_since = WhenColumn(verbose_name=_("Since"))
    status = BadgeColumn(verbose_name=_("Status"))

    class Meta(PortalTable.Meta):
        order_by = ("name",)


class CorrectionTable(PortalTable):
    """The corrections of closed months."""

    caption = _("Corrections")
    month = LinkColumn(
        to="billing:correction",
        accessor="period__month",
        verbose_name=_("Corrected month"),
        order_by="period__month",
    )
    account = TextColumn(
        accessor="period__account",
        verbose_name=_("Paying account"),
        order_by="period__account__name",
    )
    state = BadgeColumn(choices=PreparedState, verbose_name=_("State"))
    before = MoneyColumn(
        verbose_name=_("Billed before"), currency="period__account__currency", hide_narrow=True
    )
    after = MoneyColumn(
        verbose_name=_("Is right"), currency="period__account__currency", hide_narrow=True
    )
    difference = MoneyColumn(
        verbose_name=_("Difference"), currency="period__account__currency", digits=4
    )
    into = TextColumn(accessor="into__month", verbose_name=_("Billed in"), order_by="into__month")
    reason = TextColumn(verbose_name=_("Reason"), hide_narrow=True)
    prepared_by = TextColumn(verbose_name=_("Prepared by"), orderable=False, hide_narrow=True)
    released_by = TextColumn(verbose_name=_("Released by"), orderable=False, hide_narrow=True)

    class Meta(PortalTable.Meta):
        order_by = ("-month",)

    def render_month(self, value: Any, record: Correction) -> SafeString:
        """Draw the month as a link to the correction."""
        address = reverse("billing:correction", args=[record.pk])
        return format_html('<a class="row-link" href="{}">{}</a>', address, f"{value:%Y-%m}")

    def value_month(self, value: Any) -> str:
        """Write the month as files do."""
        return f"{value:%Y-%m}"

    def render_into(self, value: Any) -> str:
        """Write the month."""
        return f"{value:%Y-%m}"


class PriceChangeTable(PortalTable):
    """The changes of prices: those that wait first."""

    caption = _("Changes of prices")
    item = LinkColumn(
        to="billing:price-change",
        accessor="sku__name",
        verbose_name=_("What"),
        order_by="sku__name",
    )
    state = BadgeColumn(choices=PreparedState, verbose_name=_("State"))
    from_at = WhenColumn(verbose_name=_("Holds from"))
    until = WhenColumn(verbose_name=_("Up to"), hide_narrow=True)
    account = TextColumn(verbose_name=_("Only for"), order_by="account__name", hide_narrow=True)
    reason = TextColumn(verbose_name=_("Reason"), hide_narrow=True)
    prepared_by = TextColumn(verbose_name=_("Prepared by"), orderable=False, hide_narrow=True)
    released_by = TextColumn(verbose_name=_("Released by"), orderable=False, hide_narrow=True)

    class Meta(PortalTable.Meta):
        order_by = ("state", "-from_at")
