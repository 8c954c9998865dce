"""Who sees what, what is used, and what is metered."""

from datetime import timedelta

import pytest

from inventory.choices import ProviderState, ResourceStatus
from inventory.foundation.choices import Role
from inventory.foundation.models import Organisation, Project, User
from inventory.foundation.permissions import Action
from inventory.models import Pool
from inventory.selectors import (
    MeteredInterval,
    host_rows,
    metered_allocations,
    metered_resources,
    metered_states,
    pool_capacity,
    pools_where,
    quota_use,
    visible_pools,
    visible_resources,
)
from inventory.services import activate, mark, named_class, release, set_provider_state, set_quota
from tests.cast import NOW, grant, make_user
from tests.factories import hold, make_host, make_pool, make_resource

HOUR = timedelta(hours=1)


def test_pools_are_offered_downwards(organisation: Organisation, pool: Pool) -> None:
    below = Organisation.objects.create(name="Below", slug="below", parent=organisation)
    beside = Organisation.objects.create(name="Beside", slug="beside")
    own = make_pool(below, name="Own", hosts=0)
    make_pool(beside, name="Far", hosts=0)
    assert set(visible_pools(make_user("low", below))) == {pool, own}
    assert set(visible_pools(make_user("high", organisation))) == {pool}
    operator = make_user("op", organisation)
    grant(operator, Role.OPERATOR, organisation=organisation)
    assert set(visible_pools(operator)) == {pool, own}
    assert set(pools_where(operator, Action.POOL_EDIT)) == {pool, own}
    assert not pools_where(make_user("nobody"), Action.POOL_VIEW).exists()


def test_a_pool_is_seen_through_a_project_or_a_grant(
    project: Project, pool: Pool, stranger: User
) -> None:
    assert not visible_pools(stranger).exists()
    granted = grant(stranger, Role.MEMBER, project=project)
    assert set(visible_pools(stranger)) == {pool}
    granted.delete()
    grant(stranger, Role.AUDITOR, pool_id=pool.pk)
    assert set(visible_pools(stranger)) == {pool}
    stranger.is_active = False
    assert not visible_pools(stranger).exists()
    assert not visible_resources(stranger).exists()


def test_resources_are_seen_by_project_or_by_who_runs_the_pool(
    project: Project, pool: Pool, member: User, operator: User, stranger: User
) -> None:
    resource = make_resource(project, pool)
    for user in (member, project.owner, project.deputy, operator):
        assert list(visible_resources(user)) == [resource]
    assert not visible_resources(stranger).exists()
    grant(stranger, Role.OPERATOR, pool_id=pool.pk)
    assert list(visible_resources(stranger)) == [resource]


def test_metered_intervals_are_clipped(
    project: Project, pool: Pool, django_assert_num_queries: object
) -> None:
    early = hold(project, pool, {"VCPU": 2}, name="early")
    activate(resource=early, at=NOW)
    release(resource=early, at=NOW + 4 * HOUR)
    running = hold(project, pool, {"VCPU": 3}, name="running")
    activate(resource=running, at=NOW + 3 * HOUR)
    mark(resource=running, status=ResourceStatus.STOPPED, at=NOW + 5 * HOUR)
    hold(project, pool, {"VCPU": 4}, name="never delivered")
    period = {
        "project_ids": [project.pk],
        "start": NOW + 2 * HOUR,
        "end": NOW + 6 * HOUR,
    }
    with django_assert_num_queries(1):
        intervals = metered_allocations(**period)
    vcpu = named_class(name="VCPU")
    assert intervals == [
        MeteredInterval(
            early.allocations.get().pk, early.pk, vcpu.pk, 2, NOW + 2 * HOUR, NOW + 4 * HOUR
        ),
        MeteredInterval(
            running.allocations.get().pk, running.pk, vcpu.pk, 3, NOW + 3 * HOUR, NOW + 6 * HOUR
        ),
    ]
    with django_assert_num_queries(1):
        resources = metered_resources(**period)
    assert [(each.resource_id, each.kind, each.start, each.end) for each in resources] == [
        (early.pk, "compute.vm", NOW + 2 * HOUR, NOW + 4 * HOUR),
        (running.pk, "compute.vm", NOW + 3 * HOUR, NOW + 6 * HOUR),
    ]
    with django_assert_num_queries(1):
        states = metered_states(**period)
    assert [
        (each.state, each.start, each.end) for each in states if each.resource_id == running.pk
    ] == [
        ("planned", NOW + 2 * HOUR, NOW + 3 * HOUR),
        ("running", NOW + 3 * HOUR, NOW + 5 * HOUR),
        ("stopped", NOW + 5 * HOUR, NOW + 6 * HOUR),
    ]


