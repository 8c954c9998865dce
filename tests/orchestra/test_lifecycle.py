"""The engine's pure heart, with bare words and numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.choices import DesiredState, RunState, StepState
from orchestra.lifecycle import (
    TERMINAL_RUNS,
    Cycle,
    Move,
    after_unknown,
    backoff_seconds,
    follows,
    may_become,
    may_have_touched,
    stopped,
    topological,
    undo_graph,
)

S = StepState
DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


def test_topological_keeps_the_given_order_where_it_may() -> None:
    assert topological({"d": ("b", "c"), "c": ("a",), "b": ("a",), "a": ()}) == list("acbd")


@pytest.mark.parametrize("needs", [{"a": ("a",)}, {"a": ("b",), "b": ("a",)}, {"a": ("x",)}])
def test_topological_refuses_circles_and_strangers(needs: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(Cycle, match="wait"):
        topological(needs)


def test_undo_runs_backwards() -> None:
    assert undo_graph(DIAMOND, list("abcd")) == {
        "d": (),
        "c": ("d",),
        "b": ("d",),
        "a": ("b", "c"),
    }


def test_undo_reaches_over_untouched_steps() -> None:
    assert undo_graph(DIAMOND, ["a", "d"]) == {"d": (), "a": ("d",)}
    assert undo_graph(DIAMOND, []) == {}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    size = draw(st.integers(1, 12))
    names = [f"s{number}" for number in range(size)]
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else ())
        for place, name in enumerate(names)
    }


@given(graphs(), st.data())
def test_no_step_is_undone_before_what_was_built_upon_it(
    needs: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    touched = data.draw(st.sets(st.sampled_from(sorted(needs))))
    graph = undo_graph(needs, touched)
    assert set(graph) == touched
    above: dict[str, set[str]] = {name: set() for name in needs}
    for name in reversed(topological(needs)):
        for need in needs[name]:
            above[need] |= {name} | above[name]
    undone: list[str] = []
    for name in graph:
        assert set(graph[name]) <= set(undone)
        assert above[name] & touched <= set(undone)
        undone.append(name)


@pytest.mark.parametrize(
    ("attempt", "most"), [(1, 1.0), (2, 2.0), (3, 4.0), (10, 60.0), (99, 60.0)]
)
def test_backoff_is_full_jitter_under_a_cap(attempt: int, most: float) -> None:
    assert backoff_seconds(attempt=attempt, draw=0.0) == 0.0
    assert backoff_seconds(attempt=attempt, draw=0.5) == most / 2
    assert backoff_seconds(attempt=attempt, draw=0.999) < most


def test_never_a_second_create() -> None:
    assert after_unknown(found=True, idempotent=False) is Move.ADOPT
    assert after_unknown(found=True, idempotent=True) is Move.ADOPT
    assert after_unknown(found=False, idempotent=True) is Move.REPEAT
    assert after_unknown(found=False, idempotent=False) is Move.PARK


@pytest.mark.parametrize(
    ("forward", "on_failure", "after"),
    [
        ([S.DONE, S.SKIPPED], "compensate", RunState.SUCCEEDED),
        ([S.DONE, S.RUNNING], "compensate", RunState.RUNNING),
        ([S.DONE, S.UNKNOWN], "compensate", RunState.RUNNING),
        ([S.FAILED, S.RUNNING], "compensate", RunState.COMPENSATING),
        ([S.FAILED, S.READY], "hold", RunState.RUNNING),
        ([S.FAILED, S.BLOCKED], "hold", RunState.NEEDS_OPERATOR),
        ([S.PARKED, S.BLOCKED], "compensate", RunState.NEEDS_OPERATOR),
        ([S.PARKED, S.READY], "compensate", RunState.RUNNING),
    ],
)
def test_a_running_run_follows_its_steps(
    forward: list[StepState], on_failure: str, after: RunState
) -> None:
    assert (
        follows(
            state=RunState.RUNNING,
            desired=DesiredState.RUN,
            on_failure=on_failure,
            forward=forward,
            undo=None,
        )
        is after
    )


@pytest.mark.parametrize(
    ("forward", "undo", "desired", "after"),
    [
        ([S.FAILED], [S.DONE], DesiredState.RUN, RunState.COMPENSATED),
        ([S.SKIPPED], [S.DONE], DesiredState.CANCEL, RunState.CANCELLED),
        ([S.SKIPPED], [], DesiredState.CANCEL, RunState.CANCELLED),
        ([S.DONE], [S.DONE, S.READY], DesiredState.RUN, RunState.COMPENSATING),
        ([S.DONE], [S.FAILED, S.RUNNING], DesiredState.RUN, RunState.COMPENSATING),
        ([S.DONE], [S.FAILED, S.BLOCKED], DesiredState.RUN, RunState.NEEDS_OPERATOR),
        ([S.RUNNING], None, DesiredState.RUN, RunState.COMPENSATING),
    ],
)
def test_an_undone_run_follows_its_undo_steps(
    forward: list[StepState],
    undo: list[StepState] | None,
    desired: DesiredState,
    after: RunState,
) -> None:
    assert (
        follows(
            state=RunState.COMPENSATING,
            desired=desired,
            on_failure="compensate",
            forward=forward,
            undo=undo,
        )
        is after
    )


def test_ended_runs_stay_as_they_are() -> None:
    for state in TERMINAL_RUNS:
        assert not any(may_become(state, other) for other in RunState)


def test_what_is_stopped_and_what_must_be_undone() -> None:
    assert stopped(state=S.BLOCKED, has_intent=False) is S.SKIPPED
    assert stopped(state=S.READY, has_intent=False) is S.SKIPPED
    assert stopped(state=S.READY, has_intent=True) is S.FAILED
    assert stopped(state=S.RUNNING, has_intent=True) is S.RUNNING
    for state in (S.FAILED, S.UNKNOWN, S.PARKED):
        assert may_have_touched(state=state, has_intent=False, touches_provider=True)
        assert not may_have_touched(state=state, has_intent=True, touches_provider=False)
    assert may_have_touched(state=S.DONE, has_intent=False, touches_provider=False)
    assert not may_have_touched(state=S.SKIPPED, has_intent=False, touches_provider=True)
