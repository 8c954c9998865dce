"""A small catalogue for tests: one service, its pool under a connection, prices, budget, rule."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from inventory.foundation.models import Organisation, Project, User
from inventory.models import Pool
from orchestra.choices import OfferingStatus, OrderState
from orchestra.models import (
    Approval,
    Connection,
    Offering,
    OfferingVersion,
    Order,
    Policy,
    PolicyVersion,
    PoolConnection,
)
from orchestra.selectors.orders import latest_plan
from orchestra.services.orders import decide, place_order, submit_order
from tests.billing.world import LINUX_M, Money, make_budget, make_money
from tests.cast import NOW
from tests.factories import make_pool

LATER = NOW + timedelta(minutes=5)
RULE = {
    "kind": "auto_approve",
    "max_monthly_cost": "250.00",
    "max_days": 90,
    "within_budget": True,
}
DISK = {
    "type": "integer",
    "title": "Disk in GiB",
    "minimum": 10,
    "maximum": 500,
    "default": 100,
    "x-resource-class": "DISK_GB",
}
PARAMETERS = {
    "type": "object",
    "required": ["disk"],
    "properties": {
        "disk": DISK,
        "image": {"type": "string", "enum": ["debian-13", "debian-12"], "default": "debian-13"},
        "note": {"type": "string", "maxLength": 20},
    },
}


@dataclass
class Catalogue:
    """What a test needs to order something."""

    project: Project
    pool: Pool
    offering: Offering
    version: OfferingVersion
    connection: Connection
    money: Money
    rule: PolicyVersion


def make_connection(pool: Pool, name: str = "simulated") -> Connection:
    """Let a simulated connection direct the pool."""
    connection, _ = Connection.objects.get_or_create(
        name=name, defaults={"label": "Simulated", "kind": "simulated"}
    )
    PoolConnection.objects.create(pool=pool, connection=connection)
    return connection


def make_offering(pool: Pool, slug: str = "linux-m", **fields: Any) -> OfferingVersion:
    """Publish a service of 4 vCPU, 16 GiB and a chosen disk, in the pool."""
    offering = Offering.objects.create(
        slug=slug, name="Linux M", category="Machines", summary="A machine of middle size"
    )
    values = {
        "resource_kind": LINUX_M,
        "resources": {"VCPU": 4, "MEMORY_MB": 16384},
        "parameters": PARAMETERS,
    } | fields
    version = OfferingVersion.objects.create(
        offering=offering,
        number=1,
        status=OfferingStatus.PUBLISHED,
        published_at=NOW,
        **values,
    )
    version.pools.add(pool)
    return version


def make_rule(
    author: User, *, slug: str = "small-things", rule: dict[str, Any] = RULE, **scope: Any
) -> PolicyVersion:
    """Put a rule in force since NOW, everywhere or in the scope."""
    policy = Policy.objects.create(slug=slug, name="Small things", **scope)
    return PolicyVersion.objects.create(
        policy=policy, number=1, rule=rule, during=(NOW, None), created_by=author, created_at=NOW
    )


def make_catalogue(
    *, organisation: Organisation, project: Project, finance: User, second_finance: User
) -> Catalogue:
    """Make all of it: room for eight machines, 3,200 EUR a year, one rule."""
    money = make_money(
        organisation=organisation, project=project, preparer=finance, releaser=second_finance
    )
    make_budget(money.account, "3200.00")
    pool = make_pool(organisation)
    connection = make_connection(pool)
    version = make_offering(pool)
    return Catalogue(
        project=project,
        pool=pool,
        offering=version.offering,
        version=version,
        connection=connection,
        money=money,
        rule=make_rule(finance),
    )


def wish(catalogue: Catalogue, **changes: Any) -> dict[str, Any]:
    """Return the inputs of a small request (cheap, 30 days: approved by rule), with changes."""
    inputs = {
        "project": catalogue.project,
        "offering": catalogue.offering,
        "name": "web",
        "application": "shop",
        "environment": "test",
        "business_reason": "Try the new checkout",
        "instances": 1,
        "parameters": {"disk": 50},
        "start_at": None,
        "end_at": NOW + timedelta(days=30),
    }
    return inputs | changes


def place(catalogue: Catalogue, requester: User, *, at: datetime = NOW, **changes: Any) -> Order:
    """Place a request with changes to the small one."""
    return place_order(requester=requester, at=at, **wish(catalogue, **changes))


def submit(order: Order, actor: User, *, at: datetime = NOW) -> Order:
    """Send a request with its latest plan."""
    plan = latest_plan(order)
    assert plan is not None, order.refusal
    return submit_order(order=order, actor=actor, plan_sha256=plan.sha256, at=at)


def waiting(catalogue: Catalogue, requester: User, **changes: Any) -> Order:
    """Place and send a request that needs an approver, because it has no end."""
    inputs = {"environment": "production", "end_at": None} | changes
    order = submit(place(catalogue, requester, **inputs), requester)
    assert order.state == OrderState.AWAITING_APPROVAL
    return order


def approve(order: Order, approver: User, *, at: datetime = LATER, **more: Any) -> Approval:
    """Approve the latest plan of a request, or decide otherwise."""
    plan = latest_plan(order)
    assert plan is not None
    inputs = {"decision": "approve", "reason": "", "plan_sha256": plan.sha256} | more
    return decide(order=order, approver=approver, at=at, **inputs)
