"""One request walks down the street: ordered, approved, delivered, given back, gone."""

from pathlib import Path

import pytest

from inventory.choices import AllocationState
from inventory.foundation.clock import database_now
from inventory.foundation.models import User
from inventory.models import Allocation, CapacitySpan, Resource
from orchestra.choices import DeploymentState, OrderState
from orchestra.engine import drain
from orchestra.selectors.runs import invariants
from orchestra.services.orders import request_retirement
from tests.orchestra.world import Catalogue, approve, place, submit

pytestmark = pytest.mark.django_db


def test_from_the_request_to_the_end(
    catalogue: Catalogue, member: User, approver: User, tmp_path: Path
) -> None:
    catalogue.connection.options = {"state_dir": str(tmp_path)}
    catalogue.connection.save()
    now = database_now()
    order = place(catalogue, member, instances=2, environment="production", end_at=None, at=now)
    order = submit(order, member, at=now)
    assert order.state == OrderState.AWAITING_APPROVAL
    approve(order, approver, at=now)
    drain(worker="test:1")
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED
    deployment = order.deployment
    assert deployment is not None
    assert deployment.state == DeploymentState.LIVE
    assert Allocation.objects.filter(state=AllocationState.ACTIVE).count() == 6
    assert invariants() == []

    end = request_retirement(
        deployment=deployment, requester=member, business_reason="Done", at=database_now()
    )
    assert end.state == OrderState.FULFILLING  # by rule: it costs nothing
    drain(worker="test:1")
    end.refresh_from_db()
    deployment.refresh_from_db()
    assert (end.state, deployment.state) == (OrderState.FULFILLED, DeploymentState.RETIRED)
    assert set(Resource.objects.values_list("status", flat=True)) == {"gone"}
    assert not Allocation.objects.exclude(state=AllocationState.RELEASED).exists()
    assert not CapacitySpan.objects.filter(used__gt=0, during__contains=database_now()).exists()
    assert invariants() == []
    # the name is free again
    assert place(catalogue, member, at=database_now(), end_at=None).state == OrderState.PLANNED
