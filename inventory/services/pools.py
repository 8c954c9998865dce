"""Set up and change pools, their providers and how much each of them has."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models, transaction
from django.utils.text import slugify

from inventory.choices import AggregateKind, ProviderState
from inventory.foundation.errors import Conflict, InvalidInput, NotVisible, StaleEdit
from inventory.foundation.models import Organisation, User
from inventory.foundation.permissions import Action, organisations_where, refusal
from inventory.foundation.trail import record_audit
from inventory.models import (
    LARGEST,
    Aggregate,
    Allocation,
    CapacitySpan,
    Inventory,
    Pool,
    ResourceClass,
    ResourceProvider,
    Trait,
)
from inventory.selectors import lock_pool, lock_providers, pools_where, visible_pools
from inventory.services.checks import save_checked
from inventory.services.spans import open_spans, resize_spans


class InUse(Conflict):
    """It cannot be taken away: something holds it, or held it and the history is kept."""

    code = "in_use"


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
    tree = ResourceProvider.objects.filter(models.Q(pk=provider.pk) | models.Q(root=provider))
    (locked,) = lock_providers({provider.pk})
    if (
        state == ProviderState.RETIRED
        and Allocation.objects.filter(
            models.Q(held_to=None) | models.Q(held_to__gt=at), provider__in=tree
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
def set_inventory(
    *,
    provider: ResourceProvider,
    resource_class: ResourceClass,
    total: int,
    at: datetime,
    reserved: int = 0,
    min_unit: int = 1,
    max_unit: int = LARGEST,
    step_size: int = 1,
    allocation_ratio: Decimal = Decimal(1),
    generation: int | None = None,
    actor: User | None = None,
) -> Inventory:
    """Set how much of a class a provider has from `at` on: the one verb that may shrink it.

    It may shrink below what is used; then only what does not make it worse is accepted until the
    use has come down. `generation` is the provider's when the caller looked: StaleEdit where it
    has changed since; None asks for no such check. InvalidInput for a figure out of its range.
    """
    if actor is not None:
        require_pool(actor=actor, pool=provider.pool)
    lock_pool(provider.pool_id)
    (locked,) = lock_providers({provider.pk})
    if generation is not None and generation != locked.generation:
        message = f"{provider.name} was changed meanwhile. Load it again and repeat your change."
        raise StaleEdit(message, details={"expected": generation, "found": locked.generation})
    inventory = Inventory.objects.filter(
        provider=provider, resource_class=resource_class
    ).first() or Inventory(provider=provider, resource_class=resource_class)
    is_new = inventory.pk is None
    before = None if is_new else inventory.capacity
    inventory.total = total
    inventory.reserved = reserved
    inventory.min_unit = min_unit
    inventory.max_unit = max_unit
    inventory.step_size = step_size
    inventory.allocation_ratio = allocation_ratio
    changes = changes_of(inventory)
    if not changes:
        return inventory
    save_checked(inventory)
    inventory.refresh_from_db(fields=["capacity"])
    if is_new:
        open_spans({inventory.pk: inventory.capacity})
    elif inventory.capacity != before:
        resize_spans({inventory.pk: inventory.capacity}, start=at)
    locked.generation += 1
    locked.save(update_fields=["generation"])
    provider.generation = locked.generation
    record_audit(
        action="inventory.set",
        subject=inventory,
        at=at,
        actor=actor,
        organisation=provider.pool.organisation,
        changes=changes,
    )
    return inventory


@transaction.atomic
def remove_inventory(*, inventory: Inventory, at: datetime, actor: User | None = None) -> None:
    """Take a class away from a provider. InUse when anything ever held of it: set it smaller then.

    NotVisible when it is not there (any more).
    """
    provider = inventory.provider
    if actor is not None:
        require_pool(actor=actor, pool=provider.pool)
    lock_pool(provider.pool_id)
    (locked,) = lock_providers({provider.pk})
    if not Inventory.objects.filter(pk=inventory.pk).exists():
        raise NotVisible("The host does not have this kind of capacity (any more).")
    if Allocation.objects.filter(inventory=inventory).exists():
        message = f"{inventory} is or was held, and its history is kept. Make it smaller instead."
        raise InUse(message)
    record_audit(
        action="inventory.remove",
        subject=inventory,
        at=at,
        actor=actor,
        organisation=provider.pool.organisation,
        changes={"total": [inventory.total, None]},
    )
    CapacitySpan.objects.filter(inventory=inventory).delete()
    Inventory.objects.filter(pk=inventory.pk).delete()
    locked.generation += 1
    locked.save(update_fields=["generation"])


def require_pool(*, actor: User, pool: Pool) -> None:
    """Raise NotVisible for a stranger to the pool, Forbidden for who may not change it."""
    if pools_where(actor, Action.POOL_EDIT).filter(pk=pool.pk).exists():
        return
    if not visible_pools(actor).filter(pk=pool.pk).exists():
        raise NotVisible("There is no such pool, or it is not offered to you.")
    raise refusal(Action.POOL_EDIT)


def changes_of(instance: models.Model) -> dict[str, list[Any]]:
    """Return what differs from the stored row, as field: [before, after], both readable.

    Every filled field of a new row counts; computed fields do not.
    """
    stored = type(instance)._base_manager.filter(pk=instance.pk).first() if instance.pk else None
    changes = {}
    for field in instance._meta.concrete_fields:
        if field.generated or field.primary_key or not field.editable:
            continue
        before = getattr(stored, field.attname) if stored is not None else None
        after = getattr(instance, field.attname)
        if before != after and not (stored is None and after in (None, "", {})):
            changes[field.name] = [_plain(before), _plain(after)]
    return changes


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | str | dict) else str(value)


def named_trait(*, name: str) -> Trait:
    """Return the trait of that name, made if it is new. InvalidInput for a bad name."""
    trait = Trait.objects.filter(name=name).first()
    if trait is None:
        trait = Trait(name=name)
        save_checked(trait)
    return trait


# The classes that imports and first set-ups use, with the words that people read.
KNOWN_CLASSES = {
    "VCPU": ("vCPU", "vCPU"),
    "CPU_MILLI": ("CPU", "milli"),
    "MEMORY_MB": ("Memory", "MiB"),
    "DISK_GB": ("Disk", "GB"),
    "GPU_MILLI": ("GPU", "milli"),
    "IPV4_ADDRESS": ("IPv4 address", "address"),
    "LICENSE_SEAT": ("Licence seat", "seat"),
    "RACK_U": ("Rack unit", "U"),
    "WATT": ("Power", "W"),
}


def named_class(*, name: str) -> ResourceClass:
    """Return the kind of capacity of that name, made if it is new. InvalidInput for a bad name."""
    resource_class = ResourceClass.objects.filter(name=name).first()
    if resource_class is None:
        label, unit = KNOWN_CLASSES.get(name, (name.replace("_", " ").capitalize(), "units"))
        resource_class = ResourceClass(name=name, label=label, unit=unit)
        save_checked(resource_class)
    return resource_class
