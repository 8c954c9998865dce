"""The demo's people, organisations, projects, and which account pays for each of them."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.hashers import make_password

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
    Person("helga", "Helga Head", "owns the company: people, pools and rules", Role.OWNER),
    Person("ana", "Ana Approver", "decides on requests", Role.APPROVER),
    Person("oscar", "Oscar Operator", "runs the pools", Role.OPERATOR),
    Person("fiona", "Fiona Finance", "prices and closes", Role.FINANCE),
    Person("frank", "Frank Finance", "releases what Fiona prepared", Role.FINANCE),
    Person("audrey", "Audrey Auditor", "reads everything", Role.AUDITOR),
)
# Has an account, and belongs nowhere until somebody adds them.
NEWCOMER = Person("nils", "Nils Nowak", "helps out in the shop")
STRANGER = Person("sam", "Sam Stranger", "works for another company")
# Who answers for the projects of a unit: owner and deputy, in turns.
STAFF = (
    ("commerce", "clara", "Clara Conrad"),
    ("commerce", "cem", "Cem Celik"),
    ("logistics", "lena", "Lena Lorenz"),
    ("logistics", "luca", "Luca Lombardi"),
    ("finance", "greta", "Greta Graf"),
    ("finance", "georg", "Georg Gruber"),
    ("research", "rosa", "Rosa Ritter"),
    ("research", "ravi", "Ravi Rao"),
    ("it", "ines", "Ines Ibarra"),
    ("it", "ivo", "Ivo Ivanov"),
)
UNITS = (
    ("commerce", "Nordwind Commerce"),
    ("logistics", "Nordwind Logistics"),
    ("finance", "Nordwind Finance"),
    ("research", "Nordwind Research"),
    ("it", "Nordwind IT"),
)


@dataclass(frozen=True)
class Tenant:
    """One project of the company: its unit, its cost centre and the account that pays for it."""

    unit: str
    slug: str
    name: str
    cost_centre: str
    account: str


def _tenants() -> tuple[Tenant, ...]:
    """Return the 45 projects; four pairs share an account, which makes 41 of these."""
    shared = {
        "data": "analytics",
        "research": "analytics",
        "mail": "workplace",
        "print": "workplace",
        "treasury": "treasury",
        "insurance": "treasury",
        "yard": "yards",
        "packing": "yards",
    }
    found = []
    for number, (unit, _name) in enumerate(UNITS):
        for place, (slug, name) in enumerate(PROJECTS[unit]):
            centre = str(4711 + 100 * number + place)
            found.append(Tenant(unit, slug, name, centre, shared.get(slug, slug)))
    return tuple(found)


PROJECTS = {
    "commerce": (
        ("shop", "Web shop"),
        ("outlet", "Outlet"),
        ("payments", "Payments"),
        ("search", "Product search"),
        ("pricing", "Pricing"),
        ("loyalty", "Loyalty card"),
        ("marketing", "Campaigns"),
        ("stores", "Stores"),
        ("service", "Customer service"),
    ),
    "logistics": (
        ("warehouse", "Warehouse"),
        ("fleet", "Fleet"),
        ("tracking", "Parcel tracking"),
        ("customs", "Customs"),
        ("returns", "Returns"),
        ("packing", "Packing"),
        ("forecast", "Demand forecast"),
        ("yard", "Yards"),
        ("suppliers", "Suppliers"),
    ),
    "finance": (
        ("ledger", "General ledger"),
        ("payroll", "Payroll"),
        ("treasury", "Treasury"),
        ("controlling", "Controlling"),
        ("invoicing", "Invoicing"),
        ("tax", "Tax"),
        ("archive", "Document archive"),
        ("audit", "Internal audit"),
        ("insurance", "Insurance"),
    ),
    "research": (
        ("data", "Data platform"),
        ("research", "Research"),
        ("lab", "Materials lab"),
        ("vision", "Image recognition"),
        ("language", "Language models"),
        ("sensors", "Sensors"),
        ("weather", "Weather"),
        ("robotics", "Robotics"),
        ("simulation", "Simulation"),
    ),
    "it": (
        ("intranet", "Intranet"),
        ("mail", "Mail"),
        ("identity", "Identity"),
        ("monitoring", "Monitoring"),
        ("backup", "Backup"),
        ("build", "Build farm"),
        ("devices", "Devices"),
        ("print", "Print"),
        ("integration", "Integration"),
    ),
}
TENANTS = _tenants()
ACCOUNT_NAMES = {"analytics": "Analytics", "workplace": "Workplace", "yards": "Yards"}
ANSWERABLE = {
    "shop": ("olivia", "dario"),
    "data": ("dario", "olivia"),
    "research": ("dario", "noah"),
}
MEMBERS = (("mia", "shop"), ("noah", "data"), ("noah", "research"))


@dataclass(frozen=True)
class Company:
    """The organisation, its people by username and its projects by short name."""

    organisation: Organisation
    people: dict[str, User]
    projects: dict[str, Project]

    def requester(self, slug: str) -> User:
        """Return who asks for what the project needs: its member, else its deputy."""
        for username, project in MEMBERS:
            if project == slug:
                return self.people[username]
        return self.projects[slug].deputy


def make_company(*, at: datetime) -> Company:
    """Make the company with its units, people, roles and projects, and a stranger to all of it."""
    top = Organisation.objects.create(name="Nordwind", slug="nordwind")
    units = {
        slug: Organisation.objects.create(name=name, slug=f"nordwind-{slug}", parent=top)
        for slug, name in UNITS
    }
    # One password for all of them, so it is hashed once: that is slow on purpose.
    hashed = make_password(PASSWORD)
    people = {}
    for person in PEOPLE:
        people[person.username] = _person(person.username, person.name, hashed, top, at)
        if person.role is not None:
            RoleGrant.objects.create(
                user=people[person.username],
                role=person.role,
                scope=Scope.ORGANISATION,
                organisation=top,
                granted_at=at,
            )
    for unit, username, name in STAFF:
        people[username] = _person(username, name, hashed, units[unit], at)
    people[NEWCOMER.username] = _account(NEWCOMER.username, NEWCOMER.name, hashed, "nordwind", at)
    people["admin"] = User.objects.create(
        username="admin",
        email="admin@nordwind.example",
        password=hashed,
        display_name="Admin",
        is_staff=True,
        is_superuser=True,
        date_joined=at,
    )
    projects = _make_projects(units, people, at)
    for username, slug in MEMBERS:
        RoleGrant.objects.create(
            user=people[username],
            role=Role.MEMBER,
            scope=Scope.PROJECT,
            project=projects[slug],
            granted_by=projects[slug].owner,
            granted_at=at,
        )
    _make_stranger(hashed, at)
    return Company(top, people, projects)


def _person(
    username: str, name: str, hashed: str, organisation: Organisation, at: datetime
) -> User:
    user = _account(username, name, hashed, organisation.slug.partition("-")[0], at)
    Membership.objects.create(user=user, organisation=organisation, since=at)
    return user


def _account(username: str, name: str, hashed: str, domain: str, at: datetime) -> User:
    return User.objects.create(
        username=username,
        email=f"{username}@{domain}.example",
        password=hashed,
        display_name=name,
        date_joined=at,
    )


def _make_projects(
    units: dict[str, Organisation], people: dict[str, User], at: datetime
) -> dict[str, Project]:
    turns = {unit: [name for of, name, _ in STAFF if of == unit] for unit in units}
    projects = {}
    for place, tenant in enumerate(TENANTS):
        pair = turns[tenant.unit] if place % 2 else turns[tenant.unit][::-1]
        owner, deputy = ANSWERABLE.get(tenant.slug, pair)
        projects[tenant.slug] = create_project(
            organisation=units[tenant.unit],
            name=tenant.name,
            slug=tenant.slug,
            owner=people[owner],
            deputy=people[deputy],
            cost_centre=tenant.cost_centre,
            description=f"{tenant.name} of {units[tenant.unit]}.",
            actor=people["oscar"],
            at=at,
        )
    return projects


def _make_stranger(hashed: str, at: datetime) -> None:
    """Make another company, which has a project of its own and sees nothing of the first."""
    other = Organisation.objects.create(name="Seeblick", slug="seeblick")
    sam = _person(STRANGER.username, STRANGER.name, hashed, other, at)
    tara = _person("tara", "Tara Thoma", hashed, other, at)
    for user, role in ((sam, Role.OWNER), (tara, Role.OPERATOR)):
        RoleGrant.objects.create(
            user=user, role=role, scope=Scope.ORGANISATION, organisation=other, granted_at=at
        )
    create_project(
        organisation=other,
        name="Booking",
        slug="booking",
        owner=sam,
        deputy=tara,
        cost_centre="100",
        description="The rooms of the hotels.",
        actor=sam,
        at=at,
    )
