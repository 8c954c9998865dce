"""Which pools and resources a person may see."""

from django.db.models import Q, QuerySet

from inventory.foundation.models import Membership, User
from inventory.foundation.permissions import (
    Action,
    organisations_where,
    pools_granted,
    projects_where,
)
from inventory.foundation.selectors import ancestry
from inventory.models import Pool, Resource


def visible_pools(user: User) -> QuerySet[Pool]:
    """Return the pools that a person may order from or look at.

    A pool is offered to everybody below the organisation that operates it: who belongs to an
    organisation, or holds a role in it or in one of its projects, sees its pools and those of the
    organisations above. On top come the pools that the person's own role lets them look into.
    """
    if not user.is_active:
        return Pool.objects.none()
    if user.is_superuser:
        return Pool.objects.all()
    theirs = {
        *Membership.objects.filter(user=user).values_list("organisation_id", flat=True),
        *projects_where(user, Action.PROJECT_VIEW).values_list("organisation_id", flat=True),
    }
    return Pool.objects.filter(organisation_id__in=ancestry(*theirs)) | pools_where(
        user, Action.POOL_VIEW
    )


def pools_where(user: User, action: Action) -> QuerySet[Pool]:
    """Return the pools in which the person holds the action, by organisation or by a grant."""
    if not user.is_active:
        return Pool.objects.none()
    if user.is_superuser:
        return Pool.objects.all()
    return Pool.objects.filter(
        Q(organisation_id__in=organisations_where(user, action))
        | Q(id__in=pools_granted(user, action))
    )


def visible_resources(user: User) -> QuerySet[Resource]:
    """Return the resources of the projects that the person may see, or in pools they look after."""
    return Resource.objects.filter(
        Q(project__in=projects_where(user, Action.PROJECT_VIEW))
        | Q(pool__in=pools_where(user, Action.POOL_VIEW))
    )


def may_look_into(user: User, pool: Pool) -> bool:
    """Say whether the person sees the pool's hosts, not only its totals."""
    return pools_where(user, Action.POOL_VIEW).filter(pk=pool.pk).exists()
