"""The world in which every route is asked for: each kind of object once, in the state it needs.

`addresses` says which object a route's address names, `contents` what a write sends; both are
what would succeed for somebody who may, so that a refusal is one of the person and not of a form.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.backends.postgresql.psycopg_any import DateRange

from billing.models import BillingPeriod, Budget, Charge, Invoice
from billing.services import close_period, rate_period
from inventory.choices import ResourceStatus
from inventory.foundation.choices import Role
from inventory.foundation.clock import database_now
from inventory.foundation.models import (
    AuditEvent,
    Event,
    Organisation,
    Project,
    RoleGrant,
    SavedView,
    User,
)
from inventory.foundation.services.saved_views import save_view
from inventory.models import Resource
from orchestra.choices import DeploymentState, NoticeKind, RunState, StepState
from orchestra.engine import drain
from orchestra.models import Deployment, Notification, Order, Policy, Run, Step
from orchestra.services.notices import notify
from orchestra.services.tokens import create_token
from tests.billing.world import berlin, make_host, make_machine
from tests.cast import NOW, grant, make_user
from tests.house.calendar_doors import (
    calendar_addresses,
    calendar_contents,
    make_calendar_doors,
)
from tests.house.money_doors import make_money_doors, money_addresses, money_contents
from tests.house.pool_doors import make_pool_doors, pool_addresses
from tests.house.project_doors import make_wishes, project_addresses, project_contents
from tests.orchestra.pages import sha_of, typed
from tests.orchestra.programs import asked_for
from tests.orchestra.world import Catalogue, make_rule, place, submit

# A list of no rows that says where it is from; that its seal does not fit is a finding, no error.
PROVEN = "Name\r\n# Address,http://testserver/requests/\r\n# Rows,0\r\n# SHA-256,0\r\n# Seal,0\r\n"
JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


@dataclass
class PermissionWorld:
    """The objects that addresses name."""

    catalogue: Catalogue
    project: Project
    member: User
    newcomer: User
    live: Deployment
    planned: Order
    waiting: Order
    run: Run
    stuck: Step
    resource: Resource
    charge: Charge
    invoice: Invoice
    open_period: BillingPeriod
    role: RoleGrant
    token_key: str
    view: SavedView


def make_permission_world(
    *,
    catalogue: Catalogue,
    member: User,
    finance: User,
    folder: Path,
    approver: User | None = None,
) -> PermissionWorld:
    """Order, deliver, get stuck, close January and leave February open."""
    catalogue.connection.options = {"state_dir": str(folder)}
    catalogue.connection.save()
    project, at = catalogue.project, database_now()
    small: dict[str, Any] = {"at": at, "end_at": at + timedelta(days=30)}
    submit(place(catalogue, member, name="live", **small), member, at=at)
    drain(worker="test")
    live = Deployment.objects.get(name="live")
    run = Run.objects.get(
        order=submit(place(catalogue, member, name="going", **small), member, at=at)
    )
    bent = Run.objects.get(
        order=submit(place(catalogue, member, name="bent", **small), member, at=at)
    )
    Run.objects.filter(pk=bent.pk).update(state=RunState.NEEDS_OPERATOR)
    stuck = bent.steps.get(action="resource.create")
    Step.objects.filter(pk=stuck.pk).update(state=StepState.PARKED)
    waiting = place(catalogue, member, at=at, name="waits", environment="production", end_at=None)
    make_rule(finance, slug="shops", organisation=project.organisation)
    Deployment.objects.create(
        project=project,
        pool=catalogue.pool,
        offering_version=catalogue.version,
        name="forever",
        application="shop",
        environment="production",
        owner=member,
        state=DeploymentState.LIVE,
        instances=1,
        created_at=NOW,
        confirm_by=at,
    )
    notify(people=[member], kind=NoticeKind.CONFIRM_SOON, text="Soon", link="/", at=at)
    host = make_host(project.organisation)
    make_machine(
        project=project,
        host=host,
        name="old",
        start=berlin(2026, 1, 5),
        end=berlin(2026, 2, 6),
    )
    (closed,) = close_period(month=JANUARY, at=berlin(2026, 2, 2), actor=finance)
    assert closed.invoice is not None, closed.error
    rate_period(account=catalogue.money.account, month=FEBRUARY, at=berlin(2026, 3, 2))
    charge = Charge.objects.filter(period__month=JANUARY).first()
    role = RoleGrant.objects.get(user=member)
    receiver = approver or make_user("rita", project.organisation)
    make_wishes(project=project, member=member, approver=receiver)
    assert charge is not None
    make_money_doors(project=project)
    make_pool_doors(project=project, pool=catalogue.pool)
    make_calendar_doors(pool=catalogue.pool, member=member, at=at)
    Budget.objects.create(
        account=catalogue.money.account,
        project=project,
        name="Winter",
        during=DateRange(JANUARY, FEBRUARY),
        amount=Decimal(500),
        currency="EUR",
    )
    token, _secret = create_token(
        user=member,
        name="ci",
        scopes=["read"],
        project=None,
        expires_at=at + timedelta(days=1),
        at=at,
    )
    return PermissionWorld(
        catalogue=catalogue,
        project=project,
        member=member,
        newcomer=make_user("nora", project.organisation),
        live=live,
        planned=place(catalogue, member, name="planned", **small),
        waiting=submit(waiting, member, at=at),
        run=run,
        stuck=stuck,
        resource=Resource.objects.get(
            deployment_link__deployment=live, status=ResourceStatus.RUNNING
        ),
        charge=charge,
        invoice=Invoice.objects.get(),
        open_period=BillingPeriod.objects.get(month=FEBRUARY, account=catalogue.money.account),
        role=role,
        token_key=token.token_key,
        view=save_view(
            user=member,
            name="Running",
            path="/resources/",
            query="status=running",
            project=project,
            is_pinned=True,
            at=at,
        ),
    )


def give_roles_elsewhere(stranger: User) -> None:
    """Give the stranger every role in their own organisation: all doors open there, none here."""
    elsewhere = Organisation.objects.get(memberships__user=stranger)
    for role in Role:
        grant(stranger, role, organisation=elsewhere)
    Project.objects.create(
        organisation=elsewhere,
        name="Theirs",
        slug="theirs",
        owner=stranger,
        deputy=make_user("serge", elsewhere),
        cost_centre="1",
        created_at=NOW,
    )


def revoked_member(project: Project) -> User:
    """Return somebody who belongs to the organisation and whose role in the project was taken."""
    user = make_user("rory", project.organisation)
    grant(user, Role.MEMBER, project=project).delete()
    return user


def addresses(world: PermissionWorld) -> dict[str, dict[str, Any]]:
    """Return what each route's address names, by the route."""
    step = {"pk": world.stuck.run_id, "step": world.stuck.pk}
    order, run = {"pk": world.planned.pk}, {"pk": world.run.pk}
    entry = AuditEvent.objects.filter(project=world.project).first()
    event = Event.objects.filter(project=world.project).first()
    assert entry is not None
    assert event is not None
    slug = {"slug": world.catalogue.offering.slug}
    place = {"pk": world.project.organisation_id}
    forever = {"pk": Deployment.objects.get(name="forever").pk}
    notice = {"pk": Notification.objects.get(user=world.member).pk}
    rule = Policy.objects.get(slug="shops")
    view = {"pk": world.view.pk}
    return (
        {
            "orchestra:request-new": slug,
            "orchestra:request-estimate": slug,
            "orchestra:request": order,
            "orchestra:request-edit": order,
            "orchestra:request-submit": order,
            "orchestra:request-cancel": order,
            "orchestra:approval": {"pk": world.waiting.pk},
            "orchestra:application": {"pk": world.live.pk},
            "orchestra:deployment-resize": {"pk": world.live.pk},
            "orchestra:deployment-extend": {"pk": world.live.pk},
            "orchestra:deployment-end": {"pk": world.live.pk},
            "orchestra:deployment-estimate": {"pk": world.live.pk, "what": "resize"},
            "api:deployment-detail": {"pk": world.live.pk},
            "api:deployment-resize": {"pk": world.live.pk},
            "api:deployment-extend": {"pk": world.live.pk},
            "api:deployment-end": {"pk": world.live.pk},
            "orchestra:application-confirm": forever,
            "orchestra:notice-read": notice,
            "orchestra:defaults-of": place,
            "orchestra:defaults-terms": place,
            "orchestra:defaults-capacity": place,
            "orchestra:defaults-accounts": place,
            "orchestra:defaults-rule-new": place,
            "orchestra:defaults-rule": place | {"policy": rule.pk},
            "api:notice-detail": notice,
            "api:notice-read": notice,
            "api:term-confirm": forever,
            "api:defaults-detail": place,
            "api:defaults-terms": place,
            "api:defaults-capacity": place,
            "api:defaults-accounts": place,
            "orchestra:run": run,
            "orchestra:run-timeline": run,
            "orchestra:run-log": run,
            "orchestra:run-steer": run,
            "orchestra:step-retry": step,
            "orchestra:step-skip": step,
            "orchestra:step-resolve": step,
            "orchestra:token-revoke": {"key": world.token_key},
            "foundation:audit-entry": {"pk": entry.pk},
            "foundation:event": {"pk": event.pk},
            "foundation:view": view,
            "foundation:view-open": view,
            "foundation:view-edit": view,
            "foundation:view-delete": view,
            "foundation:view-choose": view,
            "foundation:person": {"pk": world.member.pk},
            "inventory:resource": {"pk": world.resource.pk},
            "inventory:pool": {"slug": world.catalogue.pool.slug},
            "inventory:pool-people": {"slug": world.catalogue.pool.slug},
            "inventory:pool-grant": {"slug": world.catalogue.pool.slug},
            "inventory:pool-revoke": {"slug": world.catalogue.pool.slug, "grant": world.role.pk},
            "inventory:pool-use": {"slug": world.catalogue.pool.slug},
            "billing:resource-cost": {"pk": world.resource.pk},
            "billing:budget-csv": {"pk": Budget.objects.get(project=world.project).pk},
            "billing:charge": {"pk": world.charge.pk},
            "billing:statement": {"pk": world.invoice.pk},
            "billing:statement-csv": {"pk": world.invoice.pk},
            "billing:running": {"pk": world.open_period.pk},
            "billing:month": {"month": "2026-01"},
            "billing:close": {"pk": world.open_period.pk},
            "billing:export": {"month": "2026-01"},
            "api:order-detail": order,
            "api:order-submit": order,
            "api:order-cancel": order,
            "api:order-decide": {"pk": world.waiting.pk},
            "api:run-detail": run,
            "api:run-log": run,
            "api:run-steer": run,
            "api:resource-detail": {"pk": world.resource.pk},
            "api:view-detail": view,
            "api:audit-detail": {"pk": entry.pk},
            "api:event-detail": {"pk": event.pk},
            "api:charge-detail": {"pk": world.charge.pk},
            "api:charge-explanation": {"pk": world.charge.pk},
        }
        | money_addresses(project=world.project)
        | project_addresses(project=world.project, role=world.role)
        | pool_addresses(project=world.project, pool=world.catalogue.pool)
        | calendar_addresses(pool=world.catalogue.pool, member=world.member)
    )


