"""Kill anything at any time: every run finishes by itself, once, with nothing left behind."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from inventory.choices import ResourceStatus
from inventory.foundation.clock import database_now
from inventory.models import Resource
from orchestra.choices import AttemptOutcome, RunState, StepState
from orchestra.engine.failpoints import EXIT_CODE
from orchestra.lifecycle import TERMINAL_RUNS
from orchestra.models import Attempt, Run, Step
from orchestra.selectors.runs import invariants
from tests.drills.processes import BEAT, ROOT, Crew, environment, is_full, wait_until
from tests.orchestra.stage import Stage

pytestmark = [pytest.mark.drill, pytest.mark.django_db(transaction=True)]
SetStage = Callable[..., Stage]
SEED = 20261


def all_ended() -> bool:
    return not Run.objects.exclude(state__in=TERMINAL_RUNS).exists()


def doubled(stage: Stage) -> list[str]:
    """Return the names that exist twice at the destination."""
    names = Counter(thing.spec["name"] for thing in stage.world.things())
    return [name for name, count in names.items() if count > 1]


def orphaned(stage: Stage) -> set[str]:
    """Return what exists at the destination and belongs to no running resource."""
    known = Resource.objects.filter(status=ResourceStatus.RUNNING)
    return {thing.ref for thing in stage.world.things()} - set(
        known.values_list("external_ref", flat=True)
    )


def test_kill_nine_at_random_moments(
    stage_with: SetStage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs of ten steps; kills at random moments; 5 % done-but-timeout, 3 % busy, 1 % nonsense."""
    runs, kills, workers, pause = (250, 60, 4, 0.5) if is_full() else (10, 10, 3, 0.7)
    dice = random.Random(SEED)
    doomed = [f"app{number}-3" for number in range(runs) if dice.random() < 0.2]
    stage = stage_with(
        hosts=runs * 5 // 4 + 1,
        seed=SEED,
        latency_ms=150,
        timeout_after_rate=0.05,
        transient_rate=0.03,
        malformed_rate=0.01,
        fail_at=doomed,
    )
    begun = time.monotonic()
    with Crew(tmp_path / "var") as crew:
        crew.hire(BEAT)
        for _ in range(workers):
            crew.hire()
        for number in range(runs):
            stage.run(f"app{number}", instances=5)
        assert wait_until(lambda: Attempt.objects.exists(), 30), crew.log()
        killed = 0
        while killed < kills:
            time.sleep(dice.uniform(0.5, 1.5) * pause)
            assert crew.all_alive(), crew.log()
            owners = Step.objects.filter(state=StepState.RUNNING).values_list("lease_owner")
            busy = {int(owner.rpartition(":")[2]) for (owner,) in owners}
            victims = [one for one in crew.members[1:] if one.pid in busy]
            if not victims and not all_ended():
                continue
            crew.kill(dice.choice(victims or crew.members[1:]))
            crew.hire()
            killed += 1
        last_kill = time.monotonic()
        assert wait_until(all_ended, 900 if is_full() else 120), crew.log()
        ended = time.monotonic()
    lost = Attempt.objects.filter(outcome=AttemptOutcome.LOST).count()
    states = Counter(Run.objects.values_list("state", flat=True))
    with capsys.disabled():
        print(  # noqa: T201 - the figures of the drill are its result
            f"\nkill drill: {runs} runs, {killed} kills, {lost} steps lost in the middle, "
            f"{dict(states)}, {ended - begun:.0f} s, {ended - last_kill:.0f} s after the last kill"
        )
    assert doubled(stage) == []
    assert orphaned(stage) == set()
    assert set(states) <= {RunState.SUCCEEDED, RunState.COMPENSATED}
    assert states[RunState.COMPENSATED] == len(doomed)
    running = Resource.objects.filter(status=ResourceStatus.RUNNING).count()
    assert running == len(stage.world.things()) == 5 * (runs - len(doomed))
    assert lost > 0
    assert invariants() == []


def test_the_drill_has_teeth(stage_with: SetStage, tmp_path: Path) -> None:
    """A worker with a fresh key for each try makes things twice under the same kill."""
    stage = stage_with()
    run = stage.run(instances=2)
    folder = tmp_path / "var"
    folder.mkdir()
    careless = [sys.executable, str(ROOT / "tests" / "drills" / "careless_worker.py")]
    killed = subprocess.run(
        careless,
        cwd=ROOT,
        env=environment(folder, ORCHESTRA_FAILPOINT="called/resource.create/forward"),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == EXIT_CODE, killed.stderr.decode()
    Step.objects.filter(state=StepState.RUNNING).update(lease_until=database_now())
    with Crew(folder, command=("tests/drills/careless_worker.py",)) as crew:
        crew.hire()
        assert wait_until(all_ended, 60), crew.log()
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert len(doubled(stage)) == 1
    assert len(orphaned(stage)) == 1


def test_the_sweeper_alone_finishes_everything(stage_with: SetStage, tmp_path: Path) -> None:
    """No broker, no worker, no message: the sweep command, and only it (fault 4)."""
    stage = stage_with(transient_rate=0.1, seed=2, fail_at=["app1-2"])
    for number in range(3):
        stage.run(f"app{number}", instances=3)
    folder = tmp_path / "var"
    folder.mkdir()
    silent = environment(folder, CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    sweeps = 0
    while not all_ended() and sweeps < 20:
        done = subprocess.run(
            [sys.executable, "manage.py", "sweep"],
            cwd=ROOT,
            env=silent,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        assert b"steps done" in done.stdout
        sweeps += 1
    states = Counter(Run.objects.values_list("state", flat=True))
    assert states == {RunState.SUCCEEDED: 2, RunState.COMPENSATED: 1}
    assert doubled(stage) == []
    assert orphaned(stage) == set()
    assert invariants() == []
