"""What a replay needs around its pool: a project, a payer, prices, a service and a rule.

Everything is made by the ordinary services, in one transaction, and only once: a replay that goes
on finds it. Each pool has its own, so that replays into two pools do not meet.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from billing.choices import MeterSource, PriceBase
from billing.models import (
    BillingAccount,
    IssuingEntity,
    Meter,
    PriceBook,
    Sku,
    SkuPrice,
)
from billing.services import (
    assign_account,
    publish_price_book,
    save_account,
    save_entity,
    save_meter,
    save_price,
    save_price_book,
    save_sku,
)
from inventory.foundation.choices import Role, Scope
from inventory.foundation.clock import database_now
from inventory.foundation.models import Membership, Project, RoleGrant, User
from inventory.foundation.services import create_project
from inventory.foundation.trail import record_audit
from inventory.models import LARGEST, Pool
from inventory.services import named_class
from orchestra.models import Connection, Offering, PoolConnection
from orchestra.services.connections import connect_pool, create_connection
from orchestra.services.offerings import create_offering, draft_version, publish_version
from orchestra.services.policies import create_policy

ZONE = "UTC"  # the trace's seconds have no zone
KIND = "Recorded request"
ANYTHING_SHORT = {
    "kind": "auto_approve",
    "max_monthly_cost": "1000000.00",
    "max_days": 3650,
    "within_budget": False,
}
STAGING_TAKES = timedelta(hours=1)


@dataclass(frozen=True)
class Priced:
    """A kind of capacity in the trace: what it is called, counted in, and an hour of it costs."""

    resource_class: str
    parameter: str
    title: str
    meter: str
    label: str
    unit: str
    scale: Decimal
    hourly: Decimal


PRICED = (
    Priced(
        "CPU_MILLI",
        "cpu_milli",
        "Thousandths of a processor",
        "processors-held",
        "Processors held",
        "vCPU",
        Decimal("0.001"),
        Decimal("0.028"),
    ),
    Priced(
        "MEMORY_MB",
        "memory_mib",
        "Memory in MiB",
        "memory-held",
        "Memory held",
        "GiB",
        Decimal(1) / 1024,
        Decimal("0.0035"),
    ),
    Priced(
        "GPU_MILLI",
        "gpu_milli",
        "Thousandths of a GPU",
        "gpus-held",
        "GPUs held",
        "GPU",
        Decimal("0.001"),
        Decimal("0.95"),
    ),
)


@dataclass(frozen=True)
class Stage:
    """Where a replay plays."""

    pool: Pool
    project: Project
    requester: User
    offering: Offering
    account: BillingAccount


def stage_of(pool: Pool) -> Stage | None:
    """Return the pool's stage, None while nothing was ever replayed into it."""
    project = Project.objects.filter(slug=_slug(pool), organisation=pool.organisation).first()
    if project is None:
        return None
    return Stage(
        pool=pool,
        project=project,
        requester=project.owner,
        offering=Offering.objects.get(slug=_slug(pool)),
        account=BillingAccount.objects.select_related("entity", "organisation").get(
            code=_slug(pool)
        ),
    )


@transaction.atomic
def set_stage(*, pool: Pool, start: datetime) -> Stage:
    """Make the pool's stage as it was on the day before `start`."""
    at = start - timedelta(days=1)
    asker, second = (_person(pool, name, at) for name in ("replay", "replay-second"))
    project = create_project(
        organisation=pool.organisation,
        name=f"Replay into {pool.name}"[:120],
        slug=_slug(pool),
        owner=asker,
        deputy=second,
        cost_centre="replay",
        description="Requests of a recorded trace, driven by manage.py replay.",
        actor=asker,
        at=at,
    )
    _connect(pool, asker, at)
    _make_service(pool, asker, at)
    _make_money(pool, project, (asker, second), at)
    create_policy(
        slug=_slug(pool),
        name=f"Recorded requests into {pool.name}"[:120],
        rule=ANYTHING_SHORT,
        project=project,
        actor=asker,
        at=at,
    )
    stage = stage_of(pool)
    assert stage is not None
    return stage


def _slug(pool: Pool) -> str:
    return f"replay-{pool.pk}"


