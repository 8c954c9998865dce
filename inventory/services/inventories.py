"""How much of a class a provider has: set it, shrink it, take it away."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from inventory.foundation.errors import NotVisible, StaleEdit
from inventory.foundation.models import User
from inventory.foundation.trail import record_audit
from inventory.models import (
    LARGEST,
    Allocation,
    CapacitySpan,
    Inventory,
    ResourceClass,
    ResourceProvider,
)
from inventory.selectors import capacity_ratios, lock_pool, lock_providers
from inventory.services.checks import changes_of, save_checked
from inventory.services.pools import require_pool
from inventory.services.providers import InUse
from inventory.services.spans import open_spans, resize_spans


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
    allocation_ratio: Decimal | None = None,
    generation: int | None = None,
    actor: User | None = None,
) -> Inventory:
    """Set how much of a class a provider has from `at` on: the one verb that may shrink it.

    It may shrink below what is used; then only what does not make it worse is accepted until the
    use has come down. Without a ratio what is there keeps its own, and what is new gets the
    default of who operates the pool. `generation` is the provider's when the caller looked:
    StaleEdit where it has changed since; None asks for no such check. InvalidInput for a figure
    out of its range.
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
    if allocation_ratio is not None:
        inventory.allocation_ratio = allocation_ratio
    elif is_new:
        ratios = capacity_ratios(organisation_id=provider.pool.organisation_id, at=at)
        inventory.allocation_ratio = ratios.of(resource_class.name)
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
