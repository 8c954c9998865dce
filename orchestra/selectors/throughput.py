"""How many runs ended, how, and how long they took."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median_low

from django.db.models import QuerySet
from django.utils.timezone import get_current_timezone_name, localtime

from inventory.foundation.periods import day_start
from orchestra.choices import RunState
from orchestra.models import Run

DAYS = 30


@dataclass(frozen=True)
class Throughput:
    """The runs that ended on each of `days` (of the viewer's zone), by how they ended.

    `median` is how long those took that did what was asked; None where there was none.
    """

    days: tuple[date, ...]
    ended: dict[RunState, tuple[int, ...]]
    median: timedelta | None
    at: datetime

    @property
    def total(self) -> int:
        """Return how many runs ended."""
        return sum(sum(counts) for counts in self.ended.values())


def throughput(*, runs: QuerySet[Run], at: datetime) -> Throughput:
    """Return what became of the runs in the last 30 days, today included. One query."""
    today = localtime(at).date()
    days = tuple(today - timedelta(days=back) for back in reversed(range(DAYS)))
    since = day_start(days[0], get_current_timezone_name())
    rows = runs.filter(finished_at__gte=since, finished_at__lte=at).order_by()
    counts: Counter[tuple[RunState, date]] = Counter()
    took = []
    for state, started_at, finished_at in rows.values_list("state", "started_at", "finished_at"):
        assert finished_at is not None  # the filter above asks for it
        counts[RunState(state), localtime(finished_at).date()] += 1
        if state == RunState.SUCCEEDED and started_at is not None:
            took.append(finished_at - started_at)
    return Throughput(
        days=days,
        ended={state: _on(counts, state, days) for state in RunState if _any(counts, state)},
        median=median_low(took) if took else None,
        at=at,
    )


def _any(counts: Counter[tuple[RunState, date]], state: RunState) -> bool:
    return any(one == state for one, _day in counts)


def _on(
    counts: Counter[tuple[RunState, date]], state: RunState, days: Sequence[date]
) -> tuple[int, ...]:
    return tuple(counts[state, day] for day in days)
