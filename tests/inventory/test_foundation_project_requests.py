"""Requests for projects: who asks, who decides, what becomes of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from inventory.foundation.choices import Role, WishState
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import (
    AuditEvent,
    Event,
    Organisation,
    Project,
    ProjectRequest,
    User,
)
from inventory.foundation.permissions import Action, may
from inventory.foundation.selectors import project_inbox, visible_project_requests
from inventory.foundation.services import (
    Answered,
    OwnRequest,
    approve_project_request,
    reject_project_request,
    request_project,
    withdraw_project_request,
)
from tests.cast import NOW, grant, make_user

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def newcomer(organisation: Organisation) -> User:
    """Belongs to the organisation and has no role anywhere."""
    return make_user("nora", organisation)


@pytest.fixture
def asked(organisation: Organisation, newcomer: User, owner: User, deputy: User) -> ProjectRequest:
    """Return a request that waits."""
    return ask(organisation, newcomer, owner=owner, deputy=deputy)


def ask(organisation: Organisation, actor: User, **changes: Any) -> ProjectRequest:
    inputs: dict[str, Any] = {
        "organisation": organisation,
        "name": "Search",
        "slug": "search",
        "description": "A search for the shop",
        "cost_centre": "4712",
        "wished_budget": "2,000 EUR a month",
        "wished_quota": "16 cores",
    }
    return request_project(actor=actor, at=NOW, **(inputs | changes))


def test_who_belongs_asks_and_who_opens_projects_approves(
    asked: ProjectRequest, operator: User, owner: User, newcomer: User
) -> None:
    assert not Project.objects.exists()
    assert list(project_inbox(operator)) == [asked]
    assert not project_inbox(newcomer)

    project = approve_project_request(asked=asked, actor=operator, answer="Go", at=LATER)

    asked.refresh_from_db()
    assert (asked.state, asked.project, asked.decided_by) == (WishState.DONE, project, operator)
    assert (asked.answer, asked.decided_at, asked.changed) == ("Go", LATER, {})
    assert (project.slug, project.owner, project.created_at) == ("search", owner, LATER)
    assert may(owner, Action.PROJECT_EDIT, project)
    assert not may(newcomer, Action.PROJECT_VIEW, project)
    entries = list(AuditEvent.objects.order_by("pk").values_list("action", "project"))
    assert entries == [
        ("project_request.ask", None),
        ("project.create", project.pk),
        ("project_request.approve", project.pk),
    ]
    assert Event.objects.filter(type="orchestra.project.opened", project=project).count() == 1
    assert not project_inbox(operator)


def test_a_decision_may_change_what_was_asked(
    asked: ProjectRequest, operator: User, member: User
) -> None:
    changes = {"slug": "shop-search", "deputy": member, "cost_centre": "4712"}
    project = approve_project_request(asked=asked, actor=operator, changes=changes, at=LATER)
    asked.refresh_from_db()
    assert (project.slug, project.deputy) == ("shop-search", member)
    assert asked.changed == {"slug": ["search", "shop-search"], "deputy": ["dario", "mia"]}
    assert asked.slug == "search"


def test_nobody_decides_on_their_own_request(
    organisation: Organisation, operator: User, owner: User, deputy: User
) -> None:
    mine = ask(organisation, operator, owner=owner, deputy=deputy)
    assert mine not in project_inbox(operator)
    with pytest.raises(OwnRequest, match="somebody else"):
        approve_project_request(asked=mine, actor=operator, at=LATER)
    with pytest.raises(OwnRequest):
        reject_project_request(asked=mine, actor=operator, answer="No", at=LATER)
    with pytest.raises(DatabaseError, match="project_request_never_ones_own"), transaction.atomic():
        ProjectRequest.objects.filter(pk=mine.pk).update(decided_by=operator)


def test_a_refusal_needs_a_reason_and_is_final(asked: ProjectRequest, operator: User) -> None:
    with pytest.raises(InvalidInput) as caught:
        reject_project_request(asked=asked, actor=operator, answer=" ", at=LATER)
    assert "Say why" in caught.value.fields["answer"]
    reject_project_request(asked=asked, actor=operator, answer="Use the shop's", at=LATER)
    with pytest.raises(Answered, match="rejected"):
        approve_project_request(asked=asked, actor=operator, at=LATER)
    with pytest.raises(Answered):
        withdraw_project_request(asked=asked, actor=asked.requester, at=LATER)
    assert not Project.objects.exists()
    with pytest.raises(DatabaseError, match="answer_is_final"), transaction.atomic():
        ProjectRequest.objects.filter(pk=asked.pk).update(answer="Yes")
    with pytest.raises(DatabaseError, match="kept_for_ever"), transaction.atomic():
        ProjectRequest.objects.filter(pk=asked.pk).delete()


def test_the_requester_withdraws_and_may_ask_again(
    asked: ProjectRequest, organisation: Organisation, newcomer: User, owner: User, deputy: User
) -> None:
    with pytest.raises(InvalidInput, match="asked for a project of that short name"):
        ask(organisation, newcomer, owner=owner, deputy=deputy)
    with pytest.raises(Forbidden, match="nora"):
        withdraw_project_request(asked=asked, actor=owner, at=LATER)
    withdraw_project_request(asked=asked, actor=newcomer, at=LATER)
    assert ask(organisation, newcomer, owner=owner, deputy=deputy).pk != asked.pk


def test_who_may_not(
    asked: ProjectRequest,
    organisation: Organisation,
    stranger: User,
    newcomer: User,
    owner: User,
    deputy: User,
    finance: User,
) -> None:
    with pytest.raises(NotVisible):
        ask(organisation, stranger, owner=owner, deputy=deputy, slug="other")
    with pytest.raises(NotVisible):
        approve_project_request(asked=asked, actor=stranger, at=LATER)
    with pytest.raises(Forbidden, match="role operator or owner"):
        approve_project_request(asked=asked, actor=newcomer, at=LATER)
    assert list(visible_project_requests(owner)) == [asked]
    assert list(visible_project_requests(finance)) == [asked]
    assert not visible_project_requests(stranger)


def test_a_failed_opening_leaves_the_request_waiting(
    asked: ProjectRequest, operator: User, project: Project
) -> None:
    with pytest.raises(InvalidInput, match="short name"):
        approve_project_request(asked=asked, actor=operator, changes={"slug": "shop"}, at=LATER)
    with pytest.raises(InvalidInput, match="no field status"):
        approve_project_request(asked=asked, actor=operator, changes={"status": "x"}, at=LATER)
    asked.refresh_from_db()
    assert asked.state == WishState.WAITING
    assert Project.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "=1+1"}, "name"),
        ({"slug": "Shop Two"}, "slug"),
        ({"slug": "shop"}, "slug"),
        ({"description": ""}, "description"),
        ({"cost_centre": "x" * 41}, "cost_centre"),
        ({"end_date": NOW.date()}, "end_date"),
        ({"end_date": "soon"}, "end_date"),
        ({"wished_budget": "x" * 201}, "wished_budget"),
        ({"wished_quota": "@all"}, "wished_quota"),
    ],
)
def test_bad_wishes_are_named_by_field(
    project: Project,
    organisation: Organisation,
    newcomer: User,
    owner: User,
    deputy: User,
    changes: dict[str, Any],
    field: str,
) -> None:
    with pytest.raises(InvalidInput) as caught:
        ask(organisation, newcomer, **({"owner": owner, "deputy": deputy} | changes))
    assert caught.value.fields[field]
    assert not ProjectRequest.objects.exists()


def test_two_people_answer_for_it(
    organisation: Organisation, newcomer: User, owner: User, stranger: User
) -> None:
    with pytest.raises(InvalidInput, match="two people"):
        ask(organisation, newcomer, owner=owner, deputy=owner)
    with pytest.raises(InvalidInput, match="belongs to Acme"):
        ask(organisation, newcomer, owner=owner, deputy=stranger)


def test_a_person_of_the_parent_may_ask_below(
    organisation: Organisation, newcomer: User, owner: User, deputy: User, operator: User
) -> None:
    branch = Organisation.objects.create(name="Branch", slug="branch", parent=organisation)
    asked = ask(branch, newcomer, owner=owner, deputy=deputy)
    assert list(project_inbox(operator)) == [asked]
    boss = make_user("bea", branch)
    grant(boss, Role.OWNER, organisation=branch)
    assert approve_project_request(asked=asked, actor=boss, at=LATER).organisation == branch
