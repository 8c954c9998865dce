"""The figures of money. Amounts stay exact decimals: only the place of a mark is a float."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.selectors.charges import CostRow
from billing.selectors.costs import CostReport
from billing.selectors.histories import BudgetCourse, CostHistory
from inventory.foundation.figures import Figure, Series
from inventory.foundation.periods import next_month
from inventory.foundation.sparklines import sparkline

COLOURS = 5  # groups drawn with a colour of their own; the sixth colour is everything else
CENT = Decimal("0.01")
TENTH = Decimal("0.1")
NOTHING = Decimal(0)


def cost_figure(*, report: CostReport) -> Figure:
    """Return the costs by day or month, stacked by group, the largest with a colour each."""
    starts = list(_starts(report))
    names = {line.key: line.name for line in report.lines}
    series = stacked(rows=report.rows, names=names, starts=starts)
    return Figure(
        id="costs",
        caption=cost_finding(report=report),
        kind="stacked",
        x=labels(starts, report.every),
        series=series,
        x_title=_("Day") if report.every == "day" else _("Month"),
        y_title=(_("%(currency)s a day") if report.every == "day" else _("%(currency)s a month"))
        % {"currency": report.currency},
        unit=report.currency,
        x_type="date" if report.every == "day" else "category",
        as_of=report.completeness.as_of,
    )


def cost_sparks(*, report: CostReport) -> dict[str, SafeString]:
    """Return the course of each line's costs as a small line, by its key, told in words.

    Day by day it ends with the last whole day: what is not over yet would look like a fall.
    """
    starts = list(_starts(report))
    if report.every == "day":
        starts = starts[: max(report.days, 0)]
    amounts: dict[str, dict[date, Decimal]] = defaultdict(dict)
    for row in report.rows:
        if row.start is not None:
            amounts[row.key][row.start] = row.amount
    return {
        line.key: _spark(line.name, [amounts[line.key].get(one, NOTHING) for one in starts], report)
        for line in report.lines
    }


def _spark(name: str, numbers: Sequence[Decimal], report: CostReport) -> SafeString:
    if len(numbers) < 2:
        return sparkline(numbers=(), words="")

    def text(number: Decimal) -> str:
        cents = number.quantize(CENT, ROUND_HALF_UP)
        return number_format(cents, decimal_pos=2, use_l10n=True, force_grouping=True)

    sentence = (
        _("%(name)s by day: %(first)s %(currency)s at first, %(high)s at most, %(last)s at last")
        if report.every == "day"
        else _(
            "%(name)s by month: %(first)s %(currency)s at first, %(high)s at most, %(last)s at last"
        )
    )
    words = sentence % {
        "name": name or _("What has no name"),
        "first": text(numbers[0]),
        "high": text(max(numbers)),
        "last": text(numbers[-1]),
        "currency": report.currency,
    }
    return sparkline(numbers=numbers, words=words)


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


def year_figure(*, history: CostHistory, budget: Sequence[Decimal | None], what_for: str) -> Figure:
    """Return twelve months of costs, stacked by group, with the budget of each month as a line.

    `budget` is empty where no budget can be set against what is shown.
    """
    names = {row.key: row.name for row in history.rows}
    ordered = {key: names[key] for key in history.totals}
    series = stacked(rows=history.rows, names=ordered, starts=history.starts)
    if any(amount is not None for amount in budget):
        series.append(Series(_("Budget"), budget, tone="bad", dash="dash", step=True, is_line=True))
    return Figure(
        id="year",
        caption=year_finding(history=history, budget=budget),
        kind="stacked",
        x=labels(history.starts, "month"),
        series=series,
        x_title=_("Month"),
        y_title=_("%(currency)s a month by %(what)s")
        % {"currency": history.currency, "what": what_for.lower()},
        unit=history.currency,
        as_of=history.as_of,
    )


def year_finding(*, history: CostHistory, budget: Sequence[Decimal | None]) -> str:
    """Say which month was the dearest, and in how many the budget was passed."""
    sums = history.sums()
    if not any(sums):
        return _("Nothing was charged in these twelve months.")
    dearest = max(sums)
    said = _("%(month)s was the dearest month: %(amount)s %(currency)s.") % {
        "month": date_format(history.starts[sums.index(dearest)], "F Y"),
        "amount": amount_text(dearest),
        "currency": history.currency,
    }
    limits = [(cost, limit) for cost, limit in zip(sums, budget, strict=False) if limit is not None]
    if not limits:
        return said
    over = sum(cost > limit for cost, limit in limits)
    if not over:
        return f"{said} {_('No month went over its budget.')}"
    went_over = ngettext(
        "%(over)s month of %(all)s went over its budget.",
        "%(over)s months of %(all)s went over their budget.",
        over,
    )
    return f"{said} {went_over % {'over': over, 'all': len(limits)}}"


def history_figure(*, history: CostHistory) -> Figure:
    """Return what a resource or an application cost over time, by what it was charged for."""
    names = {row.key: row.name for row in history.rows}
    ordered = {key: names[key] for key in history.totals}
    a_day = history.every == "day"
    return Figure(
        id="cost",
        caption=history_finding(history=history),
        kind="stacked",
        x=labels(history.starts, history.every),
        series=stacked(rows=history.rows, names=ordered, starts=history.starts),
        x_title=_("Day") if a_day else _("Month"),
        y_title=(_("%(currency)s a day") if a_day else _("%(currency)s a month"))
        % {"currency": history.currency},
        unit=history.currency,
        x_type="date" if a_day else "category",
        as_of=history.as_of,
    )


def history_finding(*, history: CostHistory) -> str:
    """Say what it came to and what most of it was for."""
    totals = history.totals
    total = sum(totals.values(), Decimal(0))
    if not total:
        return _("Nothing was charged yet.")
    key, largest = next(iter(totals.items()))
    names = {row.key: row.name for row in history.rows}
    return _("%(total)s %(currency)s since %(when)s; %(share)s %% of it for %(name)s.") % {
        "total": amount_text(total),
        "currency": history.currency,
        "when": date_format(history.starts[0], "j F Y" if history.every == "day" else "F Y"),
        "share": number_format((largest * 100 / total).quantize(TENTH), use_l10n=True),
        "name": names[key] or _("what has no name"),
    }


def budget_figure(*, course: BudgetCourse) -> Figure:
    """Return how a budget burns down, beside what would be left were it spent evenly."""
    return Figure(
        id=f"budget-{course.budget.pk}",
        caption=budget_finding(course=course),
        kind="line",
        x=labels(course.days, "day"),
        series=[
            Series(_("Left"), course.left, step=True),
            Series(_("Left if spent evenly"), course.even, tone="muted", dash="dot"),
        ],
        x_title=_("Day"),
        y_title=course.budget.currency,
        unit=course.budget.currency,
        x_type="date",
        as_of=course.as_of,
    )


def budget_finding(*, course: BudgetCourse) -> str:
    """Say what is left, and until when it lasts at the pace of the last 30 days."""
    budget = course.budget
    known = [amount for amount in course.left if amount is not None]
    names = {
        "budget": budget.name,
        "amount": amount_text(budget.amount),
        "currency": budget.currency,
        "end": date_format(budget.during.upper - timedelta(days=1), "j F Y"),
    }
    if not known:
        return _("%(budget)s: nothing of %(amount)s %(currency)s is used yet.") % names
    names["left"] = amount_text(known[-1])
    if known[-1] <= 0:
        names["over"] = amount_text(-known[-1])
        return _("%(budget)s is used up; %(over)s %(currency)s were spent beyond it.") % names
    if course.runs_out is None:
        said = _("%(budget)s: %(left)s of %(amount)s %(currency)s are left; it lasts to %(end)s.")
        return said % names
    names["out"] = date_format(course.runs_out, "j F Y")
    return (
        _(
            "%(budget)s: %(left)s of %(amount)s %(currency)s are left; "
            "at the pace of the last 30 days it is used up on %(out)s."
        )
        % names
    )


def stacked(
    *, rows: Iterable[CostRow], names: Mapping[str, str], starts: Sequence[date]
) -> list[Series]:
    """Return a series for each of the largest groups, and one for the rest.

    `names` gives the groups' names by key, the largest first.
    """
    named = list(names)[:COLOURS]
    amounts: dict[tuple[str | None, date], Decimal] = defaultdict(Decimal)
    for row in rows:
        if row.start is not None:
            amounts[row.key if row.key in named else None, row.start] += row.amount
    series = [
        Series(names[key] or _("(none)"), [amounts[key, start].quantize(CENT) for start in starts])
        for key in named
    ]
    if len(names) > COLOURS:
        rest = [amounts[None, start].quantize(CENT) for start in starts]
        series.append(Series(_("Everything else"), rest, tone="muted"))
    return series


def labels(starts: Iterable[date], every: str) -> list[str]:
    """Return days as ISO dates, months in words."""
    if every == "day":
        return [start.isoformat() for start in starts]
    return [date_format(start, "M Y") for start in starts]


def amount_text(amount: Decimal) -> str:
    """Return an amount as text, to the cent, in the viewer's number format."""
    return number_format(
        amount.quantize(CENT, ROUND_HALF_UP), decimal_pos=2, use_l10n=True, force_grouping=True
    )


def _starts(report: CostReport) -> Iterator[date]:
    """Yield every day or month of the range, also those that cost nothing."""
    end = next_month(report.last)
    start = report.first
    while start < end:
        yield start
        start = start + timedelta(days=1) if report.every == "day" else next_month(start)
