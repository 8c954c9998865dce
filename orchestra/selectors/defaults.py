"""Which terms applications have where nobody says."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from inventory.foundation.defaults import values_in_force
from inventory.foundation.models import Project
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


def common_lease_days(*, projects: QuerySet[Project], at: datetime) -> int | None:
    """Return after how many days test and development end in all of the projects, None where they
    differ."""
    organisations = projects.order_by().values_list("organisation_id", flat=True).distinct()
    days = {lease_rules(organisation_id=one, at=at).lease_days for one in organisations}
    return days.pop() if len(days) == 1 else None
