"""What is held, and the limits of it, as far as a person may see either."""

from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Now

from inventory.foundation.models import User
from inventory.foundation.permissions import Action, organisations_where, projects_where
from inventory.foundation.selectors import ancestry
from inventory.models import Allocation, Quota
from inventory.selectors.usage import organisations_below
from inventory.selectors.visibility import pools_where, visible_resources


def visible_allocations(user: User) -> QuerySet[Allocation]:
    """Return what the resources that the person sees hold and held.

    `host` names where it is held, and is None where the person may not look into the pool.
    """
    pools = pools_where(user, Action.POOL_VIEW).values("pk")
    return (
        Allocation.objects.filter(resource__in=visible_resources(user))
        .annotate(host=Case(When(provider__pool__in=pools, then=F("provider__name")), default=None))
        .select_related("resource__project", "resource__pool", "resource_class")
    )


def visible_quotas(user: User) -> QuerySet[Quota]:
    """Return the quotas of the projects that the person sees and of the organisations above them.

    `holder` names whose it is, `used` is what is held of it now (database time), `left` the rest.
    """
    projects = projects_where(user, Action.PROJECT_VIEW)
    above = ancestry(
        *projects.values_list("organisation_id", flat=True).distinct(),
        *organisations_where(user, Action.PROJECT_VIEW),
    )
    seen = Quota.objects.filter(Q(project__in=projects) | Q(organisation_id__in=above))
    holders = seen.exclude(organisation=None).values_list("organisation_id", flat=True).distinct()
    held = Allocation.objects.filter(
        Q(held_to=None) | Q(held_to__gt=Now()),
        resource_class=OuterRef("resource_class"),
        held_from__lte=Now(),
    )
    used = [When(organisation=None, then=_sum(held.filter(resource__project=OuterRef("project"))))]
    for holder, below in organisations_below(holders).items():
        inside = held.filter(resource__project__organisation__in=below)
        used.append(When(organisation=holder, then=_sum(inside)))
    return (
        seen.annotate(
            holder=Coalesce("project__name", "organisation__name"), used=Case(*used, default=0)
        )
        .annotate(left=F("limit") - F("used"))
        .select_related("project", "organisation", "resource_class")
    )


def _sum(held: QuerySet[Allocation]) -> Coalesce:
    total = held.order_by().values("resource_class").annotate(sum=Sum("amount")).values("sum")
    return Coalesce(Subquery(total), Value(0))
