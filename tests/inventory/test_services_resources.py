"""A resource's life: its states without a gap, its meter, and every verb twice."""

from datetime import timedelta

import pytest

from inventory.choices import AllocationState, ResourceStatus
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import AuditEvent, Event, Project, User
from inventory.models import Allocation, Pool, Resource, ResourceState
from inventory.services import ResourceGone, activate, create_resource, mark, release
from tests.cast import NOW
from tests.factories import hold, make_resource

HOUR = timedelta(hours=1)


def history_of(resource: Resource) -> list[tuple[str, float, float | None]]:
    """Return (state, start hour, end hour) in order."""
    return [
        (
            row.state,
            (row.during.lower - NOW) / HOUR,
            None if row.during.upper is None else (row.during.upper - NOW) / HOUR,
        )
        for row in ResourceState.objects.filter(resource=resource).order_by("during")
    ]


def test_a_life_is_written_without_a_gap(project: Project, pool: Pool) -> None:
    resource = hold(project, pool, {"VCPU": 2, "MEMORY_MB": 1024})
    mark(resource=resource, status=ResourceStatus.CREATING, at=NOW + HOUR)
    activate(resource=resource, at=NOW + 2 * HOUR, external_ref="vm-7", attributes={"ip": "10.1"})
    mark(resource=resource, status=ResourceStatus.STOPPED, at=NOW + 3 * HOUR)
    activate(resource=resource, at=NOW + 4 * HOUR)
    release(resource=resource, at=NOW + 5 * HOUR)
    assert history_of(resource) == [
        ("planned", 0, 1),
        ("creating", 1, 2),
        ("running", 2, 3),
        ("stopped", 3, 4),
        ("running", 4, 5),
        ("gone", 5, None),
    ]
    resource.refresh_from_db()
    assert (resource.external_ref, resource.attributes) == ("vm-7", {"ip": "10.1"})
    assert resource.delivered_at == NOW + 2 * HOUR
    assert resource.ended_at == NOW + 5 * HOUR
    for allocation in Allocation.objects.filter(resource=resource):
        assert allocation.state == AllocationState.RELEASED
        assert (allocation.active_from, allocation.active_to) == (NOW + 2 * HOUR, NOW + 5 * HOUR)
        assert (allocation.held_from, allocation.held_to) == (NOW, NOW + 5 * HOUR)
    assert [event.type.rsplit(".", 1)[1] for event in Event.objects.order_by("id")] == [
        "creating",
        "running",
        "stopped",
        "running",
        "gone",
    ]


def test_every_verb_may_be_repeated(project: Project, pool: Pool) -> None:
    resource = hold(project, pool, {"VCPU": 2})
    for at in (NOW + HOUR, NOW + 2 * HOUR):
        activate(resource=resource, at=at)
    assert Allocation.objects.get().active_from == NOW + HOUR
    for at in (NOW + 3 * HOUR, NOW + 4 * HOUR):
        release(resource=resource, at=at)
    assert Allocation.objects.get().active_to == NOW + 3 * HOUR
    resource.refresh_from_db()
    assert resource.ended_at == NOW + 3 * HOUR
    assert [state for state, _, _ in history_of(resource)] == ["planned", "running", "gone"]
    assert AuditEvent.objects.filter(action="resource.activate").count() == 1
    assert AuditEvent.objects.filter(action="resource.release").count() == 1
    with pytest.raises(ResourceGone, match="Request a new one"):
        mark(resource=resource, status=ResourceStatus.RUNNING, at=NOW + 5 * HOUR)


def test_changes_in_one_instant_leave_the_last(project: Project, pool: Pool) -> None:
    resource = make_resource(project, pool)
    mark(resource=resource, status=ResourceStatus.CREATING, at=NOW)
    mark(resource=resource, status=ResourceStatus.RUNNING, at=NOW - HOUR)
    assert history_of(resource) == [("running", 0, None)]


def test_a_cancelled_booking_holds_nothing_at_all(project: Project, pool: Pool) -> None:
    resource = hold(project, pool, {"VCPU": 16}, start=NOW + 5 * HOUR, end=NOW + 9 * HOUR)
    release(resource=resource, at=NOW + HOUR)
    allocation = Allocation.objects.get()
    assert allocation.held_from == allocation.held_to == NOW + 5 * HOUR
    assert allocation.active_from is None
    hold(project, pool, {"VCPU": 16}, name="a", start=NOW + 5 * HOUR)
    hold(project, pool, {"VCPU": 16}, name="b", start=NOW + 5 * HOUR)


def test_a_booking_that_outlives_its_end_is_metered_until_it_is_gone(
    project: Project, pool: Pool
) -> None:
    resource = hold(project, pool, {"VCPU": 16}, end=NOW + 2 * HOUR)
    activate(resource=resource, at=NOW)
    release(resource=resource, at=NOW + 3 * HOUR)
    allocation = Allocation.objects.get()
    assert allocation.held_to == NOW + 2 * HOUR
    assert allocation.active_to == NOW + 3 * HOUR


def test_a_name_is_unique_while_its_resource_lives(project: Project, pool: Pool) -> None:
    first = make_resource(project, pool, "web")
    with pytest.raises(InvalidInput, match="has a resource of that name"):
        make_resource(project, pool, "web")
    release(resource=first, at=NOW)
    assert make_resource(project, pool, "web").pk != first.pk


@pytest.mark.parametrize("name", ["", "x" * 121, "=1+1", "a\tb"])
def test_a_bad_name_is_refused_in_words(project: Project, pool: Pool, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make_resource(project, pool, name)
    assert set(caught.value.fields) == {"name"}


def test_who_may_not_order_may_not_create(
    project: Project, pool: Pool, approver: User, stranger: User, member: User
) -> None:
    def by(actor: User, name: str) -> Resource:
        return create_resource(
            project=project, pool=pool, kind="compute.vm", name=name, at=NOW, actor=actor
        )

    with pytest.raises(Forbidden):
        by(approver, "a")
    with pytest.raises(NotVisible):
        by(stranger, "b")
    assert by(member, "c").status == ResourceStatus.PLANNED


def test_gone_is_only_reached_by_release(project: Project, pool: Pool) -> None:
    resource = make_resource(project, pool)
    with pytest.raises(ValueError, match="release"):
        mark(resource=resource, status=ResourceStatus.GONE, at=NOW)
