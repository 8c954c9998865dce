"""What the routes of hosts, quotas and the like are asked with in the permission matrix."""

from typing import Any

from inventory.foundation.models import Membership, Project
from inventory.models import Aggregate, Allocation, Pool, Quota, ResourceClass, Trait


def make_pool_doors(*, project: Project, pool: Pool) -> None:
    """Give a host of the pool a rack and a property, and the project a quota."""
    host = pool.providers.order_by("pk")[0]
    rack = Aggregate.objects.create(kind="rack", name="r1")
    rack.providers.add(host)
    host.traits.add(Trait.objects.create(name="SSD"))
    vcpus = ResourceClass.objects.get(name="VCPU")
    Quota.objects.create(project=project, resource_class=vcpus, limit=64)


def pool_addresses(*, project: Project, pool: Pool) -> dict[str, dict[str, Any]]:
    """Return the numbers in the addresses, by route."""
    host = {"pk": pool.providers.order_by("pk")[0].pk}
    rack = {"pk": Aggregate.objects.get(name="r1").pk}
    held = Allocation.objects.filter(resource__project=project, resource__pool=pool)
    return {
        "inventory:host": host,
        "inventory:host-group": rack,
        "api:host-detail": host,
        "api:host-group-detail": rack,
        "api:trait-detail": {"pk": Trait.objects.get(name="SSD").pk},
        "api:pool-detail": {"pk": pool.pk},
        "api:held-detail": {"pk": held[0].pk},
        "api:quota-detail": {"pk": Quota.objects.get(project=project).pk},
        "api:membership-detail": {"pk": Membership.objects.get(user__username="mia").pk},
        "api:resource-class-detail": {"pk": ResourceClass.objects.get(name="VCPU").pk},
    }
