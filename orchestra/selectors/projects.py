"""What stands in the way of closing a project, or of moving it; and what it has in flight."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Model, QuerySet

from inventory.choices import AllocationState
from inventory.foundation.choices import TransferKind, WishState
from inventory.foundation.models import Organisation, Project, ProjectTransfer
from inventory.foundation.selectors import ancestry
from inventory.models import Resource
from orchestra.choices import OrderState
from orchestra.lifecycle import OPEN_RUNS
from orchestra.models import Deployment, Order, Run
from orchestra.selectors.deployments import ENDED

OPEN_ORDERS = (
    OrderState.DRAFT,
    OrderState.PLANNED,
    OrderState.AWAITING_APPROVAL,
    OrderState.APPROVED,
    OrderState.FULFILLING,
)
MOST_NAMED = 50  # of each kind: who has more than that sees the rest when these are gone


@dataclass(frozen=True)
class Obstacle:
    """Something that a project still has; `kind` is application, resource, request, run or
    transfer, and `cure` says what to do about it."""

    kind: str
    subject: Model
    cure: str

    def __str__(self) -> str:
        return f"{self.subject._meta.verbose_name} {self.subject}"


def obstacles(project: Project) -> tuple[Obstacle, ...]:
    """Return all that must be gone before the project may close, at most 50 of each kind."""
    return tuple(_obstacles(project))


def _obstacles(project: Project) -> Iterator[Obstacle]:
    deployments = Deployment.objects.filter(project=project).exclude(state__in=ENDED)
    for one in _first(deployments):
        yield Obstacle("application", one, "Give it back.")
    for resource in _first(live_resources(project)):
        yield Obstacle("resource", resource, "Give back the application that it belongs to.")
    for order in _first(Order.objects.filter(project=project, state__in=OPEN_ORDERS)):
        yield Obstacle("request", order, "Cancel it, or wait until it is delivered.")
    runs = Run.objects.filter(order__project=project, state__in=OPEN_RUNS)
    for run in _first(runs.select_related("order", "deployment")):
        yield Obstacle("run", run, "Wait until it has ended, or cancel it.")
    transfers = ProjectTransfer.objects.filter(
        project=project, state__in=[WishState.WAITING, WishState.AGREED]
    )
    for transfer in _first(transfers.select_related("project")):
        yield Obstacle("transfer", transfer, "Withdraw the hand-over, or wait for its answer.")


def live_resources(project: Project) -> QuerySet[Resource]:
    """Return what the project holds or has booked, or what is not gone yet, by name."""
    held = Resource.objects.filter(
        project=project, allocations__state__in=[AllocationState.RESERVED, AllocationState.ACTIVE]
    )
    there = Resource.objects.live().filter(project=project)
    return Resource.objects.filter(pk__in=held.union(there).values("pk")).order_by("name", "pk")


def out_of_reach(project: Project, organisation: Organisation) -> list[Resource]:
    """Return what the project holds in pools that are not offered to an organisation."""
    return list(
        live_resources(project)
        .exclude(pool__organisation_id__in=ancestry(organisation.pk))
        .select_related("pool")[:MOST_NAMED]
    )


def moves_due(at: datetime) -> list[ProjectTransfer]:
    """Return the agreed moves to another organisation whose instant has come, oldest first."""
    return list(
        ProjectTransfer.objects.filter(
            kind=TransferKind.ORGANISATION, state=WishState.AGREED, effective_at__lte=at
        )
        .select_related("project", "organisation")
        .order_by("effective_at", "pk")
    )


def _first[M: Model](rows: QuerySet[M]) -> QuerySet[M]:
    return rows.order_by("pk")[:MOST_NAMED]
