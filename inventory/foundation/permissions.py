"""The permission matrix as data, and the questions that are asked of it.

Pages, endpoints and services name an Action; a role holds it where the matrix says so and where
the role's scope reaches. What a person may not even view does not exist for them (404, not 403).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from inventory.foundation.choices import Role
from inventory.foundation.errors import Forbidden, NotVisible
from inventory.foundation.models import Membership, Organisation, Project, RoleGrant, User


class Action(StrEnum):
    """What can be allowed or refused."""

    PROJECT_VIEW = "see the project"
    PROJECT_EDIT = "change the project and its people"
    PROJECT_CREATE = "open a project"
    ORDER_PLACE = "place a request"
    ORDER_DECIDE = "decide on a request"
    ORDER_CANCEL = "cancel a request"
    RUN_STEER = "pause, resume or cancel progress"
    RUN_REPAIR = "retry, skip or resolve a step"
    COST_VIEW = "see costs"
    STATEMENT_VIEW = "see statements"
    MONEY_MANAGE = "manage prices, accounts and closes"
    POOL_VIEW = "see the pool's hosts"
    POOL_EDIT = "change the pool"
    PEOPLE_VIEW = "see people and roles"
    AUDIT_VIEW = "read the audit trail"
    DEFAULTS_VIEW = "see the defaults"
    LEASE_RULES = "set how long applications last"


_EVERYBODY = frozenset(Role)

MATRIX: dict[Action, frozenset[Role]] = {
    Action.PROJECT_VIEW: _EVERYBODY,
    Action.PROJECT_EDIT: frozenset({Role.OWNER}),
    Action.PROJECT_CREATE: frozenset({Role.OWNER, Role.OPERATOR}),
    Action.ORDER_PLACE: frozenset({Role.MEMBER, Role.OWNER}),
    Action.ORDER_DECIDE: frozenset({Role.APPROVER, Role.OWNER}),
    Action.ORDER_CANCEL: frozenset({Role.MEMBER, Role.OWNER, Role.OPERATOR}),
    Action.RUN_STEER: frozenset({Role.MEMBER, Role.OWNER, Role.OPERATOR}),
    Action.RUN_REPAIR: frozenset({Role.OPERATOR}),
    Action.COST_VIEW: _EVERYBODY - {Role.OPERATOR},
    Action.STATEMENT_VIEW: frozenset({Role.OWNER, Role.APPROVER, Role.FINANCE, Role.AUDITOR}),
    Action.MONEY_MANAGE: frozenset({Role.FINANCE}),
    Action.POOL_VIEW: frozenset({Role.OPERATOR, Role.FINANCE, Role.AUDITOR}),
    Action.POOL_EDIT: frozenset({Role.OPERATOR}),
    Action.PEOPLE_VIEW: frozenset({Role.OWNER, Role.AUDITOR, Role.FINANCE, Role.OPERATOR}),
    Action.AUDIT_VIEW: frozenset({Role.AUDITOR, Role.OWNER}),
    Action.DEFAULTS_VIEW: _EVERYBODY - {Role.MEMBER},
    Action.LEASE_RULES: frozenset({Role.OPERATOR, Role.OWNER}),
}


class Held(NamedTuple):
    """One live role of a person: where it holds (exactly one of the three is set)."""

    role: str
    organisation_id: int | None
    project_id: int | None
    pool_id: int | None


# What was read for this request: (question, person) → answer. None wherever nothing is kept.
_kept: ContextVar[dict[tuple[str, int | None], object] | None] = ContextVar("kept", default=None)


@contextmanager
def reads_kept() -> Iterator[None]:
    """Read who holds which role once, not at every question, until the block ends.

    Only for a request that changes nothing (a GET): whatever writes must ask the database anew.
    """
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def _once[T](question: str, person: int | None, read: Callable[[], T]) -> T:
    """Return what `read` returns, from this request's memory where it has one."""
    kept = _kept.get()
    if kept is None:
        return read()
    key = (question, person)
    if key not in kept:
        kept[key] = read()
    return kept[key]  # type: ignore[return-value]


def parents_of_organisations() -> dict[int, int | None]:
    """Return each organisation's id with the id of the one above it."""
    return _once(
        "organisations", None, lambda: dict(Organisation.objects.values_list("id", "parent_id"))
    )


def line_above(organisation_id: int, parents: Mapping[int, int | None]) -> list[int]:
    """Return the ids of the organisation and of all above it, nearest first."""
    line: dict[int, None] = {}
    node: int | None = organisation_id
    while node is not None and node not in line:
        line[node] = None
        node = parents[node]
    return list(line)


