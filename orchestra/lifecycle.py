"""The pure heart of the engine: which state follows which, in which order, and after what wait.

Nothing here knows a row, a clock or a die: states, graphs and random numbers come as arguments.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum

from orchestra.choices import (
    DeploymentState,
    DesiredState,
    OrderKind,
    OrderState,
    RunState,
    StepState,
)

TERMINAL_RUNS = frozenset({RunState.SUCCEEDED, RunState.COMPENSATED, RunState.CANCELLED})
# Asked of the database by these: few of all runs there ever were, and found by the index.
OPEN_RUNS = frozenset(RunState) - TERMINAL_RUNS
SETTLED_STEPS = frozenset({StepState.DONE, StepState.SKIPPED})
MOVING_STEPS = frozenset({StepState.READY, StepState.RUNNING, StepState.UNKNOWN})
CLAIMABLE_STEPS = frozenset({StepState.READY, StepState.UNKNOWN})

RUN_MOVES: Mapping[RunState, frozenset[RunState]] = {
    RunState.SCHEDULED: frozenset({RunState.RUNNING, RunState.COMPENSATING}),
    RunState.RUNNING: frozenset(
        {RunState.SUCCEEDED, RunState.COMPENSATING, RunState.NEEDS_OPERATOR}
    ),
    RunState.COMPENSATING: frozenset(
        {RunState.COMPENSATED, RunState.CANCELLED, RunState.NEEDS_OPERATOR}
    ),
    RunState.NEEDS_OPERATOR: frozenset({RunState.RUNNING, RunState.COMPENSATING}),
    RunState.SUCCEEDED: frozenset(),
    RunState.COMPENSATED: frozenset(),
    RunState.CANCELLED: frozenset(),
}

BACKOFF_BASE_SECONDS = 0.5
BACKOFF_CAP_SECONDS = 60.0
BREAKER_OPENS_AFTER = 5


class Cycle(ValueError):
    """The steps of a plan wait for each other in a circle, or for a step that is not there."""


class Move(Enum):
    """What to do about a call whose result was never seen."""

    ADOPT = "adopt"
    REPEAT = "repeat"
    PARK = "park"


def may_become(before: RunState, after: RunState) -> bool:
    """Say whether a run may go from one state to another."""
    return after in RUN_MOVES[before]


def topological(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the keys so that each stands after all it needs; ties keep the mapping's order.

    Raises Cycle where that is impossible.
    """
    strangers = {need for wanted in needs.values() for need in wanted} - needs.keys()
    if strangers:
        message = f"Steps wait for {', '.join(sorted(strangers))}, which the plan does not have."
        raise Cycle(message)
    order: list[str] = []
    placed: set[str] = set()
    waiting = list(needs)
    while waiting:
        free = [key for key in waiting if placed.issuperset(needs[key])]
        if not free:
            message = f"These steps wait for each other: {', '.join(sorted(waiting))}."
            raise Cycle(message)
        order.extend(free)
        placed.update(free)
        waiting = [key for key in waiting if key not in placed]
    return order


