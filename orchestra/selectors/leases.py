"""Reads about ends and confirmations: what is due when, for whom, and what was said already."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from inventory.foundation.choices import Role
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, may
from inventory.foundation.selectors import people_with
from orchestra.choices import DeploymentState, DueKind
from orchestra.models import Deployment, LeaseWarning

SLACK = timedelta(days=1)  # a day may have 25 hours


def with_due(rows: QuerySet[Deployment]) -> QuerySet[Any]:
    """Add `due_at`: the agreed end or, where none is agreed, when it is to be confirmed."""
    return rows.annotate(due_at=Coalesce("lease_end_at", "confirm_by"))


def due_kind(deployment: Deployment) -> DueKind:
    """Return what its date is."""
    return DueKind.END if deployment.lease_end_at is not None else DueKind.CONFIRM


def due_within(*, at: datetime, days: int) -> list[Deployment]:
    """Return the running applications whose date lies within so many days, or is past."""
    rows = Deployment.objects.filter(state=DeploymentState.LIVE)
    return list(
        with_due(rows)
        .filter(due_at__lte=at + timedelta(days=days) + SLACK)
        .select_related("project__owner", "project__deputy", "owner")
        .order_by("due_at", "pk")
    )


def without_a_date() -> QuerySet[Deployment]:
    """Return the running applications that have neither an end nor a date to be confirmed by."""
    return (
        Deployment.objects.filter(state=DeploymentState.LIVE, lease_end_at=None, confirm_by=None)
        .select_related("project")
        .order_by("pk")
    )


def ending_soon(rows: QuerySet[Deployment], *, at: datetime, days: int) -> QuerySet[Deployment]:
    """Keep the running applications whose date is within so many days or past; adds `due_at`."""
    return with_due(rows.filter(state=DeploymentState.LIVE)).filter(
        due_at__lte=at + timedelta(days=days)
    )


def overdue(rows: QuerySet[Deployment], *, at: datetime) -> QuerySet[Deployment]:
    """Keep the running applications that nobody confirmed in time; they go on running."""
    return rows.filter(
        state=DeploymentState.LIVE, lease_end_at=None, confirm_by__isnull=False, confirm_by__lte=at
    )


def warned_of(deployments: Iterable[Deployment]) -> set[tuple[int, datetime, int]]:
    """Return (application, date, days before) of the warnings given about their dates."""
    ids = [deployment.pk for deployment in deployments]
    return set(
        LeaseWarning.objects.filter(deployment__in=ids).values_list(
            "deployment_id", "due_at", "days"
        )
    )


def answering_for(deployment: Deployment) -> list[User]:
    """Return who answers for an application: who asked for it, and the project's two people.

    Who has left, or lost their role in the project, is not told about it any more.
    """
    project = deployment.project
    people = {person.pk: person for person in (project.owner, project.deputy)}
    if may(deployment.owner, Action.PROJECT_VIEW, project):
        people[deployment.owner_id] = deployment.owner
    return [people[pk] for pk in sorted(people) if people[pk].is_active]


def operators_of(deployment: Deployment, *, at: datetime) -> list[User]:
    """Return the operators of the application's project and pool."""
    of_project = people_with(action=Action.POOL_EDIT, project=deployment.project, at=at)
    holds = Q(role_grants__expires_at=None) | Q(role_grants__expires_at__gt=at)
    of_pool = User.objects.filter(
        holds,
        role_grants__role=Role.OPERATOR,
        role_grants__pool_id=deployment.pool_id,
        is_active=True,
    )
    found = {person.pk: person for person in of_project}
    found.update((person.pk, person) for person in of_pool)
    return [found[pk] for pk in sorted(found)]
