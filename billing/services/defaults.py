"""Set what a new paying account starts as."""

from collections.abc import Mapping
from datetime import datetime

from billing.models import AccountDefaults
from inventory.foundation.defaults import require_place, write_defaults
from inventory.foundation.models import Organisation, User
from inventory.foundation.permissions import Action


def set_account_defaults(
    *,
    organisation: Organisation | None,
    number: int,
    values: Mapping[str, str | None],
    actor: User,
    at: datetime,
    reason: str = "",
) -> AccountDefaults | None:
    """Let accounts that are opened from `at` on start otherwise; those that are there stay.

    Finance of the organisation may, for everywhere (None) an administrator. `values` and errors
    are those of `write_defaults`.
    """
    require_place(actor=actor, action=Action.MONEY_MANAGE, organisation=organisation)
    return write_defaults(
        AccountDefaults,
        organisation=organisation,
        number=number,
        values=values,
        actor=actor,
        at=at,
        action="account_defaults.set",
        reason=reason,
    )
