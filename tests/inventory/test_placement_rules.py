"""OpenStack Placement's own rules for inventories and allocations, by their ids in the case table.

What is refused there is refused here, whatever the code; what is accepted there is accepted here.
Left out are rules about the wire format (I02, A09 to A14: consumer generations, PUT of whole sets)
and about retries inside one transaction (A19), which this design forbids.
"""

from decimal import Decimal
from typing import Any

import pytest

from inventory.choices import AllocationState, ProviderState
from inventory.foundation.errors import DomainError, InvalidInput, NotVisible, StaleEdit
from inventory.foundation.models import Organisation, Project
from inventory.models import Allocation, CapacitySpan, Inventory, Pool, ResourceProvider
from inventory.placement import Need
from inventory.selectors import quota_use
from inventory.services import (
    InUse,
    NoCapacity,
    named_class,
    release,
    remove_inventory,
    reserve,
    set_inventory,
    set_provider_state,
    set_quota,
)
from tests.cast import NOW
from tests.factories import hold, make_host, make_pool, make_resource

TOO_LARGE = 2**31


@pytest.fixture
def pool(organisation: Organisation) -> Pool:
    """Return a pool with one host that has nothing yet."""
    return make_pool(organisation, hosts=1, amounts={})


@pytest.fixture
def host(pool: Pool) -> ResourceProvider:
    """Return that host."""
    return pool.providers.get()


def put(host: ResourceProvider, class_name: str = "DISK_GB", **figures: Any) -> Inventory:
    """Set an inventory as an operator would."""
    return set_inventory(
        provider=host,
        resource_class=named_class(name=class_name),
        at=NOW,
        **{"total": 2048, **figures},
    )


def used(host: ResourceProvider, class_name: str = "DISK_GB") -> int:
    """Return what is used for ever from now on."""
    return CapacitySpan.objects.get(
        inventory__provider=host,
        inventory__resource_class__name=class_name,
        during__upper_inf=True,
    ).used


