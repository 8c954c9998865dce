"""Handing a project over: to a new owner or deputy, to another organisation."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from inventory.foundation.choices import Role, WishState
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import (
    AuditEvent,
    Membership,
    Organisation,
    Project,
    ProjectTransfer,
    RoleGrant,
    User,
)
from inventory.foundation.permissions import Action, may
from inventory.foundation.selectors import transfer_inbox, visible_transfers
from inventory.foundation.services import (
    Answered,
    OwnRequest,
    ProjectClosed,
    accept_transfer,
    agree_to_move,
    ask_move,
    carry_out_move,
    decline_transfer,
    hand_over,
    mark_closed,
    reopen_project,
    withdraw_transfer,
)
from tests.cast import NOW, grant, make_user

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def boss(organisation: Organisation) -> User:
    """Owns the organisation."""
    user = make_user("bea", organisation)
    grant(user, Role.OWNER, organisation=organisation)
    return user


def to(person: User, project: Project, actor: User, kind: str = "owner") -> ProjectTransfer:
    return hand_over(project=project, kind=kind, user=person, reason="Ok", actor=actor, at=NOW)


def test_the_new_owner_accepts(project: Project, owner: User, approver: User) -> None:
    transfer = to(approver, project, owner)
    project.refresh_from_db()
    assert (transfer.state, project.owner) == (WishState.WAITING, owner)
    assert list(transfer_inbox(approver)) == [transfer]
    assert not transfer_inbox(owner)

    accept_transfer(transfer=transfer, actor=approver, at=LATER)

    project.refresh_from_db()
    assert (project.owner, project.version) == (approver, 2)
    assert not may(owner, Action.PROJECT_EDIT, project)
    entry = AuditEvent.objects.get(action="project.transfer")
    assert entry.changes == {"owner": ["olivia", "ana"]}
    with pytest.raises(Answered, match="done"):
        accept_transfer(transfer=transfer, actor=approver, at=LATER)


def test_owner_and_deputy_change_places(project: Project, owner: User, deputy: User) -> None:
    accept_transfer(transfer=to(deputy, project, owner), actor=deputy, at=LATER)
    project.refresh_from_db()
    assert (project.owner, project.deputy) == (deputy, owner)


def test_who_owns_the_organisation_decides_at_once(
    project: Project, boss: User, member: User
) -> None:
    transfer = to(member, project, boss, kind="deputy")
    project.refresh_from_db()
    assert (transfer.state, project.deputy) == (WishState.DONE, member)


def test_nobody_else_answers(
    project: Project, owner: User, deputy: User, approver: User, member: User, stranger: User
) -> None:
    transfer = to(approver, project, deputy)
    with pytest.raises(Forbidden, match="ana can answer"):
        accept_transfer(transfer=transfer, actor=member, at=LATER)
    with pytest.raises(NotVisible):
        decline_transfer(transfer=transfer, actor=stranger, answer="No", at=LATER)
    with pytest.raises(Forbidden):
        to(member, project, member)
    mine = to(owner, project, owner, kind="deputy")
    with pytest.raises(OwnRequest):
        accept_transfer(transfer=mine, actor=owner, at=LATER)
    assert not visible_transfers(stranger)


def test_it_is_declined_with_a_reason_or_withdrawn(
    project: Project, owner: User, deputy: User, approver: User
) -> None:
    transfer = to(approver, project, owner)
    with pytest.raises(InvalidInput, match="under way"):
        to(deputy, project, owner)
    with pytest.raises(InvalidInput, match="Say why"):
        decline_transfer(transfer=transfer, actor=approver, answer="", at=LATER)
    decline_transfer(transfer=transfer, actor=approver, answer="Too much", at=LATER)
    again = to(approver, project, owner)
    withdraw_transfer(transfer=again, actor=deputy, at=LATER)
    with pytest.raises(Answered, match="withdrawn"):
        accept_transfer(transfer=again, actor=approver, at=LATER)
    project.refresh_from_db()
    assert project.owner == owner


def test_a_wrong_hand_over_is_named_by_field(
    project: Project, owner: User, stranger: User, approver: User
) -> None:
    with pytest.raises(InvalidInput, match="belongs to Acme"):
        to(stranger, project, owner)
    with pytest.raises(InvalidInput, match="is that already"):
        to(owner, project, owner)
    with pytest.raises(InvalidInput, match="Choose one of"):
        to(approver, project, owner, kind="organisation")


# --- another organisation ----------------------------------------------------------------------


@pytest.fixture
def elsewhere(stranger: User, owner: User) -> Organisation:
    """Return the other organisation; the owner of the project belongs to both."""
    found = Organisation.objects.get(memberships__user=stranger)
    grant(stranger, Role.OWNER, organisation=found)
    Membership.objects.create(user=owner, organisation=found, since=NOW)
    return found


def move(project: Project, elsewhere: Organisation, actor: User, **more: Any) -> ProjectTransfer:
    inputs: dict[str, Any] = {"organisation": elsewhere, "reason": "Sold"} | more
    return ask_move(project=project, actor=actor, at=NOW, **inputs)


def test_another_organisation_takes_a_project_over(
    project: Project,
    elsewhere: Organisation,
    owner: User,
    stranger: User,
    member: User,
    boss: User,
) -> None:
    kept = grant(owner, Role.APPROVER, project=project)
    group = Group.objects.create(name="Web team")
    group.user_set.set([member])
    RoleGrant.objects.create(
        group=group, role="member", scope="project", project=project, granted_at=NOW
    )
    transfer = move(project, elsewhere, owner, user=stranger, deputy=owner)
    assert list(transfer_inbox(stranger)) == [transfer]
    assert not transfer_inbox(boss)
    with pytest.raises(NotVisible):
        agree_to_move(transfer=transfer, actor=boss, at=LATER)
    with pytest.raises(InvalidInput, match="carried out"):
        accept_transfer(transfer=transfer, actor=stranger, at=LATER)

    agree_to_move(transfer=transfer, actor=stranger, at=LATER)
    carry_out_move(transfer=transfer, at=LATER)

    project.refresh_from_db()
    assert (project.organisation, project.owner, project.deputy) == (elsewhere, stranger, owner)
    assert list(RoleGrant.objects.filter(project=project)) == [kept]
    assert not may(member, Action.PROJECT_VIEW, project)
    assert not may(boss, Action.PROJECT_VIEW, project)
    entry = AuditEvent.objects.get(action="project.transfer")
    assert entry.changes["organisation"] == ["Acme", "Elsewhere"]
    assert entry.changes["roles"] == ["Web team: Member, mia: Member", None]


def test_a_wrong_move_is_named_by_field(
    project: Project, elsewhere: Organisation, owner: User, deputy: User, stranger: User
) -> None:
    people = {"user": stranger, "deputy": owner}
    with pytest.raises(InvalidInput, match="already"):
        move(project, project.organisation, owner, user=deputy, deputy=owner)
    with pytest.raises(InvalidInput, match="belongs to Elsewhere"):
        move(project, elsewhere, owner, user=deputy, deputy=owner)
    with pytest.raises(InvalidInput, match="two people"):
        move(project, elsewhere, owner, user=owner, deputy=owner)
    with pytest.raises(InvalidInput, match="instant to come"):
        move(project, elsewhere, owner, **people, effective_at=NOW)
    with pytest.raises(NotVisible):
        move(project, elsewhere, deputy, **people)
    Project.objects.create(
        organisation=elsewhere,
        name="Their shop",
        slug="shop",
        owner=stranger,
        deputy=owner,
        cost_centre="1",
        created_at=NOW,
    )
    with pytest.raises(InvalidInput, match="short name shop"):
        move(project, elsewhere, owner, **people)


# --- closed ------------------------------------------------------------------------------------


def test_a_closed_project_is_kept_and_opens_again(
    project: Project, owner: User, approver: User, member: User
) -> None:
    with pytest.raises(Forbidden):
        mark_closed(project=project, actor=member, reason="Over", at=NOW)
    with pytest.raises(InvalidInput, match="Say why"):
        mark_closed(project=project, actor=owner, reason="", at=NOW)
    closed = mark_closed(project=project, actor=owner, reason="Over", at=NOW)
    assert (closed.status, closed.closed_at, closed.version) == ("closed", NOW, 2)
    with pytest.raises(ProjectClosed, match="closed already"):
        mark_closed(project=project, actor=owner, reason="Over", at=NOW)
    with pytest.raises(ProjectClosed, match="Open it again"):
        to(approver, project, owner)
    opened = reopen_project(project=project, actor=owner, reason="Not over", at=LATER)
    assert (opened.status, opened.closed_at) == ("active", None)
    with pytest.raises(ProjectClosed, match="is not closed"):
        reopen_project(project=project, actor=owner, reason="Twice", at=LATER)
    actions = AuditEvent.objects.order_by("pk").values_list("action", "reason")
    assert list(actions) == [("project.close", "Over"), ("project.reopen", "Not over")]
