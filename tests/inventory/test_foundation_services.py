"""Projects, roles and profiles: who may, what is refused, what is written down."""

from datetime import timedelta
from typing import Any

import pytest

from inventory.foundation.choices import Role
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible, StaleEdit
from inventory.foundation.models import (
    AuditEvent,
    Membership,
    Organisation,
    Project,
    RoleGrant,
    User,
)
from inventory.foundation.permissions import Action, may
from inventory.foundation.selectors import people_with
from inventory.foundation.services import (
    MustAccept,
    OwnRole,
    add_member,
    create_project,
    edit_project,
    grant_role,
    revoke_role,
    update_profile,
)
from tests.cast import NOW, grant, make_user

SOON = NOW + timedelta(days=30)


@pytest.fixture
def boss(organisation: Organisation) -> User:
    """Owns the organisation."""
    user = make_user("bea", organisation)
    grant(user, Role.OWNER, organisation=organisation)
    return user


def open_project(organisation: Organisation, actor: User, **changes: Any) -> Project:
    inputs: dict[str, Any] = {
        "organisation": organisation,
        "name": "Search",
        "slug": "search",
        "cost_centre": "4712",
    }
    return create_project(actor=actor, at=NOW, **(inputs | changes))


# --- projects ----------------------------------------------------------------------------------


def test_an_owner_opens_a_project(
    organisation: Organisation, boss: User, owner: User, deputy: User
) -> None:
    project = open_project(organisation, boss, owner=owner, deputy=deputy)
    assert may(owner, Action.PROJECT_EDIT, project)
    entry = AuditEvent.objects.get(action="project.create")
    assert (entry.actor, entry.project) == (boss, project)
    assert entry.changes["cost_centre"] == [None, "4712"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "x" * 121}, "name"),
        ({"name": ""}, "name"),
        ({"name": "=SUM(A1)"}, "name"),
        ({"slug": "Shop Two"}, "slug"),
        ({"slug": "x" * 61}, "slug"),
        ({"cost_centre": ""}, "cost_centre"),
        ({"end_date": "soon"}, "end_date"),
        ({"end_date": NOW.date()}, "end_date"),
    ],
)
def test_bad_projects_are_refused_by_field(
    organisation: Organisation,
    boss: User,
    owner: User,
    deputy: User,
    changes: dict[str, Any],
    field: str,
) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_project(organisation, boss, **({"owner": owner, "deputy": deputy} | changes))
    assert caught.value.fields[field]
    assert not Project.objects.exists()


def test_a_project_has_two_people_of_its_organisation(
    organisation: Organisation, boss: User, owner: User, deputy: User, stranger: User
) -> None:
    with pytest.raises(InvalidInput, match="two people"):
        open_project(organisation, boss, owner=owner, deputy=owner)
    with pytest.raises(InvalidInput) as caught:
        open_project(organisation, boss, owner=owner, deputy=stranger)
    assert "belongs to Acme" in caught.value.fields["deputy"]
    open_project(organisation, boss, owner=owner, deputy=deputy)
    with pytest.raises(InvalidInput, match="short name"):
        open_project(organisation, boss, owner=owner, deputy=deputy)


def test_only_some_roles_open_projects(
    organisation: Organisation, member: User, deputy: User, stranger: User, operator: User
) -> None:
    with pytest.raises(Forbidden, match="role operator or owner"):
        open_project(organisation, member, owner=member, deputy=deputy)
    with pytest.raises(NotVisible):
        open_project(organisation, stranger, owner=member, deputy=deputy)
    assert open_project(organisation, operator, owner=member, deputy=deputy)


def test_an_edit_says_what_changed(project: Project, owner: User, deputy: User) -> None:
    changes = {"name": "Shop two", "end_date": SOON.date(), "cost_centre": "4711"}
    edited = edit_project(project=project, actor=deputy, version=1, changes=changes, at=NOW)
    assert (edited.version, edited.name) == (2, "Shop two")
    entry = AuditEvent.objects.get(action="project.edit")
    assert entry.changes == {
        "name": ["Shop", "Shop two"],
        "end_date": [None, SOON.date().isoformat()],
    }
    with pytest.raises(StaleEdit, match="since you opened it"):
        edit_project(project=project, actor=owner, version=1, changes=changes, at=NOW)
    same = edit_project(project=project, actor=owner, version=2, changes=changes, at=NOW)
    assert same.version == 2


def test_an_edit_checks_field_person_and_right(
    project: Project, owner: User, member: User, stranger: User, boss: User
) -> None:
    def edit(actor: User, **changes: Any) -> Project:
        return edit_project(project=project, actor=actor, version=1, changes=changes, at=NOW)

    with pytest.raises(InvalidInput) as caught:
        edit(owner, slug="other", status="closed")
    assert set(caught.value.fields) == {"slug", "status"}
    with pytest.raises(InvalidInput, match="belongs to Acme"):
        edit(boss, deputy=stranger)
    with pytest.raises(InvalidInput, match="Choose a person"):
        edit(boss, deputy="mia")
    with pytest.raises(InvalidInput, match="two people"):
        edit(boss, deputy=owner)
    with pytest.raises(Forbidden, match="role owner"):
        edit(member, name="Mine")
    with pytest.raises(NotVisible):
        edit(stranger, name="Mine")
    with pytest.raises(MustAccept, match="Hand over"):
        edit(owner, deputy=member)
    assert edit(boss, deputy=member).deputy == member


