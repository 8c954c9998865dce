"""What a new paying account starts as."""

from datetime import datetime

from billing.choices import AccountMode
from billing.models import AccountDefaults
from inventory.foundation.defaults import values_in_force


def default_mode(*, organisation_id: int | None, at: datetime) -> AccountMode:
    """Return the mode that new accounts of the organisation get at `at`, where nobody says."""
    values = values_in_force(AccountDefaults, organisation_id=organisation_id, at=at)
    return AccountMode(values["mode"].value)
