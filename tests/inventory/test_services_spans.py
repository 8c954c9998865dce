"""The spans in the database: the same as the heart says, and the database has the last word."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.foundation.models import Project
from inventory.models import Allocation, CapacitySpan, Inventory, Pool
from inventory.services import NoCapacity, named_class, release, set_inventory
from inventory.services.spans import claim_spans, give_back_spans
from tests.cast import NOW
from tests.factories import hold, make_host

HOUR = timedelta(hours=1)


def spans_of(inventory: Inventory) -> list[tuple[int | None, int | None, int, int, int]]:
    """Return the spans as (start hour, end hour, used, capacity, shortfall) in order of time."""

    def hour(instant: object) -> int | None:
        return None if instant is None else int((instant - NOW) / HOUR)

    return [
        (hour(s.during.lower), hour(s.during.upper), s.used, s.capacity, s.shortfall)
        for s in CapacitySpan.objects.filter(inventory=inventory).order_by("during")
    ]


@pytest.fixture
def cpus(pool: Pool) -> Inventory:
    """Return the 16 vCPU of the first host."""
    return Inventory.objects.get(provider__name="host-1", resource_class__name="VCPU")


def test_a_new_inventory_is_free_for_all_of_time(cpus: Inventory) -> None:
    assert spans_of(cpus) == [(None, None, 0, 16, 0)]


def test_claims_split_and_returns_merge(cpus: Inventory) -> None:
    claim_spans({cpus.pk: 4}, start=NOW + 2 * HOUR, end=NOW + 6 * HOUR)
    assert spans_of(cpus) == [(None, 2, 0, 16, 0), (2, 6, 4, 16, 0), (6, None, 0, 16, 0)]
    claim_spans({cpus.pk: 4}, start=NOW + 6 * HOUR, end=None)
    assert spans_of(cpus) == [(None, 2, 0, 16, 0), (2, None, 4, 16, 0)]
    claim_spans({cpus.pk: 3}, start=NOW + 4 * HOUR, end=NOW + 5 * HOUR)
    give_back_spans({cpus.pk: 4}, start=NOW + 3 * HOUR, end=NOW + 6 * HOUR)
    assert spans_of(cpus) == [
        (None, 2, 0, 16, 0),
        (2, 3, 4, 16, 0),
        (3, 4, 0, 16, 0),
        (4, 5, 3, 16, 0),
        (5, 6, 0, 16, 0),
        (6, None, 4, 16, 0),
    ]
    give_back_spans({cpus.pk: 3}, start=NOW + 4 * HOUR, end=NOW + 5 * HOUR)
    give_back_spans({cpus.pk: 4}, start=NOW + 2 * HOUR, end=NOW + 3 * HOUR)
    give_back_spans({cpus.pk: 4}, start=NOW + 6 * HOUR, end=None)
    assert spans_of(cpus) == [(None, None, 0, 16, 0)]


def test_the_database_refuses_a_claim_beyond_capacity_at_any_instant(cpus: Inventory) -> None:
    claim_spans({cpus.pk: 16}, start=NOW + 2 * HOUR, end=NOW + 3 * HOUR)
    before = spans_of(cpus)
    with pytest.raises(IntegrityError, match="span_"), transaction.atomic():
        claim_spans({cpus.pk: 1}, start=NOW, end=None)
    assert spans_of(cpus) == before
    claim_spans({cpus.pk: 16}, start=NOW, end=NOW + 2 * HOUR)


def test_even_plain_sql_cannot_over_allocate(cpus: Inventory) -> None:
    with (
        pytest.raises(IntegrityError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "UPDATE inventory_capacityspan SET used = 17 WHERE inventory_id = %s", [cpus.pk]
        )


def test_a_shrink_raises_the_shortfall_and_a_release_lowers_it_exactly(
    project: Project, pool: Pool, cpus: Inventory
) -> None:
    first = hold(project, pool, {"VCPU": 6}, name="a")
    second = hold(project, pool, {"VCPU": 6}, name="b", end=NOW + 4 * HOUR)
    set_inventory(
        provider=cpus.provider, resource_class=cpus.resource_class, total=8, at=NOW + HOUR
    )
    assert spans_of(cpus) == [
        (None, 0, 0, 16, 0),
        (0, 1, 12, 16, 0),
        (1, 4, 12, 8, 4),
        (4, None, 6, 8, 0),
    ]
    with pytest.raises(IntegrityError, match="span_"), transaction.atomic():
        claim_spans({cpus.pk: 1}, start=NOW + 2 * HOUR, end=NOW + 3 * HOUR)
    release(resource=first, at=NOW + 2 * HOUR)
    assert spans_of(cpus)[2:] == [(1, 2, 12, 8, 4), (2, 4, 6, 8, 0), (4, None, 0, 8, 0)]
    release(resource=second, at=NOW + 3 * HOUR)
    assert spans_of(cpus)[3:] == [(2, 3, 6, 8, 0), (3, None, 0, 8, 0)]


moves = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 8), st.integers(1, 7), st.booleans()),
    min_size=1,
    max_size=10,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves)
def test_spans_are_always_the_sum_of_the_allocations(
    project: Project, pool: Pool, moves: list[tuple[int, int, int, bool]]
) -> None:
    """Buy and give back at random times, through the services: every hour adds up."""
    with transaction.atomic():
        held = []
        for number, (start, length, amount, gives_back) in enumerate(moves):
            begins = NOW + start * HOUR
            ends = None if length == 8 else begins + length * HOUR
            try:
                held.append(
                    hold(project, pool, {"VCPU": amount}, name=f"r{number}", start=begins, end=ends)
                )
            except NoCapacity:
                assert amount > 0
            if gives_back and held:
                release(resource=held.pop(0), at=NOW + (start + 2) * HOUR)
        allocations = list(Allocation.objects.all())
        for span in CapacitySpan.objects.filter(inventory__resource_class__name="VCPU"):
            inside = [
                NOW + hour * HOUR for hour in range(-1, 20) if NOW + hour * HOUR in span.during
            ]
            for at in inside:
                used = sum(
                    each.amount
                    for each in allocations
                    if each.inventory_id == span.inventory_id
                    and each.held_from <= at
                    and (each.held_to is None or at < each.held_to)
                )
                assert span.used == used <= span.capacity
        transaction.set_rollback(True)


def test_the_database_computes_the_same_capacity_as_the_heart(pool: Pool) -> None:
    host = make_host(pool, "odd", {})
    inventory = set_inventory(
        provider=host,
        resource_class=named_class(name="VCPU"),
        total=7,
        reserved=1,
        allocation_ratio=Decimal("1.9999"),
        at=NOW,
    )
    assert inventory.capacity == 11
    assert spans_of(inventory) == [(None, None, 0, 11, 0)]
