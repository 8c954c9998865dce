"""The lists of the inventory, of the change calendar, of rules and of decisions, with their rows.

Beside each stands what a plain reader would expect of it: who sees a row, and what a filter means.
"""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from inventory.choices import AggregateKind, AllocationState, ProviderState
from inventory.foundation.clock import database_now
from inventory.foundation.models import Project
from inventory.models import (
    Aggregate,
    Allocation,
    Pool,
    Quota,
    ResourceClass,
    ResourceProvider,
    Trait,
)
from orchestra.choices import Decision
from orchestra.models import Approval, ChangeWindow, Freeze, Order, Plan, Policy, PolicyVersion
from tests.cast import make_user
from tests.factories import make_pool, make_resource
from tests.house.listings import PROJECT, STATE, WORDS, Listing, copies, equal, project_of
from tests.house.permission_world import PermissionWorld

ACME = "acme"  # the organisation of everybody but the stranger


def of_acme(row: Any) -> bool:
    """Say whether a host or a pool's thing belongs to the viewer's organisation."""
    return bool(row.pool.organisation.slug == ACME)


def standing(row: Any) -> str:
    """Return how an entry stands."""
    now = database_now()
    if row.during.upper is not None and row.during.upper <= now:
        return "over"
    if row.during.lower is not None and row.during.lower > now:
        return "ahead"
    return "now"


def entry_seen(row: Any) -> bool:
    """Say whether an entry holds where the viewer is: theirs, or everywhere."""
    if row.pool is not None:
        return of_acme(row)
    place = row.project.organisation if row.project else row.organisation
    return place is None or bool(place.slug == ACME)


def holder(row: Any) -> str:
    """Return whose a quota is, in the filter's words."""
    return "project" if row.project_id else "organisation"


def yes(read: Callable[[Any], Any]) -> Any:
    """Return a filter of yes and no."""
    return (
        lambda row: bool(read(row)),
        lambda row, value, _viewer: bool(read(row)) == (value == "True"),
    )


STANDING = equal(standing)
POOL = equal(lambda row: row.pool_id)


def entry_texts(row: Any) -> list[str]:
    """Return what the search looks into."""
    return [row.name, row.reason, *(str(one or "") for one in (row.pool, row.project))]


def has_host(row: Any) -> bool:
    """Say whether a group or a property is on a host of the viewer's organisation."""
    return any(of_acme(host) for host in row.providers.all())


MORE = {
    "hosts": Listing(
        ResourceProvider,
        "/hosts/",
        "/api/v1/hosts/",
        project_of,
        lambda row: [row.name],
        {
            "state": STATE,
            "pool": POOL,
            "shared": yes(lambda row: row.is_sharing),
            "trait": (
                lambda row: next(iter(row.traits.values_list("pk", flat=True)), None),
                lambda row, value, _viewer: row.traits.filter(pk=value).exists(),
            ),
        },
        viewer="operator",
        seen=of_acme,
    ),
    "groups": Listing(
        Aggregate,
        "/host-groups/",
        "/api/v1/host-groups/",
        project_of,
        lambda row: [row.name],
        {"kind": equal(lambda row: row.kind)},
        viewer="operator",
        seen=has_host,
    ),
    "properties": Listing(
        Trait,
        "/properties/",
        "/api/v1/properties/",
        project_of,
        lambda row: [row.name, row.description],
        {
            "pool": (
                lambda row: row.providers.values_list("pool_id", flat=True)[0],
                lambda row, value, _viewer: row.providers.filter(pool_id=value).exists(),
            )
        },
        seen=has_host,
    ),
    "held": Listing(
        Allocation,
        "/held/",
        "/api/v1/held/",
        lambda row: row.resource.project,
        lambda row: [row.resource.name, row.resource.application, row.resource.project.name],
        {
            "project": equal(lambda row: row.resource.project_id),
            "pool": equal(lambda row: row.resource.pool_id),
            "resource_class": equal(lambda row: row.resource_class_id),
            "state": STATE,
            "resource": equal(lambda row: row.resource_id),
        },
    ),
    "quotas": Listing(
        Quota,
        "/quotas/",
        "/api/v1/quotas/",
        project_of,
        lambda row: [str(row.project or row.organisation), row.resource_class.label],
        {
            "project": PROJECT,
            "resource_class": equal(lambda row: row.resource_class_id),
            "holds_for": equal(holder),
            "used_up": yes(lambda row: row.limit == 0),
        },
        seen=lambda row: (row.organisation or row.project.organisation).slug == ACME,
    ),
    "freezes": Listing(
        Freeze,
        "/freezes/",
        "/api/v1/freezes/",
        project_of,
        entry_texts,
        {
            "standing": STANDING,
            "pool": POOL,
            "project": PROJECT,
            "holds_scaling": yes(lambda row: row.holds_scaling),
        },
        seen=entry_seen,
    ),
    "windows": Listing(
        ChangeWindow,
        "/change-windows/",
        "/api/v1/change-windows/",
        project_of,
        entry_texts,
        {"standing": STANDING, "pool": POOL, "project": PROJECT},
        seen=entry_seen,
    ),
    "rules": Listing(
        PolicyVersion,
        "/rules/",
        "/api/v1/rules/",
        project_of,
        lambda row: [row.policy.name, row.policy.slug, str(row.policy.organisation or "")],
        {"standing": STANDING},
        seen=lambda row: row.policy.organisation is None or row.policy.organisation.slug == ACME,
    ),
    "decisions": Listing(
        Approval,
        "/decisions/",
        "/api/v1/decisions/",
        lambda row: row.plan.order.project,
        lambda row: [
            row.plan.order.name,
            row.reason,
            row.approver.display_name if row.approver else row.policy_version.policy.name,
        ],
        {
            "project": equal(lambda row: row.plan.order.project_id),
            "decision": equal(lambda row: row.decision),
            "by": equal(lambda row: "person" if row.approver_id else "rule"),
        },
    ),
}


