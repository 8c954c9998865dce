"""The arithmetic of capacity: how much there is, what amounts are lawful, who uses it when.

Pure: numbers and instants in, numbers and spans out. A span is one stretch of an inventory's time
with constant figures; `None` as its start or end means "always was" or "for ever".
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


def effective_capacity(*, total: int, reserved: int, ratio: Decimal) -> int:
    """Return floor((total - reserved) × ratio): what may be allocated (OpenStack Placement)."""
    return int((total - reserved) * ratio // 1)


class UnitRule(StrEnum):
    """A rule of an inventory that an amount can break."""

    SMALLEST = "smallest amount"
    LARGEST = "largest amount"
    STEP = "step"


@dataclass(frozen=True)
class UnitFault:
    """An amount breaks a rule; `bound` is the rule's own figure."""

    rule: UnitRule
    amount: int
    bound: int


def unit_faults(
    *, amount: int, min_unit: int, max_unit: int, step_size: int
) -> tuple[UnitFault, ...]:
    """Return every rule that the amount breaks; empty means that the amount is lawful."""
    faults = []
    if amount < min_unit:
        faults.append(UnitFault(UnitRule.SMALLEST, amount, min_unit))
    if amount > max_unit:
        faults.append(UnitFault(UnitRule.LARGEST, amount, max_unit))
    if amount % step_size:
        faults.append(UnitFault(UnitRule.STEP, amount, step_size))
    return tuple(faults)


def how_many_fit(*, free: int, amount: int) -> int:
    """Return how many times the amount fits into what is free; 0 when free is negative."""
    return max(free, 0) // amount


def sellable(*, by_host: Iterable[int], spare_hosts: int) -> int:
    """Return what may be sold so that the loss of the `spare_hosts` largest hosts is survived."""
    largest_first = sorted(by_host, reverse=True)
    return sum(largest_first[spare_hosts:])


SCALES = {
    "MiB": ((1024, "GiB"), (1024, "TiB")),
    "milli": ((1000, ""),),
    "GB": ((1000, "TB"),),
}


def amount_text(*, amount: int, unit: str) -> str:
    """Return an amount for people, in the largest unit that shows it without a fraction.

    2048 MiB is "2 GiB", 1500 milli stays "1,500 milli", 2000 milli is "2".
    """
    for factor, larger in SCALES.get(unit, ()):
        if not amount or amount % factor:
            break
        amount, unit = amount // factor, larger
    return f"{amount:,} {unit}".rstrip()


@dataclass(frozen=True)
class Span:
    """The figures of an inventory over [start, end)."""

    start: datetime | None
    end: datetime | None
    used: int
    capacity: int
    shortfall: int = 0

    @property
    def free(self) -> int:
        """What is left; negative after a shrink below use."""
        return self.capacity - self.used

    def continues(self, other: "Span") -> bool:
        """Say whether this span follows the other without a gap and with the same figures."""
        return (
            other.end is not None
            and self.start == other.end
            and (self.used, self.capacity, self.shortfall)
            == (other.used, other.capacity, other.shortfall)
        )


def claim(
    spans: Sequence[Span], *, start: datetime, end: datetime | None, amount: int
) -> list[Span]:
    """Return the spans with `amount` more used over [start, end).

    Only `used` rises: a claim beyond capacity leaves `shortfall` too small, and is refused by the
    database. `spans` are in order of time and cover [start, end).
    """
    return _changed(spans, start, end, lambda span: replace(span, used=span.used + amount))


def give_back(
    spans: Sequence[Span], *, start: datetime, end: datetime | None, amount: int
) -> list[Span]:
    """Return the spans with `amount` less used over [start, end), the shortfall lowered to fit."""
    return _changed(
        spans, start, end, lambda span: _with_exact_shortfall(span, used=span.used - amount)
    )


def resize(spans: Sequence[Span], *, start: datetime, capacity: int) -> list[Span]:
    """Return the spans with another capacity from `start` on.

    The one verb that may raise `shortfall`: where more is used than there is now.
    """
    return _changed(spans, start, None, lambda span: _with_exact_shortfall(span, capacity=capacity))


def peak(
    intervals: Iterable[tuple[datetime, datetime | None, int]],
    *,
    start: datetime,
    end: datetime | None,
) -> int:
    """Return the most that the amounts add up to at any instant of [start, end).

    `intervals` are (start, end, amount), half-open, an end of None is for ever.
    """
    changes: dict[datetime, int] = {}
    for begins, ends, amount in intervals:
        if (end is not None and begins >= end) or (ends is not None and ends <= start):
            continue
        begins = max(begins, start)
        changes[begins] = changes.get(begins, 0) + amount
        if ends is not None:
            changes[ends] = changes.get(ends, 0) - amount
    highest = level = 0
    for instant in sorted(changes):
        level += changes[instant]
        highest = max(highest, level)
    return highest


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the spans with neighbours of the same figures joined."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.continues(joined[-1]):
            joined[-1] = replace(joined[-1], end=span.end)
        else:
            joined.append(span)
    return joined


def _changed(
    spans: Sequence[Span],
    start: datetime,
    end: datetime | None,
    change: Callable[[Span], Span],
) -> list[Span]:
    if end is not None and end <= start:
        return list(spans)
    return merged(
        change(part) if _touches(part, start, end) else part
        for span in spans
        for part in _cut(span, start, end)
    )


def _touches(span: Span, start: datetime, end: datetime | None) -> bool:
    ends_after = span.end is None or span.end > start
    starts_before = end is None or span.start is None or span.start < end
    return ends_after and starts_before


def _cut(span: Span, *cuts: datetime | None) -> Iterator[Span]:
    """Yield the span in the pieces that the cuts inside it make; `cuts` ascend."""
    for cut in cuts:
        if cut is None:
            continue
        after_start = span.start is None or span.start < cut
        before_end = span.end is None or cut < span.end
        if after_start and before_end:
            yield replace(span, end=cut)
            span = replace(span, start=cut)
    yield span


def _with_exact_shortfall(
    span: Span, *, used: int | None = None, capacity: int | None = None
) -> Span:
    used = span.used if used is None else used
    capacity = span.capacity if capacity is None else capacity
    return replace(span, used=used, capacity=capacity, shortfall=max(used - capacity, 0))
