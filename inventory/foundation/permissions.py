"""The permission matrix as data, and the questions that are asked of it.

Pages, endpoints and services name an Action; a role holds it where the matrix says so and where
the role's scope reaches. What a person may not even view does not exist for them (404, not 403).
"""

from enum import StrEnum

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from inventory.foundation.choices import Role
from inventory.foundation.errors import Forbidden, NotVisible
from inventory.foundation.models import Organisation, Project, RoleGrant, User


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
}


def live_grants(user: User, action: Action) -> QuerySet[RoleGrant]:
    """Return the person's grants that hold the action and have not expired (database time)."""
    return RoleGrant.objects.filter(
        Q(user=user) | Q(group__user=user),
        Q(expires_at=None) | Q(expires_at__gt=Now()),
        role__in=MATRIX[action],
    )


def organisations_where(user: User, action: Action) -> set[int]:
    """Return the ids of the organisations where the person holds the action, and all below them."""
    parents = dict(Organisation.objects.values_list("id", "parent_id"))
    if user.is_superuser:
        return set(parents)
    granted = set(
        live_grants(user, action)
        .filter(organisation__isnull=False)
        .values_list("organisation_id", flat=True)
    )
    reached = set()
    for start in parents:
        node: int | None = start
        while node is not None:
            if node in granted:
                reached.add(start)
                break
            node = parents[node]
    return reached


def projects_where(user: User, action: Action) -> QuerySet[Project]:
    """Return the projects in which the person holds the action.

    Owner and deputy of a project hold the owner's role there without a grant.
    """
    if not user.is_active:
        return Project.objects.none()
    if user.is_superuser:
        return Project.objects.all()
    where = Q(
        id__in=live_grants(user, action).filter(project__isnull=False).values("project_id")
    ) | Q(organisation_id__in=organisations_where(user, action))
    if Role.OWNER in MATRIX[action]:
        where |= Q(owner=user) | Q(deputy=user)
    return Project.objects.filter(where)


def pools_granted(user: User, action: Action) -> set[int]:
    """Return the ids of the pools that a grant names; organisations' pools come on top."""
    ids = live_grants(user, action).filter(pool_id__isnull=False).values_list("pool_id", flat=True)
    return {pool_id for pool_id in ids if pool_id is not None}


def may(user: User, action: Action, project: Project) -> bool:
    """Say whether the person holds the action in the project."""
    return projects_where(user, action).filter(pk=project.pk).exists()


def may_anywhere(user: User, action: Action) -> bool:
    """Say whether the person holds the action in any organisation, project or pool."""
    return (
        user.is_superuser
        or live_grants(user, action).exists()
        or projects_where(user, action).exists()
    )


def roles_anywhere(user: User) -> frozenset[Role]:
    """Return the roles that the person holds somewhere, in two queries (for the navigation)."""
    if user.is_superuser:
        return _EVERYBODY
    held = (
        RoleGrant.objects.filter(Q(user=user) | Q(group__user=user))
        .filter(Q(expires_at=None) | Q(expires_at__gt=Now()))
        .values_list("role", flat=True)
        .distinct()
    )
    roles = {Role(role) for role in held}
    if Role.OWNER not in roles and Project.objects.filter(Q(owner=user) | Q(deputy=user)).exists():
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
