"""Steering and repairing runs."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from inventory.choices import AllocationState, ResourceStatus
from inventory.foundation.clock import database_now
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import AuditEvent, Event, Organisation, Project, User
from inventory.models import Allocation, Resource
from inventory.services import NoCapacity
from orchestra.choices import (
    DeploymentState,
    DesiredState,
    OrderState,
    Phase,
    RunState,
    StepState,
)
from orchestra.engine import drain, sweep
from orchestra.engine.admission import admit_runs
from orchestra.engine.claim import claim_next
from orchestra.engine.work import take
from orchestra.models import Deployment, PoolConnection, Run, Step
from orchestra.selectors.runs import invariants, visible_runs
from orchestra.services.runs import (
    NoConnection,
    NotSkippable,
    RunIsOver,
    StepNotStuck,
    mark_resolved,
    retry_step,
    skip_step,
    steer_run,
)
from orchestra.steps import HANDLERS, Handler
from tests.cast import NOW
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


def drive(run: Run) -> Run:
    for _ in range(20):
        drain(worker="test:1")
        Step.objects.update(not_before=None)
    run.refresh_from_db()
    return run


def parked_create(stage: Stage) -> Step:
    """A create of which nobody knows whether it was done."""
    stage.options(idempotent=False, lookup=False, timeout_after_rate=1.0)
    run = drive(stage.run())
    assert run.state == RunState.NEEDS_OPERATOR
    return run.steps.get(key="create[0]", phase=Phase.FORWARD)


# --- start ---------------------------------------------------------------------------------------


def test_start_reserves_all_and_writes_the_graph(stage: Stage) -> None:
    run = stage.run(instances=2)
    assert run.state == RunState.SCHEDULED
    assert run.order.deployment == run.deployment
    assert run.deployment.generation == run.deployment_generation == 1
    states = dict(run.steps.values_list("key", "state"))
    assert states == {
        "reserve": StepState.DONE,
        "create[0]": StepState.READY,
        "create[1]": StepState.READY,
        "activate[0]": StepState.BLOCKED,
        "activate[1]": StepState.BLOCKED,
    }
    assert [*run.steps.order_by("ordinal").values_list("ordinal", flat=True)] == [1, 2, 3, 4, 5]
    assert set(Allocation.objects.values_list("state", flat=True)) == {AllocationState.RESERVED}
    assert all(resource.provider for resource in Resource.objects.all())
    assert run.steps.get(key="create[0]").connection == stage.connection
    assert run.steps.get(key="activate[0]").connection is None


def test_start_is_all_or_nothing(stage: Stage) -> None:
    with pytest.raises(NoCapacity):
        stage.run(instances=41)
    assert not Run.objects.exists()
    assert not Deployment.objects.exists()
    assert not Resource.objects.exists()


def test_start_needs_a_connection(stage: Stage) -> None:
    PoolConnection.objects.all().delete()
    stage.pool.refresh_from_db()
    with pytest.raises(NoConnection, match="Frankfurt has no connection"):
        stage.run()


def test_a_replay_happens_in_business_time(stage: Stage) -> None:
    run = drive(stage.run(at=NOW, effective_at=NOW))
    assert run.state == RunState.SUCCEEDED
    assert run.finished_at == NOW
    resource = Resource.objects.get()
    assert resource.delivered_at == NOW
    assert set(resource.allocations.values_list("active_from", flat=True)) == {NOW}
    events = Event.objects.filter(correlation_id=str(run.correlation_id))
    assert set(events.values_list("time", flat=True)) == {NOW}


# --- steer ---------------------------------------------------------------------------------------


def test_pause_holds_at_the_next_step(stage: Stage, member: User) -> None:
    run = stage.run(instances=2)
    steer_run(run=run, desired=DesiredState.PAUSE, actor=member, at=database_now())
    drain(worker="test:1")
    run.refresh_from_db()
    assert run.state == RunState.SCHEDULED
    steer_run(run=run, desired=DesiredState.RUN, actor=member, at=database_now())
    drain(worker="test:1")
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED


def test_pause_in_the_middle(stage: Stage, member: User) -> None:
    run = stage.run(instances=2)
    drain_one(stage)
    steer_run(run=run, desired=DesiredState.PAUSE, actor=member, at=database_now())
    assert claim_next(worker="test:1") is None
    steer_run(run=run, desired=DesiredState.RUN, actor=member, at=database_now())
    assert drive(run).state == RunState.SUCCEEDED


def drain_one(stage: Stage) -> None:
    """Start what waits and take exactly one step."""
    stage.connection.max_inflight = 1
    stage.connection.save()
    admit_runs(passed=set())
    claim = claim_next(worker="test:1")
    assert claim is not None
    take(claim)


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_cancel_undoes_what_was_begun(stage: Stage, member: User, steps: int) -> None:
    run = stage.run(instances=2)
    for _ in range(steps):
        drain_one(stage)
    steer_run(run=run, desired=DesiredState.CANCEL, actor=member, at=database_now())
    steer_run(run=run, desired=DesiredState.CANCEL, actor=member, at=database_now())
    run = drive(run)
    assert run.state == RunState.CANCELLED
    assert run.order.state == OrderState.CANCELLED
    assert run.deployment.state == DeploymentState.FAILED
    assert stage.world.things() == []
    assert not Resource.objects.exclude(status=ResourceStatus.GONE).exists()
    assert invariants() == []
    assert AuditEvent.objects.filter(action="run.cancel", actor=member).count() == 1


def test_cancel_waits_for_what_is_in_flight(stage: Stage, member: User) -> None:
    run = stage.run()
    admit_runs(passed=set())
    claim = claim_next(worker="test:1")
    assert claim is not None
    steer_run(run=run, desired=DesiredState.CANCEL, actor=member, at=database_now())
    run.refresh_from_db()
    assert run.state == RunState.COMPENSATING
    assert not run.steps.filter(phase=Phase.UNDO).exists()
    take(claim)
    assert run.steps.filter(phase=Phase.UNDO).count() == 2
    assert drive(run).state == RunState.CANCELLED
    assert stage.world.things() == []


def test_too_late_to_cancel(stage: Stage, member: User) -> None:
    run = drive(stage.run())
    with pytest.raises(RunIsOver, match="has ended"):
        steer_run(run=run, desired=DesiredState.CANCEL, actor=member, at=database_now())
    retirement = stage.retirement(run.deployment)
    drain_one(stage)
    with pytest.raises(RunIsOver, match="cannot be brought back"):
        steer_run(run=retirement, desired=DesiredState.CANCEL, actor=member, at=database_now())


def test_cancelled_removal_leaves_all_as_it_was(stage: Stage, member: User) -> None:
    run = drive(stage.run())
    retirement = stage.retirement(run.deployment)
    steer_run(run=retirement, desired=DesiredState.CANCEL, actor=member, at=database_now())
    assert drive(retirement).state == RunState.CANCELLED
    run.deployment.refresh_from_db()
    assert run.deployment.state == DeploymentState.LIVE
    assert len(stage.world.things()) == 1
    assert invariants() == []


def test_who_may_steer(stage: Stage, stranger: User, auditor: User) -> None:
    run = stage.run()
    for actor, error in ((stranger, NotVisible), (auditor, Forbidden)):
        with pytest.raises(error):
            steer_run(run=run, desired=DesiredState.PAUSE, actor=actor, at=database_now())
    with pytest.raises(InvalidInput):
        steer_run(run=run, desired="stop", actor=stage.requester, at=database_now())


def test_who_sees_runs(stage: Stage, stranger: User, auditor: User, operator: User) -> None:
    run = stage.run()
    for person in (stage.requester, auditor, operator):
        assert list(visible_runs(person)) == [run]
    assert not visible_runs(stranger).exists()


# --- repair --------------------------------------------------------------------------------------


def test_resolve_adopts_what_the_operator_found(stage: Stage, operator: User) -> None:
    step = parked_create(stage)
    found = stage.world.things()[0]
    with pytest.raises(InvalidInput):
        mark_resolved(step=step, actor=operator, reason="Seen there", at=database_now())
    mark_resolved(
        step=step,
        actor=operator,
        reason="Seen there",
        at=database_now(),
        external_ref=found.ref,
    )
    run = drive(step.run)
    assert run.state == RunState.SUCCEEDED
    assert Resource.objects.get().external_ref == found.ref
    assert stage.world.counters()["made"] == 1
    assert invariants() == []


def test_retry_gives_more_tries(stage: Stage, operator: User) -> None:
    run = drive(stage.run())
    stage.options(fail_delete_at=["web-1"])
    retirement = drive(stage.retirement(run.deployment))
    assert retirement.state == RunState.NEEDS_OPERATOR
    assert Resource.objects.get().status == ResourceStatus.LEFTOVER
    stage.options(fail_delete_at=[])
    step = retirement.steps.get(key="delete[0]")
    retry_step(step=step, actor=operator, at=database_now())
    assert drive(retirement).state == RunState.SUCCEEDED
    assert invariants() == []


def test_a_leftover_removed_by_hand_ends_the_undo(stage: Stage, operator: User) -> None:
    stage.options(fail_at=["web-2"], fail_delete_at=["web-1"])
    run = drive(stage.run(instances=2))
    assert run.state == RunState.NEEDS_OPERATOR
    step = run.steps.get(key="create[0]", phase=Phase.UNDO)
    mark_resolved(step=step, actor=operator, reason="Removed by hand", at=database_now())
    run = drive(run)
    assert run.state == RunState.COMPENSATED
    assert not Resource.objects.exclude(status=ResourceStatus.GONE).exists()
    assert invariants() == []


def test_cancel_from_rest_undoes(stage: Stage, member: User) -> None:
    step = parked_create(stage)
    stage.options(lookup=True, timeout_after_rate=0.0)
    steer_run(run=step.run, desired=DesiredState.CANCEL, actor=member, at=database_now())
    run = drive(step.run)
    assert run.state == RunState.CANCELLED
    assert stage.world.things() == []


def test_undo_of_what_cannot_be_found_asks_a_person(stage: Stage, member: User) -> None:
    step = parked_create(stage)
    steer_run(run=step.run, desired=DesiredState.CANCEL, actor=member, at=database_now())
    run = drive(step.run)
    assert run.state == RunState.NEEDS_OPERATOR
    assert run.reason.startswith("Left behind: web-1.")


def test_essential_steps_cannot_be_left_out(stage: Stage, operator: User) -> None:
    step = parked_create(stage)
    with pytest.raises(NotSkippable, match="untrue"):
        skip_step(step=step, actor=operator, reason="No need", at=database_now())


def test_others_can(stage: Stage, operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    class Greeting(Handler):
        skippable = True

    monkeypatch.setitem(HANDLERS, ("greet", 1, Phase.FORWARD), Greeting())
    step = parked_create(stage)
    Step.objects.filter(pk=step.pk).update(action="greet")
    skip_step(step=step, actor=operator, reason="Not needed", at=database_now())
    run = drive(step.run)
    assert run.state == RunState.SUCCEEDED
    assert run.steps.get(pk=step.pk).state == StepState.SKIPPED


Verb = Callable[..., Step]


@pytest.mark.parametrize("verb", [retry_step, skip_step, mark_resolved])
def test_only_operators_repair_and_only_what_is_stuck(
    stage: Stage, operator: User, verb: Verb
) -> None:
    extra = {} if verb is retry_step else {"reason": "x"}
    step = parked_create(stage)
    with pytest.raises(Forbidden):
        verb(step=step, actor=stage.requester, at=database_now(), **extra)
    other = step.run.steps.get(key="reserve")
    with pytest.raises(StepNotStuck):
        verb(step=other, actor=operator, at=database_now(), **extra)


def test_a_run_that_waited_for_a_person_has_its_time_again(stage: Stage, operator: User) -> None:
    step = parked_create(stage)
    Run.objects.update(deadline_at=database_now() - timedelta(seconds=1))
    mark_resolved(
        step=step, actor=operator, reason="Seen there", at=database_now(), external_ref="vm-1"
    )
    assert sweep(worker="test:1").overdue == 0
    assert drive(step.run).state == RunState.SUCCEEDED


def test_a_pause_is_no_delay(stage: Stage, member: User) -> None:
    run = stage.run()
    admit_runs(passed=set())
    steer_run(run=run, desired=DesiredState.PAUSE, actor=member, at=database_now())
    Run.objects.update(deadline_at=database_now() - timedelta(seconds=1))
    assert sweep(worker="test:1").overdue == 0
    steer_run(run=run, desired=DesiredState.RUN, actor=member, at=database_now())
    assert sweep(worker="test:1").overdue == 0
    assert drive(run).state == RunState.SUCCEEDED
