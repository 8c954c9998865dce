"""Die at every named point between intent and commit: the end is the same as without (fault 8)."""

import os
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from inventory.choices import AllocationState, RankingPolicy, ResourceStatus
from inventory.foundation.clock import database_now
from inventory.models import Allocation, Resource
from orchestra.choices import Alteration, Phase, RunState, StepState
from orchestra.engine import drain
from orchestra.engine.failpoints import CALLED, CLAIMED, EXIT_CODE, INTENDED, PLACES, WRITTEN
from orchestra.models import Run, Step
from orchestra.selectors.runs import invariants
from orchestra.services.runs import steer_run
from orchestra.steps import (
    DELETE,
    DONE_AT_START,
    GROW,
    HANDLERS,
    HOLD,
    MOVE_END,
    RELEASE,
    RESIZE,
    SETTLE,
    STOP,
)
from tests.drills.processes import exit_code, fork
from tests.orchestra.stage import AMOUNTS, OTHER_AMOUNTS, Stage

pytestmark = [pytest.mark.drill, pytest.mark.django_db(transaction=True)]
SetStage = Callable[..., Stage]

POINTS = [
    f"{place}/{action}/{phase}"
    for (action, _, phase), handler in HANDLERS.items()
    for place in PLACES
    if (handler.touches_provider or place in {CLAIMED, WRITTEN})
    and not (action in DONE_AT_START and phase == Phase.FORWARD)
]
CHANGES = {GROW, RESIZE, SETTLE, HOLD, MOVE_END}


def die_at(point: str) -> int:
    """Drain in a fork that dies at the point; return its exit code."""

    def work() -> None:
        os.environ["ORCHESTRA_FAILPOINT"] = point
        drain(worker="doomed:1")

    return exit_code(fork(work))


def finish(run: Run) -> Run:
    for _ in range(50):
        Step.objects.filter(state=StepState.RUNNING).update(lease_until=database_now())
        Step.objects.exclude(not_before=None).update(not_before=None)
        drain(worker="heir:1")
        run.refresh_from_db()
        if run.finished_at is not None:
            break
        time.sleep(0.01)
    return run


def hand_over_all_but_the_last(run: Run) -> None:
    """Do two copies whole before the third fails, so that there is everything to undo."""
    last = Step.objects.filter(run=run, key="create[2]")
    last.update(not_before=database_now() + timedelta(hours=1))
    drain(worker="first:1")
    last.update(not_before=None)


def test_the_same_end_after_dying_anywhere(stage_with: SetStage) -> None:
    """One stage for all points: emptying the tables between them would take longer than they do."""
    stage = stage_with(hosts=len(POINTS))
    stage.pool.ranking = RankingPolicy.SPREAD  # so that what runs has room to grow
    stage.pool.save()
    standing = made = 0
    for number, point in enumerate(POINTS):
        _, action, phase = point.split("/")
        is_undo = phase == Phase.UNDO
        if action in CHANGES:
            change_under(point, stage, f"app{number}", action, is_undo=is_undo)
            made, standing = made + 2, standing + 2
            assert_sound(stage, point, made, standing)
            continue
        is_retirement = action in {STOP, DELETE, RELEASE}
        stage.options(fail_at=[f"app{number}-3"] if is_undo else [])
        run = stage.run(f"app{number}", instances=3 if is_undo else 2)
        if is_undo:
            hand_over_all_but_the_last(run)
        if is_retirement:
            run = stage.retirement(finish(run).deployment)
        assert die_at(point) == EXIT_CODE, point
        run = finish(run)
        ended = RunState.COMPENSATED if is_undo else RunState.SUCCEEDED
        assert run.state == ended, (point, run.reason)
        made += 2
        standing += 0 if is_undo or is_retirement else 2
        assert_sound(stage, point, made, standing)


def assert_sound(stage: Stage, point: str, made: int, standing: int) -> None:
    assert stage.world.counters()["made"] == made, point
    assert len(stage.world.things()) == standing, point
    running = Resource.objects.filter(status=ResourceStatus.RUNNING)
    assert running.count() == standing, point
    assert invariants() == [], point


def change_under(point: str, stage: Stage, name: str, action: str, *, is_undo: bool) -> None:
    """Change two copies and die at the point: they are as asked, or as they were."""
    end = database_now() + timedelta(days=30)
    stage.options(fail_at=[], fail_resize_at=[])
    deployment = finish(stage.run(name, instances=2, end_at=end)).deployment
    is_of_size = action in {GROW, RESIZE, SETTLE}
    if is_of_size:
        stage.options(fail_resize_at=[f"{name}-2"] if is_undo else [])
        run = stage.change(deployment, Alteration.RESIZE, end_at=end)
    else:
        run = stage.change(deployment, Alteration.EXTEND, end_at=end + timedelta(days=9))
    if is_undo and not is_of_size:
        steer_run(run=run, desired="cancel", actor=stage.requester, at=database_now())
    assert die_at(point) == EXIT_CODE, point
    run = finish(run)
    undone = RunState.COMPENSATED if is_of_size else RunState.CANCELLED
    assert run.state == (undone if is_undo else RunState.SUCCEEDED), (point, run.reason)
    held = Allocation.objects.filter(resource__deployment_link__deployment=deployment).exclude(
        state=AllocationState.RELEASED
    )
    amounts = AMOUNTS if is_undo or not is_of_size else OTHER_AMOUNTS
    assert sorted(held.values_list("state", "amount")) == sorted(
        ("active", amount) for amount in [*amounts.values()] * 2
    ), point
    until = end if is_undo or is_of_size else end + timedelta(days=9)
    assert set(held.values_list("held_to", flat=True)) == {until}, point
    names = {f"{name}-1", f"{name}-2"}
    there = [one.spec["amounts"] for one in stage.world.things() if one.spec["name"] in names]
    assert there == [amounts, amounts], point


def test_every_place_is_tried() -> None:
    assert {point.split("/")[0] for point in POINTS} == {CLAIMED, INTENDED, CALLED, WRITTEN}