@pytest.mark.parametrize(("start", "end"), [(-5, 0), (1, 2)])
def test_a_period_is_half_open(project: Project, pool: Pool, start: int, end: int) -> None:
    resource = hold(project, pool, {"VCPU": 2})
    activate(resource=resource, at=NOW)
    release(resource=resource, at=NOW + HOUR)
    period = {"project_ids": [project.pk], "start": NOW + start * HOUR, "end": NOW + end * HOUR}
    assert metered_allocations(**period) == []
    assert metered_resources(**period) == []


def test_metering_is_additive_over_periods(project: Project, pool: Pool) -> None:
    resource = hold(project, pool, {"VCPU": 2})
    activate(resource=resource, at=NOW + timedelta(minutes=20))
    release(resource=resource, at=NOW + timedelta(hours=3, minutes=7))
    parts = [
        each.end - each.start
        for hour in range(5)
        for each in metered_allocations(
            project_ids=[project.pk], start=NOW + hour * HOUR, end=NOW + (hour + 1) * HOUR
        )
    ]
    assert len(parts) == 4
    assert sum(parts, timedelta()) == timedelta(hours=2, minutes=47)


def test_quota_use_counts_the_organisation_and_all_below(
    organisation: Organisation, project: Project, pool: Pool, owner: User, deputy: User
) -> None:
    below = Organisation.objects.create(name="Below", slug="below", parent=organisation)
    other = Project.objects.create(
        organisation=below,
        name="Other",
        slug="other",
        owner=owner,
        deputy=deputy,
        cost_centre="1",
        created_at=NOW,
    )
    vcpu = named_class(name="VCPU")
    set_quota(organisation=organisation, resource_class=vcpu, limit=20, at=NOW)
    set_quota(project=other, resource_class=vcpu, limit=10, at=NOW)
    hold(project, pool, {"VCPU": 4}, name="a")
    hold(other, pool, {"VCPU": 5}, name="b", end=NOW + HOUR)

    def uses(of: Project, at: object) -> set[tuple[str, int, int]]:
        return {(use.holder, use.limit, use.used) for use in quota_use(project=of, at=at)}

    assert uses(project, NOW) == {("Acme", 20, 9)}
    assert uses(other, NOW) == {("Acme", 20, 9), ("Other", 10, 5)}
    assert uses(other, NOW + HOUR) == {("Acme", 20, 4), ("Other", 10, 0)}


def test_pool_capacity_adds_up(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=3, amounts={"VCPU": 16}, spare_hosts=1)
    hold(project, pool, {"VCPU": 6}, name="a")
    set_provider_state(
        provider=pool.providers.get(name="host-3"), state=ProviderState.CORDONED, at=NOW
    )
    make_host(pool, "array", {"DISK_GB": 100}, is_sharing=True)
    hold(project, pool, {"DISK_GB": 30}, name="b")
    rows = {row.resource_class.name: row for row in pool_capacity(pool=pool, at=NOW)}
    cpu, disk = rows["VCPU"], rows["DISK_GB"]
    assert (cpu.capacity, cpu.used, cpu.spare, cpu.closed, cpu.free) == (48, 6, 16, 16, 10)
    assert (disk.capacity, disk.used, disk.spare, disk.closed, disk.free) == (100, 30, 0, 0, 70)


def test_host_rows_sum_the_tree(
    project: Project, pool: Pool, django_assert_num_queries: object
) -> None:
    first = pool.providers.get(name="host-1")
    for number in range(2):
        make_host(pool, f"gpu-{number}", {"GPU_MILLI": 1000}, parent=first)
    hold(project, pool, {"VCPU": 4, "GPU_MILLI": 1000}, start=NOW + HOUR)
    with django_assert_num_queries(2):
        rows = host_rows(pool=pool, at=NOW + HOUR)
    assert [(row.name, row.state) for row in rows] == [("host-1", "open"), ("host-2", "open")]
    assert [(use.resource_class, use.capacity, use.used) for use in rows[0].uses] == [
        ("DISK_GB", 1000, 0),
        ("GPU_MILLI", 2000, 1000),
        ("MEMORY_MB", 65536, 0),
        ("VCPU", 16, 4),
    ]
    now = host_rows(pool=pool, at=NOW, hosts=[first])
    assert len(now) == 1
    assert not any(use.used for use in now[0].uses)
