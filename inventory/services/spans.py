"""Write what a claim, a return or a resize makes of an inventory's spans (placement.md, point 1).

The callers hold the lock of the inventories' providers. The spans of an inventory always cover all
of time without a gap; neighbours with the same figures are joined, those of the past too.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from inventory.capacity import Span, claim, give_back, resize
from inventory.models import CapacitySpan, Inventory
from inventory.selectors import lock_spans

FOR_EVER = DateTimeTZRange(None, None)


def open_spans(inventories: Mapping[int, int]) -> None:
    """Give new inventories (id to capacity) their first span: free, for all of time."""
    CapacitySpan.objects.bulk_create(
        CapacitySpan(inventory_id=inventory_id, during=FOR_EVER, capacity=capacity)
        for inventory_id, capacity in inventories.items()
    )


def claim_spans(amounts: Mapping[int, int], *, start: datetime, end: datetime | None) -> None:
    """Use more (inventory id to amount) over [start, end).

    IntegrityError of a span constraint where that is more than what is free at any instant.
    """
    _rewrite(
        amounts,
        start=start,
        end=end,
        change=lambda spans, amount: claim(spans, start=start, end=end, amount=amount),
    )


def give_back_spans(amounts: Mapping[int, int], *, start: datetime, end: datetime | None) -> None:
    """Use less (inventory id to amount) over [start, end); a shortfall is lowered to fit."""
    if end is not None and end <= start:
        return
    _rewrite(
        amounts,
        start=start,
        end=end,
        change=lambda spans, amount: give_back(spans, start=start, end=end, amount=amount),
    )


def resize_spans(capacities: Mapping[int, int], *, start: datetime) -> None:
    """Set another capacity (inventory id to capacity) from `start` on, shortfall where needed."""
    _rewrite(
        capacities,
        start=start,
        end=None,
        change=lambda spans, capacity: resize(spans, start=start, capacity=capacity),
    )


def capacities_of(inventory_ids: list[int]) -> dict[int, int]:
    """Return the capacities that the database computed, by inventory id."""
    return dict(Inventory.objects.filter(pk__in=inventory_ids).values_list("pk", "capacity"))


def _rewrite(
    figures: Mapping[int, int],
    *,
    start: datetime,
    end: datetime | None,
    change: Callable[[list[Span], int], list[Span]],
) -> None:
    """Replace the spans around [start, end) by what `change` makes of them.

    A span that keeps its interval is updated; the others are deleted before new ones are inserted,
    so that no two overlap at any moment (the exclusion constraint is immediate).
    """
    rows: dict[int, dict[tuple[datetime | None, datetime | None], CapacitySpan]] = defaultdict(dict)
    for row in lock_spans(figures.keys(), start=start, end=end):
        rows[row.inventory_id][row.during.lower, row.during.upper] = row
    updates: list[CapacitySpan] = []
    inserts: list[CapacitySpan] = []
    deletes: list[int] = []
    for inventory_id, figure in figures.items():
        old = rows[inventory_id]
        before = sorted((_span(row) for row in old.values()), key=_order)
        for span in change(before, figure):
            key = (span.start, span.end)
            if key not in old:
                inserts.append(_row(inventory_id, span))
                continue
            row = old.pop(key)
            if _span(row) != span:
                row.used, row.capacity, row.shortfall = span.used, span.capacity, span.shortfall
                updates.append(row)
        deletes.extend(row.pk for row in old.values())
    if deletes:
        CapacitySpan.objects.filter(pk__in=deletes).delete()
    if updates:
        CapacitySpan.objects.bulk_update(updates, ["used", "capacity", "shortfall"])
    if inserts:
        CapacitySpan.objects.bulk_create(inserts)


def _span(row: CapacitySpan) -> Span:
    return Span(row.during.lower, row.during.upper, row.used, row.capacity, row.shortfall)


def _order(span: Span) -> tuple[bool, float]:
    """Sort by start, with "always was" first."""
    return (span.start is not None, span.start.timestamp() if span.start else 0.0)


def _row(inventory_id: int, span: Span) -> CapacitySpan:
    return CapacitySpan(
        inventory_id=inventory_id,
        during=DateTimeTZRange(span.start, span.end),
        used=span.used,
        capacity=span.capacity,
        shortfall=span.shortfall,
    )
