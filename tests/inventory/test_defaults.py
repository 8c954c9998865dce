"""What holds where nobody chooses: inherited, versioned, audited, and used by new capacity."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from inventory.foundation.choices import Role
from inventory.foundation.defaults import (
    current_number,
    history_of_values,
    values_in_force,
    write_defaults,
)
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible, StaleEdit
from inventory.foundation.models import AuditEvent, Organisation, User
from inventory.models import CapacityDefaults, Inventory, Pool
from inventory.selectors import capacity_ratios
from inventory.services import (
    create_provider,
    import_pool,
    named_class,
    set_capacity_defaults,
    set_inventory,
)
from tests.cast import NOW, grant, make_user

LATER = NOW + timedelta(days=1)


@pytest.fixture
def branch(organisation: Organisation) -> Organisation:
    """A part of the organisation."""
    return Organisation.objects.create(name="Acme Labs", slug="labs", parent=organisation)


@pytest.fixture
def root(db: None) -> User:
    """The administrator."""
    user = make_user("root")
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    user.refresh_from_db()
    return user


def ratio(pool: Pool, name: str, class_name: str = "VCPU", **more: Any) -> Decimal:
    """Give a new host 8 of a class and return the ratio that it got."""
    host = create_provider(pool=pool, name=name, at=NOW)
    resource_class = named_class(name=class_name)
    return set_inventory(
        provider=host, resource_class=resource_class, total=8, at=LATER, **more
    ).allocation_ratio


def test_new_capacity_gets_the_ratio_of_its_kind(pool: Pool) -> None:
    assert ratio(pool, "a") == 4
    assert ratio(pool, "b", "MEMORY_MB") == 1
    assert ratio(pool, "c", "CPU_MILLI") == 1
    assert ratio(pool, "d", allocation_ratio=Decimal("1.5")) == Decimal("1.5")


def test_what_is_there_keeps_its_ratio(pool: Pool, operator: User) -> None:
    ratio(pool, "a", allocation_ratio=Decimal(2))
    set_capacity_defaults(
        organisation=pool.organisation,
        number=0,
        values={"cpu_ratio": Decimal(6)},
        actor=operator,
        at=NOW,
    )
    host = pool.providers.get(name="a")
    again = set_inventory(provider=host, resource_class=named_class(name="VCPU"), total=9, at=LATER)
    assert (again.allocation_ratio, again.capacity) == (2, 18)
    assert ratio(pool, "b") == 6


def test_an_import_without_ratios_uses_the_default_and_repeats_as_nothing(
    pool: Pool, operator: User, tmp_path: Path
) -> None:
    file = tmp_path / "hosts.csv"
    file.write_text("name,VCPU,MEMORY_MB,MEMORY_MB.ratio\nx,8,1024,1.5\n")
    import_pool(path=file, pool_name=pool.name, at=NOW)
    ratios = dict(
        Inventory.objects.filter(provider__name="x").values_list(
            "resource_class__name", "allocation_ratio"
        )
    )
    assert ratios == {"VCPU": 4, "MEMORY_MB": Decimal("1.5")}
    set_capacity_defaults(
        organisation=pool.organisation,
        number=0,
        values={"cpu_ratio": Decimal(2)},
        actor=operator,
        at=NOW,
    )
    assert import_pool(path=file, pool_name=pool.name, at=LATER).unchanged == 1


def test_a_part_inherits_what_it_does_not_set(
    organisation: Organisation, branch: Organisation, operator: User, root: User
) -> None:
    def told(place: Organisation | None, at: Any = LATER) -> tuple[Decimal, Decimal]:
        found = capacity_ratios(organisation_id=place.pk if place else None, at=at)
        return found.cpu, found.memory

    set_capacity_defaults(
        organisation=None, number=0, values={"memory_ratio": Decimal("1.2")}, actor=root, at=NOW
    )
    set_capacity_defaults(
        organisation=organisation,
        number=0,
        values={"cpu_ratio": Decimal(3)},
        actor=operator,
        at=NOW,
    )
    set_capacity_defaults(
        organisation=branch, number=0, values={"cpu_ratio": Decimal(8)}, actor=operator, at=LATER
    )
    assert told(None) == (4, Decimal("1.2"))
    assert told(organisation) == (3, Decimal("1.2"))
    assert told(branch) == (8, Decimal("1.2"))
    assert told(branch, at=NOW) == (3, Decimal("1.2"))
    values = values_in_force(CapacityDefaults, organisation_id=branch.pk, at=LATER)
    assert values["cpu_ratio"].is_own
    assert not values["memory_ratio"].is_own
    assert values["memory_ratio"].source is not None
    assert values["memory_ratio"].source.organisation is None

    set_capacity_defaults(
        organisation=branch,
        number=1,
        values={"cpu_ratio": None},
        actor=operator,
        at=LATER + timedelta(days=1),
        reason="as everybody",
    )
    assert told(branch, at=LATER + timedelta(days=1)) == (3, Decimal("1.2"))
    newest, first = history_of_values(CapacityDefaults, organisation_id=branch.pk)
    (taken,) = newest.changes
    assert (taken.name, taken.before, taken.after) == ("cpu_ratio", Decimal(8), None)
    assert newest.version.reason == "as everybody"
    (given,) = first.changes
    assert (given.label, given.before, given.after) == (
        "over-commit ratio of vCPU",
        None,
        Decimal(8),
    )
    entry = AuditEvent.objects.filter(action="capacity_defaults.set").latest("pk")
    assert entry.changes == {"cpu_ratio": ["8.0000", None]}
    assert (entry.organisation, entry.actor) == (branch, operator)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"cpu_ratio": Decimal(0)}, "cpu_ratio"),
        ({"memory_ratio": Decimal(101)}, "memory_ratio"),
        ({"cpu_ratio": Decimal("1.00001")}, "cpu_ratio"),
        ({"disk_ratio": Decimal(1)}, "disk_ratio"),
    ],
)
def test_a_bad_value_is_named(
    organisation: Organisation, operator: User, values: dict[str, Decimal], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        set_capacity_defaults(
            organisation=organisation, number=0, values=values, actor=operator, at=NOW
        )
    assert field in refused.value.message or field in refused.value.fields
    assert not CapacityDefaults.objects.exists()


def test_the_same_values_are_no_version(organisation: Organisation, operator: User) -> None:
    same: dict[str, Any] = {"organisation": organisation, "actor": operator, "at": NOW}
    assert set_capacity_defaults(number=0, values={"cpu_ratio": None}, **same) is None
    set_capacity_defaults(number=0, values={"cpu_ratio": Decimal(2)}, **same)
    assert set_capacity_defaults(number=1, values={"cpu_ratio": Decimal("2.0")}, **same) is None
    assert current_number(CapacityDefaults, organisation_id=organisation.pk, at=NOW) == 1


@pytest.mark.parametrize("who", ["member", "owner", "approver", "finance", "auditor"])
def test_only_an_operator_sets_capacity(
    request: pytest.FixtureRequest, organisation: Organisation, who: str
) -> None:
    actor = request.getfixturevalue(who)
    with pytest.raises((Forbidden, NotVisible)):
        set_capacity_defaults(
            organisation=organisation,
            number=0,
            values={"cpu_ratio": Decimal(2)},
            actor=actor,
            at=NOW,
        )


def test_a_stranger_sees_nothing_and_only_an_administrator_sets_everywhere(
    organisation: Organisation, operator: User, stranger: User
) -> None:
    grant(stranger, Role.OPERATOR, organisation=Organisation.objects.get(slug="elsewhere"))
    values = {"cpu_ratio": Decimal(2)}
    with pytest.raises(NotVisible):
        set_capacity_defaults(
            organisation=organisation, number=0, values=values, actor=stranger, at=NOW
        )
    with pytest.raises(Forbidden):
        set_capacity_defaults(organisation=None, number=0, values=values, actor=operator, at=NOW)


def test_who_saw_an_older_version_is_refused(organisation: Organisation, operator: User) -> None:
    same: dict[str, Any] = {"organisation": organisation, "actor": operator, "at": NOW}
    set_capacity_defaults(number=0, values={"cpu_ratio": Decimal(2)}, **same)
    with pytest.raises(StaleEdit):
        set_capacity_defaults(number=0, values={"cpu_ratio": Decimal(3)}, **same)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_who_save_at_once_one_is_told(transactional_db: None) -> None:
    acme = Organisation.objects.create(name="Acme", slug="acme")
    operator = make_user("oscar", acme)
    start = Barrier(2)

    def job(value: int) -> Callable[[], object]:
        def run() -> object:
            start.wait(timeout=30)
            try:
                return write_defaults(
                    CapacityDefaults,
                    organisation=acme,
                    number=0,
                    values={"cpu_ratio": Decimal(value)},
                    actor=operator,
                    at=NOW,
                    action="capacity_defaults.set",
                )
            except StaleEdit as error:
                return error
            finally:
                connection.close()

        return run

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda run: run(), [job(2), job(3)]))
    assert sorted(type(answer).__name__ for answer in answers) == ["CapacityDefaults", "StaleEdit"]
    assert CapacityDefaults.objects.count() == 1
