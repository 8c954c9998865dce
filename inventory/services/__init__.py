"""The verbs of the inventory, by noun. Each owns its transaction and takes the time as argument."""

from inventory.foundation.rows import Fault
from inventory.services.allocations import (
    AlreadyReserved,
    NoCapacity,
    expire_reservations,
    reserve,
)
from inventory.services.changes import (
    NotDelivered,
    Swap,
    drop_rest,
    extend,
    growth_by_class,
    hold_growth,
    holdings_of,
    move_lease,
    shorten,
    swap,
)
from inventory.services.classes import named_class, named_trait, save_word, set_members
from inventory.services.defaults import set_capacity_defaults
from inventory.services.hostlists import ImportRefused
from inventory.services.imports import ImportReport, Pick, import_pool
from inventory.services.inventories import remove_inventory, set_inventory
from inventory.services.pools import create_pool, require_pool, save_pool
from inventory.services.providers import (
    InUse,
    create_provider,
    save_provider,
    set_provider_state,
    set_traits,
)
from inventory.services.quotas import QuotaExceeded, remove_quota, set_quota
from inventory.services.resources import (
    ResourceGone,
    activate,
    create_resource,
    deactivate,
    mark,
    release,
)

__all__ = [
    "AlreadyReserved",
    "Fault",
    "ImportRefused",
    "ImportReport",
    "InUse",
    "NoCapacity",
    "NotDelivered",
    "Pick",
    "QuotaExceeded",
    "ResourceGone",
    "Swap",
    "activate",
    "create_pool",
    "create_provider",
    "create_resource",
    "deactivate",
    "drop_rest",
    "expire_reservations",
    "extend",
    "growth_by_class",
    "hold_growth",
    "holdings_of",
    "import_pool",
    "mark",
    "move_lease",
    "named_class",
    "named_trait",
    "release",
    "remove_inventory",
    "remove_quota",
    "require_pool",
    "reserve",
    "save_pool",
    "save_provider",
    "save_word",
    "set_capacity_defaults",
    "set_inventory",
    "set_members",
    "set_provider_state",
    "set_quota",
    "set_traits",
    "shorten",
    "swap",
]
