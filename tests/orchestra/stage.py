"""A stage for the engine's tests: an approved order with its run, made without the order services.

The simulated destination keeps its world in a folder of the test.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from inventory.foundation.clock import database_now
from inventory.foundation.models import Organisation, Project, User
from inventory.models import Pool
from orchestra.blueprints import (
    create_steps,
    digest,
    end_steps,
    extend_steps,
    resize_steps,
    retire_steps,
)
from orchestra.choices import (
    Alteration,
    ChangeKind,
    Decision,
    OfferingStatus,
    OrderKind,
    OrderState,
)
from orchestra.models import (
    Approval,
    Connection,
    Deployment,
    Offering,
    OfferingVersion,
    Order,
    Plan,
    PoolConnection,
    Run,
)
from orchestra.providers.simulated.world import World
from orchestra.selectors.deployments import live_links
from orchestra.services.runs import start_run
from tests.factories import make_pool

AMOUNTS = {"VCPU": 4, "MEMORY_MB": 8192}
OTHER_AMOUNTS = {"VCPU": 2, "MEMORY_MB": 16384}  # less of one, more of the other


@dataclass
class Stage:
    """Everything a run needs; `world` is what exists at the simulated destination."""

    project: Project
    requester: User
    approver: User
    pool: Pool
    connection: Connection
    version: OfferingVersion
    world: World

    def options(self, **options: Any) -> None:
        """Change how the destination behaves."""
        self.connection.options = {**self.connection.options, **options}
        self.connection.save()

    def run(
        self,
        name: str = "web",
        *,
        instances: int = 1,
        at: datetime | None = None,
        effective_at: datetime | None = None,
        **fields: Any,
    ) -> Run:
        """Start the run of an approved order for new copies."""
        at = at or database_now()
        order = self._order(name, OrderKind.CREATE, instances, at, **fields)
        return self._start(order, create_steps(name, instances), at, effective_at)

    def retirement(self, deployment: Deployment, **fields: Any) -> Run:
        """Start the run of an approved order that gives a deployment back."""
        at = database_now()
        order = self._order(
            deployment.name,
            OrderKind.RETIRE,
            deployment.instances,
            at,
            deployment=deployment,
            **fields,
        )
        copies = [(link.index, link.resource.name) for link in live_links(deployment)]
        return self._start(order, retire_steps(copies), at, None)

    def change(self, deployment: Deployment, alteration: Alteration, **fields: Any) -> Run:
        """Start the run of an approved order that changes a deployment."""
        at = database_now()
        deployment.refresh_from_db()
        order = self._order(
            deployment.name,
            OrderKind.CHANGE,
            deployment.instances,
            at,
            alteration=alteration,
            deployment=deployment,
            **fields,
        )
        copies = [(link.index, link.resource.name) for link in live_links(deployment)]
        steps = {
            Alteration.RESIZE: resize_steps(copies),
            Alteration.EXTEND: extend_steps(),
            Alteration.END: end_steps(),
        }[alteration]
        before = {"amounts": AMOUNTS, "parameters": {}}
        return self._start(
            order,
            steps,
            at,
            None,
            amounts=OTHER_AMOUNTS if alteration is Alteration.RESIZE else AMOUNTS,
            change={"generation": deployment.generation, "before": before},
        )

    def _order(
        self, name: str, kind: OrderKind, instances: int, at: datetime, **fields: Any
    ) -> Order:
        return Order.objects.create(
            **{
                "kind": kind,
                "state": OrderState.APPROVED,
                "project": self.project,
                "requester": self.requester,
                "offering_version": self.version,
                "pool": self.pool,
                "name": name,
                "application": "shop",
                "environment": "test",
                "business_reason": "Try it",
                "instances": instances,
                "change_kind": ChangeKind.NORMAL,
                "created_at": at,
                "decided_at": at,
                **fields,
            }
        )

    def _start(
        self,
        order: Order,
        steps: list[dict[str, Any]],
        at: datetime,
        effective: datetime | None,
        *,
        amounts: dict[str, int] = AMOUNTS,
        **more: Any,
    ) -> Run:
        document = {
            "kind": str(order.kind),
            "deployment": order.name,
            "parameters": {},
            "instances": order.instances,
            "placement": {"amounts": amounts, "required_traits": []},
            "steps": steps,
            **more,
        }
        plan = Plan.objects.create(
            order=order,
            number=1,
            document=document,
            sha256=digest(document),
            quote={},
            currency="EUR",
            monthly_cost=0,
            max_monthly_cost=0,
            created_at=at,
            created_by=self.requester,
            valid_until=at,
        )
        Approval.objects.create(
            plan=plan,
            plan_sha256=plan.sha256,
            requester=self.requester,
            approver=self.approver,
            decision=Decision.APPROVE,
            decided_at=at,
        )
        return start_run(order=order, plan=plan, at=at, effective_at=effective)


def set_stage(
    *,
    organisation: Organisation,
    project: Project,
    requester: User,
    approver: User,
    folder: Path,
    hosts: int = 10,
    **options: Any,
) -> Stage:
    """Make a pool of hosts, each with room for four copies, under a simulated connection."""
    pool = make_pool(organisation, hosts=hosts)
    connection = Connection.objects.create(
        name="sim",
        label="Simulated",
        kind="simulated",
        options={"state_dir": str(folder), **options},
    )
    PoolConnection.objects.create(pool=pool, connection=connection)
    offering = Offering.objects.create(
        slug="small", name="Small machine", category="Machines", summary="A machine"
    )
    version = OfferingVersion.objects.create(
        offering=offering,
        number=1,
        status=OfferingStatus.PUBLISHED,
        resource_kind="Small machine",
        resources=AMOUNTS,
    )
    return Stage(
        project=project,
        requester=requester,
        approver=approver,
        pool=pool,
        connection=connection,
        version=version,
        world=World(folder / "world.sqlite3"),
    )
