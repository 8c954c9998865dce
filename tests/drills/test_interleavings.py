"""Two workers, one step: forced and random interleavings of real processes and threads."""

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from inventory.choices import ResourceStatus
from inventory.foundation.clock import database_now
from inventory.foundation.errors import Conflict
from inventory.models import Resource
from orchestra.choices import AttemptOutcome, DesiredState, RunState, StepState
from orchestra.engine import drain
from orchestra.engine.admission import admit_runs
from orchestra.engine.claim import claim_next
from orchestra.engine.work import take
from orchestra.lifecycle import TERMINAL_RUNS
from orchestra.models import Attempt, Effect, Run, Step
from orchestra.selectors.runs import invariants
from orchestra.services.runs import steer_run
from tests.drills import held_provider
from tests.drills.processes import forked_workers, is_full, wait_until
from tests.orchestra.stage import Stage

pytestmark = [pytest.mark.drill, pytest.mark.django_db(transaction=True)]
SetStage = Callable[..., Stage]


def all_ended() -> bool:
    return not Run.objects.exclude(state__in=TERMINAL_RUNS).exists()


def test_a_worker_that_wakes_up_too_late_writes_nothing(
    stage_with: SetStage, settings: Any
) -> None:
    """Stopped inside the call beyond its lease, taken over, then let go (fault 6)."""
    settings.ORCHESTRA_PROVIDERS = {"held": "tests.drills.held_provider.HeldProvider"}
    settings.ORCHESTRA_HEARTBEAT_SECONDS = 60
    times = 500 if is_full() else 50
    stage = stage_with(hosts=times // 4 + 1)
    stage.connection.kind = "held"
    stage.connection.save()
    for number in range(times):
        held_provider.arrived.clear()
        held_provider.go_on.clear()
        run = stage.run(f"app{number}")
        admit_runs(passed=set())
        claim = claim_next(worker="sleeper:1")
        assert claim is not None
        sleeper = threading.Thread(target=_take_and_close, args=(claim,))
        sleeper.start()
        assert held_provider.arrived.wait(timeout=10)
        Step.objects.filter(pk=claim.step_id).update(lease_until=database_now())
        drain(worker="heir:1")
        before = Step.objects.values().get(pk=claim.step_id)
        held_provider.go_on.set()
        sleeper.join()
        assert Step.objects.values().get(pk=claim.step_id) == before
        run.refresh_from_db()
        assert run.state == RunState.SUCCEEDED
    counters = stage.world.counters()
    assert (counters["made"], counters["refused_stale"]) == (times, times)
    assert Attempt.objects.filter(outcome=AttemptOutcome.LOST).count() == times
    assert len(stage.world.things()) == times
    assert invariants() == []


def _take_and_close(claim: Any) -> None:
    try:
        take(claim)
    finally:
        connection.close()


def test_never_more_calls_than_allowed(stage_with: SetStage) -> None:
    """max_inflight = 3 under eight workers (fault 15), and every effect once (fault 5)."""
    stage = stage_with(latency_ms=30)
    stage.connection.max_inflight = 3
    stage.connection.save()
    for number in range(3):
        stage.run(f"app{number}", instances=5)
    with forked_workers(8 if is_full() else 5):
        assert wait_until(all_ended, 40)
    assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}
    counters = stage.world.counters()
    assert 2 <= counters["peak"] <= 3
    assert counters["made"] == 15
    assert Effect.objects.filter(kind="activate").count() == 15
    assert Attempt.objects.exclude(outcome=AttemptOutcome.DONE).count() == 0
    assert invariants() == []


def test_cancel_at_random_moments(stage_with: SetStage) -> None:
    """Cancelled or succeeded, never both, and soon (fault 12)."""
    dice = random.Random(12)
    stage = stage_with(latency_ms=20)
    times = 200 if is_full() else 10
    with forked_workers(3):
        for number in range(times):
            run = stage.run(f"app{number}", instances=2)
            time.sleep(dice.uniform(0, 0.3))
            try:
                steer_run(
                    run=run, desired=DesiredState.CANCEL, actor=stage.requester, at=database_now()
                )
            except Conflict:
                assert wait_until(all_ended, 12)
                run.refresh_from_db()
                assert run.state == RunState.SUCCEEDED
                stage.retirement(run.deployment)
            assert wait_until(all_ended, 12)
    ended = set(Run.objects.filter(action="create").values_list("state", flat=True))
    assert ended <= {RunState.CANCELLED, RunState.SUCCEEDED}
    assert RunState.CANCELLED in ended
    assert stage.world.things() == []
    assert not Resource.objects.exclude(status=ResourceStatus.GONE).exists()
    assert not Step.objects.filter(state=StepState.RUNNING).exists()
    assert invariants() == []


def test_no_two_forks_share_a_step(stage_with: SetStage) -> None:
    """Killed forks: whoever takes over has a higher fence, and every fence has one try."""
    stage = stage_with(latency_ms=20)
    for number in range(4):
        stage.run(f"app{number}", instances=4)
    for _ in range(5):
        with forked_workers(3):
            time.sleep(0.3)
    with forked_workers(3):
        assert wait_until(all_ended, 30)
    assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}
    assert stage.world.counters()["made"] == 16
    assert len(stage.world.things()) == 16
    assert invariants() == []