def _person(pool: Pool, name: str, at: datetime) -> User:
    """Return somebody who cannot sign in, with the roles of all three trades for an hour only."""
    user = User.objects.filter(username=f"{name}-{pool.pk}").first()
    if user is None:
        user = User(
            username=f"{name}-{pool.pk}", display_name=f"{name.replace('-', ' ').capitalize()}"
        )
        user.set_unusable_password()
        user.save(force_insert=True)
        record_audit(action="user.create", subject=user, at=at, organisation=pool.organisation)
    Membership.objects.get_or_create(
        user=user, organisation=pool.organisation, defaults={"since": at}
    )
    expires_at = database_now() + STAGING_TAKES
    for role in (Role.OPERATOR, Role.FINANCE):
        grant = RoleGrant.objects.create(
            user=user,
            role=role,
            scope=Scope.ORGANISATION,
            organisation=pool.organisation,
            granted_at=at,
            expires_at=expires_at,
        )
        record_audit(action="role.grant", subject=grant, at=at, organisation=pool.organisation)
    return user


def _connect(pool: Pool, actor: User, at: datetime) -> None:
    """Let a simulated provider stand behind a pool that nothing directs yet."""
    if PoolConnection.objects.filter(pool=pool).exists():
        return
    connection = Connection.objects.filter(name=_slug(pool)).first() or create_connection(
        name=_slug(pool),
        label=f"Simulated for {pool.name}"[:120],
        kind="simulated",
        actor=actor,
        at=at,
    )
    connect_pool(pool=pool, connection=connection, actor=actor, at=at)


def _make_service(pool: Pool, actor: User, at: datetime) -> None:
    offering = create_offering(
        slug=_slug(pool),
        name=f"Recorded request into {pool.name}"[:120],
        category="Replay",
        summary="Processors, memory and GPUs in the amounts that were asked for.",
        actor=actor,
        at=at,
    )
    for each in PRICED:
        named_class(name=each.resource_class)
    version = draft_version(
        offering=offering,
        resource_kind=KIND,
        resources={},
        pools=[pool],
        parameters={
            "type": "object",
            "properties": {
                each.parameter: {
                    "type": "integer",
                    "title": each.title,
                    "minimum": 0,
                    "maximum": LARGEST,
                    "default": 0,
                    "x-resource-class": each.resource_class,
                }
                for each in PRICED
            },
        },
        max_instances=1,
        actor=actor,
        at=at,
    )
    publish_version(version=version, actor=actor, at=at)


def _make_money(pool: Pool, project: Project, people: tuple[User, User], at: datetime) -> None:
    """Make the payer and the price list: prepared by one person, released by the other."""
    first, second = people
    entity = save_entity(
        entity=IssuingEntity(name=f"Replay into {pool.name}"[:120], zone=ZONE), at=at, actor=first
    )
    account = save_account(
        account=BillingAccount(
            entity=entity,
            organisation=pool.organisation,
            code=_slug(pool),
            name=f"Replay into {pool.name}"[:120],
            owner=first,
        ),
        at=at,
        actor=first,
    )
    assign_account(project=project, account=account, from_at=at, at=at, actor=first)
    book = save_price_book(
        book=PriceBook(entity=entity, name=f"Replay into {pool.name}"[:120], currency="EUR"),
        at=at,
        actor=first,
    )
    for each in PRICED:
        save_price(
            price=SkuPrice(
                book=book,
                sku=_sku(each, first, at),
                tier=(Decimal(0), None),
                during=DateTimeTZRange(at, None),
                unit_price=each.hourly,
            ),
            at=at,
            actor=first,
        )
    publish_price_book(book=book, at=at, actor=second, is_default=True)


def _sku(each: Priced, actor: User, at: datetime) -> Sku:
    """Return the price item, which the replays into all pools share."""
    known = Sku.objects.filter(code=f"replay-{each.meter}").first()
    if known is not None:
        return known
    meter = save_meter(
        meter=Meter(
            name=f"replay-{each.meter}",
            label=each.label,
            source=MeterSource.ALLOCATION,
            resource_class=named_class(name=each.resource_class),
            unit=each.unit,
            scale=each.scale,
        ),
        at=at,
        actor=actor,
    )
    return save_sku(
        sku=Sku(
            code=f"replay-{each.meter}",
            name=each.label,
            meter=meter,
            resource_kind=KIND,
            base=PriceBase.HOUR,
            service_name="Replay",
            pricing_unit=f"{each.unit}-Hours",
        ),
        at=at,
        actor=actor,
    )
