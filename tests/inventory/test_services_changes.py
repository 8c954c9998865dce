"""Changing what runs: another size where it is, a later end, an earlier one."""

from datetime import datetime, timedelta

import pytest

from inventory.choices import AllocationState, ProviderState
from inventory.foundation.models import Organisation, Project
from inventory.models import Allocation, CapacitySpan, Pool, Resource
from inventory.placement import Need
from inventory.selectors import metered_allocations
from inventory.services import (
    NoCapacity,
    NotDelivered,
    QuotaExceeded,
    activate,
    drop_rest,
    extend,
    hold_growth,
    named_class,
    release,
    reserve,
    set_inventory,
    set_provider_state,
    set_quota,
    shorten,
    swap,
)
from tests.cast import NOW
from tests.factories import make_host, make_pool, make_resource

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
END = NOW + 30 * DAY
KIND = "compute.vm"


def delivered(
    project: Project,
    pool: Pool,
    amounts: dict[str, int],
    *,
    name: str = "web-1",
    end: datetime | None = END,
) -> Resource:
    resource = make_resource(project, pool, name)
    reserve(pool=pool, wants=[(resource, Need(amounts))], start=NOW, end=end, at=NOW)
    activate(resource=resource, at=NOW, external_ref=f"vm-{name}")
    return resource


def used(class_name: str, at: datetime) -> int:
    spans = CapacitySpan.objects.filter(
        inventory__resource_class__name=class_name, during__contains=at
    )
    return sum(span.used for span in spans)


def open_amounts(resource: Resource) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {}
    rows = Allocation.objects.filter(resource=resource).exclude(state=AllocationState.RELEASED)
    for row in rows.order_by("pk"):
        found.setdefault(row.resource_class.name, []).append((row.state, row.amount))
    return found


