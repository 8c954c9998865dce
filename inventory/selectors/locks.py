"""The locks of the inventory, at their one address.

They have one order: resources, then quotas, then the pool, then providers; rows of one kind in
primary-key order. Whoever takes capacity away (a claim, a shrink) holds the pool; whoever changes
the spans of an inventory, even to give back, holds its provider. So a plan made under the pool's
lock stays true until it is claimed, and two writers never wait for each other in a circle.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import Q

from inventory.choices import AllocationState
from inventory.foundation.models import Project
from inventory.models import (
    Allocation,
    CapacitySpan,
    Pool,
    Quota,
    Resource,
    ResourceProvider,
)
from inventory.selectors.usage import quotas_of


def lock_resource(resource: Resource) -> None:
    """Lock the resource's row and refresh the given instance from it, with what a change of it
    tells: its project, and the host it is on."""
    fresh = Resource.objects.select_related("project__organisation", "provider")
    resource.refresh_from_db(from_queryset=fresh.select_for_update(no_key=True, of=("self",)))


def lock_resources(ids: Collection[int]) -> dict[int, Resource]:
    """Lock the resources in primary-key order and return them by id."""
    locked = Resource.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    return {resource.pk: resource for resource in locked}


def lock_quotas(project: Project) -> list[Quota]:
    """Lock every quota that binds the project: its own, and those of its organisations upwards."""
    return list(
        quotas_of(project)
        .order_by("pk")
        .select_for_update(no_key=True, of=("self",))
        .select_related("resource_class")
    )


def lock_pool(pool_id: int) -> Pool:
    """Lock the pool against everything else that takes capacity away from it."""
    return Pool.objects.select_for_update(no_key=True).get(pk=pool_id)


def lock_providers(ids: Collection[int]) -> list[ResourceProvider]:
    """Lock the providers in primary-key order: the key to their inventories' spans."""
    return list(
        ResourceProvider.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    )


def lock_spans(
    inventory_ids: Collection[int], *, start: datetime, end: datetime | None
) -> list[CapacitySpan]:
    """Lock the spans that touch or adjoin [start, end), in primary-key order.

    The neighbours are there because a change may make them mergeable.
    """
    asked = (start, end)
    return list(
        CapacitySpan.objects.filter(
            Q(during__overlap=asked) | Q(during__adjacent_to=asked), inventory_id__in=inventory_ids
        )
        .order_by("pk")
        .select_for_update()
    )


def lock_allocations(resource: Resource) -> list[Allocation]:
    """Lock what the resource holds and has not given back, in primary-key order."""
    return list(
        Allocation.objects.filter(resource=resource)
        .exclude(state=AllocationState.RELEASED)
        .order_by("pk")
        .select_for_update(no_key=True)
    )


def lock_held_by(resources: Sequence[Resource]) -> list[Allocation]:
    """Lock what the resources hold and have not given back, in primary-key order, with classes."""
    return list(
        Allocation.objects.filter(resource__in=[resource.pk for resource in resources])
        .exclude(state=AllocationState.RELEASED)
        .select_related("resource_class")
        .order_by("pk")
        .select_for_update(no_key=True, of=("self",))
    )
