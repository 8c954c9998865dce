"""Services of the catalogue and the connections that deliver them."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import AuditEvent, Organisation, User
from inventory.models import Pool
from orchestra.choices import OfferingStatus
from orchestra.models import Offering, OfferingVersion
from orchestra.selectors.catalogue import catalogue, offered, published_version
from orchestra.services.connections import connect_pool, create_connection
from orchestra.services.offerings import (
    NotADraft,
    create_offering,
    draft_version,
    publish_version,
    withdraw,
)
from tests.cast import NOW
from tests.factories import make_pool
from tests.orchestra.world import PARAMETERS


@pytest.fixture
def pool(organisation: Organisation) -> Pool:
    """A pool of two hosts."""
    return make_pool(organisation)


@pytest.fixture
def offering(operator: User, pool: Pool) -> Offering:
    """A service without any version."""
    return create_offering(
        slug="linux-m",
        name="Linux M",
        category="Machines",
        summary="A machine of middle size",
        actor=operator,
        at=NOW,
    )


def draft(offering: Offering, pool: Pool, actor: User, **changes: Any) -> OfferingVersion:
    inputs: dict[str, Any] = {
        "resource_kind": "vm.linux.m",
        "resources": {"VCPU": 4, "MEMORY_MB": 16384},
        "parameters": PARAMETERS,
        "pools": [pool],
    }
    return draft_version(offering=offering, actor=actor, at=NOW, **(inputs | changes))


def test_a_version_is_published_and_replaces_the_one_before(
    offering: Offering, pool: Pool, operator: User
) -> None:
    first = publish_version(version=draft(offering, pool, operator), actor=operator, at=NOW)
    assert publish_version(version=first, actor=operator, at=NOW) == first
    second = draft(offering, pool, operator, max_instances=9)
    assert published_version(offering) == first
    publish_version(version=second, actor=operator, at=NOW)
    first.refresh_from_db()
    assert (first.status, published_version(offering)) == (OfferingStatus.DEPRECATED, second)
    with pytest.raises(NotADraft, match="Draft a new version"):
        publish_version(version=first, actor=operator, at=NOW)
    with pytest.raises(DatabaseError), transaction.atomic():
        OfferingVersion.objects.filter(pk=second.pk).update(resources={"VCPU": 8})
    withdraw(version=second, actor=operator, at=NOW, reason="Too old")
    assert published_version(offering) is None
    actions = AuditEvent.objects.filter(action__startswith="offering").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == [
        "offering.create",
        "offering.draft",
        "offering.publish",
        "offering.draft",
        "offering.publish",
        "offering.withdraw",
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"resources": {"UNICORN": 1}}, "resources/UNICORN"),
        ({"resources": {"VCPU": -1}}, "resources/VCPU"),
        ({"resources": {"VCPU": 1.5}}, "resources/VCPU"),
        ({"resources": {"VCPU": True}}, "resources/VCPU"),
        ({"resources": {"VCPU": 2**31}}, "resources/VCPU"),
        ({"resources": [4]}, "resources"),
        ({"resources": {"VCPU": 0}, "parameters": None}, "resources"),
        ({"parameters": {"type": "array"}}, "parameters/type"),
        (
            {"parameters": {"type": "object", "properties": {"a": {"type": "x"}}}},
            "parameters/properties/a/type",
        ),
        ({"required_traits": ["FAST"]}, "required_traits/0"),
        ({"max_instances": 0}, "max_instances"),
        ({"max_instances": 5000}, "max_instances"),
        ({"pools": []}, "pools"),
        ({"resource_kind": ""}, "resource_kind"),
        ({"resource_kind": "x" * 81}, "resource_kind"),
    ],
)
def test_a_bad_version_is_refused_with_its_place(
    offering: Offering, pool: Pool, operator: User, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        draft(offering, pool, operator, **changes)
    assert field in caught.value.fields
    assert not OfferingVersion.objects.exists()


def test_only_operators_make_services(
    offering: Offering, pool: Pool, member: User, operator: User
) -> None:
    with pytest.raises(Forbidden):
        create_offering(slug="x", name="X", category="X", summary="X", actor=member, at=NOW)
    with pytest.raises(Forbidden):
        draft(offering, pool, member)
    elsewhere = Organisation.objects.create(name="Elsewhere", slug="elsewhere")
    with pytest.raises(Forbidden):
        draft(offering, make_pool(elsewhere, name="Theirs"), operator)
    with pytest.raises(InvalidInput) as caught:
        create_offering(
            slug="linux-m", name="=X", category="X", summary="X", actor=operator, at=NOW
        )
    assert set(caught.value.fields) == {"slug", "name"}


def test_a_pool_without_connection_delivers_nothing(
    offering: Offering, pool: Pool, operator: User, member: User, stranger: User
) -> None:
    version = publish_version(version=draft(offering, pool, operator), actor=operator, at=NOW)
    assert not catalogue(member).exists()
    connection = create_connection(
        name="sim", label="Simulated", kind="simulated", options={"k": 1}, actor=operator, at=NOW
    )
    connect_pool(pool=pool, connection=connection, actor=operator, at=NOW)
    assert list(catalogue(member)) == [version]
    assert catalogue(member)[0].orderable == [pool]
    assert offered(user=member, slug="linux-m") == version
    assert not catalogue(stranger).exists()
    with pytest.raises(NotVisible):
        offered(user=stranger, slug="linux-m")
    made = AuditEvent.objects.get(action="connection.create")
    assert made.changes["options"] == [[], ["k"]]
    assert AuditEvent.objects.get(action="pool.connect").changes == {"connection": [None, "sim"]}


def test_bad_connections_are_refused(
    pool: Pool, operator: User, member: User, stranger: User
) -> None:
    def make(**changes: Any) -> Any:
        inputs: dict[str, Any] = {"name": "sim", "label": "Sim", "kind": "simulated"}
        return create_connection(**({"actor": operator, "at": NOW} | inputs | changes))

    for changes, field in (
        ({"kind": "aws"}, "kind"),
        ({"name": "No Slug"}, "name"),
        ({"max_inflight": 0}, "__all__"),
        ({"options": [1]}, "options"),
    ):
        with pytest.raises(InvalidInput) as caught:
            make(**changes)
        assert field in caught.value.fields
    with pytest.raises(Forbidden):
        make(actor=member)
    connection = make()
    with pytest.raises(Forbidden):
        connect_pool(pool=pool, connection=connection, actor=member, at=NOW)
    with pytest.raises(NotVisible):
        connect_pool(pool=pool, connection=connection, actor=stranger, at=NOW)
