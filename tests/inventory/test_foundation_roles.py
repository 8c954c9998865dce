"""Roles of people and groups: given, changed, taken away; the last owner stays."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group

from inventory.foundation.choices import Role
from inventory.foundation.errors import InvalidInput, NotVisible
from inventory.foundation.models import AuditEvent, Organisation, Project, RoleGrant, User
from inventory.foundation.permissions import Action, may
from inventory.foundation.selectors import all_grants_of, groups_of
from inventory.foundation.services import (
    LastOwner,
    OwnRole,
    change_role,
    grant_role,
    revoke_role,
)
from tests.cast import NOW, grant, make_user

SOON = NOW + timedelta(days=30)


@pytest.fixture
def boss(organisation: Organisation) -> User:
    """Owns the organisation."""
    user = make_user("bea", organisation)
    grant(user, Role.OWNER, organisation=organisation)
    return user


def make_group(*people: User) -> Group:
    """Make a group of these people."""
    group = Group.objects.create(name="Web team")
    group.user_set.set(people)
    return group


def test_a_group_gets_a_role_for_all_its_people(
    project: Project, owner: User, approver: User, auditor: User
) -> None:
    group = make_group(approver, auditor)
    given = grant_role(group=group, role="member", project=project, actor=owner, at=NOW)
    assert may(approver, Action.ORDER_PLACE, project)
    assert str(given) == "Web team: Member"
    revoke_role(grant=given, actor=owner, at=NOW, reason="Dissolved")
    assert not may(approver, Action.ORDER_PLACE, project)
    entry = AuditEvent.objects.get(action="role.revoke")
    assert entry.changes["who"] == ["Web team", None]


def test_a_group_with_a_stranger_or_oneself_gets_none(
    project: Project, owner: User, approver: User, stranger: User, organisation: Organisation
) -> None:
    group = make_group(approver, stranger)
    assert group not in groups_of(organisation)
    with pytest.raises(InvalidInput) as caught:
        grant_role(group=group, role="member", project=project, actor=owner, at=NOW)
    assert "all belong to Acme" in caught.value.fields["group"]
    group.user_set.set([owner])
    with pytest.raises(OwnRole):
        grant_role(group=group, role="member", project=project, actor=owner, at=NOW)
    with pytest.raises(InvalidInput, match="either a person or a group"):
        grant_role(role="member", project=project, actor=owner, at=NOW)


def test_a_role_is_changed_and_gets_an_end(project: Project, owner: User, member: User) -> None:
    held = RoleGrant.objects.get(user=member)
    change_role(grant=held, role="auditor", expires_at=SOON, actor=owner, at=NOW, reason="Moved")
    held.refresh_from_db()
    assert (held.role, held.expires_at, held.granted_by) == ("auditor", SOON, owner)
    assert not may(member, Action.ORDER_PLACE, project)
    entry = AuditEvent.objects.get(action="role.change")
    assert entry.changes == {"role": ["member", "auditor"], "expires_at": [None, SOON.isoformat()]}
    assert entry.reason == "Moved"
    with pytest.raises(InvalidInput, match="in the future"):
        change_role(grant=held, role="auditor", expires_at=NOW, actor=owner, at=NOW)
    with pytest.raises(InvalidInput, match="Choose one of"):
        change_role(grant=held, role="king", expires_at=None, actor=owner, at=NOW)


def test_nobody_changes_their_own_role_and_no_role_is_held_twice(
    project: Project, owner: User, deputy: User, member: User
) -> None:
    own = grant(owner, Role.APPROVER, project=project)
    with pytest.raises(OwnRole):
        change_role(grant=own, role="finance", expires_at=None, actor=owner, at=NOW)
    grant(member, Role.AUDITOR, project=project)
    held = RoleGrant.objects.get(user=member, role="member")
    with pytest.raises(InvalidInput, match="granted already"):
        change_role(grant=held, role="auditor", expires_at=None, actor=deputy, at=NOW)


def test_the_last_owner_of_an_organisation_stays(
    organisation: Organisation, boss: User, auditor: User
) -> None:
    mine = RoleGrant.objects.get(user=boss)
    with pytest.raises(LastOwner, match="Make somebody else owner first"):
        revoke_role(grant=mine, actor=boss, at=NOW)
    grant_role(
        user=auditor, role="owner", organisation=organisation, actor=boss, at=NOW, expires_at=SOON
    )
    with pytest.raises(LastOwner):  # by then the other one's role has run out
        revoke_role(grant=mine, actor=boss, at=SOON)
    revoke_role(grant=mine, actor=boss, at=NOW)
    with pytest.raises(NotVisible):
        revoke_role(grant=mine, actor=boss, at=NOW)


def test_roles_that_have_run_out_are_shown_as_such(
    project: Project, owner: User, member: User
) -> None:
    held = RoleGrant.objects.get(user=member)
    old = grant(owner, Role.AUDITOR, project=project)
    RoleGrant.objects.filter(pk=old.pk).update(expires_at=NOW + timedelta(days=1))
    shown = {row.pk: row.has_ended for row in all_grants_of(project)}
    assert shown == {held.pk: False, old.pk: True}