def undo_graph(
    needs: Mapping[str, Sequence[str]], touched: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Return what each undo waits for, in the order of undoing (reverse topological).

    Only `touched` keys are undone. An undo waits for the undoing of every touched step that was
    built upon it, directly or through steps that were never touched.
    """
    order = topological(needs)
    touched = set(touched)
    builders: dict[str, set[str]] = {key: set() for key in order}
    for key in reversed(order):
        above = {key} if key in touched else builders[key]
        for need in needs[key]:
            builders[need] |= above
    return {key: tuple(sorted(builders[key])) for key in reversed(order) if key in touched}


def backoff_seconds(
    *,
    attempt: int,
    draw: float,
    base: float = BACKOFF_BASE_SECONDS,
    cap: float = BACKOFF_CAP_SECONDS,
) -> float:
    """Return the wait before the next try: exponential with full jitter.

    `attempt` counts the failures so far (1, 2, …); `draw` is a random number in [0, 1).
    """
    return draw * min(cap, base * 2.0 ** min(attempt, 30))


def after_unknown(*, found: bool, idempotent: bool) -> Move:
    """Decide about a create whose result was never seen: never a second create (rule 3)."""
    if found:
        return Move.ADOPT
    return Move.REPEAT if idempotent else Move.PARK


def follows(
    *,
    state: RunState,
    desired: DesiredState,
    on_failure: str,
    forward: Iterable[StepState],
    undo: Iterable[StepState] | None,
) -> RunState:
    """Return the state of a run that follows from its steps.

    `undo` is None until the undoing was planned; planning it is the caller's work once no forward
    step is in flight.
    """
    forward = list(forward)
    if state is RunState.RUNNING:
        if all(step in SETTLED_STEPS for step in forward):
            return RunState.SUCCEEDED
        if StepState.FAILED in forward and on_failure == "compensate":
            return RunState.COMPENSATING
        return state if any(step in MOVING_STEPS for step in forward) else RunState.NEEDS_OPERATOR
    if state is RunState.COMPENSATING and undo is not None:
        undo = list(undo)
        if StepState.RUNNING in forward or any(step in MOVING_STEPS for step in undo):
            return state
        if all(step in SETTLED_STEPS for step in undo):
            cancelled = desired is DesiredState.CANCEL
            return RunState.CANCELLED if cancelled else RunState.COMPENSATED
        return RunState.NEEDS_OPERATOR
    return state


def stopped(*, state: StepState, has_intent: bool) -> StepState:
    """Return what becomes of a forward step when its run is undone.

    What never began is skipped. What began and waits for another try counts as failed and is
    undone. What is in flight is waited for.
    """
    if state is StepState.BLOCKED:
        return StepState.SKIPPED
    if state is StepState.READY:
        return StepState.FAILED if has_intent else StepState.SKIPPED
    return state


def may_have_touched(*, state: StepState, has_intent: bool, touches_provider: bool) -> bool:
    """Say whether a forward step must be undone (rule 4: DONE, FAILED and unknown ones)."""
    if state is StepState.DONE:
        return True
    if not touches_provider:
        return False
    return has_intent or state in {StepState.FAILED, StepState.UNKNOWN, StepState.PARKED}


def resumed_state(*, has_undo: bool) -> RunState:
    """Return where a run that rested for an operator goes on."""
    return RunState.COMPENSATING if has_undo else RunState.RUNNING


def order_follows(state: RunState) -> OrderState | None:
    """Return what a run's state means for its order; None: nothing changes."""
    return {
        RunState.RUNNING: OrderState.FULFILLING,
        RunState.SUCCEEDED: OrderState.FULFILLED,
        RunState.COMPENSATED: OrderState.FAILED,
        RunState.CANCELLED: OrderState.CANCELLED,
    }.get(state)


def deployment_follows(*, action: OrderKind, state: RunState) -> DeploymentState | None:
    """Return what a run's state means for its deployment; None: nothing changes."""
    if action is OrderKind.CREATE:
        return {
            RunState.SUCCEEDED: DeploymentState.LIVE,
            RunState.COMPENSATED: DeploymentState.FAILED,
            RunState.CANCELLED: DeploymentState.FAILED,
        }.get(state)
    if action is OrderKind.RETIRE:
        return {
            RunState.RUNNING: DeploymentState.RETIRING,
            RunState.SUCCEEDED: DeploymentState.RETIRED,
        }.get(state)
    return None


def warning_now(
    *, thresholds: Mapping[int, datetime], agreed_at: datetime, due_at: datetime, at: datetime
) -> int | None:
    """Return which warning (days before `due_at`) is the one to give at `at`, or None.

    `thresholds` says from when on each may be given. Of several that are reached it is the last:
    whoever was not told in time hears it once, not three times. None for one that was reached
    already when the date was agreed, because then everybody knew, and None from the date itself.
    """
    if at >= due_at:
        return None
    reached = [days for days, start in thresholds.items() if start <= at]
    if not reached:
        return None
    days = min(reached)
    return days if thresholds[days] > agreed_at else None