def fill_more(name: str, world: PermissionWorld, hidden: Project, chance: random.Random) -> None:
    """Fill one of these lists with some pages of rows, some of them hidden from the viewer."""
    other = make_pool(hidden.organisation, name="Lake", hosts=1)
    {
        "hosts": _hosts,
        "groups": _groups,
        "properties": _properties,
        "held": _held,
        "quotas": _quotas,
        "freezes": _entries,
        "windows": _entries,
        "rules": _rules,
        "decisions": _decisions,
    }[name](world, hidden, other, chance)


def _hosts(world: PermissionWorld, _hidden: Project, other: Pool, chance: random.Random) -> None:
    host = world.catalogue.pool.providers.order_by("pk")[0]
    ssd = Trait.objects.get(name="SSD")

    def vary(number: int, one: Any) -> None:
        one.name = f"{chance.choice(WORDS)}-{number}"
        one.pool = other if chance.random() < 0.2 else world.catalogue.pool
        one.state = chance.choice(ProviderState.values)
        one.is_sharing = chance.random() < 0.3

    copies(host, 70, vary)
    for one in ResourceProvider.objects.order_by("pk")[::3]:
        one.traits.add(ssd)


def _groups(world: PermissionWorld, _hidden: Project, other: Pool, chance: random.Random) -> None:
    for number in range(70):
        pool = other if chance.random() < 0.2 else world.catalogue.pool
        group = Aggregate.objects.create(
            kind=chance.choice(AggregateKind.values), name=f"{chance.choice(WORDS)}-{number}"
        )
        group.providers.add(pool.providers.order_by("pk")[0])


def _properties(
    world: PermissionWorld, _hidden: Project, other: Pool, chance: random.Random
) -> None:
    near = make_pool(world.project.organisation, name="Near", hosts=1)
    for number in range(70):
        trait = Trait.objects.create(
            name=f"T{number}", description=f"{chance.choice(WORDS)} hardware"
        )
        pool = chance.choice([other, near, world.catalogue.pool])
        trait.providers.add(pool.providers.order_by("pk")[0])


