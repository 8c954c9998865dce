"""Setting up pools: who may, in words that help, with an audit entry for each change."""

import pytest

from inventory.choices import ProviderState
from inventory.foundation.choices import Role
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import AuditEvent, Organisation, Project, User
from inventory.models import Pool, Quota, ResourceProvider
from inventory.services import (
    create_pool,
    create_provider,
    named_class,
    remove_quota,
    save_pool,
    save_provider,
    set_inventory,
    set_provider_state,
    set_quota,
    set_traits,
)
from inventory.services.classes import named_trait
from tests.cast import NOW, grant


def test_an_operator_sets_up_a_pool(organisation: Organisation, operator: User) -> None:
    pool = create_pool(organisation=organisation, name="Köln 1", at=NOW, actor=operator)
    assert pool.slug == "koln-1"
    host = create_provider(
        pool=pool, name="host-1", traits=["SSD"], rack="R1", at=NOW, actor=operator
    )
    set_inventory(
        provider=host, resource_class=named_class(name="VCPU"), total=8, at=NOW, actor=operator
    )
    set_provider_state(
        provider=host, state=ProviderState.CORDONED, at=NOW, actor=operator, reason="new fan"
    )
    entries = AuditEvent.objects.order_by("id").values_list("action", "actor", "changes", "reason")
    assert [(action, actor) for action, actor, _, _ in entries] == [
        ("pool.create", operator.pk),
        ("provider.create", operator.pk),
        ("inventory.set", operator.pk),
        ("provider.set_state", operator.pk),
    ]
    assert entries[2][2]["total"] == [None, 8]
    assert entries[3][2:] == ({"state": ["open", "cordoned"]}, "new fan")


@pytest.mark.parametrize("who", ["member", "approver", "finance", "auditor"])
def test_others_may_not(
    request: pytest.FixtureRequest, organisation: Organisation, pool: Pool, who: str
) -> None:
    actor = request.getfixturevalue(who)
    host = pool.providers.first()
    vcpu = named_class(name="VCPU")
    with pytest.raises(Forbidden):
        create_pool(organisation=organisation, name="Mine", at=NOW, actor=actor)
    with pytest.raises(Forbidden):
        create_provider(pool=pool, name="x", at=NOW, actor=actor)
    with pytest.raises(Forbidden):
        set_inventory(provider=host, resource_class=vcpu, total=1, at=NOW, actor=actor)
    with pytest.raises(Forbidden):
        set_quota(organisation=organisation, resource_class=vcpu, limit=1, at=NOW, actor=actor)


def test_a_strangers_pool_does_not_exist(pool: Pool, stranger: User) -> None:
    with pytest.raises(NotVisible):
        create_provider(pool=pool, name="x", at=NOW, actor=stranger)


def test_a_grant_for_one_pool_is_enough(pool: Pool, stranger: User) -> None:
    grant(stranger, Role.OPERATOR, pool_id=pool.pk)
    assert create_provider(pool=pool, name="x", at=NOW, actor=stranger).pk


@pytest.mark.parametrize(
    ("name", "field"), [("", "name"), ("x" * 121, "name"), ("=1", "name"), ("Frankfurt", "name")]
)
def test_bad_pool_names(organisation: Organisation, pool: Pool, name: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        create_pool(organisation=organisation, name=name, slug="fine", at=NOW)
    assert field in caught.value.fields


def test_saving_a_pool_records_only_what_changed(pool: Pool, operator: User) -> None:
    pool.spare_hosts = 2
    save_pool(pool=pool, at=NOW, actor=operator)
    save_pool(pool=pool, at=NOW, actor=operator)
    entry = AuditEvent.objects.get(action="pool.change")
    assert entry.changes == {"spare_hosts": [0, 2]}


def test_a_tree_stays_as_it_was_made(organisation: Organisation, pool: Pool) -> None:
    one, two = pool.providers.order_by("pk")
    gpu = create_provider(pool=pool, name="gpu", parent=one, at=NOW)
    core = create_provider(pool=pool, name="core", parent=gpu, at=NOW)
    assert (gpu.root, core.root) == (one, one)
    gpu.parent = two
    with pytest.raises(InvalidInput, match="stays where it is"):
        save_provider(provider=gpu, at=NOW)
    other = create_pool(organisation=organisation, name="Other", at=NOW)
    with pytest.raises(InvalidInput, match="another pool"):
        create_provider(pool=other, name="x", parent=one, at=NOW)
    with pytest.raises(InvalidInput, match="has a host or device of that name"):
        create_provider(pool=pool, name="gpu", at=NOW)


def test_properties_are_set_exactly(pool: Pool) -> None:
    host = ResourceProvider.objects.first()
    ssd, avx = named_trait(name="SSD"), named_trait(name="AVX2")
    set_traits(provider=host, traits=[ssd, avx], at=NOW)
    set_traits(provider=host, traits=[avx], at=NOW)
    set_traits(provider=host, traits=[avx], at=NOW)
    assert [trait.name for trait in host.traits.all()] == ["AVX2"]
    changes = AuditEvent.objects.filter(action="provider.set_traits").order_by("id")
    assert [entry.changes["traits"] for entry in changes] == [
        [[], ["AVX2", "SSD"]],
        [["AVX2", "SSD"], ["AVX2"]],
    ]
    with pytest.raises(InvalidInput):
        named_trait(name="ssd")


def test_a_quota_is_set_and_lifted(project: Project, operator: User) -> None:
    vcpu = named_class(name="VCPU")
    for limit in (5, 7, 7):
        quota = set_quota(project=project, resource_class=vcpu, limit=limit, at=NOW, actor=operator)
    assert Quota.objects.get().limit == 7
    for holder in ({}, {"project": project, "organisation": project.organisation}):
        with pytest.raises(InvalidInput):
            set_quota(resource_class=vcpu, limit=1, at=NOW, **holder)
    with pytest.raises(InvalidInput):
        set_quota(project=project, resource_class=vcpu, limit=-1, at=NOW)
    remove_quota(quota=quota, at=NOW, actor=operator)
    assert [
        entry.changes["limit"]
        for entry in AuditEvent.objects.filter(action__startswith="quota.").order_by("id")
    ] == [[None, 5], [5, 7], [7, None]]
