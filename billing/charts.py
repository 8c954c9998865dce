"""The figure of the costs page. Amounts stay decimals; they leave as text."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from billing.selectors.costs import CostReport
from inventory.foundation.figures import Figure, Series
from inventory.foundation.periods import next_month

COLOURS = 5  # groups drawn with a colour of their own; the sixth colour is everything else
CENT = Decimal("0.01")


def cost_figure(*, report: CostReport) -> Figure:
    """Return the costs by day or month, stacked by group, the largest with a colour each."""
    starts = list(_starts(report))
    named = [line.key for line in report.lines[:COLOURS]]
    names = {line.key: line.name or _("(none)") for line in report.lines}
    amounts: dict[tuple[str | None, date], Decimal] = defaultdict(Decimal)
    for row in report.rows:
        if row.start is not None:
            amounts[row.key if row.key in named else None, row.start] += row.amount
    series = [
        Series(names[key], [amounts[key, start].quantize(CENT) for start in starts])
        for key in named
    ]
    if len(report.lines) > COLOURS:
        rest = [amounts[None, start].quantize(CENT) for start in starts]
        series.append(Series(_("Everything else"), rest, tone="muted"))
    return Figure(
        id="costs",
        caption=cost_finding(report=report),
        kind="stacked",
        x=[
            start.isoformat() if report.every == "day" else date_format(start, "M Y")
            for start in starts
        ],
        series=series,
        x_title=_("Day") if report.every == "day" else _("Month"),
        y_title=(_("%(currency)s a day") if report.every == "day" else _("%(currency)s a month"))
        % {"currency": report.currency},
        unit=report.currency,
        x_type="date" if report.every == "day" else "category",
    )


def cost_finding(*, report: CostReport) -> str:
    """Say what it came to and what most of it was for."""
    if not report.lines:
        return _("Nothing was charged in this time.")
    total = number_format(report.printed_total, decimal_pos=2, use_l10n=True, force_grouping=True)
    first, last = date_format(report.first, "F Y"), date_format(report.last, "F Y")
    largest = report.lines[0]
    return _("%(total)s %(currency)s in %(when)s; %(share)s %% of it for %(name)s.") % {
        "total": total,
        "currency": report.currency,
        "when": first if first == last else f"{first} – {last}",
        "share": number_format(largest.share, use_l10n=True),
        "name": largest.name or _("what has no name"),
    }


def _starts(report: CostReport) -> Iterator[date]:
    """Yield every day or month of the range, also those that cost nothing."""
    end = next_month(report.last)
    start = report.first
    while start < end:
        yield start
        start = start + timedelta(days=1) if report.every == "day" else next_month(start)