def _held(world: PermissionWorld, hidden: Project, other: Pool, chance: random.Random) -> None:
    first = Allocation.objects.filter(resource=world.resource)[0]
    theirs = make_resource(hidden, other, "theirs")
    ours = [
        make_resource(world.project, world.catalogue.pool, f"{word}-x", application=word)
        for word in WORDS
    ]
    classes = list(ResourceClass.objects.all())

    def vary(number: int, one: Any) -> None:
        one.resource = theirs if chance.random() < 0.2 else chance.choice(ours)
        one.resource_class = chance.choice(classes)
        one.amount = number + 1
        one.held_from += timedelta(hours=number)
        one.state = chance.choice([AllocationState.ACTIVE, AllocationState.RELEASED])
        one.active_from = one.held_from
        if one.state == AllocationState.RELEASED:
            one.held_to = one.active_to = one.held_from + timedelta(hours=1)

    copies(first, 70, vary)


def _quotas(world: PermissionWorld, hidden: Project, _other: Pool, chance: random.Random) -> None:
    classes = list(ResourceClass.objects.all())

    def project(number: int, one: Any) -> None:
        one.name, one.slug = f"{chance.choice(WORDS)} {number}", f"p-{number}"

    copies(world.project, 30, project)
    for holder in Project.objects.filter(slug__startswith="p-"):
        for one in chance.sample(classes, 2):
            Quota.objects.create(
                project=holder, resource_class=one, limit=chance.choice([0, 8, 16])
            )
    for organisation in (world.project.organisation, hidden.organisation):
        for one in classes:
            Quota.objects.create(organisation=organisation, resource_class=one, limit=10**6)
    for one in classes:
        Quota.objects.create(project=hidden, resource_class=one, limit=8)


def _entries(world: PermissionWorld, hidden: Project, other: Pool, chance: random.Random) -> None:
    now = database_now()
    places: list[dict[str, Any]] = [
        {"pool": world.catalogue.pool},
        {"project": world.project},
        {"organisation": world.project.organisation},
        {},
        {"pool": other},
        {"project": hidden},
        {"organisation": hidden.organisation},
    ]
    for kind in (Freeze, ChangeWindow):
        first = kind.objects.all()[0]

        def vary(number: int, one: Any) -> None:
            start = now + timedelta(days=chance.randrange(-9, 9), minutes=number)
            one.name = f"{chance.choice(WORDS)} {number}"
            one.during = (start, start + timedelta(days=3))
            one.pool = one.project = one.organisation = None
            for name, value in chance.choice(places).items():
                setattr(one, name, value)
            if isinstance(one, Freeze):
                one.holds_scaling = chance.random() < 0.5

        copies(first, 80, vary)


def _rules(world: PermissionWorld, hidden: Project, _other: Pool, chance: random.Random) -> None:
    now, first = database_now(), PolicyVersion.objects.order_by("pk")[0]
    places = [world.project.organisation, hidden.organisation, None]
    for number, place in enumerate(places * 3):
        policy = Policy.objects.create(
            slug=f"rule-{number}", name=f"{chance.choice(WORDS)} rule", organisation=place
        )

        def vary(day: int, one: Any, policy: Policy = policy) -> None:
            start = now + timedelta(days=2 * day - 9, hours=1)
            one.policy, one.number = policy, day + 1
            one.during = (start, start + timedelta(days=1))

        copies(first, 9, vary)


def _decisions(
    world: PermissionWorld, hidden: Project, _other: Pool, chance: random.Random
) -> None:
    def order(number: int, one: Any) -> None:
        one.name = f"{chance.choice(WORDS)}-d{number}"
        one.project = hidden if chance.random() < 0.2 else world.project

    copies(world.planned, 60, order)
    made = list(Order.objects.filter(name__contains="-d").order_by("pk"))
    decider = make_user("dora", world.project.organisation)

    def plan(number: int, one: Any) -> None:
        one.order = made[number]

    copies(Plan.objects.filter(order=world.planned)[0], len(made), plan)
    plans = list(Plan.objects.filter(order__in=made).order_by("pk"))
    rule = PolicyVersion.objects.order_by("pk")[0]

    def approval(number: int, one: Any) -> None:
        is_rule = chance.random() < 0.5
        one.plan = plans[number]
        one.approver, one.policy_version = (None, rule) if is_rule else (decider, None)
        one.decision = chance.choice(Decision.values)
        one.reason = f"Because of {chance.choice(WORDS)}"

    copies(Approval.objects.order_by("pk")[0], len(plans), approval)
