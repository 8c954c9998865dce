"""Where needs land, and why they do not."""

from datetime import timedelta

import pytest

from inventory.choices import ProviderState, RankingPolicy
from inventory.foundation.models import Organisation, Project
from inventory.models import Inventory, Pool
from inventory.placement import Answer, Need, Refusal, headroom, plan_placement
from inventory.services import named_class, set_inventory, set_provider_state
from tests.cast import NOW
from tests.factories import hold, make_host, make_pool

HOUR = timedelta(hours=1)
SMALL = {"VCPU": 4, "MEMORY_MB": 8192}


def plan(pool: Pool, *needs: Need) -> Answer:
    """Plan from now on for ever."""
    return plan_placement(pool=pool, needs=needs, start=NOW, end=None)


def hosts(answer: Answer) -> list[str]:
    """Return the names of the hosts, in the order of the needs."""
    return [candidate.root_name for candidate in answer.candidates]


def givers(answer: Answer) -> list[list[tuple[str, int]]]:
    """Return (provider and class, amount) of each candidate's pieces."""
    names = {
        inventory.pk: f"{inventory.provider.name} {inventory.resource_class.name}"
        for inventory in Inventory.objects.select_related("provider", "resource_class")
    }
    return [
        [(names[piece.inventory_id], piece.amount) for piece in candidate.pieces]
        for candidate in answer.candidates
    ]


def refused(pool: Pool, *needs: Need) -> Refusal:
    """Return the refusal of needs that do not all fit."""
    answer = plan(pool, *needs)
    assert answer.candidates == ()
    assert answer.refusal is not None
    assert answer.fits == answer.refusal.fits
    return answer.refusal


@pytest.fixture
def empty(organisation: Organisation) -> Pool:
    """Return a pool without hosts."""
    return make_pool(organisation, hosts=0)


def test_the_first_host_is_filled_first(pool: Pool) -> None:
    assert hosts(plan(pool, *[Need(SMALL)] * 6)) == ["host-1"] * 4 + ["host-2"] * 2


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        (RankingPolicy.PACK, ["host-1", "host-1", "host-1", "host-1"]),
        (RankingPolicy.SPREAD, ["host-2", "host-1", "host-1", "host-2"]),
    ],
)
def test_the_pool_may_pack_or_spread(
    project: Project, pool: Pool, ranking: str, expected: list[str]
) -> None:
    hold(project, pool, {"VCPU": 16}, name="a")
    hold(project, pool, {"VCPU": 4}, name="b")
    pool.ranking = ranking
    # Now 24 of 40 are free on host-1 and 12 of 16 on host-2.
    set_inventory(
        provider=pool.providers.get(name="host-1"),
        resource_class=named_class(name="VCPU"),
        total=40,
        at=NOW,
    )
    assert hosts(plan(pool, *[Need({"VCPU": 4})] * 4)) == expected


def test_only_the_peak_of_the_interval_counts(project: Project, pool: Pool) -> None:
    hold(project, pool, {"VCPU": 10}, name="a", start=NOW + 4 * HOUR, end=NOW + 5 * HOUR)
    need = Need({"VCPU": 16})

    def first(start: int, end: int | None) -> str:
        answer = plan_placement(
            pool=pool,
            needs=[need],
            start=NOW + start * HOUR,
            end=None if end is None else NOW + end * HOUR,
        )
        return answer.candidates[0].root_name

    assert first(0, 4) == "host-1"
    assert first(5, None) == "host-1"
    assert first(0, None) == "host-2"
    assert first(4, 5) == "host-2"


def test_closed_hosts_and_closed_devices_are_passed_over(pool: Pool) -> None:
    first = pool.providers.get(name="host-1")
    set_provider_state(provider=first, state=ProviderState.CORDONED, at=NOW)
    assert hosts(plan(pool, Need(SMALL))) == ["host-2"]
    refusal = refused(pool, Need({"VCPU": 17}))
    assert refusal.filters == (("closed to new work", 1), ("with too little vCPU free", 1))
    set_provider_state(provider=first, state=ProviderState.OPEN, at=NOW)
    gpu = make_host(pool, "gpu-0", {"GPU_MILLI": 1000}, parent=first)
    assert givers(plan(pool, Need({"GPU_MILLI": 500}))) == [[("gpu-0 GPU_MILLI", 500)]]
    set_provider_state(provider=gpu, state=ProviderState.DRAINING, at=NOW)
    assert refused(pool, Need({"GPU_MILLI": 500})).filters == (("without GPU", 2),)


