"""Drafts: what somebody typed into a long form and has not sent, kept by itself while typing."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from inventory.foundation.errors import InvalidInput
from inventory.foundation.models import FormDraft, IdempotencyKey, User

LARGEST = 64 * 1024  # characters of JSON
KEPT = timedelta(days=90)
NUL = "\x00"  # PostgreSQL's text cannot hold it


class TooLongToKeep(InvalidInput):
    """The form holds more than a draft may."""

    code = "draft_too_long"


def draft_of(*, user: User, path: str) -> FormDraft | None:
    """Return the person's draft of the form at this address."""
    return FormDraft.objects.filter(user=user, path=path).first()


@transaction.atomic
def keep_draft(
    *, user: User, path: str, data: Mapping[str, Sequence[str]], at: datetime, key: str = ""
) -> FormDraft | None:
    """Keep what was typed (field → its texts) in place of what was kept before.

    `key` is the form's double-submit key: a form that was sent meanwhile leaves no draft behind,
    then None is returned. The person's drafts that are older than 90 days go. Raises TooLongToKeep.
    """
    kept = {name: [text.replace(NUL, "") for text in texts] for name, texts in data.items()}
    if len(json.dumps(kept)) > LARGEST:
        message = "This is too long for a draft. Send the form, or keep a copy elsewhere."
        raise TooLongToKeep(message)
    if key and IdempotencyKey.objects.filter(user=user, key=key[:200]).exists():
        return None
    FormDraft.objects.filter(user=user, saved_at__lt=at - KEPT).delete()
    draft, _is_new = FormDraft.objects.update_or_create(
        user=user, path=path, defaults={"data": kept, "saved_at": at}
    )
    return draft


def drop_draft(*, user: User, path: str) -> None:
    """Forget the person's draft of the form at this address, if there is one."""
    FormDraft.objects.filter(user=user, path=path).delete()
