"""The verbs of the change calendar: set a freeze or a window, change it, end it, take it away."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Manager

from inventory.foundation.errors import Conflict, InvalidInput
from inventory.foundation.models import Organisation, Project, User
from inventory.foundation.trail import record_audit
from inventory.models import Pool
from orchestra.models import ChangeWindow, Freeze
from orchestra.services.scopes import require_scope

Entry = Freeze | ChangeWindow
CHANGEABLE = ("name", "reason", "start_at", "end_at", "holds_scaling")


class HasBegun(Conflict):
    """What runs that were held up refer to stays on record."""

    code = "has_begun"


class HasEnded(Conflict):
    """What is over is not changed any more."""

    code = "has_ended"


@transaction.atomic
def add_freeze(
    *,
    name: str,
    reason: str,
    start_at: datetime | None,
    end_at: datetime | None,
    actor: User,
    at: datetime,
    organisation: Organisation | None = None,
    project: Project | None = None,
    pool: Pool | None = None,
    holds_scaling: bool = False,
) -> Freeze:
    """Let no normal change start in [start_at, end_at); no end means until it is ended.

    At most one of organisation, project and pool is named. The actor decides there. Raises
    InvalidInput by field.
    """
    freeze = Freeze(
        name=name,
        reason=reason,
        during=_during(start_at, end_at),
        organisation=organisation,
        project=project,
        pool=pool,
        holds_scaling=holds_scaling,
        created_by=actor,
    )
    _save(freeze, actor=actor, at=at, before=None)
    return freeze


@transaction.atomic
def add_window(
    *,
    name: str,
    reason: str,
    start_at: datetime | None,
    end_at: datetime | None,
    actor: User,
    at: datetime,
    organisation: Organisation | None = None,
    project: Project | None = None,
    pool: Pool | None = None,
) -> ChangeWindow:
    """Let normal changes start in [start_at, end_at), and from now on only in such windows.

    At most one of organisation, project and pool is named. The actor decides there. Raises
    InvalidInput by field.
    """
    window = ChangeWindow(
        name=name,
        reason=reason,
        during=_during(start_at, end_at),
        organisation=organisation,
        project=project,
        pool=pool,
        created_by=actor,
    )
    _save(window, actor=actor, at=at, before=None)
    return window


@transaction.atomic
def edit_entry[E: Entry](*, entry: E, changes: Mapping[str, Any], actor: User, at: datetime) -> E:
    """Change name, reason, start_at, end_at (of a freeze also holds_scaling); its scope stays.

    Raises HasEnded for what is over, InvalidInput by field.
    """
    entry = _locked(entry, actor)
    if entry.during.upper is not None and entry.during.upper <= at:
        message = f"{entry} is over. Add another one."
        raise HasEnded(message)
    known = [name for name in CHANGEABLE if name != "holds_scaling" or isinstance(entry, Freeze)]
    unknown = sorted(set(changes) - set(known))
    if unknown:
        message = f"This has no field {', '.join(unknown)} that may be changed."
        raise InvalidInput(message, fields=dict.fromkeys(unknown, "There is no such field."))
    before = _told(entry)
    entry.during = _during(
        changes.get("start_at", entry.during.lower), changes.get("end_at", entry.during.upper)
    )
    for name in set(changes) - {"start_at", "end_at"}:
        setattr(entry, name, changes[name])
    _save(entry, actor=actor, at=at, before=before)
    return entry


def end_entry[E: Entry](*, entry: E, actor: User, at: datetime) -> E:
    """End it now. Raises HasEnded for what is over, InvalidInput for what has not begun."""
    return edit_entry(entry=entry, changes={"end_at": at}, actor=actor, at=at)


@transaction.atomic
def remove_entry(*, entry: Entry, actor: User, at: datetime) -> None:
    """Take away a window, or a freeze that has not begun (else HasBegun: end it).

    Where the last window is taken away, normal changes start at any time again.
    """
    entry = _locked(entry, actor)
    if isinstance(entry, Freeze) and (entry.during.lower is None or entry.during.lower <= at):
        message = f"{entry} has begun and stays on record. End it instead."
        raise HasBegun(message)
    _audit(entry, "remove", actor=actor, at=at, changes={})
    entry.delete()


def _during(start_at: datetime | None, end_at: datetime | None) -> tuple[Any, Any]:
    if start_at is not None and end_at is not None and end_at <= start_at:
        message = "It must end after it begins."
        raise InvalidInput(message, fields={"during": message})
    return (start_at, end_at)


def _locked[E: Entry](entry: E, actor: User) -> E:
    manager: Manager[E] = type(entry)._default_manager  # type: ignore[assignment]
    rows = manager.select_for_update(of=("self",))
    found = rows.select_related("organisation", "project__organisation", "pool").get(pk=entry.pk)
    _require(found, actor)
    return found


def _require(entry: Entry, actor: User) -> None:
    require_scope(
        actor=actor, organisation=entry.organisation, project=entry.project, pool=entry.pool
    )


def _save(entry: Entry, *, actor: User, at: datetime, before: dict[str, Any] | None) -> None:
    _require(entry, actor)
    try:
        entry.full_clean()
    except ValidationError as error:
        faults = {field: " ".join(messages) for field, messages in error.message_dict.items()}
        raise InvalidInput(next(iter(faults.values())), fields=faults) from error
    entry.save()
    after = _told(entry)
    changes = {
        name: [None if before is None else before[name], value]
        for name, value in after.items()
        if before is None or before[name] != value
    }
    if changes:
        _audit(entry, "add" if before is None else "edit", actor=actor, at=at, changes=changes)


def _audit(
    entry: Entry, verb: str, *, actor: User, at: datetime, changes: Mapping[str, Any]
) -> None:
    noun = "freeze" if isinstance(entry, Freeze) else "window"
    organisation = entry.pool.organisation if entry.pool else entry.organisation
    record_audit(
        action=f"{noun}.{verb}",
        subject=entry,
        at=at,
        actor=actor,
        project=entry.project,
        organisation=organisation,
        changes=changes,
        reason=entry.reason,
    )


def _told(entry: Entry) -> dict[str, Any]:
    """Return what an audit entry says of it."""
    during = entry.during
    lower, upper = during if isinstance(during, tuple) else (during.lower, during.upper)
    told = {
        "name": entry.name,
        "reason": entry.reason,
        "start_at": lower.isoformat() if lower else None,
        "end_at": upper.isoformat() if upper else None,
    }
    if isinstance(entry, Freeze):
        told["holds_scaling"] = entry.holds_scaling
    return told
