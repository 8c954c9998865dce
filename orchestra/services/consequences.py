"""What an approval would change, as things stand now: reads only, for the person who decides."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from inventory.placement import headroom
from orchestra.choices import OrderKind
from orchestra.models import Order
from orchestra.services.change_plans import Change, assess_change_of
from orchestra.services.plans import Assessment, assess_order, need_of

COUNT_UP_TO = 1_000


@dataclass(frozen=True)
class Consequences:
    """Before and after. `fits_before` counts copies of this size that have room (up to 1,000).

    `budget_after` is None where no budget in the same currency binds. A change stays where it is,
    so nothing is counted for it.
    """

    assessment: Assessment | Change
    budget_after: Decimal | None
    fits_before: int | None
    fits_after: int | None


def consequences(*, order: Order, at: datetime) -> Consequences | None:
    """Return what approving a request would do; None for one that gives back."""
    if order.kind == OrderKind.CHANGE:
        change = assess_change_of(order, at)
        return Consequences(change, change.budget_after, fits_before=None, fits_after=None)
    if order.kind != OrderKind.CREATE:
        return None
    found = assess_order(order, at)
    start = max(order.start_at or at, at)
    need = need_of(order.offering_version, found.amounts)
    fits = headroom(pool=order.pool, need=need, start=start, end=order.end_at, at_most=COUNT_UP_TO)
    after = None
    if (
        found.budget is not None
        and found.quote is not None
        and found.cost is not None
        and found.budget.currency == found.quote.currency
    ):
        after = found.budget.free - found.cost
    return Consequences(
        assessment=found,
        budget_after=after,
        fits_before=fits,
        fits_after=max(fits - order.instances, 0),
    )
