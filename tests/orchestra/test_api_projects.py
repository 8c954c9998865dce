"""Projects, requests for them, hand-overs and roles by program."""

from typing import Any

from inventory.foundation.choices import Role
from inventory.foundation.models import Project, ProjectRequest, ProjectTransfer, RoleGrant, User
from tests.cast import grant
from tests.orchestra.programs import assert_problem, program, send
from tests.orchestra.world import Catalogue, place

API = "/api/v1/"


def new_project(owner: User, deputy: User, /, **changes: Any) -> dict[str, Any]:
    """Return what a program sends to ask for a project."""
    return {
        "organisation_id": owner.memberships.get().organisation_id,
        "name": "Search",
        "slug": "search",
        "description": "A search for the shop",
        "owner": owner.username,
        "deputy": deputy.username,
        "cost_centre": "4712",
    } | changes


def test_a_project_is_asked_for_approved_changed_and_closed(
    owner: User, deputy: User, member: User, operator: User
) -> None:
    asked = send(program(member), f"{API}project-requests/", new_project(owner, deputy))
    assert asked.status_code == 201, asked.content
    address = f"{API}project-requests/{asked.json()['id']}/"
    mine = send(program(member), f"{address}approve/", {})
    assert_problem(mine, 403)
    approved = send(program(operator), f"{address}approve/", {"slug": "find", "answer": "Go"})
    assert approved.status_code == 200, approved.content
    body = approved.json()
    assert (body["state"], body["changed"]) == ("done", {"slug": ["search", "find"]})
    project = f"{API}projects/{body['project_id']}/"
    theirs = program(owner)
    read = theirs.get(project)
    assert (read["ETag"], read.json()["owner"]) == ('"1"', "olivia")
    closing = {"confirm_name": "Search", "reason": "Over"}
    closed = send(theirs, f"{project}close/", closing)
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    assert_problem(send(theirs, f"{project}close/", closing), 409, "project_closed")
    listed = [row["slug"] for row in theirs.get(f"{API}projects/").json()["results"]]
    assert "find" not in listed
    archived = theirs.get(f"{API}projects/?archive=only").json()["results"]
    assert [row["slug"] for row in archived] == ["find"]
    assert send(theirs, f"{project}reopen/", {"reason": "Again"}).json()["status"] == "active"


def test_what_is_in_the_way_stands_in_the_details(
    catalogue: Catalogue, project: Project, owner: User, member: User
) -> None:
    order = place(catalogue, member)
    closing = {"confirm_name": "Shop", "reason": "Over"}
    refused = send(program(owner), f"{API}projects/{project.pk}/close/", closing)
    problem = assert_problem(refused, 409, "project_not_empty")
    named = [(one["kind"], one["id"]) for one in problem["details"]["obstacles"]]
    assert named == [("request", order.pk)]


def test_bad_input_is_named_by_field(owner: User, deputy: User, member: User) -> None:
    mine = program(member)
    address = f"{API}project-requests/"
    wrong = new_project(owner, deputy, owner="nobody", extra=1)
    assert set(assert_problem(send(mine, address, wrong), 400)["errors"]) == {"extra"}
    wrong = new_project(owner, deputy, owner="nobody")
    assert set(assert_problem(send(mine, address, wrong), 400)["errors"]) == {"owner"}
    wrong = new_project(owner, deputy, organisation_id=2**62)
    assert_problem(send(mine, address, wrong), 404)
    assert not ProjectRequest.objects.exists()


def test_a_hand_over_is_asked_and_accepted(project: Project, owner: User, approver: User) -> None:
    wish = {"project_id": project.pk, "kind": "owner", "user": "ana", "reason": "I leave"}
    asked = send(program(owner), f"{API}project-transfers/", wish)
    assert asked.status_code == 201, asked.content
    address = f"{API}project-transfers/{asked.json()['id']}/"
    assert_problem(send(program(owner), f"{address}accept/", {}), 403)
    accepted = send(program(approver), f"{address}accept/", {})
    assert (accepted.status_code, accepted.json()["state"]) == (200, "done")
    project.refresh_from_db()
    assert project.owner == approver
    move = wish | {"kind": "organisation"}
    errors = assert_problem(send(program(approver), f"{API}project-transfers/", move), 400)
    assert set(errors["errors"]) == {"organisation_id", "deputy"}
    assert ProjectTransfer.objects.count() == 1


def test_roles_are_given_changed_and_taken_away(
    project: Project, owner: User, auditor: User
) -> None:
    theirs = program(owner)
    wish = {"project_id": project.pk, "user": "audrey", "role": "member"}
    given = send(theirs, f"{API}roles/", wish)
    assert given.status_code == 201, given.content
    address = f"{API}roles/{given.json()['id']}/"
    assert theirs.get(address).json()["has_ended"] is False
    assert_problem(send(theirs, f"{address}revoke/", {}), 400)
    assert send(theirs, f"{address}revoke/", {"reason": "Left"}).status_code == 204
    assert not RoleGrant.objects.filter(user=auditor, project=project).exists()
    both = wish | {"group": "nobody"}
    assert_problem(send(theirs, f"{API}roles/", both), 400)


def test_a_token_for_one_project_reaches_no_other(
    project: Project, owner: User, deputy: User
) -> None:
    other = Project.objects.create(
        organisation=project.organisation,
        name="Data",
        slug="data",
        owner=owner,
        deputy=deputy,
        cost_centre="1",
        created_at=project.created_at,
    )
    grant(deputy, Role.AUDITOR, project=other)
    mine = program(owner, project=project)
    assert [row["id"] for row in mine.get(f"{API}projects/").json()["results"]] == [project.pk]
    assert mine.get(f"{API}projects/{other.pk}/").status_code == 404
    assert mine.get(f"{API}roles/").json()["count"] == 0
    refused = send(mine, f"{API}project-requests/", new_project(owner, deputy))
    assert_problem(refused, 403, "token_for_one_project")
