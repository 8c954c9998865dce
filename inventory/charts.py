"""The figures of the inventory's pages: each caption states the finding."""

from collections.abc import Sequence
from decimal import Decimal

from django.utils.translation import gettext as _

from inventory.capacity import amount_text
from inventory.foundation.figures import Figure, Series
from inventory.models import Pool
from inventory.selectors import PoolCapacity

TENTH = Decimal("0.1")


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


def kept_spare(row: PoolCapacity) -> int:
    """Return how much is neither held, nor on closed hosts, nor to be sold: the spare hosts' part.

    It is less than `row.spare` where holders have eaten into it already.
    """
    return max(row.capacity - row.used - row.closed - row.free, 0)


def per_cent(row: PoolCapacity, amount: int) -> Decimal:
    """Return a share of the row's capacity in per cent, to one decimal."""
    if not row.capacity:
        return Decimal(0)
    return (Decimal(amount) * 100 / row.capacity).quantize(TENTH)
