"""Reserving: all or nothing, under quota, and back where nobody came."""

from datetime import timedelta

import pytest

from inventory.choices import AllocationState, ResourceStatus
from inventory.foundation.errors import InvalidInput
from inventory.foundation.models import AuditEvent, Project
from inventory.models import Allocation, CapacitySpan, Pool
from inventory.placement import Need
from inventory.services import (
    AlreadyReserved,
    NoCapacity,
    QuotaExceeded,
    activate,
    expire_reservations,
    mark,
    named_class,
    release,
    reserve,
    set_quota,
)
from tests.cast import NOW
from tests.factories import hold, make_resource

HOUR = timedelta(hours=1)


def use_of(pool: Pool, class_name: str = "VCPU") -> list[tuple[str, int, int]]:
    """Return (host, used, capacity) of every span that is not empty, in order."""
    return [
        (span.inventory.provider.name, span.used, span.capacity)
        for span in CapacitySpan.objects.filter(
            inventory__provider__pool=pool, inventory__resource_class__name=class_name, used__gt=0
        )
        .select_related("inventory__provider")
        .order_by("inventory_id", "during")
    ]


def test_a_reservation_holds_capacity_on_one_host(project: Project, pool: Pool) -> None:
    resource = make_resource(project, pool)
    allocations = reserve(
        pool=pool,
        wants=[(resource, Need({"VCPU": 4, "MEMORY_MB": 8192}))],
        start=NOW,
        end=None,
        at=NOW,
    )
    assert [(a.resource_class.name, a.amount) for a in allocations] == [
        ("VCPU", 4),
        ("MEMORY_MB", 8192),
    ]
    resource.refresh_from_db()
    assert resource.provider is not None
    assert resource.provider.name == "host-1"
    assert resource.provider.generation == 4
    assert use_of(pool) == [("host-1", 4, 16)]
    assert AuditEvent.objects.filter(action="resource.reserve").count() == 1


def test_instances_of_one_request_share_one_running_picture(project: Project, pool: Pool) -> None:
    wants = [(make_resource(project, pool, f"web-{n}"), Need({"VCPU": 8})) for n in range(4)]
    reserve(pool=pool, wants=wants, start=NOW, end=None, at=NOW)
    assert use_of(pool) == [("host-1", 16, 16), ("host-2", 16, 16)]


def test_all_or_nothing(project: Project, pool: Pool) -> None:
    wants = [(make_resource(project, pool, f"web-{n}"), Need({"VCPU": 8})) for n in range(5)]
    with pytest.raises(NoCapacity) as caught:
        reserve(pool=pool, wants=wants, start=NOW, end=None, at=NOW)
    assert caught.value.details["fits"] == 4
    assert caught.value.details["short"] == {"VCPU": 8}
    assert caught.value.message.startswith("4 of 5 fit. Short 8 vCPU.")
    assert not Allocation.objects.exists()
    assert use_of(pool) == []


def test_a_booking_takes_only_its_own_time(project: Project, pool: Pool) -> None:
    hold(project, pool, {"VCPU": 16}, name="a", start=NOW + HOUR, end=NOW + 3 * HOUR)
    hold(project, pool, {"VCPU": 16}, name="b", start=NOW + HOUR, end=NOW + 3 * HOUR)
    before = hold(project, pool, {"VCPU": 16}, name="c", start=NOW, end=NOW + HOUR)
    assert before.provider.name == "host-1"
    with pytest.raises(NoCapacity):
        hold(project, pool, {"VCPU": 1}, name="d", start=NOW + 2 * HOUR, end=None)
    assert hold(project, pool, {"VCPU": 16}, name="e", start=NOW + 3 * HOUR).pk


def test_reserving_again_returns_what_is_held(project: Project, pool: Pool) -> None:
    resource = make_resource(project, pool)
    wants = [(resource, Need({"VCPU": 4}))]
    first = reserve(pool=pool, wants=wants, start=NOW, end=None, at=NOW)
    again = reserve(pool=pool, wants=wants, start=NOW, end=None, at=NOW)
    assert first == again
    assert use_of(pool) == [("host-1", 4, 16)]
    with pytest.raises(AlreadyReserved):
        reserve(
            pool=pool,
            wants=[*wants, (make_resource(project, pool, "other"), Need({"VCPU": 1}))],
            start=NOW,
            end=None,
            at=NOW,
        )


@pytest.mark.parametrize(
    "amounts", [{}, {"VCPU": 0}, {"VCPU": -1}, {"COWS": 12}, {"VCPU": 1, "COWS": 1}]
)
def test_nonsense_is_refused(project: Project, pool: Pool, amounts: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        hold(project, pool, amounts)


def test_the_quota_counts_the_highest_use_in_the_interval(project: Project, pool: Pool) -> None:
    set_quota(project=project, resource_class=named_class(name="VCPU"), limit=20, at=NOW)
    hold(project, pool, {"VCPU": 10}, name="a", start=NOW, end=NOW + HOUR)
    hold(project, pool, {"VCPU": 12}, name="b", start=NOW + HOUR, end=NOW + 2 * HOUR)
    hold(project, pool, {"VCPU": 8}, name="c", start=NOW, end=NOW + 2 * HOUR)
    with pytest.raises(QuotaExceeded) as caught:
        hold(project, pool, {"VCPU": 1}, name="d", start=NOW, end=NOW + 2 * HOUR)
    assert caught.value.details == {
        "resource_class": "VCPU",
        "holder": "Shop",
        "limit": 20,
        "used": 20,
        "asked": 1,
    }
    assert "Shop may hold 20 vCPU" in caught.value.message
    assert hold(project, pool, {"VCPU": 2}, name="e", start=NOW, end=NOW + HOUR).pk


def test_a_released_holding_frees_quota_and_capacity(project: Project, pool: Pool) -> None:
    set_quota(
        organisation=project.organisation,
        resource_class=named_class(name="VCPU"),
        limit=16,
        at=NOW,
    )
    first = hold(project, pool, {"VCPU": 16}, name="a")
    with pytest.raises(QuotaExceeded):
        hold(project, pool, {"VCPU": 1}, name="b", start=NOW + HOUR)
    release(resource=first, at=NOW + HOUR)
    assert hold(project, pool, {"VCPU": 16}, name="c", start=NOW + HOUR).pk


def test_a_reservation_that_nobody_used_is_given_back(project: Project, pool: Pool) -> None:
    names = ("unused", "begun", "later")
    resources = {name: make_resource(project, pool, name) for name in names}
    for name, resource in resources.items():
        reserve(
            pool=pool,
            wants=[(resource, Need({"VCPU": 2}))],
            start=NOW,
            end=None,
            at=NOW,
            reserved_until=NOW + (2 if name == "later" else 1) * HOUR,
        )
    mark(resource=resources["begun"], status=ResourceStatus.CREATING, at=NOW)
    assert expire_reservations(at=NOW + HOUR) == 1
    assert expire_reservations(at=NOW + HOUR) == 0
    resources["unused"].refresh_from_db()
    assert resources["unused"].status == ResourceStatus.GONE
    kept = Allocation.objects.exclude(state=AllocationState.RELEASED)
    assert {a.resource.name for a in kept} == {"begun", "later"}
    activate(resource=resources["begun"], at=NOW + HOUR)
    assert expire_reservations(at=NOW + 5 * HOUR) == 1
