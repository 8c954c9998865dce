"""Set the terms that applications have where nobody says."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from inventory.foundation.defaults import require_place, write_defaults
from inventory.foundation.errors import InvalidInput
from inventory.foundation.models import Organisation, User
from inventory.foundation.permissions import Action
from orchestra.models import LeaseDefaults


def set_lease_defaults(
    *,
    organisation: Organisation | None,
    number: int,
    values: Mapping[str, Any],
    actor: User,
    at: datetime,
    reason: str = "",
) -> LeaseDefaults | None:
    """Let other terms hold for what is asked for, confirmed and warned of from `at` on.

    An agreed end stays. An operator or owner of the organisation may, for everywhere (None) an
    administrator. `values` and errors are those of `write_defaults`.
    """
    require_place(actor=actor, action=Action.LEASE_RULES, organisation=organisation)
    days = values.get("warning_days")
    if days is not None and len(set(days)) != len(days):
        message = "Name each day once, for example 30, 7, 1."
        raise InvalidInput(message, fields={"warning_days": message})
    if days is not None:
        values = {**values, "warning_days": sorted(days, reverse=True)}
    return write_defaults(
        LeaseDefaults,
        organisation=organisation,
        number=number,
        values=values,
        actor=actor,
        at=at,
        action="lease_defaults.set",
        reason=reason,
    )