def test_grow_and_shrink_at_one_instant(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1)
    web = delivered(project, pool, {"VCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 100})
    need = Need({"VCPU": 8, "MEMORY_MB": 4096, "DISK_GB": 100})
    plan = hold_growth(pool=pool, resources=[web], need=need, at=NOW + HOUR)[web.pk]
    # growing is held before anything is asked of the provider, shrinking is not given back yet
    assert used("VCPU", NOW + HOUR) == 8
    assert used("MEMORY_MB", NOW + HOUR) == 8192
    assert used("VCPU", END) == 0

    swap(resource=web, amounts=plan.after, kind=KIND, at=NOW + 2 * HOUR)
    assert open_amounts(web) == {
        "VCPU": [("active", 8)],
        "MEMORY_MB": [("active", 4096), ("reserved", 4096)],
        "DISK_GB": [("active", 100)],
    }
    assert used("MEMORY_MB", NOW + 3 * HOUR) == 8192
    drop_rest(resources=[web], at=NOW + 3 * HOUR)
    assert used("MEMORY_MB", NOW + 3 * HOUR) == 4096
    assert used("VCPU", NOW + 3 * HOUR) == 8

    hours = {
        (one.resource_class_id, one.amount): (one.start, one.end)
        for one in metered_allocations(project_ids=[project.pk], start=NOW, end=NOW + DAY)
    }
    vcpu, memory = named_class(name="VCPU").pk, named_class(name="MEMORY_MB").pk
    disk = named_class(name="DISK_GB").pk
    change = NOW + 2 * HOUR
    assert hours == {
        (vcpu, 4): (NOW, change),
        (vcpu, 8): (change, NOW + DAY),
        (memory, 8192): (NOW, change),
        (memory, 4096): (change, NOW + DAY),
        (disk, 100): (NOW, NOW + DAY),
    }


def test_undone_exactly(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1)
    web = delivered(project, pool, {"VCPU": 4, "MEMORY_MB": 8192})
    spans = list(CapacitySpan.objects.order_by("inventory", "during").values_list("during", "used"))
    need = Need({"VCPU": 8, "MEMORY_MB": 4096})
    plan = hold_growth(pool=pool, resources=[web], need=need, at=NOW)[web.pk]
    for _ in range(2):
        swap(resource=web, amounts=plan.after, kind=KIND, at=NOW + HOUR)
    # what the shrinking freed is not sold while it may be needed to go back
    rows = Allocation.objects.count()
    for _ in range(2):
        swap(resource=web, amounts=plan.before, kind=KIND, at=NOW + 2 * HOUR)
    assert Allocation.objects.count() == rows + 3
    for _ in range(2):
        drop_rest(resources=[web], at=NOW)
    assert open_amounts(web) == {"VCPU": [("active", 4)], "MEMORY_MB": [("active", 8192)]}
    now = list(
        CapacitySpan.objects.filter(during__contains=NOW + 3 * HOUR)
        .order_by("inventory")
        .values_list("inventory__resource_class__name", "used")
    )
    assert dict(now) == {"VCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 0}
    assert len(spans) >= 3


def test_a_released_resource_gives_back_all(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1)
    web = delivered(project, pool, {"VCPU": 4})
    hold_growth(pool=pool, resources=[web], need=Need({"VCPU": 8}), at=NOW)
    release(resource=web, at=NOW + HOUR)
    assert used("VCPU", NOW + HOUR) == 0


def test_copies_share_what_is_free(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1, amounts={"VCPU": 16})
    copies = [delivered(project, pool, {"VCPU": 6}, name=f"web-{n}") for n in (1, 2)]
    with pytest.raises(NoCapacity, match="at most 7 vCPU where 9 vCPU are") as caught:
        hold_growth(pool=pool, resources=copies, need=Need({"VCPU": 9}), at=NOW)
    assert caught.value.details["fits"] == 1
    assert used("VCPU", NOW) == 12
    hold_growth(pool=pool, resources=copies, need=Need({"VCPU": 8}), at=NOW)
    assert used("VCPU", NOW) == 16


def test_in_place_only_and_what_would_fit(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=2, amounts={"VCPU": 16})
    web = delivered(project, pool, {"VCPU": 4})
    delivered(project, pool, {"VCPU": 8}, name="db")
    with pytest.raises(NoCapacity, match="stays on host-1, which can give it at most 8"):
        hold_growth(pool=pool, resources=[web], need=Need({"VCPU": 12}), at=NOW)


def test_a_closed_host_lets_shrink_only(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1, amounts={"VCPU": 16, "DISK_GB": 100})
    web = delivered(project, pool, {"VCPU": 8, "DISK_GB": 10})
    set_provider_state(provider=pool.providers.get(), state=ProviderState.CORDONED, at=NOW)
    with pytest.raises(NoCapacity, match="at most 8"):
        hold_growth(pool=pool, resources=[web], need=Need({"VCPU": 9, "DISK_GB": 10}), at=NOW)
    plan = hold_growth(pool=pool, resources=[web], need=Need({"VCPU": 4, "DISK_GB": 10}), at=NOW)
    assert sorted(plan[web.pk].after.values()) == [4, 10]


def test_a_host_shrunk_below_its_use(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1, amounts={"VCPU": 16, "DISK_GB": 100})
    web = delivered(project, pool, {"VCPU": 12, "DISK_GB": 10})
    set_inventory(
        provider=pool.providers.get(), resource_class=named_class(name="VCPU"), total=8, at=NOW
    )
    plan = hold_growth(pool=pool, resources=[web], need=Need({"VCPU": 12, "DISK_GB": 50}), at=NOW)
    assert sorted(plan[web.pk].after.values()) == [12, 50]


def test_the_shared_store_stays_the_store(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1, amounts={"VCPU": 16})
    store = make_host(pool, "store-1", {"DISK_GB": 500}, is_sharing=True)
    make_host(pool, "store-2", {"DISK_GB": 5000}, is_sharing=True)
    web = delivered(project, pool, {"VCPU": 4, "DISK_GB": 100})
    plan = hold_growth(pool=pool, resources=[web], need=Need({"VCPU": 4, "DISK_GB": 400}), at=NOW)[
        web.pk
    ]
    disk = store.inventories.get()
    assert (plan.before[disk.pk], plan.after[disk.pk]) == (100, 400)


def test_quota_counts_growth(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1)
    web = delivered(project, pool, {"VCPU": 4, "MEMORY_MB": 4096})
    set_quota(project=project, resource_class=named_class(name="VCPU"), limit=8, at=NOW)
    need = Need({"VCPU": 9, "MEMORY_MB": 1024})
    with pytest.raises(QuotaExceeded):
        hold_growth(pool=pool, resources=[web], need=need, at=NOW)
    hold_growth(pool=pool, resources=[web], need=Need({"VCPU": 8, "MEMORY_MB": 1024}), at=NOW)


def test_what_is_not_delivered_or_is_changing(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1)
    planned = make_resource(project, pool, "new")
    with pytest.raises(NotDelivered, match="only what is delivered"):
        hold_growth(pool=pool, resources=[planned], need=Need({"VCPU": 8}), at=NOW)
    web = delivered(project, pool, {"VCPU": 4})
    hold_growth(pool=pool, resources=[web], need=Need({"VCPU": 8}), at=NOW)
    with pytest.raises(NotDelivered, match="has not ended"):
        hold_growth(pool=pool, resources=[web], need=Need({"VCPU": 8}), at=NOW)


def test_longer_on_the_same_place(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1, amounts={"VCPU": 8})
    web = delivered(project, pool, {"VCPU": 4})
    other = make_resource(project, pool, "later")
    start = END + 10 * DAY
    reserve(pool=pool, wants=[(other, Need({"VCPU": 6}))], start=start, end=None, at=NOW)
    with pytest.raises(NoCapacity) as caught:
        extend(pool=pool, resources=[web], end=END + 20 * DAY, at=NOW)
    assert caught.value.details == {"fits_until": start.isoformat()}
    assert used("VCPU", END) == 0
    for _ in range(2):
        extend(pool=pool, resources=[web], end=start, at=NOW)
    assert (used("VCPU", END), used("VCPU", start)) == (4, 6)
    assert set(web.allocations.values_list("held_to", flat=True)) == {start}


def test_a_host_that_is_emptied_keeps_nobody_longer(
    organisation: Organisation, project: Project
) -> None:
    pool = make_pool(organisation, hosts=1)
    web = delivered(project, pool, {"VCPU": 4})
    set_provider_state(provider=pool.providers.get(), state=ProviderState.DRAINING, at=NOW)
    with pytest.raises(NoCapacity, match="nothing stays on it longer"):
        extend(pool=pool, resources=[web], end=END + DAY, at=NOW)


def test_the_quota_of_later(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1)
    web = delivered(project, pool, {"VCPU": 4})
    later = make_resource(project, pool, "later")
    reserve(pool=pool, wants=[(later, Need({"VCPU": 6}))], start=END, end=None, at=NOW)
    set_quota(project=project, resource_class=named_class(name="VCPU"), limit=8, at=NOW)
    with pytest.raises(QuotaExceeded):
        extend(pool=pool, resources=[web], end=END + DAY, at=NOW)


@pytest.mark.parametrize("agreed", [END, None])
def test_earlier_is_free_at_once(
    organisation: Organisation, project: Project, agreed: datetime | None
) -> None:
    pool = make_pool(organisation, hosts=1, amounts={"VCPU": 8})
    web = delivered(project, pool, {"VCPU": 8}, end=agreed)
    early = NOW + 5 * DAY
    for _ in range(2):
        shorten(resources=[web], end=early, at=NOW)
    other = make_resource(project, pool, "other")
    reserve(pool=pool, wants=[(other, Need({"VCPU": 8}))], start=early, end=None, at=NOW)
    assert web.allocations.get().held_to == early
    assert web.allocations.get().active_to is None