def test_a_device_below_a_closed_device_is_closed_too(empty: Pool) -> None:
    host = make_host(empty, "host")
    numa = make_host(empty, "numa", {}, parent=host)
    make_host(empty, "gpu", {"GPU_MILLI": 1000}, parent=numa)
    assert hosts(plan(empty, Need({"VCPU": 1, "GPU_MILLI": 100}))) == ["host"]
    set_provider_state(provider=numa, state=ProviderState.CORDONED, at=NOW)
    assert plan(empty, Need({"VCPU": 1, "GPU_MILLI": 100})).refusal is not None


def test_shared_storage_gives_disk_to_every_host(empty: Pool) -> None:
    for number in (1, 2):
        make_host(empty, f"host-{number}", {"VCPU": 8})
    make_host(empty, "array", {"DISK_GB": 150}, is_sharing=True)
    need = Need({"VCPU": 8, "DISK_GB": 100})
    assert givers(plan(empty, need)) == [[("host-1 VCPU", 8), ("array DISK_GB", 100)]]
    refusal = refused(empty, need, need)
    assert (refusal.fits, refusal.short) == (1, {"DISK_GB": 100})
    assert "Short 100 GB of disk." in refusal.message
    assert givers(plan(empty, Need({"DISK_GB": 150}))) == [[("array DISK_GB", 150)]]


def test_own_disk_comes_before_shared_disk(empty: Pool) -> None:
    make_host(empty, "array", {"DISK_GB": 1000}, is_sharing=True)
    make_host(empty, "host", {"VCPU": 8, "DISK_GB": 100})
    need = Need({"VCPU": 2, "DISK_GB": 60})
    assert givers(plan(empty, need, need)) == [
        [("host VCPU", 2), ("host DISK_GB", 60)],
        [("host VCPU", 2), ("array DISK_GB", 60)],
    ]


def test_required_traits_must_be_on_the_providers_that_give(empty: Pool) -> None:
    host = make_host(empty, "host", {"VCPU": 8}, traits=("AVX2",))
    for number, model in enumerate(("GPU_P100", "GPU_A100")):
        make_host(empty, f"gpu-{number}", {"GPU_MILLI": 1000}, parent=host, traits=(model,))
    both = {"VCPU": 1, "GPU_MILLI": 1000}
    wants_a100 = Need(both, required_traits=frozenset({"GPU_A100", "AVX2"}))
    assert givers(plan(empty, wants_a100)) == [[("host VCPU", 1), ("gpu-1 GPU_MILLI", 1000)]]
    no_p100 = Need(both, forbidden_traits=frozenset({"GPU_P100"}))
    assert givers(plan(empty, no_p100))[0][1] == ("gpu-1 GPU_MILLI", 1000)
    only_gpu = Need({"GPU_MILLI": 1000}, required_traits=frozenset({"AVX2"}))
    assert refused(empty, only_gpu).filters == (("without the properties asked for (AVX2)", 1),)


def test_two_traits_may_come_from_two_providers(empty: Pool) -> None:
    host = make_host(empty, "host", {}, traits=())
    make_host(empty, "x", {"VCPU": 8}, parent=host, traits=("X",))
    make_host(empty, "y", {"VCPU": 8}, parent=host, traits=("Y",))
    make_host(empty, "m", {"MEMORY_MB": 1024}, parent=host, traits=("X",))
    need = Need({"VCPU": 1, "MEMORY_MB": 1}, required_traits=frozenset({"X", "Y"}))
    assert givers(plan(empty, need)) == [[("y VCPU", 1), ("m MEMORY_MB", 1)]]


def test_whole_devices_come_together_on_one_host(empty: Pool) -> None:
    for name, devices in (("small", 2), ("large", 4)):
        host = make_host(empty, name, {"VCPU": 64})
        for number in range(devices):
            make_host(empty, f"{name}-{number}", {"GPU_MILLI": 1000}, parent=host)
    three = Need({"VCPU": 1, "GPU_MILLI": 3000})
    assert givers(plan(empty, three)) == [
        [("large VCPU", 1), *((f"large-{number} GPU_MILLI", 1000) for number in range(3))]
    ]
    refusal = refused(empty, three, three)
    assert (refusal.fits, refusal.short) == (1, {"GPU_MILLI": 3000})
    assert "Short 3 GPU." in refusal.message
    assert refused(empty, Need({"GPU_MILLI": 1500})).filters == (("with too little GPU free", 2),)
    assert headroom(pool=empty, need=Need({"GPU_MILLI": 2000}), start=NOW) == 3


