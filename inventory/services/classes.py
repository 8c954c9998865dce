"""The words of the inventory: kinds of capacity, properties, groups of hosts."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from inventory.foundation.models import User
from inventory.foundation.permissions import Action, require_anywhere
from inventory.foundation.trail import record_audit
from inventory.models import Aggregate, ResourceClass, ResourceProvider, Trait
from inventory.services.checks import changes_of, save_checked


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


@transaction.atomic
def save_word(
    *, word: ResourceClass | Trait | Aggregate, at: datetime, actor: User | None = None
) -> None:
    """Write a new or changed kind of capacity, property or group, with its audit entry."""
    if actor is not None:
        require_anywhere(actor, Action.POOL_EDIT)
    changes = changes_of(word)
    if changes:
        save_checked(word)
        record_audit(
            action=f"{word._meta.model_name}.save",
            subject=word,
            at=at,
            actor=actor,
            changes=changes,
        )


@transaction.atomic
def set_members(
    *,
    aggregate: Aggregate,
    providers: Collection[ResourceProvider],
    at: datetime,
    actor: User | None = None,
) -> None:
    """Put exactly these providers into the group."""
    if actor is not None:
        require_anywhere(actor, Action.POOL_EDIT)
    before = sorted(provider.name for provider in aggregate.providers.all())
    after = sorted(provider.name for provider in providers)
    if before == after:
        return
    aggregate.providers.set(providers)
    record_audit(
        action="aggregate.set_members",
        subject=aggregate,
        at=at,
        actor=actor,
        changes={"providers": [before, after]},
    )