def contents(world: PermissionWorld) -> dict[str, dict[str, Any]]:
    """Return what each write sends, by the route."""
    catalogue, project = world.catalogue, world.project
    key = {"idempotency_key": uuid4().hex}
    sha256, waiting_sha256 = sha_of(world.planned), sha_of(world.waiting)
    decision = {"plan_sha256": waiting_sha256, "decision": "approve", "reason": ""}
    resize = {"parameters.disk": "100", "reason": "Full", "offering": "", "shown": ""}
    soon = f"{database_now() + timedelta(days=9):%Y-%m-%dT%H:%M}"
    return (
        {
            "orchestra:request-new": typed(catalogue, name="fresh"),
            "orchestra:request-estimate": typed(catalogue, name="fresh"),
            "orchestra:request-edit": typed(catalogue, name="planned")
            | {"version": world.planned.version},
            "orchestra:request-submit": {"plan_sha256": sha256},
            "orchestra:request-cancel": {"reason": "Not needed"},
            "orchestra:approval": decision | key,
            "orchestra:defaults-terms": {"lease_days": "60", "version": "0", **key},
            "orchestra:defaults-capacity": {"cpu_ratio": "2", "version": "0", **key},
            "orchestra:defaults-accounts": {"mode": "chargeback", "version": "0", **key},
            "api:defaults-terms": {"lease_days": 60, "version": 0},
            "api:defaults-capacity": {"cpu_ratio": "2", "version": 0},
            "api:defaults-accounts": {"mode": "chargeback", "version": 0},
            "orchestra:deployment-resize": resize | key | {"version": world.live.generation},
            "orchestra:deployment-extend": {
                "end_at": f"{database_now() + timedelta(days=60):%Y-%m-%dT%H:%M}",
                "reason": "Needed",
                "version": world.live.generation,
                **key,
            },
            "orchestra:deployment-end": {
                "end_at": soon,
                "reason": "Not needed",
                "confirm_name": world.live.name,
                **key,
            },
            "orchestra:deployment-estimate": resize,
            "api:deployment-resize": {"parameters": {"disk": 100}, "business_reason": "Full"},
            "api:deployment-extend": {
                "end_at": (database_now() + timedelta(days=60)).isoformat(),
                "business_reason": "Needed",
            },
            "api:deployment-end": {
                "end_at": (database_now() + timedelta(days=9)).isoformat(),
                "business_reason": "Not needed",
            },
            "orchestra:run-steer": {"desired": "pause"},
            "orchestra:step-skip": {"reason": "By hand"},
            "orchestra:step-resolve": {"reason": "By hand", "external_ref": "vm-1"},
            "orchestra:tokens": {"name": "ci", "scopes": ["read"], "expires_at": soon},
            "foundation:profile": {"display_name": "Me", "time_zone": "UTC", "theme": "auto"},
            "foundation:view-new": {"name": "Mine", "of": "/requests/?state=planned"},
            "foundation:view-edit": {"name": "Still running", "project": project.pk},
            "foundation:view-delete": key,
            "foundation:view-choose": {"pinned": "1"},
            "foundation:verify": {"file": SimpleUploadedFile("a.csv", PROVEN.encode())},
            "api:view-list": {"name": "Mine", "path": "/requests/", "query": "state=planned"},
            "api:view-detail": {"name": "Still running"},
            "foundation:become": {"role": "owner"},
            "billing:close": key,
            "api:order-list": asked_for(catalogue, name="fresh"),
            "api:order-detail": {"instances": 2},
            "api:order-submit": {"plan_sha256": sha256},
            "api:order-cancel": {"reason": "Not needed"},
            "api:order-decide": decision,
            "api:run-steer": {"desired_state": "pause"},
        }
        | money_contents(project=project, key=key)
        | project_contents(project=project, newcomer=world.newcomer)
        | calendar_contents(pool=catalogue.pool, key=key)
    )
