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
    known = sorted(settings.ORCHESTRA_PROVIDERS)
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
    try:
        connection.full_clean()
    except ValidationError as error:
        faults = {field: " ".join(messages) for field, messages in error.message_dict.items()}
        raise InvalidInput(next(iter(faults.values())), fields=faults) from error
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
