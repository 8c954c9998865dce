"""The demo's people, organisation and projects."""

from dataclasses import dataclass
from datetime import datetime

from inventory.foundation.choices import Role, Scope
from inventory.foundation.models import Membership, Organisation, Project, RoleGrant, User
from inventory.foundation.services import create_project

PASSWORD = "orchestra-demo"  # noqa: S105 - printed on purpose, for the loopback demo only


@dataclass(frozen=True)
class Person:
    """Somebody of the demo, and what they are there for."""

    username: str
    name: str
    part: str
    role: Role | None = None


PEOPLE = (
    Person("mia", "Mia Member", "orders for the web shop"),
    Person("noah", "Noah Novak", "orders for data and research"),
    Person("olivia", "Olivia Owner", "owns the web shop"),
    Person("dario", "Dario Deputy", "owns data and research, deputy of the web shop"),
    Person("ana", "Ana Approver", "decides on requests", Role.APPROVER),
    Person("oscar", "Oscar Operator", "runs the pool", Role.OPERATOR),
    Person("fiona", "Fiona Finance", "prices and closes", Role.FINANCE),
    Person("frank", "Frank Finance", "releases what Fiona prepared", Role.FINANCE),
    Person("audrey", "Audrey Auditor", "reads everything", Role.AUDITOR),
)


@dataclass(frozen=True)
class Company:
    """The organisation, its people by username and its projects by short name."""

    organisation: Organisation
    people: dict[str, User]
    projects: dict[str, Project]


def make_company(*, at: datetime) -> Company:
    """Make the organisation, its people with their roles, and three projects."""
    organisation = Organisation.objects.create(name="Nordwind", slug="nordwind")
    people = {}
    for person in PEOPLE:
        user = User.objects.create_user(
            username=person.username,
            email=f"{person.username}@nordwind.example",
            password=PASSWORD,
            display_name=person.name,
        )
        Membership.objects.create(user=user, organisation=organisation, since=at)
        if person.role is not None:
            RoleGrant.objects.create(
                user=user,
                role=person.role,
                scope=Scope.ORGANISATION,
                organisation=organisation,
                granted_at=at,
            )
        people[person.username] = user
    people["admin"] = User.objects.create_superuser(
        username="admin", email="admin@nordwind.example", password=PASSWORD, display_name="Admin"
    )
    projects = {
        slug: create_project(
            organisation=organisation,
            name=name,
            slug=slug,
            owner=people[owner],
            deputy=people[deputy],
            cost_centre=cost_centre,
            description=description,
            actor=people["oscar"],
            at=at,
        )
        for slug, name, owner, deputy, cost_centre, description in (
            ("shop", "Web shop", "olivia", "dario", "4711", "The shop at shop.nordwind.example."),
            ("data", "Data platform", "dario", "olivia", "4720", "Warehouse and reports."),
            ("research", "Research", "dario", "noah", "4730", "Models and experiments."),
        )
    }
    for username, slug in (("mia", "shop"), ("noah", "data"), ("noah", "research")):
        RoleGrant.objects.create(
            user=people[username],
            role=Role.MEMBER,
            scope=Scope.PROJECT,
            project=projects[slug],
            granted_by=projects[slug].owner,
            granted_at=at,
        )
    return Company(organisation, people, projects)
