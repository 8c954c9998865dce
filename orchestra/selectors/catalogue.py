"""Reads about what may be ordered."""

from datetime import datetime

from django.db.models import Prefetch, QuerySet

from inventory.foundation.errors import NotVisible
from inventory.foundation.models import User
from inventory.models import CapacitySpan, Pool
from inventory.selectors import visible_pools
from orchestra.choices import OfferingStatus
from orchestra.models import Deployment, Offering, OfferingVersion


def orderable_pools(user: User) -> QuerySet[Pool]:
    """Return the pools that this person sees, that take orders and that a connection directs."""
    return visible_pools(user).filter(is_open=True, connection_link__isnull=False)


def catalogue(user: User) -> QuerySet[OfferingVersion]:
    """Return the published services that at least one pool for this person can deliver.

    `orderable` holds those pools, by name.
    """
    pools = orderable_pools(user)
    return (
        OfferingVersion.objects.filter(status=OfferingStatus.PUBLISHED, pools__in=pools)
        .select_related("offering")
        .prefetch_related(Prefetch("pools", queryset=pools.order_by("name"), to_attr="orderable"))
        .distinct()
        .order_by("offering__category", "offering__name")
    )


def offered(*, user: User, slug: str) -> OfferingVersion:
    """Return the published version of a service; NotVisible where there is none to order."""
    version = catalogue(user).filter(offering__slug=slug).first()
    if version is None:
        message = "There is no such service in your catalogue. It may have been withdrawn."
        raise NotVisible(message)
    return version


def published_version(offering: Offering) -> OfferingVersion | None:
    """Return the version that may be ordered now."""
    return (
        OfferingVersion.objects.filter(offering=offering, status=OfferingStatus.PUBLISHED)
        .select_related("offering")
        .first()
    )


def pools_of(version: OfferingVersion) -> QuerySet[Pool]:
    """Return the pools that can deliver this version now, by name."""
    return version.pools.filter(is_open=True, connection_link__isnull=False).order_by("name", "pk")


def instants_of_change(*, pool: Pool, after: datetime) -> list[datetime]:
    """Return the later instants at which what is used or sold in the pool changes, in order."""
    return list(
        CapacitySpan.objects.filter(inventory__provider__pool=pool, during__startswith__gt=after)
        .values_list("during__startswith", flat=True)
        .distinct()
        .order_by("during__startswith")
    )


def sizes_for(deployment: Deployment) -> QuerySet[OfferingVersion]:
    """Return the published services that the application could become where it is, by name: those
    of its category that its pool delivers, its own among them."""
    return (
        OfferingVersion.objects.filter(
            status=OfferingStatus.PUBLISHED,
            offering__category=deployment.offering_version.offering.category,
            pools=deployment.pool_id,
            pools__connection_link__isnull=False,
        )
        .select_related("offering")
        .distinct()
        .order_by("offering__name", "pk")
    )


def smaller_sizes(*, version: OfferingVersion, pool: Pool) -> list[OfferingVersion]:
    """Return the published services of its category that the pool delivers and that are the same
    but hold less of every kind, the largest first."""
    others = OfferingVersion.objects.filter(
        status=OfferingStatus.PUBLISHED,
        offering__category=version.offering.category,
        required_traits=version.required_traits,
        pools=pool,
    ).select_related("offering")
    smaller = [
        other
        for other in others
        if other.resources.keys() == version.resources.keys()
        and all(other.resources[name] < amount for name, amount in version.resources.items())
        and other.parameters.get("properties", {}).keys()
        == version.parameters.get("properties", {}).keys()
    ]
    return sorted(smaller, key=lambda other: sorted(other.resources.items()), reverse=True)