def test_unit_rules_are_a_reason_of_their_own(empty: Pool) -> None:
    host = make_host(empty, "host", {})
    set_inventory(
        provider=host,
        resource_class=named_class(name="DISK_GB"),
        total=2048,
        min_unit=10,
        max_unit=1000,
        step_size=10,
        at=NOW,
    )
    for amount in (5, 1010, 15):
        refusal = refused(empty, Need({"DISK_GB": amount}))
        assert refusal.filters == (("do not give disk in this amount", 1),)
        assert refusal.short == {}
    assert plan(empty, Need({"DISK_GB": 1000})).fits == 1


def test_spare_hosts_are_not_sold(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=3, spare_hosts=1)
    make_host(pool, "big", {"VCPU": 32})
    assert headroom(pool=pool, need=Need({"VCPU": 8}), start=NOW) == 6
    hold(project, pool, {"VCPU": 8})
    assert headroom(pool=pool, need=Need({"VCPU": 8}), start=NOW) == 5
    refusal = refused(pool, *[Need({"VCPU": 8})] * 6)
    assert (refusal.fits, refusal.short) == (5, {"VCPU": 8})
    assert ("kept free as spare", 1) in refusal.filters


def test_the_refusal_counts_every_filter_and_names_the_cure(
    organisation: Organisation, project: Project
) -> None:
    pool = make_pool(organisation, hosts=3, amounts={"VCPU": 64, "MEMORY_MB": 16384})
    refusal = refused(pool, *[Need({"VCPU": 4, "MEMORY_MB": 16384})] * 71)
    assert (refusal.fits, refusal.wanted) == (3, 71)
    assert refusal.short == {"MEMORY_MB": 68 * 16384, "VCPU": 23 * 4}
    assert refusal.message == (
        "3 of 71 fit. Short 92 vCPU and 1,088 GiB of memory. "
        "Of 3 hosts: 3 with too little memory free. "
        "Ask for fewer or smaller, for another pool, or for a later start."
    )
    assert refusal.as_dict()["filters"] == [{"reason": "with too little memory free", "hosts": 3}]


def test_enough_in_all_but_nowhere_together(project: Project, pool: Pool) -> None:
    hold(project, pool, {"VCPU": 16}, name="a")
    second = pool.providers.get(name="host-2")
    set_inventory(provider=second, resource_class=named_class(name="MEMORY_MB"), total=1024, at=NOW)
    refusal = refused(pool, Need({"VCPU": 8, "MEMORY_MB": 32768}))
    assert refusal.short == {}
    assert refusal.filters == (
        ("with too little memory free", 1),
        ("with too little vCPU free", 1),
    )
    assert refusal.message.startswith("There is no room for this. Of 2 hosts")


def test_different_needs_share_the_picture(pool: Pool) -> None:
    big, small = Need({"VCPU": 12}), Need({"VCPU": 4})
    assert hosts(plan(pool, big, big, small, small)) == ["host-1", "host-2", "host-1", "host-2"]
    refusal = refused(pool, big, big, big, small)
    assert (refusal.fits, refusal.short) == (3, {"VCPU": 12})


def test_an_empty_pool_says_so(empty: Pool) -> None:
    assert "The pool has no hosts." in refused(empty, Need(SMALL)).message
    assert headroom(pool=empty, need=Need(SMALL), start=NOW) == 0


def test_headroom_stops_counting(pool: Pool) -> None:
    assert headroom(pool=pool, need=Need({"VCPU": 1}), start=NOW) == 32
    assert headroom(pool=pool, need=Need({"VCPU": 1}), start=NOW, at_most=5) == 5


def test_a_plan_is_made_of_two_reads(pool: Pool, django_assert_num_queries: object) -> None:
    plan(pool, Need(SMALL))  # reads the layout, which is kept
    with django_assert_num_queries(2):
        plan(pool, *[Need(SMALL)] * 4)
    with django_assert_num_queries(3):
        plan(pool, *[Need(SMALL)] * 100)
