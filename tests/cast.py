"""The cast of every test: who they are and what they may do.

owner and deputy answer for the project `shop`; member works in it; approver, finance and auditor
hold their role for the whole organisation; operator runs the pools; stranger belongs elsewhere.
"""

from datetime import UTC, datetime

import pytest

from inventory.foundation.choices import Role, Scope
from inventory.foundation.models import Membership, Organisation, Project, RoleGrant, User

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def make_user(name: str, organisation: Organisation | None = None) -> User:
    """Make a person, a member of the organisation if one is given."""
    user = User.objects.create_user(
        username=name, email=f"{name}@example.org", password="let-me-in-2026", display_name=name
    )
    if organisation is not None:
        Membership.objects.create(user=user, organisation=organisation, since=NOW)
    return user


def grant(
    user: User,
    role: Role,
    *,
    organisation: Organisation | None = None,
    project: Project | None = None,
    pool_id: int | None = None,
) -> RoleGrant:
    """Give a person a role in one organisation, project or pool."""
    scope = Scope.ORGANISATION if organisation else Scope.PROJECT if project else Scope.POOL
    return RoleGrant.objects.create(
        user=user,
        role=role,
        scope=scope,
        organisation=organisation,
        project=project,
        pool_id=pool_id,
        granted_at=NOW,
    )


@pytest.fixture
def organisation(db: None) -> Organisation:
    """Return the organisation of everybody but the stranger."""
    return Organisation.objects.create(name="Acme", slug="acme")


@pytest.fixture
def owner(organisation: Organisation) -> User:
    """Owns the project."""
    return make_user("olivia", organisation)


@pytest.fixture
def deputy(organisation: Organisation) -> User:
    """Answers for the project when the owner is away."""
    return make_user("dario", organisation)


@pytest.fixture
def project(organisation: Organisation, owner: User, deputy: User) -> Project:
    """Return the project that most stories happen in."""
    return Project.objects.create(
        organisation=organisation,
        name="Shop",
        slug="shop",
        owner=owner,
        deputy=deputy,
        cost_centre="4711",
        created_at=NOW,
    )


@pytest.fixture
def member(organisation: Organisation, project: Project) -> User:
    """Works in the project and may order."""
    user = make_user("mia", organisation)
    grant(user, Role.MEMBER, project=project)
    return user


@pytest.fixture
def approver(organisation: Organisation) -> User:
    """Decides on requests of the whole organisation."""
    user = make_user("ana", organisation)
    grant(user, Role.APPROVER, organisation=organisation)
    return user


@pytest.fixture
def operator(organisation: Organisation) -> User:
    """Runs the pools of the organisation."""
    user = make_user("oscar", organisation)
    grant(user, Role.OPERATOR, organisation=organisation)
    return user


@pytest.fixture
def finance(organisation: Organisation) -> User:
    """Looks after money."""
    user = make_user("fiona", organisation)
    grant(user, Role.FINANCE, organisation=organisation)
    return user


@pytest.fixture
def second_finance(organisation: Organisation) -> User:
    """Releases what the first one prepared."""
    user = make_user("frank", organisation)
    grant(user, Role.FINANCE, organisation=organisation)
    return user


@pytest.fixture
def auditor(organisation: Organisation) -> User:
    """Reads everything and changes nothing."""
    user = make_user("audrey", organisation)
    grant(user, Role.AUDITOR, organisation=organisation)
    return user


@pytest.fixture
def stranger(db: None) -> User:
    """Works for somebody else."""
    elsewhere = Organisation.objects.create(name="Elsewhere", slug="elsewhere")
    return make_user("sam", elsewhere)
