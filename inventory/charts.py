"""The figures of the inventory's pages: each caption states the finding."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inventory.capacity import amount_text
from inventory.foundation.figures import Figure, Series
from inventory.foundation.sparklines import sparkline
from inventory.models import Pool
from inventory.selectors import PoolCapacity
from inventory.selectors.histories import PoolHistory

TENTH = Decimal("0.1")
Every = Literal["day", "week", "month"]


def capacity_figure(*, pool: Pool, rows: Sequence[PoolCapacity]) -> Figure:
    """Return what each kind of capacity is taken up by, in per cent of what may be held."""
    return Figure(
        id="capacity",
        caption=capacity_finding(pool=pool, rows=rows),
        kind="stacked",
        x=[row.resource_class.label for row in rows],
        series=[
            Series(_("Held"), [per_cent(row, row.used) for row in rows]),
            Series(_("Kept spare"), [per_cent(row, kept_spare(row)) for row in rows], tone="warn"),
            Series(_("On closed hosts"), [per_cent(row, row.closed) for row in rows], tone="muted"),
            Series(_("Free"), [per_cent(row, row.free) for row in rows], tone="good"),
        ],
        x_title=_("Kind of capacity"),
        y_title=_("Share of capacity, %"),
        unit="%",
    )


def capacity_finding(*, pool: Pool, rows: Sequence[PoolCapacity]) -> str:
    """Say which kind is the tightest and how much of it can still be sold."""
    if not rows:
        return _("%(pool)s has no capacity yet.") % {"pool": pool}
    tightest = min(rows, key=lambda row: per_cent(row, row.free))
    return _("%(kind)s is the tightest: %(held)s %% is held, %(free)s can still be sold.") % {
        "kind": tightest.resource_class.label,
        "held": f"{per_cent(tightest, tightest.used):f}",
        "free": amount_text(amount=tightest.free, unit=tightest.resource_class.unit),
    }


def overcommit_figure(*, rows: Sequence[PoolCapacity]) -> Figure:
    """Return what may be held and what is held of each kind, against what is built in (100 %)."""
    built_in = [(row, row.physical - row.overhead) for row in rows]
    whole = [100 if amount > 0 else None for _row, amount in built_in]
    return Figure(
        id="overcommit",
        caption=overcommit_finding(rows=rows),
        kind="bar",
        x=[row.resource_class.label for row in rows],
        series=[
            Series(_("Held"), [share(row.used, amount) for row, amount in built_in]),
            Series(
                _("May be held"),
                [share(row.capacity, amount) for row, amount in built_in],
                tone="muted",
            ),
            Series(_("Built in, less host overhead"), whole, tone="warn", dash="dot", is_line=True),
        ],
        x_title=_("Kind of capacity"),
        y_title=_("Share of what is built in, %"),
        unit="%",
    )


def overcommit_finding(*, rows: Sequence[PoolCapacity]) -> str:
    """Say which kind is sold most over what is built in, and how much of that is really held."""
    shares = [(share(row.capacity, row.physical - row.overhead) or Decimal(0), row) for row in rows]
    most, row = max(shares, key=lambda pair: pair[0], default=(Decimal(0), None))
    if row is None or most <= 100:
        return _("Nothing is sold more than once: all that may be held is built in.")
    held = share(row.used, row.physical - row.overhead) or Decimal(0)
    names = {
        "kind": row.resource_class.label,
        "times": number_format((most / 100).quantize(TENTH), use_l10n=True),
        "held": number_format(held, use_l10n=True),
    }
    if held > 100:
        said = _("%(kind)s: sold %(times)s times over; %(held)s %% of what is built in is held.")
    else:
        said = _("%(kind)s: may be sold %(times)s times; %(held)s %% of what is built in is held.")
    return said % names


def use_figure(
    *, history: PoolHistory, starts: Sequence[date], every: Every, at: datetime
) -> Figure:
    """Return how much of each kind was held on average, a line for each kind."""
    return Figure(
        id="use",
        caption=use_finding(history=history),
        kind="line",
        x=stretch_names(starts, every),
        series=[Series(one.resource_class.label, one.shares) for one in history.classes],
        x_title=stretch_title(every),
        y_title=_("Held on average, %"),
        unit="%",
        x_type="category" if every == "month" else "date",
        as_of=at,
    )


def use_finding(*, history: PoolHistory) -> str:
    """Say which kind was held most, and whether that grew."""
    known = [(one, [share for share in one.shares if share is not None]) for one in history.classes]
    known = [(one, shares) for one, shares in known if shares]
    if not any(sum(shares) for _one, shares in known):
        return _("Nothing was held in this time.")
    fullest, shares = max(known, key=lambda pair: sum(pair[1]) / len(pair[1]))
    return _("%(kind)s was the fullest: from %(first)s %% to %(last)s %%, at most %(most)s %%.") % {
        "kind": fullest.resource_class.label,
        "first": number_format(shares[0], use_l10n=True),
        "last": number_format(shares[-1], use_l10n=True),
        "most": number_format(max(shares), use_l10n=True),
    }


def hosts_figure(
    *, history: PoolHistory, starts: Sequence[date], every: Every, at: datetime
) -> Figure:
    """Return the heat map of the fullest hosts: the stronger the colour, the fuller."""
    return Figure(
        id="hosts",
        caption=hosts_finding(history=history),
        kind="heatmap",
        x=stretch_names(starts, every),
        series=[Series(host.name, host.shares) for host in history.fullest],
        x_title=stretch_title(every),
        y_title=_("Host"),
        unit="%",
        x_type="category" if every == "month" else "date",
        as_of=at,
    )


def hosts_finding(*, history: PoolHistory) -> str:
    """Say how many hosts are as good as full, and how many do nothing."""
    newest = [host.shares[-1] for host in history.fullest if host.shares[-1] is not None]
    full = sum(share >= 90 for share in newest)
    idle = sum(share == 0 for share in newest)
    shown = len(history.fullest)
    which = (
        _("Of the %(shown)s fullest of %(all)s hosts") % {"shown": shown, "all": history.hosts}
        if shown < history.hosts
        else ngettext("Of %(all)s host", "Of %(all)s hosts", history.hosts) % {"all": history.hosts}
    )
    return _("%(which)s, %(full)s are 90 %% full or more now and %(idle)s hold nothing.") % {
        "which": which,
        "full": full,
        "idle": idle,
    }


def stretch_names(starts: Sequence[date], every: Every) -> list[str]:
    """Return the labels of days, weeks (their first day) or months."""
    if every == "month":
        return [date_format(start, "M Y") for start in starts]
    return [start.isoformat() for start in starts]


def stretch_title(every: Every) -> str:
    """Return what stands over the labels of the stretches."""
    return {"day": _("Day"), "week": _("Week from"), "month": _("Month")}[every]


def kept_spare(row: PoolCapacity) -> int:
    """Return how much is neither held, nor on closed hosts, nor to be sold: the spare hosts' part.

    It is less than `row.spare` where holders have eaten into it already.
    """
    return max(row.capacity - row.used - row.closed - row.free, 0)


def per_cent(row: PoolCapacity, amount: int) -> Decimal:
    """Return a share of the row's capacity in per cent, to one decimal."""
    return share(amount, row.capacity) or Decimal(0)


def share(amount: int, whole: int) -> Decimal | None:
    """Return a share in per cent, to one decimal; None of nothing."""
    return (Decimal(amount) * 100 / whole).quantize(TENTH) if whole > 0 else None


def use_spark(*, label: str, shares: Sequence[Decimal | None]) -> SafeString:
    """Return how much of a class was held over the last days as a small line, told in words."""
    known = [share for share in shares if share is not None]
    if len(known) < 2:
        return sparkline(numbers=(), words="")
    words = _(
        "%(label)s held over %(days)s days: %(first)s %% at first, %(high)s %% at most, "
        "%(last)s %% now"
    ) % {
        "label": label,
        "days": len(shares) - 1,
        "first": number_format(known[0], use_l10n=True),
        "high": number_format(max(known), use_l10n=True),
        "last": number_format(known[-1], use_l10n=True),
    }
    return sparkline(numbers=shares, words=words, top=100)
