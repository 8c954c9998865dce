"""Access tokens: a person's key for programs, shown once and kept only as a hash."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from knox.models import get_digest_token
from knox.settings import CONSTANTS

from inventory.foundation.errors import InvalidInput
from inventory.foundation.models import Project, User
from inventory.foundation.permissions import Action, require
from inventory.foundation.trail import record_audit
from orchestra.choices import TokenScope
from orchestra.models import ApiToken

LONGEST_LIFE = timedelta(days=366)
MOST_TOKENS = 50


def create_token(
    *,
    user: User,
    name: str,
    scopes: Sequence[str],
    project: Project | None,
    expires_at: datetime | None,
    at: datetime,
) -> tuple[ApiToken, str]:
    """Make a token and return it with its secret, which cannot be read again.

    `project` narrows it to one project, `expires_at` is at most a year ahead and needed. Raises
    InvalidInput by field, NotVisible for a project that the person may not see.
    """
    if project is not None:
        require(user, Action.PROJECT_VIEW, project)
    name = name.strip()
    faults = _faults(user=user, name=name, scopes=scopes, expires_at=expires_at, at=at)
    if faults:
        raise InvalidInput(next(iter(faults.values())), fields=faults)
    digest, secret = get_digest_token()
    with transaction.atomic():
        token = ApiToken(
            digest=digest,
            token_key=secret[: CONSTANTS.TOKEN_KEY_LENGTH],
            user=user,
            name=name,
            scopes=sorted(set(scopes)),
            project=project,
            expiry=expires_at,
        )
        token.save(force_insert=True)
        record_audit(
            action="token.create",
            subject=user,
            at=at,
            actor=user,
            project=project,
            changes={
                "token": token.token_key,
                "name": name,
                "scopes": token.scopes,
                "expires_at": expires_at.isoformat() if expires_at else None,
            },
        )
    return token, secret


def revoke_token(*, token: ApiToken, actor: User, at: datetime) -> None:
    """Make a token useless at once. Its owner may, or an administrator; else InvalidInput."""
    if token.user_id != actor.pk and not actor.is_superuser:
        message = "Only its owner or an administrator revokes a token."
        raise InvalidInput(message)
    with transaction.atomic():
        record_audit(
            action="token.revoke",
            subject=token.user,
            at=at,
            actor=actor,
            project=token.project,
            changes={"token": token.token_key, "name": token.name},
        )
        token.delete()


def _faults(
    *,
    user: User,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    at: datetime,
) -> dict[str, str]:
    faults: dict[str, str] = {}
    field = ApiToken._meta.get_field("name")
    try:
        field.clean(name, None)
    except ValidationError as error:
        faults["name"] = "Give it a name." if not name else " ".join(error.messages)
    if not scopes or not set(scopes) <= set(TokenScope.values):
        faults["scopes"] = f"Choose from {', '.join(TokenScope.values)}."
    if expires_at is None:
        faults["expires_at"] = "Choose a day on which it expires."
    elif expires_at <= at:
        faults["expires_at"] = "It must expire later than now."
    elif expires_at > at + LONGEST_LIFE:
        faults["expires_at"] = "A token lives at most a year. Choose an earlier day."
    if ApiToken.objects.filter(user=user).count() >= MOST_TOKENS:
        faults[""] = f"You have {MOST_TOKENS} tokens. Revoke one first."
    return faults
