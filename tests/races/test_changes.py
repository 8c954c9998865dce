"""Changes that meet others' bookings, on real connections: one of the two wins, never both."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from inventory.foundation.models import Organisation, Project
from inventory.models import Inventory, Pool, Resource
from inventory.placement import Need
from inventory.services import NoCapacity, activate, extend, hold_growth, reserve
from tests.cast import NOW
from tests.factories import make_pool, make_resource
from tests.races.test_last_unit import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

DAY = timedelta(days=1)
END = NOW + 30 * DAY
WON, LOST = "won", "lost"


def delivered(project: Project, pool: Pool, name: str, vcpu: int) -> Resource:
    resource = make_resource(project, pool, name)
    reserve(pool=pool, wants=[(resource, Need({"VCPU": vcpu}))], start=NOW, end=END, at=NOW)
    activate(resource=resource, at=NOW, external_ref=f"vm-{name}")
    return resource


def tried(act: Callable[[], object]) -> Callable[[], str]:
    def job() -> str:
        try:
            act()
        except NoCapacity:
            return LOST
        return WON

    return job


@pytest.mark.parametrize("round_", range(5))
def test_an_extension_and_a_booking(
    organisation: Organisation, project: Project, round_: int
) -> None:
    """Both want the same units after the end; whoever comes second is refused."""
    pool = make_pool(organisation, hosts=1, amounts={"VCPU": 8})
    web = delivered(project, pool, "web", 6)
    booked = make_resource(project, pool, "booked")
    jobs = [
        tried(lambda: extend(pool=pool, resources=[web], end=END + 10 * DAY, at=NOW)),
        tried(
            lambda: reserve(
                pool=pool,
                wants=[(booked, Need({"VCPU": 6}))],
                start=END,
                end=END + 5 * DAY,
                at=NOW,
            )
        ),
    ]
    outcomes = at_once(jobs[:: -1 if round_ % 2 else 1], threads=2)
    assert Counter(outcomes) == {WON: 1, LOST: 1}
    extended = web.allocations.get().held_to == END + 10 * DAY
    assert extended is not booked.allocations.exists()
    most = max(span.used for inventory in pool_spans(pool) for span in inventory.spans.all())
    assert most == 6


def pool_spans(pool: Pool) -> list[Inventory]:
    return [inventory for host in pool.providers.all() for inventory in host.inventories.all()]


def test_ten_that_grow_into_the_room_of_three(organisation: Organisation, project: Project) -> None:
    pool = make_pool(organisation, hosts=1, amounts={"VCPU": 23})
    copies = [delivered(project, pool, f"web-{number}", 2) for number in range(10)]

    def grow(resource: Resource) -> Callable[[], object]:
        need = Need({"VCPU": 3})
        return lambda: hold_growth(pool=pool, resources=[resource], need=need, at=NOW)

    outcomes = at_once([tried(grow(one)) for one in copies], threads=5)
    assert Counter(outcomes) == {WON: 3, LOST: 7}
