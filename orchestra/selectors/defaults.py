"""Which terms applications have where nobody says."""

from dataclasses import dataclass
from datetime import datetime

from inventory.foundation.defaults import values_in_force
from orchestra.models import LeaseDefaults


@dataclass(frozen=True)
class LeaseRules:
    """The terms of an organisation's applications.

    Days and months are those of the wall's clock in the project's billing zone; `warning_days`
    fall. `stop_first`: what ends is stopped before it is deleted.
    """

    lease_days: int
    confirm_months: int
    warning_days: tuple[int, ...]
    stop_first: bool


def lease_rules(*, organisation_id: int | None, at: datetime) -> LeaseRules:
    """Return the terms in force at `at` for the organisation's projects (None: everywhere)."""
    values = values_in_force(LeaseDefaults, organisation_id=organisation_id, at=at)
    return LeaseRules(
        lease_days=values["lease_days"].value,
        confirm_months=values["confirm_months"].value,
        warning_days=tuple(sorted(set(values["warning_days"].value), reverse=True)),
        stop_first=values["stop_first"].value,
    )
