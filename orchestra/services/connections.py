"""The verbs of a connection: make it, and let it direct a pool."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from inventory.foundation.errors import InvalidInput, NotVisible
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, refusal, require_anywhere
from inventory.foundation.trail import record_audit
from inventory.models import Pool
from inventory.selectors import pools_where, visible_pools
from orchestra.models import Connection, PoolConnection
from orchestra.providers.registry import kinds


@transaction.atomic
def create_connection(
    *,
    name: str,
    label: str,
    kind: str,
    actor: User,
    at: datetime,
    options: Mapping[str, Any] | None = None,
    max_inflight: int = 8,
) -> Connection:
    """Configure an adapter of a known kind. Options may be secret: the audit entry names only
    their keys. Raises InvalidInput by field."""
    require_anywhere(actor, Action.POOL_EDIT)
    known = kinds(settings.ORCHESTRA_PROVIDERS)
    if kind not in known:
        message = f"There is no adapter {kind!r}. Choose one of {', '.join(known)}."
        raise InvalidInput(message, fields={"kind": message})
    if options is not None and not isinstance(options, Mapping):
        message = "Options must be a JSON object."
        raise InvalidInput(message, fields={"options": message})
    connection = Connection(
        name=name,
        label=label,
        kind=kind,
        options=dict(options or {}),
        max_inflight=max_inflight,
    )
    _clean(connection)
    connection.save(force_insert=True)
    record_audit(
        action="connection.create",
        subject=connection,
        at=at,
        actor=actor,
        changes={"kind": [None, kind], "options": [[], sorted(connection.options)]},
    )
    return connection


@transaction.atomic
def edit_connection(
    *,
    connection: Connection,
    actor: User,
    at: datetime,
    label: str,
    max_inflight: int,
    options: Mapping[str, Any] | None = None,
) -> Connection:
    """Change how it is called, how much at once, and (None keeps them) its options.

    The actor operates every pool that it directs. The audit entry names only the options' keys.
    Raises InvalidInput by field.
    """
    require_anywhere(actor, Action.POOL_EDIT)
    connection = Connection.objects.select_for_update().get(pk=connection.pk)
    directed = Pool.objects.filter(connection_link__connection=connection)
    if directed.exclude(pk__in=pools_where(actor, Action.POOL_EDIT).values("pk")).exists():
        raise refusal(Action.POOL_EDIT)
    if options is not None and not isinstance(options, Mapping):
        message = "Options must be a JSON object."
        raise InvalidInput(message, fields={"options": message})
    changes: dict[str, Any] = {
        name: [getattr(connection, name), value]
        for name, value in (("label", label), ("max_inflight", max_inflight))
        if getattr(connection, name) != value
    }
    if options is not None and options != connection.options:
        changes["options"] = [sorted(connection.options), sorted(options)]
        connection.options = dict(options)
    connection.label, connection.max_inflight = label, max_inflight
    _clean(connection)
    if changes:
        connection.save(update_fields=["label", "max_inflight", "options"])
        record_audit(
            action="connection.edit", subject=connection, at=at, actor=actor, changes=changes
        )
    return connection


@transaction.atomic
def connect_pool(
    *, pool: Pool, connection: Connection, actor: User, at: datetime
) -> PoolConnection:
    """Let a connection direct a pool from now on. The actor operates the pool."""
    if not pools_where(actor, Action.POOL_EDIT).filter(pk=pool.pk).exists():
        if not visible_pools(actor).filter(pk=pool.pk).exists():
            message = "There is no such pool, or you do not belong to its organisation."
            raise NotVisible(message)
        raise refusal(Action.POOL_EDIT)
    former = PoolConnection.objects.select_for_update().filter(pool=pool).first()
    link, _ = PoolConnection.objects.update_or_create(
        pool=pool, defaults={"connection": connection}
    )
    record_audit(
        action="pool.connect",
        subject=pool,
        at=at,
        actor=actor,
        organisation=pool.organisation,
        changes={"connection": [former.connection.name if former else None, connection.name]},
    )
    return link


def _clean(connection: Connection) -> None:
    try:
        connection.full_clean()
    except ValidationError as error:
        faults = {field: " ".join(messages) for field, messages in error.message_dict.items()}
        raise InvalidInput(next(iter(faults.values())), fields=faults) from error
