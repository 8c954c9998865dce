"""Nothing is deleted without a stop first, where the organisation wants it so."""

import pytest

from inventory.choices import ResourceStatus
from inventory.foundation.models import User
from inventory.models import Resource, ResourceState
from orchestra.choices import (
    OrderState,
)
from orchestra.engine import drain
from orchestra.models import Deployment, Order, Plan, PolicyVersion, Run
from orchestra.providers.simulated.world import World
from orchestra.selectors.runs import invariants
from orchestra.services.defaults import set_lease_defaults
from orchestra.services.orders import (
    request_retirement,
)
from orchestra.services.runs import start_run
from tests.cast import NOW
from tests.orchestra.changing import DAY, carried_out, earlier
from tests.orchestra.world import Catalogue

pytestmark = pytest.mark.django_db


def test_nothing_is_deleted_without_a_stop(web: Deployment, member: User, world: World) -> None:
    order = carried_out(earlier(web, member, None, at=NOW + DAY))
    assert order.state == OrderState.FULFILLED
    assert world.counters()["stopped"] == 2
    run = Run.objects.get(order=order)
    assert list(run.steps.filter(index=0).order_by("ordinal").values_list("key", "state")) == [
        ("stop[0]", "done"),
        ("delete[0]", "done"),
        ("release[0]", "done"),
    ]
    assert invariants() == []


def test_running_and_stopped_time_are_told_apart(
    web: Deployment, member: User, catalogue: Catalogue
) -> None:
    run = Run.objects.get(order=earlier(web, member, None, at=NOW + DAY))
    run.steps.filter(action="resource.delete").update(not_before=NOW + 3660 * DAY)
    drain(worker="test:1")
    Run.objects.filter(pk=run.pk).update(effective_at=NOW + 2 * DAY)
    run.steps.filter(action="resource.delete").update(not_before=None)
    drain(worker="test:1")
    resource = Resource.objects.order_by("pk").first()
    assert resource is not None
    states = {
        row.state: (row.during.lower, row.during.upper)
        for row in ResourceState.objects.filter(resource=resource)
    }
    assert states[ResourceStatus.RUNNING] == (NOW, NOW + DAY)
    assert states[ResourceStatus.STOPPED] == (NOW + DAY, NOW + 2 * DAY)
    assert resource.ended_at == NOW + 2 * DAY


def test_a_connection_that_cannot_stop(
    catalogue: Catalogue, web: Deployment, member: User, world: World
) -> None:
    catalogue.connection.options |= {"can_stop": False}
    catalogue.connection.save()
    order = carried_out(earlier(web, member, None))
    assert order.state == OrderState.FULFILLED
    run = Run.objects.get(order=order)
    stop = run.steps.get(key="stop[0]")
    assert (stop.state, stop.attempts.get().outcome) == ("skipped", "skipped")
    assert run.log.filter(message="Stop web-1: left out. This connection does not offer it.")
    assert world.things() == []
    assert invariants() == []


def test_an_organisation_may_do_without_the_stop(
    web: Deployment, member: User, operator: User, world: World
) -> None:
    set_lease_defaults(
        organisation=web.project.organisation,
        number=0,
        values={"stop_first": False},
        actor=operator,
        at=NOW - DAY,
    )
    order = carried_out(earlier(web, member, None))
    assert order.state == OrderState.FULFILLED
    assert not Run.objects.get(order=order).steps.filter(action="resource.stop").exists()
    assert "stopped" not in world.counters()


def test_a_plan_from_before_still_runs(web: Deployment, member: User, world: World) -> None:
    """Plans that were written before a stop came first delete without one."""
    PolicyVersion.objects.all().update(during=(None, NOW))
    order = request_retirement(deployment=web, requester=member, business_reason="Old", at=NOW)
    old = order.plans.get()
    steps = [step for step in old.document["steps"] if step["action"] != "resource.stop"]
    for step in steps:
        step["needs"] = [need for need in step["needs"] if not need.startswith("stop")]
    plan = Plan(**{name: getattr(old, name) for name in PLAN_FIELDS}, number=2)
    plan.document = old.document | {"steps": steps}
    plan.save()
    Order.objects.filter(pk=order.pk).update(state=OrderState.APPROVED)
    order.refresh_from_db()
    run = start_run(order=order, plan=plan, at=NOW, effective_at=NOW)
    assert run.steps.count() == 4
    assert "stopped" not in world.counters()


PLAN_FIELDS = (
    "order",
    "sha256",
    "quote",
    "currency",
    "monthly_cost",
    "term_cost",
    "max_monthly_cost",
    "decisions",
    "created_at",
    "created_by",
    "valid_until",
)
