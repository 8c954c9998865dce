"""Sent twice, done once: the answer to a write is kept under the key that came with it."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import transaction

from inventory.foundation.errors import DomainError, InvalidInput
from inventory.foundation.models import IdempotencyKey, User

LONGEST_KEY = 200


class KeyReused(DomainError):
    """The key came before with other content. `details` holds the answer that was given then."""

    code = "idempotency_key_reused"
    title = "Sent before, with other content"


def answer_once(
    *,
    user: User,
    key: str,
    scope: str,
    content: Mapping[str, Any],
    at: datetime,
    do: Callable[[], tuple[int, Any]],
) -> tuple[int, Any, bool]:
    """Do a write and keep its answer, or return the answer that the same write got before.

    `do` returns (HTTP status, JSON) and runs in the transaction that keeps the key: when it raises,
    nothing is kept and the key is free again. Two that arrive together wait for each other.
    Returns (status, JSON, whether it is a repetition). Raises KeyReused where the key came before
    with other content or for another `scope`.
    """
    if not 0 < len(key) <= LONGEST_KEY or "\0" in key:
        message = f"The idempotency key must have 1 to {LONGEST_KEY} characters."
        raise InvalidInput(message, fields={"idempotency_key": message})
    digest = sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    with transaction.atomic():
        row, is_new = IdempotencyKey.objects.get_or_create(
            user=user,
            key=key,
            defaults={"scope": scope, "request_sha256": digest, "created_at": at},
        )
        if not is_new:
            if (row.scope, row.request_sha256) != (scope, digest):
                message = "This was sent before with other content. Send it under a new key."
                raise KeyReused(message, details={"answer": row.response_body})
            assert row.response_status is not None
            return row.response_status, row.response_body, True
        row.response_status, row.response_body = do()
        row.save(update_fields=["response_status", "response_body"])
        return row.response_status, row.response_body, False
