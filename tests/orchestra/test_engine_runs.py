"""Whole runs through the engine, against the simulated destination."""

from pathlib import Path

import pytest

from inventory.choices import ResourceStatus
from inventory.foundation.models import Event, Organisation, Project, User
from inventory.models import Allocation, Resource
from orchestra.choices import (
    DeploymentState,
    OrderState,
    Phase,
    RunState,
    StepState,
)
from orchestra.engine import drain
from orchestra.models import Run
from orchestra.selectors.runs import invariants, timeline
from tests.orchestra.stage import Stage, set_stage

pytestmark = pytest.mark.django_db


@pytest.fixture
def stage(
    organisation: Organisation, project: Project, member: User, approver: User, tmp_path: Path
) -> Stage:
    return set_stage(
        organisation=organisation,
        project=project,
        requester=member,
        approver=approver,
        folder=tmp_path,
    )


def finish(run: Run) -> Run:
    drain(worker="test:1")
    run.refresh_from_db()
    return run


def test_delivers_all_copies(stage: Stage) -> None:
    run = finish(stage.run(instances=3))
    assert run.state == RunState.SUCCEEDED, run.reason
    assert run.order.state == OrderState.FULFILLED
    assert run.deployment.state == DeploymentState.LIVE
    resources = Resource.objects.order_by("name")
    assert [one.status for one in resources] == [ResourceStatus.RUNNING] * 3
    assert all(one.external_ref and one.attributes["address"] for one in resources)
    assert Allocation.objects.filter(active_from=None).count() == 0
    assert len(stage.world.things()) == 3
    assert invariants() == []
    story = timeline(run)
    assert (story.done, story.total) == (7, 7)
    types = Event.objects.filter(subject=f"run/{run.pk}").values_list("type", flat=True)
    assert list(types) == [
        "orchestra.run.scheduled",
        "orchestra.run.started",
        "orchestra.run.succeeded",
    ]


def test_gives_everything_back(stage: Stage) -> None:
    run = finish(stage.run(instances=2))
    retirement = finish(stage.retirement(run.deployment))
    assert retirement.state == RunState.SUCCEEDED, retirement.reason
    run.deployment.refresh_from_db()
    assert run.deployment.state == DeploymentState.RETIRED
    assert run.deployment.retired_at is not None
    assert stage.world.things() == []
    assert set(Resource.objects.values_list("status", flat=True)) == {ResourceStatus.GONE}
    assert not Allocation.objects.filter(active_to=None).exists()
    assert invariants() == []


def test_terminal_failure_is_undone_in_reverse_order(stage: Stage) -> None:
    stage.options(fail_at=["web-2"])
    run = finish(stage.run(instances=3))
    assert run.state == RunState.COMPENSATED
    assert "web-2" in run.reason
    assert run.order.state == OrderState.FAILED
    assert run.deployment.state == DeploymentState.FAILED
    assert stage.world.things() == []
    assert not Resource.objects.exclude(status=ResourceStatus.GONE).exists()
    undo = run.steps.filter(phase=Phase.UNDO)
    assert set(undo.values_list("state", flat=True)) == {StepState.DONE}
    assert undo.order_by("ordinal").last().key == "reserve"
    assert invariants() == []
