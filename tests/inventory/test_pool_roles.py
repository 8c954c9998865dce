"""Roles in one pool: given to people and groups by who owns its organisation, and taken away."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from inventory.foundation.choices import Role
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import AuditEvent, Organisation, Project, RoleGrant, User
from inventory.foundation.permissions import Action
from inventory.models import Pool
from inventory.selectors import pools_where
from inventory.services.roles import grant_pool_role, revoke_pool_role
from tests.cast import NOW, grant, make_user
from tests.factories import make_pool


@pytest.fixture
def pool(organisation: Organisation) -> Pool:
    """Return a pool with two hosts."""
    return make_pool(organisation)


@pytest.fixture
def boss(organisation: Organisation) -> User:
    """Owns the organisation."""
    user = make_user("bea", organisation)
    grant(user, Role.OWNER, organisation=organisation)
    return user


def test_a_group_looks_after_one_pool(
    pool: Pool, organisation: Organisation, boss: User, approver: User
) -> None:
    other = make_pool(organisation, name="Berlin", hosts=0)
    group = Group.objects.create(name="Night shift")
    group.user_set.set([approver])
    given = grant_pool_role(pool=pool, group=group, role="operator", actor=boss, at=NOW)
    assert pool in pools_where(approver, Action.POOL_EDIT)
    assert other not in pools_where(approver, Action.POOL_EDIT)
    revoke_pool_role(pool=pool, grant=given, actor=boss, at=NOW, reason="Over")
    assert pool not in pools_where(approver, Action.POOL_EDIT)
    with pytest.raises(NotVisible):
        revoke_pool_role(pool=pool, grant=given, actor=boss, at=NOW, reason="Over")
    actions = AuditEvent.objects.filter(action__startswith="role.").order_by("pk")
    assert [(one.action, one.organisation) for one in actions] == [
        ("role.grant", organisation),
        ("role.revoke", organisation),
    ]


def test_who_may_not_and_what_means_nothing(
    pool: Pool, boss: User, operator: User, member: User, stranger: User, project: Project
) -> None:
    with pytest.raises(Forbidden):
        grant_pool_role(pool=pool, user=member, role="operator", actor=operator, at=NOW)
    with pytest.raises(NotVisible):
        grant_pool_role(pool=pool, user=member, role="operator", actor=stranger, at=NOW)
    with pytest.raises(InvalidInput, match="one of these"):
        grant_pool_role(pool=pool, user=member, role="approver", actor=boss, at=NOW)
    with pytest.raises(InvalidInput, match="belongs to Acme"):
        grant_pool_role(pool=pool, user=stranger, role="operator", actor=boss, at=NOW)
    in_project = RoleGrant.objects.get(user=member)
    with pytest.raises(NotVisible):
        revoke_pool_role(pool=pool, grant=in_project, actor=boss, at=NOW, reason="Over")


def test_the_page_of_a_pools_people(
    client: Client, pool: Pool, boss: User, operator: User, member: User
) -> None:
    client.force_login(boss)
    new = reverse("inventory:pool-grant", args=[pool.slug])
    people = reverse("inventory:pool-people", args=[pool.slug])
    page = client.get(reverse("inventory:pool", args=[pool.slug])).content.decode()
    assert f'href="{people}"' in page, "who gives the roles finds where, without seeing hosts"
    assert b"Approver" not in client.get(new).content.split(b"<main")[1]
    data = {"user": member.pk, "role": "auditor", "idempotency_key": uuid4().hex}
    assert client.post(new, data).url == people
    page = client.get(people).content
    assert b"this pool alone" in page
    assert b"oscar" in page
    held = RoleGrant.objects.get(user=member, pool_id=pool.pk)
    address = reverse("inventory:pool-revoke", args=[pool.slug, held.pk])
    assert address.encode() in page
    why = {"reason": "Left", "idempotency_key": uuid4().hex}
    assert client.post(address, why | {"reason": ""}).status_code == 400
    assert client.post(address, why).url == people
    assert not RoleGrant.objects.filter(pk=held.pk).exists()
    client.force_login(operator)
    seen = client.get(people).content
    assert new.encode() not in seen
