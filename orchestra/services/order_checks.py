"""What a request must look like: one reading of the inputs for the page, the API and the estimate.

Reading never raises. It returns what could be understood, and what is wrong by field; a choice of
the service stands under "parameters.<name>".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field

from inventory.foundation.choices import ProjectStatus
from inventory.foundation.errors import InvalidInput
from inventory.foundation.models import Project
from inventory.foundation.periods import day_start, days_after
from inventory.foundation.selectors import ancestry
from inventory.models import Pool, Resource
from orchestra.blueprints import amounts_of, instance_names, read_parameters
from orchestra.choices import Environment
from orchestra.models import Offering, OfferingVersion, Order
from orchestra.selectors.catalogue import pools_of, published_version
from orchestra.selectors.defaults import lease_rules
from orchestra.selectors.deployments import name_is_taken
from orchestra.selectors.orders import open_orders_named

LATE = timedelta(hours=1)  # a form that lay open for a while still means "now"
LATEST_START = timedelta(days=5 * 366)
LATEST_END = timedelta(days=10 * 366)

TEXTS: "dict[str, Field[Any, Any]]" = {
    field.name: field
    for field in Order._meta.concrete_fields
    if field.name in ("name", "application", "business_reason")
}

Faults = dict[str, str]


@dataclass(frozen=True)
class Wish:
    """The inputs of a request as a person or a program gave them; everything may be missing."""

    offering: Offering | None = None
    pool: Pool | None = None
    name: object = ""
    application: object = ""
    environment: object = ""
    business_reason: object = ""
    instances: object = None
    parameters: object = None
    start_at: object = None
    end_at: object = None


@dataclass
class Reading:
    """What a wish says: the understood fields, and the faults by field.

    `pools` are those that can deliver it; the first that fits is taken where none was named.
    """

    version: OfferingVersion | None = None
    pools: list[Pool] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=dict)

    @property
    def amounts(self) -> dict[str, int]:
        """Return what one copy holds; needs a version and its parameters."""
        assert self.version is not None
        return amounts_of(self.version, self.values["parameters"])

    def can_be_priced(self) -> bool:
        """Say whether service, choices, number and times are understood."""
        blocking = {"offering", "pool", "instances", "start_at", "end_at"}
        return self.version is not None and not any(
            fault in blocking or fault.startswith("parameters") for fault in self.faults
        )

    def raise_faults(self) -> None:
        """Raise InvalidInput when anything is wrong."""
        if self.faults:
            message = next(iter(self.faults.values()))
            if len(self.faults) > 1:
                message = f"{len(self.faults)} entries need a change. First: {message}"
            raise InvalidInput(message, fields=self.faults)


def read_wish(
    wish: Wish, *, project: Project, zone: str, at: datetime, order: Order | None = None
) -> Reading:
    """Read and check all inputs of a new or (with `order`) an edited request."""
    reading = Reading()
    _read_project(reading, project=project, at=at, zone=zone)
    _read_offering(reading, wish, project)
    for name in TEXTS:
        _read_text(reading, name, getattr(wish, name))
    _read_environment(reading, wish.environment)
    _read_instances(reading, wish.instances)
    _read_times(reading, wish, project=project, zone=zone, at=at, order=order)
    if "name" not in reading.faults:
        _check_name_is_free(reading, project=project, order=order)
    return reading


def _read_project(reading: Reading, *, project: Project, at: datetime, zone: str) -> None:
    if project.status != ProjectStatus.ACTIVE:
        reading.faults["project"] = (
            f"{project} is {project.get_status_display().lower()}: choose an active project."
        )
    elif project.end_date is not None and project_end(project, zone) <= at:
        reading.faults["project"] = (
            f"{project} ended on {project.end_date}. Its owner can extend it."
        )


def project_end(project: Project, zone: str) -> datetime:
    """Return the instant after the project's last day; it must have one."""
    assert project.end_date is not None
    return day_start(project.end_date + timedelta(days=1), zone)


def _read_offering(reading: Reading, wish: Wish, project: Project) -> None:
    if wish.offering is None:
        reading.faults["offering"] = "Choose a service."
        return
    version = published_version(wish.offering)
    if version is None:
        reading.faults["offering"] = (
            f"{wish.offering} is not offered any more. Choose another service."
        )
        return
    reading.version = version
    reading.pools = _pools(reading, wish.pool, version, project)
    values, faults = read_parameters(
        version.parameters, {} if wish.parameters is None else wish.parameters
    )
    reading.values["parameters"] = values
    for name, fault in faults.items():
        reading.faults[f"parameters.{name}" if name else "parameters"] = fault
    if not faults and not reading.amounts:
        reading.faults["parameters"] = "With these choices nothing would be held. Choose more."


