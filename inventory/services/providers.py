"""Hosts, shared storage and devices: add them, change them, close them to new work."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from inventory.choices import AggregateKind, ProviderState
from inventory.foundation.errors import Conflict, InvalidInput
from inventory.foundation.models import User
from inventory.foundation.trail import record_audit
from inventory.models import Aggregate, Allocation, Pool, ResourceProvider, Trait
from inventory.selectors import lock_pool, lock_providers
from inventory.services.checks import changes_of, save_checked
from inventory.services.classes import named_trait
from inventory.services.pools import require_pool


class InUse(Conflict):
    """It cannot be taken away: something holds it, or held it and the history is kept."""

    code = "in_use"


@transaction.atomic
def create_provider(
    *,
    pool: Pool,
    name: str,
    at: datetime,
    parent: ResourceProvider | None = None,
    is_sharing: bool = False,
    traits: Collection[str] = (),
    rack: str = "",
    attributes: Mapping[str, Any] | None = None,
    actor: User | None = None,
) -> ResourceProvider:
    """Add a host, shared storage or (below a parent of the same pool) a device to the pool.

    Traits and the rack are made when they are new. InvalidInput for a bad or taken name.
    """
    provider = ResourceProvider(
        pool=pool,
        name=name,
        parent=parent,
        is_sharing=is_sharing,
        attributes=dict(attributes or {}),
    )
    save_provider(provider=provider, at=at, actor=actor)
    if traits:
        provider.traits.add(*(named_trait(name=trait) for trait in sorted(traits)))
    if rack:
        group, _ = Aggregate.objects.get_or_create(kind=AggregateKind.RACK, name=rack)
        group.providers.add(provider)
    return provider


@transaction.atomic
def save_provider(
    *, provider: ResourceProvider, at: datetime, actor: User | None = None
) -> ResourceProvider:
    """Write a new or changed provider with its audit entry; its root follows from its parent."""
    if actor is not None:
        require_pool(actor=actor, pool=provider.pool)
    parent = provider.parent
    if parent is not None and parent.pool_id != provider.pool_id:
        message = "The parent belongs to another pool. Choose one of this pool."
        raise InvalidInput(message, fields={"parent": message})
    provider.root = (parent.root or parent) if parent else None
    changes = changes_of(provider)
    if provider.pk and changes.keys() & {"pool", "parent"}:
        message = "A host stays where it is. Retire it and add a new one at the other place."
        raise InvalidInput(message, fields={"parent": message})
    if changes:
        is_new = provider.pk is None
        save_checked(provider)
        record_audit(
            action="provider.create" if is_new else "provider.change",
            subject=provider,
            at=at,
            actor=actor,
            organisation=provider.pool.organisation,
            changes=changes,
        )
    return provider


@transaction.atomic
def set_provider_state(
    *,
    provider: ResourceProvider,
    state: ProviderState,
    at: datetime,
    actor: User | None = None,
    reason: str = "",
) -> ResourceProvider:
    """Open a host, close it to new work, empty or retire it. InUse where it still holds something.

    Only retiring needs the host to be empty, devices in it included.
    """
    if actor is not None:
        require_pool(actor=actor, pool=provider.pool)
    lock_pool(provider.pool_id)
    tree = ResourceProvider.objects.filter(Q(pk=provider.pk) | Q(root=provider))
    (locked,) = lock_providers({provider.pk})
    if (
        state == ProviderState.RETIRED
        and Allocation.objects.filter(
            Q(held_to=None) | Q(held_to__gt=at), provider__in=tree
        ).exists()
    ):
        message = f"{provider.name} still holds something. Empty it first, then retire it."
        raise InUse(message)
    before = locked.state
    provider.state = locked.state = state
    if before != state:
        locked.generation += 1
        locked.save(update_fields=["state", "generation"])
        provider.generation = locked.generation
        record_audit(
            action="provider.set_state",
            subject=provider,
            at=at,
            actor=actor,
            organisation=provider.pool.organisation,
            changes={"state": [before, state]},
            reason=reason,
        )
    return provider


@transaction.atomic
def set_traits(
    *,
    provider: ResourceProvider,
    traits: Collection[Trait],
    at: datetime,
    actor: User | None = None,
) -> None:
    """Give the provider exactly these properties."""
    if actor is not None:
        require_pool(actor=actor, pool=provider.pool)
    lock_providers({provider.pk})
    before = sorted(trait.name for trait in provider.traits.all())
    after = sorted(trait.name for trait in traits)
    if before == after:
        return
    provider.traits.set(traits)
    ResourceProvider.objects.filter(pk=provider.pk).update(generation=F("generation") + 1)
    record_audit(
        action="provider.set_traits",
        subject=provider,
        at=at,
        actor=actor,
        organisation=provider.pool.organisation,
        changes={"traits": [before, after]},
    )
