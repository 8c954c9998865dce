"""Set how far new capacity is over-committed where nobody says."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from inventory.foundation.defaults import require_place, write_defaults
from inventory.foundation.models import Organisation, User
from inventory.foundation.permissions import Action
from inventory.models import CapacityDefaults


def set_capacity_defaults(
    *,
    organisation: Organisation | None,
    number: int,
    values: Mapping[str, Decimal | None],
    actor: User,
    at: datetime,
    reason: str = "",
) -> CapacityDefaults | None:
    """Let other ratios hold for capacity that is added from `at` on; hosts that are there stay.

    An operator of the organisation may, for everywhere (None) an administrator. `values` and
    errors are those of `write_defaults`.
    """
    require_place(actor=actor, action=Action.POOL_EDIT, organisation=organisation)
    return write_defaults(
        CapacityDefaults,
        organisation=organisation,
        number=number,
        values=values,
        actor=actor,
        at=at,
        action="capacity_defaults.set",
        reason=reason,
    )