@pytest.mark.parametrize(
    "figures",
    [
        pytest.param({"total": 256, "reserved": 512}, id="I01"),
        pytest.param({"total": -1}, id="I03 negative"),
        pytest.param({"total": 0}, id="I03 zero"),
        pytest.param({"min_unit": 0}, id="I04 min_unit"),
        pytest.param({"max_unit": 0}, id="I04 max_unit"),
        pytest.param({"step_size": 0}, id="I04 step_size"),
        pytest.param({"total": 2048, "reserved": 4096}, id="I09"),
        pytest.param({"total": TOO_LARGE}, id="I11 total"),
        pytest.param({"reserved": TOO_LARGE}, id="I11 reserved"),
        pytest.param({"min_unit": TOO_LARGE}, id="I11 min_unit"),
        pytest.param({"max_unit": TOO_LARGE}, id="I11 max_unit"),
        pytest.param({"step_size": TOO_LARGE}, id="I11 step_size"),
        pytest.param({"allocation_ratio": Decimal("3.40282e+39")}, id="I11 ratio"),
        pytest.param({"allocation_ratio": Decimal("NaN")}, id="I11 ratio NaN"),
        pytest.param({"allocation_ratio": Decimal(0)}, id="I11 ratio 0"),
    ],
)
def test_bad_figures_are_refused(host: ResourceProvider, figures: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        put(host, **figures)
    assert not Inventory.objects.exists()
    host.refresh_from_db()
    assert host.generation == 0


def test_i05_i06_i07_generations(host: ResourceProvider) -> None:
    figures = {"reserved": 512, "min_unit": 10, "max_unit": 1024, "step_size": 10}
    put(host, **figures, generation=0)
    assert host.generation == 1
    put(host, **figures, total=1024, generation=1)
    assert host.generation == 2
    with pytest.raises(StaleEdit, match="Load it again"):
        put(host, total=4096, generation=5)
    assert Inventory.objects.get().total == 1024


def test_i08_i10_setting_is_by_host_and_class(host: ResourceProvider) -> None:
    """There is one row for a host and class however often it is set, so no 400 and no 409."""
    first = put(host, total=10)
    second = put(host, total=20)
    assert (first.pk, second.total) == (second.pk, 20)


def test_i12_reserved_may_equal_the_total(host: ResourceProvider) -> None:
    assert put(host, "IPV4_ADDRESS", total=253, reserved=253).capacity == 0


def test_i13_the_same_figures_are_no_change(host: ResourceProvider) -> None:
    put(host, total=10)
    put(host, total=10)
    assert host.generation == 1


def test_i14_an_inventory_is_removed_once(host: ResourceProvider) -> None:
    inventory = put(host)
    remove_inventory(inventory=inventory, at=NOW)
    assert not CapacitySpan.objects.exists()
    with pytest.raises(NotVisible):
        remove_inventory(inventory=inventory, at=NOW)


def test_i15_defaults(host: ResourceProvider) -> None:
    inventory = put(host, total=1024)
    assert (inventory.reserved, inventory.allocation_ratio, inventory.min_unit) == (0, 1, 1)


def test_i16_a05_what_is_held_is_not_taken_away(
    project: Project, pool: Pool, host: ResourceProvider
) -> None:
    inventory = put(host)
    resource = hold(project, pool, {"DISK_GB": 10})
    with pytest.raises(InUse):
        remove_inventory(inventory=inventory, at=NOW)
    with pytest.raises(InUse):
        set_provider_state(provider=host, state=ProviderState.RETIRED, at=NOW)
    release(resource=resource, at=NOW)
    with pytest.raises(InUse, match="history is kept"):
        remove_inventory(inventory=inventory, at=NOW)
    set_provider_state(provider=host, state=ProviderState.RETIRED, at=NOW)


def test_i17_shrinking_below_use_is_allowed(
    project: Project, pool: Pool, host: ResourceProvider
) -> None:
    put(host, total=1020)
    hold(project, pool, {"DISK_GB": 1020})
    put(host, total=1019)
    span = CapacitySpan.objects.get(during__upper_inf=True)
    assert (span.used, span.capacity, span.shortfall) == (1020, 1019, 1)


@pytest.mark.parametrize(
    ("amounts", "error"),
    [
        pytest.param({"VCPU": 1}, NoCapacity, id="A01 no inventory"),
        pytest.param({"DISK_GB": 0}, InvalidInput, id="A02 zero"),
        pytest.param({}, InvalidInput, id="A02 empty"),
        pytest.param({"COWS": 12}, InvalidInput, id="A07 bad class"),
        pytest.param({"DISK_GB": 2049}, NoCapacity, id="A08 over capacity"),
    ],
)
def test_what_cannot_be_claimed(
    project: Project,
    pool: Pool,
    host: ResourceProvider,
    amounts: dict[str, int],
    error: type[DomainError],
) -> None:
    named_class(name="VCPU")
    put(host)
    with pytest.raises(error):
        hold(project, pool, amounts)
    assert used(host) == 0


def test_a03_the_same_claim_again_is_not_added(
    project: Project, pool: Pool, host: ResourceProvider
) -> None:
    put(host)
    resource = hold(project, pool, {"DISK_GB": 12})
    hold(project, pool, {"DISK_GB": 10}, name="other")
    reserve(pool=pool, wants=[(resource, Need({"DISK_GB": 12}))], start=NOW, end=None, at=NOW)
    assert used(host) == 22


def test_a04_giving_back_twice_gives_back_once(
    project: Project, pool: Pool, host: ResourceProvider
) -> None:
    put(host)
    resource = hold(project, pool, {"DISK_GB": 12})
    hold(project, pool, {"DISK_GB": 10}, name="other")
    release(resource=resource, at=NOW)
    release(resource=resource, at=NOW)
    assert used(host) == 10
    assert Allocation.objects.get(resource=resource).state == AllocationState.RELEASED


def test_a06_one_resource_on_two_providers(
    project: Project, pool: Pool, host: ResourceProvider
) -> None:
    put(host, "VCPU", total=8)
    array = make_host(pool, "array", {"DISK_GB": 100}, is_sharing=True)
    before = [host.generation, array.generation]
    hold(project, pool, {"VCPU": 2, "DISK_GB": 50})
    host.refresh_from_db()
    array.refresh_from_db()
    assert [host.generation, array.generation] == [each + 1 for each in before]
    assert (used(host, "VCPU"), used(array)) == (2, 50)


def test_a08_two_resources_one_of_them_too_large(
    project: Project, pool: Pool, host: ResourceProvider
) -> None:
    put(host, "MEMORY_MB", total=2048)
    wants = [
        (make_resource(project, pool, name), Need({"MEMORY_MB": amount}))
        for name, amount in (("a", 1024), ("b", 2049))
    ]
    with pytest.raises(NoCapacity):
        reserve(pool=pool, wants=wants, start=NOW, end=None, at=NOW)
    assert not Allocation.objects.exists()
    assert used(host, "MEMORY_MB") == 0


@pytest.mark.parametrize(
    ("rule", "refused", "accepted"),
    [
        pytest.param({"step_size": 5}, 4, 5, id="A15"),
        pytest.param({"min_unit": 5}, 4, 5, id="A16"),
        pytest.param({"max_unit": 3}, 5, 3, id="A17"),
    ],
)
def test_unit_rules(
    project: Project,
    pool: Pool,
    host: ResourceProvider,
    rule: dict[str, int],
    refused: int,
    accepted: int,
) -> None:
    put(host, total=1024, **rule)
    with pytest.raises(NoCapacity, match="in this amount"):
        hold(project, pool, {"DISK_GB": refused})
    assert hold(project, pool, {"DISK_GB": accepted}, name="other").pk


@pytest.mark.parametrize(
    "shrink", [{"allocation_ratio": Decimal(1)}, {"allocation_ratio": 2, "reserved": 5}]
)
def test_a18_above_capacity_only_less_is_accepted(
    project: Project, pool: Pool, host: ResourceProvider, shrink: dict[str, Any]
) -> None:
    put(host, "VCPU", total=10, allocation_ratio=Decimal(2))
    first = hold(project, pool, {"VCPU": 7}, name="first")
    hold(project, pool, {"VCPU": 7}, name="second")
    put(host, "VCPU", total=10, **shrink)
    with pytest.raises(NoCapacity):
        hold(project, pool, {"VCPU": 1}, name="third")
    release(resource=first, at=NOW)
    with pytest.raises(NoCapacity):
        hold(project, pool, {"VCPU": 4}, name="fourth")
    assert hold(project, pool, {"VCPU": 3}, name="fifth").pk
    assert used(host, "VCPU") == 10


def test_u01_use_by_project(project: Project, pool: Pool, host: ResourceProvider) -> None:
    put(host)
    put(host, "VCPU", total=10)
    for name in ("VCPU", "DISK_GB"):
        set_quota(project=project, resource_class=named_class(name=name), limit=2000, at=NOW)
    hold(project, pool, {"DISK_GB": 1000, "VCPU": 6}, name="a")
    hold(project, pool, {"DISK_GB": 20, "VCPU": 1}, name="b")
    assert {use.resource_class.name: use.used for use in quota_use(project=project, at=NOW)} == {
        "DISK_GB": 1020,
        "VCPU": 7,
    }
