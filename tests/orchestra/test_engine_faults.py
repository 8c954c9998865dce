"""What the engine does when something goes wrong: each fault alone, in one process."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from inventory.choices import AllocationState, ResourceStatus
from inventory.foundation.clock import database_now
from inventory.foundation.models import Event, Organisation, Project, User
from inventory.models import Allocation, CapacitySpan, Resource
from orchestra.choices import (
    AttemptOutcome,
    BreakerState,
    ChangeKind,
    DeploymentState,
    OrderState,
    Phase,
    RunState,
    StepState,
)
from orchestra.engine import drain, sweep
from orchestra.engine.admission import admit_runs
from orchestra.engine.claim import claim_next, extend_lease
from orchestra.engine.outcome import Result, record
from orchestra.engine.work import ask, provider_of, take
from orchestra.models import Attempt, ChangeWindow, Connection, Effect, Freeze, Run, Step
from orchestra.selectors.runs import invariants
from orchestra.steps import Call, handler_of, spec_from
from tests.orchestra.stage import Stage, set_stage

pytestmark = pytest.mark.django_db
SetStage = Callable[..., Stage]


@pytest.fixture
def stage_with(
    organisation: Organisation, project: Project, member: User, approver: User, tmp_path: Path
) -> SetStage:
    def build(**options: Any) -> Stage:
        return set_stage(
            organisation=organisation,
            project=project,
            requester=member,
            approver=approver,
            folder=tmp_path,
            **options,
        )

    return build


def hurry() -> None:
    """Let every waiting try and every lease be due now."""
    Step.objects.filter(state__in=["ready", "unknown"]).update(not_before=None)
    Step.objects.filter(state="running").update(lease_until=database_now() - timedelta(seconds=1))


def drive(run: Run, times: int = 30) -> Run:
    """Drain again and again without waiting, until the run rests."""
    for _ in range(times):
        drain(worker="test:1")
        run.refresh_from_db()
        if run.state not in {RunState.SCHEDULED, RunState.RUNNING, RunState.COMPENSATING}:
            break
        hurry()
        Connection.objects.exclude(opened_at=None).update(probe_after=database_now())
    return run


def lose(run: Run, key: str, *, phase: str = Phase.FORWARD, called: bool = False) -> Step:
    """Claim one step, perhaps call the provider, and die: the lease runs out."""
    while True:
        claim = claim_next(worker="lost:1")
        assert claim is not None, f"{key} never became ready"
        step = Step.objects.get(pk=claim.step_id)
        if (step.key, step.phase) == (key, phase):
            break
        take(claim)
    if called:
        step.intent_at = database_now()
        step.save(update_fields=["intent_at"])
        make(step, claim.fence)
    hurry()
    return step


def make(step: Step, fence: int) -> None:
    """Do at the destination what the lost worker had asked for."""
    handler = handler_of(action=step.action, version=1, phase=step.phase)
    call = Call(
        key=step.inputs.get("created_key") or step.idempotency_key,
        fence=fence,
        ref=step.external_ref,
        spec=spec_from(step.inputs),
    )
    ask(
        provider=provider_of(step),
        handler=handler,
        call=call,
        has_intent=False,
        is_uncertain=False,
    )


def started(run: Run) -> Run:
    """Start the run without working on it."""
    assert admit_runs(passed=set()) == 1
    run.refresh_from_db()
    return run


def test_done_but_timeout_is_adopted(stage_with: SetStage) -> None:
    stage = stage_with(timeout_after_rate=0.5, seed=3)
    run = drive(stage.run(instances=6))
    assert run.state == RunState.SUCCEEDED, run.reason
    assert stage.world.counters()["made"] == 6
    assert Attempt.objects.filter(outcome=AttemptOutcome.ADOPTED).exists()
    assert invariants() == []


def test_transient_and_malformed_answers_end_well(stage_with: SetStage) -> None:
    stage = stage_with(transient_rate=0.3, malformed_rate=0.2, seed=5)
    run = drive(stage.run(instances=6))
    assert run.state == RunState.SUCCEEDED, run.reason
    assert stage.world.counters()["made"] == 6
    assert "duplicated" not in stage.world.counters()
    assert invariants() == []


def test_a_lost_worker_is_replaced_and_its_create_adopted(stage_with: SetStage) -> None:
    stage = stage_with()
    run = started(stage.run())
    step = lose(run, "create[0]", called=True)
    run = drive(run)
    assert run.state == RunState.SUCCEEDED
    outcomes = step.attempts.order_by("fence").values_list("fence", "outcome")
    assert list(outcomes) == [(1, AttemptOutcome.LOST), (2, AttemptOutcome.ADOPTED)]
    assert len(stage.world.things()) == 1
    assert invariants() == []


def test_what_took_several_tries_can_be_given_back(stage_with: SetStage) -> None:
    """The destination refuses older fences for a key, so a removal goes on from the last one."""
    stage = stage_with(transient_rate=0.5, seed=1)
    run = drive(stage.run(instances=4))
    assert run.state == RunState.SUCCEEDED, run.reason
    assert run.steps.filter(action="resource.create", fence__gt=2).exists()
    assert drive(stage.retirement(run.deployment)).state == RunState.SUCCEEDED
    assert stage.world.things() == []


def test_without_idempotency_or_lookup_it_is_parked_never_made_twice(
    stage_with: SetStage, operator: User
) -> None:
    stage = stage_with(idempotent=False, lookup=False)
    run = started(stage.run())
    lose(run, "create[0]", called=True)
    run = drive(run)
    assert run.state == RunState.NEEDS_OPERATOR
    assert "second one must not be" in run.reason
    assert run.steps.get(key="create[0]").state == StepState.PARKED
    assert stage.world.counters()["made"] == 1
    assert Event.objects.filter(type="orchestra.step.parked").count() == 1
    assert invariants() == []


def test_not_found_without_idempotency_is_parked_too(stage_with: SetStage) -> None:
    stage = stage_with(idempotent=False)
    run = started(stage.run())
    step = lose(run, "create[0]")
    Step.objects.filter(pk=step.pk).update(intent_at=database_now())
    assert drive(run).state == RunState.NEEDS_OPERATOR
    assert stage.world.things() == []


def test_a_stale_outcome_is_refused(stage_with: SetStage) -> None:
    stage = stage_with()
    run = started(stage.run())
    first = claim_next(worker="slow:1")
    assert first is not None
    hurry()
    second = claim_next(worker="quick:1")
    assert second is not None
    assert (second.step_id, second.fence, second.is_takeover) == (first.step_id, 2, True)
    handler = handler_of(action="resource.create", version=1, phase=Phase.FORWARD)
    before = Step.objects.values().get(pk=first.step_id)
    stale = Result(AttemptOutcome.PERMANENT, error="too late")
    assert record(claim=first, handler=handler, result=stale) is False
    assert not extend_lease(first)
    assert Step.objects.values().get(pk=first.step_id) == before
    assert extend_lease(second)
    take(second)
    assert drive(run).state == RunState.SUCCEEDED


def test_an_unknown_version_is_parked(stage_with: SetStage) -> None:
    stage = stage_with()
    run = stage.run()
    run.steps.filter(key="create[0]").update(action_version=99)
    run = drive(run)
    assert run.state == RunState.NEEDS_OPERATOR
    assert "version 99" in run.reason


@pytest.mark.parametrize("instances", [1, 4])
@pytest.mark.parametrize("action", ["create", "activate"])
def test_failure_at_each_step_is_undone_whole(
    stage_with: SetStage, action: str, instances: int
) -> None:
    """Whatever step fails for good, nothing is left and all capacity is back (fault 10)."""
    stage = stage_with()
    for index in range(instances):
        run = started(stage.run(f"web-{action}-{index}", instances=instances))
        key = f"{action}[{index}]"
        while (claim := claim_next(worker="test:1")) is not None:
            step = Step.objects.get(pk=claim.step_id)
            if (step.key, step.phase) == (key, Phase.FORWARD):
                handler = handler_of(action=step.action, version=1, phase=step.phase)
                broken = Result(AttemptOutcome.PERMANENT, error="It broke.")
                record(claim=claim, handler=handler, result=broken)
            else:
                take(claim)
        run.refresh_from_db()
        assert run.state == RunState.COMPENSATED, (key, run.reason)
        order = dict(run.steps.filter(phase=Phase.UNDO, state="done").values_list("key", "id"))
        ended = dict(Attempt.objects.filter(step__in=order.values()).values_list("step__key", "id"))
        for step in run.steps.filter(phase=Phase.UNDO):
            assert all(ended[need] < ended[step.key] for need in step.needs)
        assert stage.world.things() == []
        assert invariants() == []
    assert not Resource.objects.exclude(status=ResourceStatus.GONE).exists()
    assert not Allocation.objects.exclude(state=AllocationState.RELEASED).exists()
    now = database_now()
    assert not CapacitySpan.objects.filter(during__contains=now, used__gt=0).exists()


def test_undo_that_fails_for_ever_lists_what_is_left(stage_with: SetStage) -> None:
    stage = stage_with(fail_at=["web-3"], fail_delete_at=["web-2"])
    run = drive(stage.run(instances=3))
    assert run.state == RunState.NEEDS_OPERATOR
    assert run.reason.startswith("Left behind: web-2 (sim-")
    left = Resource.objects.get(name="web-2")
    assert left.status == ResourceStatus.LEFTOVER
    assert left.allocations.exclude(state=AllocationState.RELEASED).exists()
    gone = Resource.objects.exclude(pk=left.pk)
    assert set(gone.values_list("status", flat=True)) <= {"gone", "planned"}
    assert [thing.spec["name"] for thing in stage.world.things()] == ["web-2"]


def test_a_failed_removal_rests_for_an_operator(stage_with: SetStage) -> None:
    stage = stage_with()
    run = drive(stage.run(instances=2))
    stage.options(fail_delete_at=["web-2"])
    retirement = drive(stage.retirement(run.deployment))
    assert retirement.state == RunState.NEEDS_OPERATOR
    assert "web-2" in retirement.reason
    assert Resource.objects.get(name="web-1").status == ResourceStatus.GONE
    left = Resource.objects.get(name="web-2")
    assert left.status == ResourceStatus.LEFTOVER
    assert left.ended_at is not None
    assert not left.allocations.filter(active_to=None).exists()
    assert not left.allocations.filter(state=AllocationState.RELEASED).exists()
    assert invariants() == []


def test_breaker_opens_spares_attempts_and_recovers(stage_with: SetStage) -> None:
    stage = stage_with(transient_rate=1.0)
    run = started(stage.run())
    for _ in range(40):
        drain(worker="test:1")
        hurry()
    stage.connection.refresh_from_db()
    assert stage.connection.breaker == BreakerState.OPEN
    assert stage.connection.failures == 5
    step = run.steps.get(key="create[0]")
    assert (step.state, step.attempt) == (StepState.READY, 4)
    for _ in range(3):
        Connection.objects.update(probe_after=database_now())
        assert drain(worker="test:1") == 1
        hurry()
        assert drain(worker="test:1") == 0
    step.refresh_from_db()
    assert (step.state, step.attempt) == (StepState.READY, 4)
    stage.connection.refresh_from_db()
    assert stage.connection.probes == 3
    stage.options(transient_rate=0.0)
    assert drive(run).state == RunState.SUCCEEDED
    stage.connection.refresh_from_db()
    assert (stage.connection.breaker, stage.connection.failures) == (BreakerState.CLOSED, 0)


def test_max_inflight_counts_live_leases(stage_with: SetStage) -> None:
    stage = stage_with()
    stage.connection.max_inflight = 2
    stage.connection.save()
    started(stage.run(instances=4))
    claims = [claim_next(worker=f"test:{number}") for number in range(3)]
    assert [claim is not None for claim in claims] == [True, True, False]
    assert Step.objects.filter(state=StepState.RUNNING).count() == 2
    take(claims[0])  # type: ignore[arg-type]
    actions = [Step.objects.get(pk=claim_next(worker="x").step_id).action for _ in range(2)]
    assert sorted(actions) == ["resource.activate", "resource.create"]


def test_a_freeze_holds_normal_changes_only(stage_with: SetStage, operator: User) -> None:
    stage = stage_with()
    now = database_now()
    freeze = Freeze.objects.create(
        name="Year end",
        reason="Books are closed",
        during=(now - timedelta(hours=1), now + timedelta(days=3)),
        organisation=stage.project.organisation,
        created_by=operator,
    )
    normal = stage.run("normal")
    urgent = stage.run("urgent", change_kind=ChangeKind.EMERGENCY)
    drain(worker="test:1")
    drain(worker="test:1")
    normal.refresh_from_db()
    urgent.refresh_from_db()
    assert urgent.state == RunState.SUCCEEDED
    assert normal.state == RunState.SCHEDULED
    assert "waits for the freeze Year end" in normal.reason
    assert normal.log.count() == 2
    freeze.delete()
    assert drive(normal).state == RunState.SUCCEEDED


def test_a_freeze_elsewhere_or_later_holds_nothing(stage_with: SetStage, operator: User) -> None:
    stage = stage_with()
    now = database_now()
    elsewhere = Organisation.objects.create(name="Other", slug="other")
    Freeze.objects.create(
        name="a",
        reason="b",
        during=(now, None),
        organisation=elsewhere,
        created_by=operator,
    )
    Freeze.objects.create(
        name="c", reason="d", during=(now + timedelta(hours=2), None), created_by=operator
    )
    assert drive(stage.run()).state == RunState.SUCCEEDED


def test_a_freeze_never_stops_what_has_begun(stage_with: SetStage, operator: User) -> None:
    stage = stage_with()
    run = started(stage.run())
    Freeze.objects.create(name="Now", reason="x", during=(None, None), created_by=operator)
    assert drive(run).state == RunState.SUCCEEDED


def test_a_run_too_long_for_the_window_waits(stage_with: SetStage, operator: User) -> None:
    stage = stage_with()
    now = database_now()
    window = ChangeWindow.objects.create(
        name="Tonight",
        reason="Quiet hours",
        during=(now, now + timedelta(minutes=9)),
        pool=stage.pool,
        created_by=operator,
    )
    run = stage.run()
    drain(worker="test:1")
    run.refresh_from_db()
    assert run.state == RunState.SCHEDULED
    assert "none is planned" in run.reason
    window.during = (now, now + timedelta(minutes=11))
    window.save()
    assert drive(run).state == RunState.SUCCEEDED


def test_a_booking_starts_on_its_day(stage_with: SetStage) -> None:
    stage = stage_with()
    run = stage.run(start_at=database_now() + timedelta(days=2))
    drain(worker="test:1")
    run.refresh_from_db()
    assert run.state == RunState.SCHEDULED
    assert run.reason.startswith("It starts on")


def test_a_plan_that_was_not_approved_never_starts(stage_with: SetStage) -> None:
    stage = stage_with()
    run = stage.run()
    (trigger,) = (one for one in Run._meta.triggers if one.name == "plan_is_fixed")
    ignored = f"{{{trigger.get_pgid(Run)}}}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('pgtrigger.ignore', %s, false)", [ignored])
        Run.objects.update(snapshot={**run.snapshot, "instances": 9})
        cursor.execute("SELECT set_config('pgtrigger.ignore', NULL, false)")
    run = drive(run)
    assert run.state == RunState.CANCELLED
    assert run.started_at is None
    assert stage.world.counters() == {}
    assert not Resource.objects.exclude(status=ResourceStatus.GONE).exists()


def test_who_lost_the_right_to_order_stops_a_queued_run(stage_with: SetStage) -> None:
    stage = stage_with()
    run = stage.run()
    stage.requester.role_grants.all().delete()
    run = drive(run)
    assert run.state == RunState.CANCELLED
    assert run.order.state == OrderState.CANCELLED
    assert run.deployment.state == DeploymentState.FAILED
    assert any("may no longer order" in line.message for line in run.log.all())
    assert invariants() == []


def test_a_newer_run_supersedes_one_that_has_not_started(stage_with: SetStage) -> None:
    stage = stage_with()
    first = drive(stage.run())
    older = stage.retirement(first.deployment)
    newer = stage.retirement(first.deployment)
    older.refresh_from_db()
    assert older.state == RunState.CANCELLED
    assert drive(newer).state == RunState.SUCCEEDED


def test_a_deadline_leads_to_undo(stage_with: SetStage) -> None:
    stage = stage_with()
    run = started(stage.run())
    Run.objects.filter(pk=run.pk).update(deadline_at=database_now() - timedelta(seconds=1))
    report = sweep(worker="test:1")
    assert report.overdue == 1
    run.refresh_from_db()
    assert run.state == RunState.COMPENSATED
    assert sweep(worker="test:1").overdue == 0
    assert invariants() == []


def test_lost_while_it_is_undone_is_found_by_the_undo(stage_with: SetStage) -> None:
    """A create whose worker died is not made again once its run is being undone."""
    stage = stage_with(fail_at=["web-2"])
    run = started(stage.run(instances=2))
    first = claim_next(worker="lost:1")
    assert first is not None
    step = Step.objects.get(pk=first.step_id)
    Step.objects.filter(pk=step.pk).update(intent_at=database_now())
    make(step, first.fence)
    assert len(stage.world.things()) == 1
    second = claim_next(worker="test:1")
    assert second is not None
    take(second)
    run.refresh_from_db()
    assert run.state == RunState.COMPENSATING
    assert not run.steps.filter(phase=Phase.UNDO).exists()
    run = drive(run)
    assert run.state == RunState.COMPENSATED
    assert stage.world.things() == []
    assert stage.world.counters()["made"] == 1
    assert invariants() == []


def test_effects_happen_once(stage_with: SetStage) -> None:
    stage = stage_with(timeout_after_rate=0.5, transient_rate=0.2, seed=11)
    run = drive(stage.run(instances=4))
    assert run.state == RunState.SUCCEEDED
    kinds = Counter(Effect.objects.values_list("kind", flat=True))
    assert kinds == {"reserve": 1, "create": 4, "activate": 4}


def test_the_invariants_have_teeth(stage_with: SetStage) -> None:
    stage = stage_with()
    run = drive(stage.run())
    assert invariants() == []
    Step.objects.filter(run=run, key="activate[0]").update(state=StepState.READY)
    Resource.objects.update(status=ResourceStatus.CREATING)
    broken = {violation.rule for violation in invariants()}
    assert {
        "a finished run has no step at work",
        "a run succeeds only with all its steps",
        "a live application has all its copies",
    } <= broken
