"""The verbs of the inventory, by noun. Each owns its transaction and takes the time as argument."""

from inventory.services.allocations import (
    AlreadyReserved,
    NoCapacity,
    expire_reservations,
    reserve,
)
from inventory.services.imports import Fault, ImportRefused, ImportReport, import_pool
from inventory.services.pools import (
    InUse,
    create_pool,
    create_provider,
    named_class,
    named_trait,
    remove_inventory,
    save_pool,
    save_provider,
    set_inventory,
    set_provider_state,
)
from inventory.services.quotas import QuotaExceeded, set_quota
from inventory.services.resources import ResourceGone, activate, create_resource, mark, release

__all__ = [
    "AlreadyReserved",
    "Fault",
    "ImportRefused",
    "ImportReport",
    "InUse",
    "NoCapacity",
    "QuotaExceeded",
    "ResourceGone",
    "activate",
    "create_pool",
    "create_provider",
    "create_resource",
    "expire_reservations",
    "import_pool",
    "mark",
    "named_class",
    "named_trait",
    "release",
    "remove_inventory",
    "reserve",
    "save_pool",
    "save_provider",
    "set_inventory",
    "set_provider_state",
    "set_quota",
]
