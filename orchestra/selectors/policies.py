"""Reads about rules."""

from datetime import datetime

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from inventory.foundation.defaults import visible_places
from inventory.foundation.models import Project, User
from inventory.foundation.permissions import Action, projects_where
from inventory.foundation.selectors import ancestry
from orchestra.models import PolicyVersion
from orchestra.selectors.calendar import STANDING


def rules_in_force(*, project: Project, at: datetime) -> list[PolicyVersion]:
    """Return the rules of the nearest scope that has any: project, organisation, those above it,
    then everywhere. A nearer scope replaces a wider one entirely."""
    line = ancestry(project.organisation_id)
    versions = list(
        PolicyVersion.objects.filter(
            Q(policy__project=project)
            | Q(policy__organisation_id__in=line, policy__project=None)
            | Q(policy__organisation=None, policy__project=None),
            during__contains=at,
        )
        .select_related("policy")
        .order_by("policy__slug")
    )
    by_distance: dict[int, list[PolicyVersion]] = {}
    for version in versions:
        policy = version.policy
        if policy.project_id is not None:
            distance = -1
        elif policy.organisation_id is not None:
            distance = line.index(policy.organisation_id)
        else:
            distance = len(line)
        by_distance.setdefault(distance, []).append(version)
    return by_distance[min(by_distance)] if by_distance else []


def rules_of_place(
    *, organisation_id: int | None, at: datetime
) -> tuple[list[PolicyVersion], int | None]:
    """Return the rules that hold in an organisation (None: everywhere) where a project has none of
    its own, and the organisation that they are from (None: everywhere, or none at all)."""
    line = ancestry(organisation_id) if organisation_id is not None else []
    versions = (
        PolicyVersion.objects.filter(
            Q(policy__organisation_id__in=line) | Q(policy__organisation=None),
            policy__project=None,
            during__contains=at,
        )
        .select_related("policy__organisation", "created_by")
        .order_by("policy__slug")
    )
    by_place: dict[int | None, list[PolicyVersion]] = {}
    for version in versions:
        by_place.setdefault(version.policy.organisation_id, []).append(version)
    for place in line:
        if place in by_place:
            return by_place[place], place
    return by_place.get(None, []), None


def versions_of_place(*, organisation_id: int | None, at_most: int = 50) -> list[PolicyVersion]:
    """Return what the rules of the place itself said when, newest first."""
    return list(
        PolicyVersion.objects.filter(
            Q(policy__organisation_id=organisation_id), policy__project=None
        )
        .select_related("policy", "created_by")
        .order_by("-created_at", "-pk")[:at_most]
    )


def visible_rules(user: User) -> QuerySet[PolicyVersion]:
    """Return what rules said when: of the places whose defaults the person sees, of those above
    them and of everywhere, and of projects in which they see the defaults.

    `place` names where it holds (None: everywhere), `start_at` and `end_at` are its ends,
    `standing` is an EntryStanding by database time.
    """
    rows = PolicyVersion.objects.annotate(
        place=Coalesce("policy__project__name", "policy__organisation__name"),
        start_at=F("during__startswith"),
        end_at=F("during__endswith"),
        standing=STANDING,
    ).select_related("policy__organisation", "policy__project", "created_by")
    if user.is_superuser:
        return rows
    places = ancestry(*visible_places(user).values_list("pk", flat=True))
    if not places:
        return rows.none()
    return rows.filter(
        Q(policy__project__in=projects_where(user, Action.DEFAULTS_VIEW))
        | Q(policy__organisation_id__in=places, policy__project=None)
        | Q(policy__organisation=None, policy__project=None)
    )
