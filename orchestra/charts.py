"""The figure of what the machinery did."""

from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inventory.foundation.figures import Figure, Series
from orchestra.choices import RunState
from orchestra.selectors.throughput import DAYS, Throughput

# The tones of these states that a chart has colours for.
TONES = {RunState.SUCCEEDED: "good", RunState.COMPENSATED: "bad", RunState.CANCELLED: "muted"}


def throughput_figure(*, found: Throughput) -> Figure:
    """Return how many runs ended a day, by how they ended."""
    return Figure(
        id="throughput",
        caption=throughput_finding(found=found),
        kind="stacked",
        x=[day.isoformat() for day in found.days],
        series=[
            Series(str(state.label), counts, tone=TONES.get(state, "warn"))
            for state, counts in found.ended.items()
        ],
        x_title=_("Day"),
        y_title=_("Runs that ended"),
        x_type="date",
        as_of=found.at,
    )


def throughput_finding(*, found: Throughput) -> str:
    """Say how many ended, how many did what was asked, and how long that took."""
    if not found.total:
        return _("Nothing was carried out in the last %(days)s days.") % {"days": DAYS}
    done = sum(found.ended.get(RunState.SUCCEEDED, ()))
    said = ngettext(
        "%(done)s of %(all)s run of the last %(days)s days did what was asked.",
        "%(done)s of %(all)s runs of the last %(days)s days did what was asked.",
        found.total,
    ) % {"done": done, "all": found.total, "days": DAYS}
    if found.median is None:
        return said
    return f"{said} {_('Half of them took no more than %s.') % duration_text(found.median)}"


def duration_text(took: timedelta) -> str:
    """Return a duration in words, to the second below a minute, to the minute above."""
    seconds = int(took.total_seconds())
    if seconds < 60:
        return ngettext("%(count)s second", "%(count)s seconds", max(seconds, 1)) % {
            "count": max(seconds, 1)
        }
    minutes = round(seconds / 60)
    return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