def held_by(user: User) -> tuple[Held, ...]:
    """Return the person's live roles, own and through groups (database time), in one query."""
    rows = RoleGrant.objects.filter(
        Q(user=user) | Q(group__user=user),
        Q(expires_at=None) | Q(expires_at__gt=Now()),
    ).values_list("role", "organisation_id", "project_id", "pool_id")
    return _once("roles", user.pk, lambda: tuple(Held(*row) for row in rows.distinct()))


def live_grants(user: User, action: Action) -> list[Held]:
    """Return the person's live roles that hold the action."""
    return [held for held in held_by(user) if held.role in MATRIX[action]]


def memberships_of(user: User) -> frozenset[int]:
    """Return the ids of the organisations that the person belongs to directly."""
    rows = Membership.objects.filter(user=user).values_list("organisation_id", flat=True)
    return _once("memberships", user.pk, lambda: frozenset(rows))


def answers_for_a_project(user: User) -> bool:
    """Say whether the person is owner or deputy of any project."""
    theirs = Project.objects.filter(Q(owner=user) | Q(deputy=user))
    return _once("owns", user.pk, theirs.exists)


def organisations_where(user: User, action: Action) -> set[int]:
    """Return the ids of the organisations where the person holds the action, and all below them."""
    parents = parents_of_organisations()
    if user.is_superuser:
        return set(parents)
    granted = {held.organisation_id for held in live_grants(user, action)} - {None}
    if not granted:
        return set()
    return {start for start in parents if not granted.isdisjoint(line_above(start, parents))}


def projects_where(user: User, action: Action) -> QuerySet[Project]:
    """Return the projects in which the person holds the action.

    Owner and deputy of a project hold the owner's role there without a grant.
    """
    if not user.is_active:
        return Project.objects.none()
    if user.is_superuser:
        return Project.objects.all()
    where = Q(id__in={held.project_id for held in live_grants(user, action)} - {None}) | Q(
        organisation_id__in=organisations_where(user, action)
    )
    if Role.OWNER in MATRIX[action]:
        where |= Q(owner=user) | Q(deputy=user)
    return Project.objects.filter(where)


def pools_granted(user: User, action: Action) -> set[int]:
    """Return the ids of the pools that a grant names; organisations' pools come on top."""
    return {held.pool_id for held in live_grants(user, action) if held.pool_id is not None}


def may(user: User, action: Action, project: Project) -> bool:
    """Say whether the person holds the action in the project, as `projects_where` does for many.

    The project's people and place are read anew. One query for its owner, two for most others.
    """
    row = Project.objects.filter(pk=project.pk).values_list(
        "organisation_id", "owner_id", "deputy_id"
    )
    found = row.first() if user.is_active else None
    if found is None or user.is_superuser:
        return found is not None
    organisation_id, *answerable = found
    if Role.OWNER in MATRIX[action] and user.pk in answerable:
        return True
    granted = live_grants(user, action)
    if project.pk in {held.project_id for held in granted}:
        return True
    organisations = {held.organisation_id for held in granted} - {None}
    return bool(organisations) and not organisations.isdisjoint(
        line_above(organisation_id, parents_of_organisations())
    )


def may_anywhere(user: User, action: Action) -> bool:
    """Say whether the person holds the action in any organisation, project or pool."""
    if user.is_superuser or live_grants(user, action):
        return True
    return user.is_active and Role.OWNER in MATRIX[action] and answers_for_a_project(user)


def roles_anywhere(user: User) -> frozenset[Role]:
    """Return the roles that the person holds somewhere, in two queries (for the navigation)."""
    if user.is_superuser:
        return _EVERYBODY
    roles = {Role(held.role) for held in held_by(user)}
    if Role.OWNER not in roles and answers_for_a_project(user):
        roles.add(Role.OWNER)
    return frozenset(roles)


def require(user: User, action: Action, project: Project) -> None:
    """Raise NotVisible for a stranger to the project, Forbidden for who lacks the role."""
    if may(user, action, project):
        return
    if not may(user, Action.PROJECT_VIEW, project):
        message = "There is no such project, or you have no role in it. Ask its owner."
        raise NotVisible(message)
    raise refusal(action)


def require_anywhere(user: User, action: Action) -> None:
    """Raise Forbidden for who holds the action nowhere."""
    if not may_anywhere(user, action):
        raise refusal(action)


def refusal(action: Action) -> Forbidden:
    """Return the error that names the roles which would be allowed."""
    roles = " or ".join(sorted(str(role.label).lower() for role in MATRIX[action]))
    message = f"To {action.value} you need the role {roles}. Ask the project's owner for it."
    return Forbidden(message)
