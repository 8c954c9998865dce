"""The pure heart, with bare numbers and against naive models."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.capacity import (
    Span,
    UnitRule,
    amount_text,
    claim,
    effective_capacity,
    give_back,
    how_many_fit,
    peak,
    resize,
    sellable,
    unit_faults,
)

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = 12


def instant(hour: int) -> datetime:
    """Return an instant of the small world of whole hours."""
    return ZERO + timedelta(hours=hour)


@pytest.mark.parametrize(
    ("total", "reserved", "ratio", "capacity"),
    [
        (24, 0, "16.0", 384),
        (131072, 0, "1.5", 196608),
        (2000, 100, "1", 1900),
        (253, 253, "1", 0),
        (10, 3, "0.15", 1),
        (7, 0, "1.9999", 13),
        (2**31 - 1, 0, "999999.9999", 2147483646785251),
    ],
)
def test_capacity_is_rounded_down(total: int, reserved: int, ratio: str, capacity: int) -> None:
    assert effective_capacity(total=total, reserved=reserved, ratio=Decimal(ratio)) == capacity


@given(
    total=st.integers(1, 2**31 - 1),
    reserved=st.integers(0, 100),
    ratio=st.decimals("0.0001", "999999.9999", places=4),
)
def test_capacity_never_exceeds_the_exact_product(
    total: int, reserved: int, ratio: Decimal
) -> None:
    reserved = min(reserved, total)
    capacity = effective_capacity(total=total, reserved=reserved, ratio=ratio)
    assert capacity <= (total - reserved) * ratio < capacity + 1


def test_every_broken_rule_is_named() -> None:
    assert unit_faults(amount=10, min_unit=1, max_unit=16, step_size=5) == ()
    faults = unit_faults(amount=3, min_unit=4, max_unit=2, step_size=2)
    assert [(fault.rule, fault.bound) for fault in faults] == [
        (UnitRule.SMALLEST, 4),
        (UnitRule.LARGEST, 2),
        (UnitRule.STEP, 2),
    ]


@pytest.mark.parametrize(("free", "amount", "times"), [(7, 2, 3), (1, 2, 0), (-9, 2, 0), (0, 1, 0)])
def test_how_many_fit(free: int, amount: int, times: int) -> None:
    assert how_many_fit(free=free, amount=amount) == times


def test_the_largest_hosts_are_kept_spare() -> None:
    assert sellable(by_host=[16, 64, 32], spare_hosts=0) == 112
    assert sellable(by_host=[16, 64, 32], spare_hosts=1) == 48
    assert sellable(by_host=[16, 64, 32], spare_hosts=5) == 0


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        (1114112, "MiB", "1,088 GiB"),
        (2048, "MiB", "2 GiB"),
        (1500, "MiB", "1,500 MiB"),
        (1048576, "MiB", "1 TiB"),
        (2000, "milli", "2"),
        (460, "milli", "460 milli"),
        (0, "MiB", "0 MiB"),
        (4, "vCPU", "4 vCPU"),
    ],
)
def test_amounts_are_shown_in_the_largest_even_unit(amount: int, unit: str, text: str) -> None:
    assert amount_text(amount=amount, unit=unit) == text


intervals = st.tuples(
    st.integers(0, HOURS - 1), st.one_of(st.none(), st.integers(1, HOURS)), st.integers(1, 9)
).filter(lambda each: each[1] is None or each[1] > each[0])


@given(st.lists(intervals, max_size=8), intervals)
def test_the_peak_is_the_highest_hour(
    held: list[tuple[int, int | None, int]], asked: tuple[int, int | None, int]
) -> None:
    start, end, _ = asked
    hourly = [
        sum(amount for low, high, amount in held if low <= hour and (high is None or hour < high))
        for hour in range(start, HOURS + 1 if end is None else end)
    ]
    spans = [(instant(a), None if b is None else instant(b), n) for a, b, n in held]
    assert peak(spans, start=instant(start), end=None if end is None else instant(end)) == max(
        hourly
    )


steps = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), intervals),
        st.tuples(st.just("return"), st.integers(0, 20)),
        st.tuples(st.just("resize"), st.tuples(st.integers(0, HOURS - 1), st.integers(0, 30))),
    ),
    max_size=25,
)


@given(steps)
def test_spans_say_the_same_as_a_model_of_single_hours(
    moves: list[tuple[str, tuple[int, ...]]],
) -> None:
    """Claim, return and resize at random; compare every hour, the tiling and the merging."""
    spans = [Span(None, None, used=0, capacity=20)]
    used, capacity = [0] * (HOURS + 1), [20] * (HOURS + 1)
    held: list[tuple[int, int | None, int]] = []
    for move, figures in moves:
        if move == "claim":
            start, end, amount = figures
            hours = range(start, HOURS + 1 if end is None else end)
            if any(used[hour] + amount > capacity[hour] for hour in hours):
                continue
            spans = claim(
                spans,
                start=instant(start),
                end=None if end is None else instant(end),
                amount=amount,
            )
            held.append((start, end, amount))
            for hour in hours:
                used[hour] += amount
        elif move == "return" and held:
            start, end, amount = held.pop(figures % len(held))
            spans = give_back(
                spans,
                start=instant(start),
                end=None if end is None else instant(end),
                amount=amount,
            )
            for hour in range(start, HOURS + 1 if end is None else end):
                used[hour] -= amount
        elif move == "resize":
            start, size = figures
            spans = resize(spans, start=instant(start), capacity=size)
            for hour in range(start, HOURS + 1):
                capacity[hour] = size
        assert spans[0].start is None
        assert spans[-1].end is None
        for before, after in pairwise(spans):
            assert before.end == after.start
            assert not after.continues(before)
        for hour in range(HOURS + 1):
            (here,) = (
                span
                for span in spans
                if (span.start is None or span.start <= instant(hour))
                and (span.end is None or instant(hour) < span.end)
            )
            assert (here.used, here.capacity) == (used[hour], capacity[hour])
            assert here.shortfall == max(used[hour] - capacity[hour], 0)
            assert here.free == capacity[hour] - used[hour]
