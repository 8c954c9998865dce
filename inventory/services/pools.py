"""Open and change pools."""

from datetime import datetime

from django.db import transaction
from django.utils.text import slugify

from inventory.foundation.errors import NotVisible
from inventory.foundation.models import Organisation, User
from inventory.foundation.permissions import Action, organisations_where, refusal
from inventory.foundation.trail import record_audit
from inventory.models import Pool
from inventory.selectors import pools_where, visible_pools
from inventory.services.checks import changes_of, save_checked


@transaction.atomic
def create_pool(
    *,
    organisation: Organisation,
    name: str,
    at: datetime,
    slug: str = "",
    description: str = "",
    region: str = "",
    zone: str = "",
    spare_hosts: int = 0,
    actor: User | None = None,
) -> Pool:
    """Open a pool that the organisation operates.

    `slug` defaults to one made of the name. InvalidInput for a bad or taken name; Forbidden for
    who does not run pools there. `actor` is None for the system itself, here and below.
    """
    if actor is not None and organisation.pk not in organisations_where(actor, Action.POOL_EDIT):
        raise refusal(Action.POOL_EDIT)
    pool = Pool(
        organisation=organisation,
        name=name,
        slug=slug or slugify(name)[:60].strip("-"),
        description=description,
        region=region,
        zone=zone,
        spare_hosts=spare_hosts,
    )
    return save_pool(pool=pool, at=at, actor=actor)


@transaction.atomic
def save_pool(*, pool: Pool, at: datetime, actor: User | None = None) -> Pool:
    """Write a new or changed pool with its audit entry. InvalidInput for a bad value."""
    if pool.pk and actor is not None:
        require_pool(actor=actor, pool=pool)
    changes = changes_of(pool)
    if changes:
        is_new = pool.pk is None
        save_checked(pool)
        record_audit(
            action="pool.create" if is_new else "pool.change",
            subject=pool,
            at=at,
            actor=actor,
            organisation=pool.organisation,
            changes=changes,
        )
    return pool


def require_pool(*, actor: User, pool: Pool) -> None:
    """Raise NotVisible for a stranger to the pool, Forbidden for who may not change it."""
    if pools_where(actor, Action.POOL_EDIT).filter(pk=pool.pk).exists():
        return
    if not visible_pools(actor).filter(pk=pool.pk).exists():
        raise NotVisible("There is no such pool, or it is not offered to you.")
    raise refusal(Action.POOL_EDIT)
