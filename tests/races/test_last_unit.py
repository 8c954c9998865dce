"""Real buyers on real connections: what is there is sold once, and never more than that."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.db.models import F, Max, Sum

from inventory.foundation.models import Organisation, Project
from inventory.models import Allocation, CapacitySpan, Inventory, Pool, Resource, ResourceClass
from inventory.placement import Need
from inventory.services import (
    NoCapacity,
    QuotaExceeded,
    named_class,
    release,
    reserve,
    set_inventory,
    set_quota,
)
from tests.cast import NOW
from tests.factories import hold, make_pool, make_resource

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

HOUR = timedelta(hours=1)
SOLD, NO_ROOM, OVER_QUOTA = "sold", "no room", "over quota"


def at_once[T](jobs: Sequence[Callable[[], T]], *, threads: int) -> list[T]:
    """Run the jobs on so many connections, all of which start together."""
    gate = Barrier(threads)

    def work(share: Sequence[Callable[[], T]]) -> list[T]:
        try:
            connection.ensure_connection()
            gate.wait(timeout=60)
            return [job() for job in share]
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as executor:
        shares = [jobs[number::threads] for number in range(threads)]
        return [result for part in executor.map(work, shares) for result in part]


def buyer(pool: Pool, resource: Resource, amounts: dict[str, int]) -> Callable[[], str]:
    """Return a job that tries to reserve the amounts once and says how it went."""

    def buy() -> str:
        try:
            reserve(pool=pool, wants=[(resource, Need(amounts))], start=NOW, end=None, at=NOW)
        except NoCapacity as refusal:
            return NO_ROOM if refusal.details["filters"] else "no reason"
        except QuotaExceeded:
            return OVER_QUOTA
        return SOLD

    return buy


def assert_nothing_oversold() -> None:
    """Check every span against capacity, and the spans of now against the allocations."""
    assert not CapacitySpan.objects.filter(used__gt=F("capacity")).exists()
    held = Counter(
        dict(
            Allocation.objects.filter(held_to=None).values_list("inventory").annotate(Sum("amount"))
        )
    )
    spans = CapacitySpan.objects.filter(during__upper_inf=True)
    assert {span.inventory_id: span.used for span in spans if span.used} == dict(held)


def test_fifty_buyers_and_one_last_unit(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1, amounts={"VCPU": 4})
    resources = [make_resource(project, pool, f"web-{number}") for number in range(50)]
    hold(project, pool, {"VCPU": 3}, name="before")
    outcomes = at_once([buyer(pool, each, {"VCPU": 1}) for each in resources], threads=25)
    assert Counter(outcomes) == {SOLD: 1, NO_ROOM: 49}
    assert_nothing_oversold()


def test_eight_clients_drain_forty_hosts_exactly(
    organisation: Organisation, project: Project
) -> None:
    """The case in which OpenStack Placement 16 sold up to 330 of 320 (placement.md)."""
    pool = make_pool(organisation, hosts=40, amounts={"VCPU": 16})
    resources = [make_resource(project, pool, f"web-{number}") for number in range(170)]
    outcomes = at_once([buyer(pool, each, {"VCPU": 4}) for each in resources], threads=8)
    assert Counter(outcomes) == {SOLD: 160, NO_ROOM: 10}
    assert_nothing_oversold()
    used = CapacitySpan.objects.filter(during__upper_inf=True)
    assert used.aggregate(Sum("used"), Max("used")) == {"used__sum": 640, "used__max": 16}


def test_the_last_of_a_quota_is_sold_once(organisation: Organisation, project: Project) -> None:
    pools = [make_pool(organisation, name=f"Pool {n}", amounts={"VCPU": 16}) for n in (1, 2)]
    vcpu = ResourceClass.objects.get(name="VCPU")
    set_quota(project=project, resource_class=vcpu, limit=10, at=NOW)
    buyers = [
        buyer(pools[number % 2], make_resource(project, pools[number % 2], f"r{number}"), amounts)
        for number in range(16)
        if (amounts := {"VCPU": 3})
    ]
    assert Counter(at_once(buyers, threads=8)) == {SOLD: 3, OVER_QUOTA: 13}
    assert_nothing_oversold()


def test_buying_giving_back_and_shrinking_do_not_wait_in_a_circle(
    organisation: Organisation, project: Project
) -> None:
    """Jobs that touch the same hosts in every order: no deadlock, and the sums are right."""
    pool = make_pool(organisation, hosts=4, amounts={"VCPU": 16, "MEMORY_MB": 16384})
    amounts = {"VCPU": 5, "MEMORY_MB": 4096}
    held = [hold(project, pool, amounts, name=f"held-{number}") for number in range(12)]
    wanted = [make_resource(project, pool, f"new-{number}") for number in range(12)]
    hosts = list(pool.providers.order_by("-pk"))

    def give_back(resource: Resource) -> Callable[[], str]:
        return lambda: release(resource=resource, at=NOW + HOUR) or "given back"

    def grow(number: int) -> Callable[[], str]:
        def job() -> str:
            set_inventory(
                provider=hosts[number % 4],
                resource_class=named_class(name="VCPU"),
                total=17 + number,
                at=NOW,
            )
            return "grown"

        return job

    jobs: list[Callable[[], str]] = []
    for number, (old, new) in enumerate(zip(held, wanted, strict=True)):
        jobs += [buyer(pool, new, amounts), give_back(old), grow(number)]
    outcomes = Counter(at_once(jobs, threads=8))
    assert outcomes["given back"] == outcomes["grown"] == 12
    assert outcomes[SOLD] + outcomes[NO_ROOM] == 12
    assert_nothing_oversold()
    for inventory in Inventory.objects.all():
        latest = CapacitySpan.objects.get(inventory=inventory, during__upper_inf=True)
        assert latest.capacity == inventory.capacity