# --- roles -------------------------------------------------------------------------------------


def test_a_role_is_granted_until_a_time_and_taken_away(
    project: Project, owner: User, deputy: User, approver: User
) -> None:
    given = grant_role(
        user=approver, role="member", project=project, actor=owner, at=NOW, expires_at=SOON
    )
    assert (given.granted_by, given.expires_at) == (owner, SOON)
    people = people_with(action=Action.ORDER_PLACE, project=project, at=NOW)
    assert set(people) == {owner, deputy, approver}
    assert approver not in people_with(action=Action.ORDER_PLACE, project=project, at=SOON)

    again = grant_role(user=approver, role="member", project=project, actor=owner, at=NOW)
    assert (again.pk, again.expires_at) == (given.pk, None)
    assert may(approver, Action.ORDER_PLACE, project)
    revoke_role(grant=again, actor=owner, at=NOW, reason="Left the team")
    assert not may(approver, Action.ORDER_PLACE, project)
    with pytest.raises(NotVisible):
        revoke_role(grant=again, actor=owner, at=NOW)
    entries = AuditEvent.objects.filter(action__startswith="role.").order_by("pk")
    assert [entry.action for entry in entries] == ["role.grant", "role.grant", "role.revoke"]
    assert entries[1].changes["expires_at"] == [SOON.isoformat(), None]
    assert entries[2].reason == "Left the team"


def test_the_same_grant_twice_is_one(project: Project, owner: User, approver: User) -> None:
    for _ in range(2):
        grant_role(user=approver, role="member", project=project, actor=owner, at=NOW)
    assert RoleGrant.objects.filter(user=approver, project=project).count() == 1
    assert AuditEvent.objects.filter(action="role.grant").count() == 1


def test_only_owners_grant_and_never_to_themselves(
    project: Project,
    organisation: Organisation,
    owner: User,
    member: User,
    stranger: User,
    boss: User,
) -> None:
    def give(actor: User, **more: Any) -> RoleGrant:
        inputs: dict[str, Any] = {"user": member, "role": "approver"} | more
        return grant_role(actor=actor, at=NOW, **inputs)

    with pytest.raises(Forbidden, match="role owner"):
        give(member, project=project, user=owner)
    with pytest.raises(NotVisible):
        give(stranger, project=project)
    with pytest.raises(Forbidden):
        give(owner, organisation=organisation)
    with pytest.raises(NotVisible):
        give(stranger, organisation=organisation)
    with pytest.raises(OwnRole, match="Ask another owner"):
        give(boss, organisation=organisation, user=boss, role="finance")
    with pytest.raises(InvalidInput, match="Name the one"):
        give(boss)
    with pytest.raises(InvalidInput, match="Name the one"):
        give(boss, project=project, organisation=organisation)
    with pytest.raises(InvalidInput, match="Choose one of member"):
        give(owner, project=project, role="king")
    with pytest.raises(InvalidInput, match="belongs to Acme"):
        give(owner, project=project, user=stranger)
    with pytest.raises(InvalidInput, match="future"):
        give(owner, project=project, expires_at=NOW)
    assert give(boss, organisation=organisation).organisation == organisation


def test_who_may_not_take_a_role_away(
    project: Project, member: User, stranger: User, auditor: User
) -> None:
    given = RoleGrant.objects.get(user=member)
    with pytest.raises(NotVisible):
        revoke_role(grant=given, actor=stranger, at=NOW)
    with pytest.raises(Forbidden):
        revoke_role(grant=given, actor=auditor, at=NOW)


def test_people_join_an_organisation(
    organisation: Organisation, boss: User, stranger: User, member: User
) -> None:
    with pytest.raises(Forbidden):
        add_member(organisation=organisation, user=stranger, actor=member, at=NOW)
    for _ in range(2):
        add_member(organisation=organisation, user=stranger, actor=boss, at=NOW)
    assert Membership.objects.filter(user=stranger, organisation=organisation).count() == 1
    assert AuditEvent.objects.filter(action="membership.add").count() == 1


# --- profiles ----------------------------------------------------------------------------------


def test_one_edits_ones_own_profile(member: User) -> None:
    changes = {"display_name": "Mia M.", "time_zone": "America/New_York", "theme": "dark"}
    edited = update_profile(user=member, changes=changes, at=NOW)
    assert (edited.display_name, edited.theme) == ("Mia M.", "dark")
    entry = AuditEvent.objects.get(action="profile.edit")
    assert entry.changes["theme"] == ["auto", "dark"]
    update_profile(user=member, changes=changes, at=NOW)
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"theme": "neon"}, "theme"),
        ({"display_name": "x" * 121}, "display_name"),
        ({"display_name": "@evil"}, "display_name"),
        ({"is_superuser": True}, "is_superuser"),
    ],
)
def test_bad_profiles_are_refused(member: User, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        update_profile(user=member, changes=changes, at=NOW)
    assert caught.value.fields[field]
    member.refresh_from_db()
    assert not member.is_superuser