def _pools(
    reading: Reading, wanted: Pool | None, version: OfferingVersion, project: Project
) -> list[Pool]:
    line = ancestry(project.organisation_id)
    if wanted is None:
        pools = [pool for pool in pools_of(version) if pool.organisation_id in line]
        if not pools:
            reading.faults["offering"] = (
                f"No pool can deliver {version.offering} to {project} now. Ask an operator."
            )
        return pools
    if wanted.organisation_id not in line:
        reading.faults["pool"] = f"{wanted} is not offered to {project.organisation}."
        return []
    pool = version.pools.filter(pk=wanted.pk).first()
    if pool is None:
        reading.faults["pool"] = f"{wanted} does not deliver {version.offering}."
    elif not pool.is_open:
        reading.faults["pool"] = f"{pool} takes no requests now. Choose another pool."
    elif not pools_of(version).filter(pk=pool.pk).exists():
        reading.faults["pool"] = f"{pool} is not connected yet. Ask its operator."
    else:
        return [pool]
    return []


def _read_text(reading: Reading, name: str, value: object) -> None:
    if not isinstance(value, str):
        reading.faults[name] = "Must be text."
        return
    text = value.strip()
    try:
        reading.values[name] = TEXTS[name].clean(text, None)
    except ValidationError as error:
        reading.faults[name] = "This is needed." if not text else " ".join(error.messages)


def _read_environment(reading: Reading, value: object) -> None:
    if value in Environment.values:
        reading.values["environment"] = str(value)
    else:
        reading.faults["environment"] = f"Choose one of {', '.join(Environment.values)}."


def _read_instances(reading: Reading, value: object) -> None:
    most = reading.version.max_instances if reading.version else 50
    if not isinstance(value, int) or isinstance(value, bool):
        reading.faults["instances"] = "Must be a whole number."
    elif not 1 <= value <= most:
        reading.faults["instances"] = f"Ask for 1 to {most} copies."
    else:
        reading.values["instances"] = value


def _read_times(
    reading: Reading,
    wish: Wish,
    *,
    project: Project,
    zone: str,
    at: datetime,
    order: Order | None,
) -> None:
    start = _read_time(reading, "start_at", wish.start_at)
    end = _read_time(reading, "end_at", wish.end_at)
    kept = order is not None and start == order.start_at
    if start is not None and not kept:
        if start < at - LATE:
            reading.faults["start_at"] = "This start is past. Leave it empty to start at once."
        elif start > at + LATEST_START:
            reading.faults["start_at"] = "Start within five years."
    begin = max(start or at, at)
    is_short_lived = reading.values.get("environment") in {
        Environment.TEST,
        Environment.DEVELOPMENT,
    }
    if end is None and wish.end_at in (None, "") and is_short_lived:
        rules = lease_rules(organisation_id=project.organisation_id, at=at)
        end = _first_end(project, zone, days_after(begin, rules.lease_days, zone))
    if end is not None:
        if end <= begin:
            reading.faults["end_at"] = "It must end after it starts."
        elif end > at + LATEST_END:
            reading.faults["end_at"] = "End within ten years."
    if project.end_date is not None and (end is None or end > project_end(project, zone)):
        reading.faults.setdefault(
            "end_at", f"{project} ends on {project.end_date}: choose an end up to then."
        )
    reading.values["start_at"] = start
    reading.values["end_at"] = end


def _first_end(project: Project, zone: str, end: datetime) -> datetime:
    return min(end, project_end(project, zone)) if project.end_date else end


def _read_time(reading: Reading, name: str, value: object) -> datetime | None:
    if value in (None, ""):
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        reading.faults[name] = "Must be a date and time with a time zone."
        return None
    return value


def _check_name_is_free(reading: Reading, *, project: Project, order: Order | None) -> None:
    name = reading.values["name"]
    if name_is_taken(project=project, name=name):
        reading.faults["name"] = f"{project} has an application {name} already. Choose another."
    elif open_orders_named(project=project, name=name, but=order):
        reading.faults["name"] = f"A request for {name} is under way. Choose another name."
    elif "instances" in reading.values:
        copies = instance_names(name, reading.values["instances"])
        clash = Resource.objects.live().filter(project=project, name__in=copies).first()
        if clash is not None:
            reading.faults["name"] = f"{project} has a resource {clash} already. Choose another."


def as_wish(order: Order, changes: Mapping[str, Any]) -> Wish:
    """Return what an order says, with changes put over it; InvalidInput for an unknown field."""
    current = {
        "offering": order.offering_version.offering,
        "pool": order.pool,
        "name": order.name,
        "application": order.application,
        "environment": order.environment,
        "business_reason": order.business_reason,
        "instances": order.instances,
        "parameters": order.parameters,
        "start_at": order.start_at,
        "end_at": order.end_at,
    }
    unknown = sorted(str(name) for name in changes.keys() - current.keys())
    if unknown:
        message = f"A request has no field {', '.join(unknown)}."
        raise InvalidInput(message, fields=dict.fromkeys(unknown, "There is no such field."))
    return Wish(**(current | dict(changes)))
