"""Reads of the inventory, by noun; the `lock_*` reads are in `locks`."""

from inventory.selectors.defaults import CapacityRatios, capacity_ratios
from inventory.selectors.locks import (
    lock_allocations,
    lock_open_state,
    lock_pool,
    lock_providers,
    lock_quotas,
    lock_resource,
    lock_resources,
    lock_spans,
)
from inventory.selectors.metering import (
    MeteredInterval,
    MeteredResource,
    MeteredState,
    metered_allocations,
    metered_resources,
    metered_states,
)
from inventory.selectors.pools import (
    ClassUse,
    HostRow,
    PoolCapacity,
    host_rows,
    hosts_of,
    pool_capacities,
    pool_capacity,
)
from inventory.selectors.snapshots import Node, Stock, class_words, pool_snapshot
from inventory.selectors.usage import QuotaUse, idle_reservations, quota_peak, quota_use, quotas_of
from inventory.selectors.visibility import (
    pools_where,
    visible_pools,
    visible_resources,
)

__all__ = [
    "CapacityRatios",
    "ClassUse",
    "HostRow",
    "MeteredInterval",
    "MeteredResource",
    "MeteredState",
    "Node",
    "PoolCapacity",
    "QuotaUse",
    "Stock",
    "capacity_ratios",
    "class_words",
    "host_rows",
    "hosts_of",
    "idle_reservations",
    "lock_allocations",
    "lock_open_state",
    "lock_pool",
    "lock_providers",
    "lock_quotas",
    "lock_resource",
    "lock_resources",
    "lock_spans",
    "metered_allocations",
    "metered_resources",
    "metered_states",
    "pool_capacities",
    "pool_capacity",
    "pool_snapshot",
    "pools_where",
    "quota_peak",
    "quota_use",
    "quotas_of",
    "visible_pools",
    "visible_resources",
]
