"""Roles in one pool: who besides the organisation's operators looks after it, or reads it."""

from datetime import datetime

from django.contrib.auth.models import Group
from django.db import transaction

from inventory.foundation.choices import Role, Scope
from inventory.foundation.errors import InvalidInput, NotVisible
from inventory.foundation.models import RoleGrant, User
from inventory.foundation.permissions import Action, organisations_where, refusal
from inventory.foundation.services.roles import erase_grant, write_grant
from inventory.models import Pool
from inventory.selectors import visible_pools

POOL_ROLES = (Role.OPERATOR, Role.FINANCE, Role.AUDITOR)  # the others mean nothing for a pool


@transaction.atomic
def grant_pool_role(
    *,
    pool: Pool,
    role: str,
    actor: User,
    at: datetime,
    user: User | None = None,
    group: Group | None = None,
    expires_at: datetime | None = None,
    reason: str = "",
) -> RoleGrant:
    """Give a person or a group a role in one pool, perhaps until a time.

    Who owns the organisation that operates the pool may, never to themselves. Raises InvalidInput
    by field, NotVisible, Forbidden.
    """
    _require(pool, actor)
    if role not in POOL_ROLES:
        message = f"In a pool one of these holds: {', '.join(POOL_ROLES)}."
        raise InvalidInput(message, fields={"role": message})
    return write_grant(
        where={"scope": Scope.POOL, "pool_id": pool.pk},
        holder=pool.organisation,
        user=user,
        group=group,
        role=role,
        expires_at=expires_at,
        reason=reason,
        actor=actor,
        at=at,
    )


@transaction.atomic
def revoke_pool_role(
    *, pool: Pool, grant: RoleGrant, actor: User, at: datetime, reason: str
) -> None:
    """Take a role in a pool away. Raises NotVisible when it is gone, Forbidden."""
    _require(pool, actor)
    found = (
        RoleGrant.objects.select_for_update(of=("self",))
        .select_related("user", "group")
        .filter(pk=grant.pk, pool_id=pool.pk)
        .first()
    )
    if found is None:
        message = "There is no such role any more."
        raise NotVisible(message)
    erase_grant(grant=found, holder=pool.organisation, actor=actor, at=at, reason=reason)


def _require(pool: Pool, actor: User) -> None:
    if pool.organisation_id in organisations_where(actor, Action.PROJECT_EDIT):
        return
    if not visible_pools(actor).filter(pk=pool.pk).exists():
        message = "There is no such pool, or it is not offered to you."
        raise NotVisible(message)
    raise refusal(Action.PROJECT_EDIT)
