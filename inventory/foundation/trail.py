"""Who is at work, through which door: set once by each door, read by every audit entry."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, models

from inventory.foundation.choices import Via
from inventory.foundation.models import AuditEvent, Event, Organisation, Project, User


@dataclass(frozen=True)
class Trail:
    """The door (page, API, command, worker), the person behind it, and the request's id."""

    via: Via = Via.COMMAND
    actor: User | None = None
    on_behalf_of: User | None = None
    label: str = "system"
    request_id: str = field(default_factory=lambda: uuid4().hex)


def door_of(path: str) -> Via:
    """Return the door that an address belongs to."""
    if path.startswith("/api/"):
        return Via.API
    return Via.ADMIN if path.startswith("/admin/") else Via.PAGE


_current: ContextVar[Trail | None] = ContextVar("trail", default=None)


def current_trail() -> Trail:
    """Return the trail of this request or job; a fresh one where no door has set any."""
    return _current.get() or Trail()


@contextmanager
def on_trail(trail: Trail) -> Iterator[Trail]:
    """Work under a trail until the block ends."""
    token = _current.set(trail)
    try:
        yield trail
    finally:
        _current.reset(token)


def acting_as(*, actor: User | None, label: str = "") -> None:
    """Name the person on the current trail, once they are known."""
    trail = current_trail()
    _current.set(replace(trail, actor=actor, label=label or (str(actor) if actor else trail.label)))


_untold: ContextVar[list[models.Model] | None] = ContextVar("untold", default=None)


@contextmanager
def told_together() -> Iterator[None]:
    """Write what the block tells (audit entries, events, log lines) at its end, a statement a kind.

    It belongs inside the change's transaction and around the whole change, as do its words: where
    a part of the change may fail and be caught, that part takes a block of its own, and what it
    told goes with it.
    """
    rows = _untold.get()
    if rows is not None:
        before = len(rows)
        try:
            yield
        except BaseException:
            del rows[before:]
            raise
        return
    rows = []
    token = _untold.set(rows)
    try:
        yield
    finally:
        _untold.reset(token)
    for model in dict.fromkeys(type(row) for row in rows):
        model._base_manager.bulk_create([row for row in rows if type(row) is model])


def write_told(row: models.Model) -> None:
    """Insert a row that tells of a change: now, or at the end of `told_together`."""
    _inside_transaction()
    rows = _untold.get()
    if rows is None:
        row.save(force_insert=True)
    else:
        rows.append(row)


def record_audit(
    *,
    action: str,
    subject: models.Model,
    at: datetime,
    actor: User | None = None,
    project: Project | None = None,
    organisation: Organisation | None = None,
    changes: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Write the audit entry of a change, inside the change's own transaction.

    `action` is verb.noun in the dictionary's words ("order.place"); `changes` maps a field to
    [before, after]. The actor defaults to the trail's. Raises RuntimeError outside a transaction.
    """
    trail = current_trail()
    who = actor or trail.actor
    entry = AuditEvent(
        at=at,
        actor=who,
        actor_label=(str(who) if who else trail.label)[:120],
        on_behalf_of=trail.on_behalf_of,
        via=trail.via,
        action=action,
        object_type=subject._meta.label_lower,
        object_id=str(subject.pk),
        object_label=str(subject)[:200],
        project=project,
        organisation=organisation or (project.organisation if project else None),
        changes=dict(changes or {}),
        reason=reason[:500],
        request_id=trail.request_id[:64],
    )
    write_told(entry)


def emit_event(
    *,
    type: str,
    subject: models.Model,
    at: datetime,
    data: Mapping[str, Any],
    project: Project | None = None,
    source: str = "/orchestra",
    correlation_id: str = "",
    causation_id: UUID | None = None,
) -> None:
    """Put a CloudEvent into the outbox, inside the change's own transaction.

    `type` is reverse-named, for example "orchestra.run.succeeded"; `data` is JSON.
    """
    event = Event(
        type=type,
        source=source,
        subject=f"{subject._meta.model_name}/{subject.pk}",
        time=at,
        project=project,
        data=dict(data),
        correlation_id=correlation_id,
        causation_id=causation_id,
    )
    write_told(event)


def _inside_transaction() -> None:
    if not connection.in_atomic_block:
        message = "audit entries and events belong into the transaction of the change itself"
        raise RuntimeError(message)
