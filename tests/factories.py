"""The world of the tests: pools with hosts, made by the real services."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from inventory.foundation.models import Organisation, Project
from inventory.models import Pool, Resource, ResourceProvider
from inventory.placement import Need
from inventory.services import (
    create_pool,
    create_provider,
    create_resource,
    named_class,
    reserve,
    set_inventory,
)
from tests.cast import NOW

# --- pools -------------------------------------------------------------------------------------

HOST = {"VCPU": 16, "MEMORY_MB": 65536, "DISK_GB": 1000}


def make_pool(
    organisation: Organisation,
    *,
    name: str = "Frankfurt",
    hosts: int = 2,
    amounts: Mapping[str, int] = HOST,
    spare_hosts: int = 0,
) -> Pool:
    """Make a pool with hosts `host-1`, `host-2`, … that have the amounts each."""
    pool = create_pool(organisation=organisation, name=name, spare_hosts=spare_hosts, at=NOW)
    for number in range(1, hosts + 1):
        make_host(pool, f"host-{number}", amounts)
    return pool


def make_host(
    pool: Pool,
    name: str,
    amounts: Mapping[str, int] = HOST,
    *,
    traits: tuple[str, ...] = (),
    parent: ResourceProvider | None = None,
    is_sharing: bool = False,
) -> ResourceProvider:
    """Add a host, a shared store or (below a parent) a device with the amounts, each once."""
    host = create_provider(
        pool=pool, name=name, parent=parent, is_sharing=is_sharing, traits=traits, at=NOW
    )
    for class_name, total in amounts.items():
        set_inventory(
            provider=host,
            resource_class=named_class(name=class_name),
            total=total,
            allocation_ratio=Decimal(1),
            at=NOW,
        )
    return host


def make_resource(project: Project, pool: Pool, name: str = "web-1", **fields: str) -> Resource:
    """Make a planned resource that holds nothing yet."""
    return create_resource(
        project=project, pool=pool, kind="compute.vm", name=name, at=NOW, **fields
    )


def hold(
    project: Project,
    pool: Pool,
    amounts: Mapping[str, int],
    *,
    name: str = "web-1",
    start: datetime = NOW,
    end: datetime | None = None,
) -> Resource:
    """Make a resource that holds the amounts from the pool."""
    resource = make_resource(project, pool, name)
    reserve(pool=pool, wants=[(resource, Need(amounts))], start=start, end=end, at=NOW)
    return resource
