"""Requests by program: placed, changed, sent, decided, cancelled; and what is refused."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory.foundation.models import Event, IdempotencyKey, Project, RoleGrant, User
from orchestra.choices import OrderState
from orchestra.models import Order
from tests.orchestra.programs import ORDERS, asked_for, assert_problem, program, send
from tests.orchestra.world import Catalogue, waiting


@pytest.fixture
def mias(member: User) -> Client:
    """Return a program of the member."""
    return program(member)


@pytest.fixture
def placed(catalogue: Catalogue, mias: Client) -> Any:
    """Return the answer to a request that was placed."""
    answer = send(mias, ORDERS, asked_for(catalogue))
    assert answer.status_code == 201, answer.content
    return answer


# --- the whole way ---------------------------------------------------------------------------


def test_placed_sent_and_carried_out(placed: Any, mias: Client) -> None:
    order = placed.json()
    assert (order["state"], order["number"]) == ("planned", f"R-{order['id']:06d}")
    assert placed["ETag"] == f'"{order["version"]}"'
    assert isinstance(order["plan"]["monthly_cost"], str)
    assert all(isinstance(line["monthly"], str) for line in order["plan"]["quote"]["lines"])

    sha256 = order["plan"]["sha256"]
    answer = send(mias, f"{ORDERS}{order['id']}/submit/", {"plan_sha256": sha256})

    assert answer.status_code == 200
    assert answer.json()["state"] == "fulfilling"  # by rule
    (run_id,) = answer.json()["runs"]
    run = mias.get(f"/api/v1/runs/{run_id}/").json()
    assert (run["order"], run["plan_sha256"]) == (order["id"], sha256)
    assert [step["action"] for step in run["steps"]] == [
        "capacity.reserve",
        "resource.create",
        "resource.activate",
    ]
    assert mias.get(f"/api/v1/runs/{run_id}/log/?after=x").status_code == 200
    paused = send(mias, f"/api/v1/runs/{run_id}/steer/", {"desired_state": "pause"})
    assert (paused.status_code, paused.json()["desired_state"]) == (200, "pause")


def test_placed_in_a_session_needs_the_csrf_token(catalogue: Catalogue, member: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(member)

    assert_problem(send(browser, ORDERS, asked_for(catalogue)), 403, "permission_denied")

    browser.get("/profile/")
    token = browser.cookies["csrftoken"].value
    assert send(browser, ORDERS, asked_for(catalogue), X_CSRFToken=token).status_code == 201


def test_decided_by_somebody_else_only(
    catalogue: Catalogue, member: User, mias: Client, approver: User
) -> None:
    order = waiting(catalogue, member)
    plan = order.plans.get()
    body = {"plan_sha256": plan.sha256, "decision": "approve"}
    address = f"{ORDERS}{order.pk}/decide/"

    assert_problem(send(mias, address, body), 403)
    assert_problem(send(program(approver), address, body | {"plan_sha256": "0" * 64}), 409)
    assert_problem(send(program(approver), address, body | {"decision": "maybe"}), 400)
    decided = send(program(approver), address, body)

    # planned for the past, so it may no longer hold: either way one decision, by the approver
    assert decided.status_code in {200, 409}
    assert order.plans.get().approvals.count() == (1 if decided.status_code == 200 else 0)


def test_cancelled_with_a_reason(placed: Any, mias: Client) -> None:
    address = f"{ORDERS}{placed.json()['id']}/cancel/"

    assert "reason" in assert_problem(send(mias, address, {}), 400)["errors"]
    answer = send(mias, address, {"reason": "No longer needed"})

    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    again = send(mias, address, {"reason": "Again"})
    assert (again.status_code, again.json()["version"]) == (200, answer.json()["version"])


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"name": "x" * 61}, "name"),
        ({"name": "No Slug!"}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": None}, "name"),
        ({"name": {"a": 1}}, "name"),
        ({"application": "x" * 81}, "application"),
        ({"business_reason": ""}, "business_reason"),
        ({"business_reason": "x" * 501}, "business_reason"),
        ({"business_reason": "\ud800"}, "business_reason"),
        ({"environment": "moon"}, "environment"),
        ({"instances": -1}, "instances"),
        ({"instances": 0}, "instances"),
        ({"instances": "many"}, "instances"),
        ({"instances": 1.5}, "instances"),
        ({"instances": 10**30}, "instances"),
        ({"project": "shop"}, "project"),
        ({"project": 10**30}, "project"),
        ({"end_at": "soon"}, "end_at"),
        ({"end_at": "2001-01-01T00:00:00Z"}, "end_at"),
        ({"parameters": [1]}, "parameters"),
        ({"parameters": {"disk": -5}}, "parameters.disk"),
        ({"parameters": {"disk": "big"}}, "parameters.disk"),
        ({"parameters": {"disk": 10**400}}, "parameters.disk"),
        ({"parameters": {"disk": 50, "note": "x" * 21}}, "parameters.note"),
        ({"parameters": {"disk": 50, "note": "a\0b"}}, "parameters.note"),
        ({"parameters": {"disk": 50, "note": "\ud800"}}, "parameters.note"),
        ({"parameters": {"disk": 50, "colour": "red"}}, "parameters.colour"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, dict) else value,
)
def test_a_wrong_field_is_named(
    changes: dict[str, Any], field: str, catalogue: Catalogue, mias: Client
) -> None:
    document = assert_problem(send(mias, ORDERS, asked_for(catalogue, **changes)), 400, "invalid")

    assert list(document["errors"]) == [field]
    assert not Order.objects.exists()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        '{"instances": NaN}',
        '{"instances": Infinity}',
        "{",
        "[1]",
        '"web"',
        "null",
        "",
        "\x00",
        "[" * 9_999,
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_request_is_refused(text: str, catalogue: Catalogue, mias: Client) -> None:
    assert_problem(send(mias, ORDERS, text), 400)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(number: str, catalogue: Catalogue, mias: Client) -> None:
    body = json.dumps(asked_for(catalogue, parameters={"disk": 77})).replace("77", number)

    assert_problem(send(mias, ORDERS, body), 400)
    assert not Order.objects.exists()


def test_a_name_on_its_way_is_taken(placed: Any, catalogue: Catalogue, mias: Client) -> None:
    order = placed.json()
    send(mias, f"{ORDERS}{order['id']}/submit/", {"plan_sha256": order["plan"]["sha256"]})

    document = assert_problem(send(mias, ORDERS, asked_for(catalogue)), 400)

    assert list(document["errors"]) == ["name"]


def test_what_one_may_not_see_is_not_there(
    placed: Any, catalogue: Catalogue, stranger: User, owner: User
) -> None:
    theirs = program(stranger)
    mine = f"{ORDERS}{placed.json()['id']}/"

    assert_problem(theirs.get(mine), 404)
    assert_problem(send(theirs, mine, {"name": "x"}, method="patch", If_Match='"1"'), 404)
    for verb in ("submit", "decide", "cancel"):
        assert_problem(send(theirs, f"{mine}{verb}/", {}), 404)
    assert_problem(send(theirs, ORDERS, asked_for(catalogue)), 404)
    assert_problem(send(program(owner), ORDERS, asked_for(catalogue, pool="nowhere")), 404)
    assert_problem(send(program(owner), ORDERS, asked_for(catalogue, offering="nothing")), 404)
    for odd in ("abc", "0", "9" * 30, "%00", "٣"):
        assert_problem(theirs.get(f"{ORDERS}{odd}/"), 404)


# --- sent twice, changed meanwhile -------------------------------------------------------------


def test_a_write_needs_a_key(catalogue: Catalogue, mias: Client) -> None:
    body = asked_for(catalogue)
    without = mias.post(ORDERS, body, content_type="application/json")

    assert_problem(without, 400, "idempotency_key_missing")
    assert_problem(send(mias, ORDERS, body, key="k" * 201), 400, "invalid")
    assert not Order.objects.exists()


def test_the_same_key_gives_the_same_answer(catalogue: Catalogue, mias: Client) -> None:
    body = asked_for(catalogue)
    first, again = (send(mias, ORDERS, body, key="one") for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert again["ETag"] == first["ETag"]
    assert Order.objects.count() == 1
    assert Event.objects.filter(type="orchestra.order.placed").count() == 1


def test_a_key_with_other_content_is_refused(
    catalogue: Catalogue, mias: Client, owner: User
) -> None:
    send(mias, ORDERS, asked_for(catalogue), key="one")

    other = send(mias, ORDERS, asked_for(catalogue, name="other"), key="one")

    assert_problem(other, 422, "idempotency_key_reused")
    elsewhere = send(mias, f"{ORDERS}{Order.objects.get().pk}/cancel/", {"reason": "x"}, key="one")
    assert_problem(elsewhere, 422, "idempotency_key_reused")
    # a key is its sender's own: nobody learns from it what others sent
    assert send(program(owner), ORDERS, asked_for(catalogue), key="one").status_code == 201


def test_a_refused_write_leaves_its_key_free(catalogue: Catalogue, mias: Client) -> None:
    assert_problem(send(mias, ORDERS, asked_for(catalogue, environment="moon"), key="one"), 400)

    assert send(mias, ORDERS, asked_for(catalogue), key="one").status_code == 201


def test_an_edit_says_what_it_started_from(placed: Any, mias: Client) -> None:
    address = f"{ORDERS}{placed.json()['id']}/"
    edit: Any = {"body": {"instances": 2}, "method": "patch"}

    assert_problem(send(mias, address, **edit), 428, "version_missing")
    for stale in ('"99"', "x", '"' + "9" * 30 + '"', "-1"):
        assert_problem(send(mias, address, **edit, If_Match=stale), 409, "stale_edit")
    wrong = {"body": {"kind": "retire"}, "method": "patch"}
    assert "kind" in assert_problem(send(mias, address, **wrong, If_Match='"1"'), 400)["errors"]
    answer = send(mias, address, **edit, If_Match=placed["ETag"])

    assert (answer.status_code, answer.json()["instances"]) == (200, 2)
    assert answer["ETag"] != placed["ETag"]
    assert mias.get(address)["ETag"] == answer["ETag"]
    assert_problem(send(mias, address, **edit, If_Match=placed["ETag"]), 409, "stale_edit")


# --- who -------------------------------------------------------------------------------------


def test_a_role_that_was_taken_away_ends_at_once(placed: Any, mias: Client, member: User) -> None:
    RoleGrant.objects.filter(user=member).delete()

    assert_problem(mias.get(f"{ORDERS}{placed.json()['id']}/"), 404)
    assert mias.get(ORDERS).json()["count"] == 0


def test_who_only_looks_may_not_order(
    catalogue: Catalogue, auditor: User, approver: User, operator: User
) -> None:
    for person in (auditor, approver, operator):
        assert_problem(send(program(person), ORDERS, asked_for(catalogue)), 403, "forbidden")
    assert not Order.objects.exists()


# --- lists -----------------------------------------------------------------------------------


def test_lists_are_filtered_and_paged(catalogue: Catalogue, mias: Client, project: Project) -> None:
    for name in ("one", "two", "three"):
        assert send(mias, ORDERS, asked_for(catalogue, name=name)).status_code == 201

    page = mias.get(ORDERS, {"page_size": 2, "page": 1}).json()
    assert (page["count"], [row["name"] for row in page["results"]]) == (3, ["three", "two"])
    assert mias.get(page["next"]).json()["results"][0]["name"] == "one"
    assert mias.get(ORDERS, {"q": "two"}).json()["count"] == 1
    assert mias.get(ORDERS, {"state": "draft"}).json()["count"] == 0
    assert mias.get(ORDERS, {"project": project.pk, "mine": "true"}).json()["count"] == 3
    assert len(mias.get(ORDERS, {"page_size": 10**9}).json()["results"]) == 3
    assert_problem(mias.get(ORDERS, {"page": 9}), 404)
    assert_problem(mias.get(ORDERS, {"page": "last one"}), 404)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "asleep"),
        ("project", "0"),
        ("project", "x"),
        ("environment", "moon"),
        ("q", "x" * 201),
        ("q", "a\0b"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(
    name: str, value: str, catalogue: Catalogue, mias: Client
) -> None:
    document = assert_problem(mias.get(ORDERS, {name: value}), 400, "invalid")

    assert list(document["errors"]) == [name]


def test_a_list_asks_the_database_as_often_for_many_as_for_one(
    catalogue: Catalogue, mias: Client, member: User
) -> None:
    counts = []
    for wanted in (1, 6):
        while Order.objects.count() < wanted:
            send(mias, ORDERS, asked_for(catalogue, name=f"web-{Order.objects.count()}"))
        with CaptureQueriesContext(connection) as asked:
            assert len(mias.get(ORDERS).json()["results"]) == wanted
        counts.append(len(asked))

    assert counts[0] == counts[1] <= 12


def test_states_in_the_api_are_the_houses_words(placed: Any) -> None:
    assert placed.json()["state"] in OrderState.values
