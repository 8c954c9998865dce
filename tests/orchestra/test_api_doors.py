"""The API's doors: tokens, what they reach, and errors that no endpoint raises by itself."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from inventory.foundation.clock import database_now
from inventory.foundation.models import AuditEvent, Organisation, Project, User
from inventory.foundation.tables import PortalTable
from orchestra.models import ApiToken
from orchestra.services.tokens import revoke_token
from tests.cast import NOW
from tests.orchestra.programs import ORDERS, asked_for, assert_problem, program, send
from tests.orchestra.world import Catalogue, place

RUNS = "/api/v1/runs/"
LISTS = [ORDERS, RUNS, "/api/v1/resources/", "/api/v1/charges/"]

# --- tokens ----------------------------------------------------------------------------------


def test_who_shows_nothing_is_asked_to(db: None, client: Client) -> None:
    for address in (*LISTS, "/api/v1/schema/"):
        answer = client.get(address)
        assert_problem(answer, 401, "not_authenticated")
        assert answer["WWW-Authenticate"].startswith("Token")
    for wrong in (
        "Token",
        "Token x",
        "Token a b",
        "Token " + "x" * 5_000,
        "Bearer x",
        "Token \xff",
    ):
        answer = client.get(ORDERS, headers={"Authorization": wrong})
        assert_problem(answer, 401)


def test_a_token_of_the_past_opens_nothing(member: User, project: Project) -> None:
    expired, revoked, gone = (program(member) for _ in range(3))
    first, second, _third = ApiToken.objects.filter(user=member).order_by("created")
    ApiToken.objects.filter(pk=first.pk).update(expiry=database_now() - timedelta(seconds=1))
    revoke_token(token=second, actor=member, at=database_now())

    assert_problem(expired.get(ORDERS), 401)
    assert_problem(revoked.get(ORDERS), 401)
    assert gone.get(ORDERS).status_code == 200
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert_problem(gone.get(ORDERS), 401)


def test_a_reading_token_does_not_write(catalogue: Catalogue, member: User) -> None:
    reader = program(member, scopes=["read"])

    assert reader.get(ORDERS).status_code == 200
    document = assert_problem(send(reader, ORDERS, asked_for(catalogue)), 403, "permission_denied")
    assert "scope “write”" in document["detail"]


def test_a_tokens_use_is_noted_once_a_minute(member: User, project: Project) -> None:
    client = program(member)
    token = ApiToken.objects.get(user=member)
    assert token.last_used_at is None

    client.get(ORDERS)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    client.get(ORDERS)
    token.refresh_from_db()

    assert token.last_used_at == first


def test_what_a_token_did_stands_in_the_audit_trail(catalogue: Catalogue, member: User) -> None:
    answer = send(program(member), ORDERS, asked_for(catalogue), X_Request_ID="call-0001")

    entry = AuditEvent.objects.get(action="order.place")
    assert (entry.via, entry.actor, entry.request_id) == ("api", member, "call-0001")
    assert answer["X-Request-ID"] == "call-0001"


def test_a_token_for_a_project_sees_only_that(
    catalogue: Catalogue, member: User, organisation: Organisation, owner: User, deputy: User
) -> None:
    order = place(catalogue, member)
    side = Project.objects.create(
        organisation=organisation,
        name="Side",
        slug="side",
        owner=member,
        deputy=deputy,
        cost_centre="1",
        created_at=NOW,
    )
    everywhere, aside = program(member), program(member, project=side)

    assert everywhere.get(ORDERS).json()["count"] == 1
    assert aside.get(ORDERS).json()["count"] == 0
    assert_problem(aside.get(f"{ORDERS}{order.pk}/"), 404)
    assert_problem(send(aside, f"{ORDERS}{order.pk}/cancel/", {"reason": "x"}), 404)
    refused = assert_problem(send(aside, ORDERS, asked_for(catalogue)), 404)
    assert list(refused["errors"]) == ["project"]
    for address in LISTS[1:]:
        assert aside.get(address).json()["count"] == 0


# --- errors of the doors themselves ------------------------------------------------------------


def test_methods_types_and_addresses_that_are_not_there(member: User, project: Project) -> None:
    client = program(member)

    refused = client.delete(ORDERS)
    assert_problem(refused, 405, "method_not_allowed")
    assert "POST" in refused["Allow"]
    assert_problem(client.put(f"{ORDERS}1/", {}, content_type="application/json"), 405)
    assert_problem(client.get(ORDERS, headers={"Accept": "text/html"}), 406, "not_acceptable")
    form = client.post(ORDERS, {"name": "x"}, headers={"Idempotency-Key": "k"})
    assert_problem(form, 415, "unsupported_media_type")
    for address in ("/api/", "/api/v2/orders/", "/api/v1/nothing/", f"{ORDERS}1/nothing/"):
        assert_problem(client.get(address), 404, "not_found")


def test_a_crash_is_told_without_its_traceback(
    catalogue: Catalogue, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_table: Any, *_args: Any, **_kwargs: Any) -> None:
        secret = "the password is 12345"
        raise RuntimeError(secret)

    monkeypatch.setattr("orchestra.api.place_order", broken)
    monkeypatch.setattr(PortalTable, "__init__", broken)
    client = program(member)
    client.raise_request_exception = False

    answer = send(client, ORDERS, asked_for(catalogue))

    assert_problem(answer, 500, "error")
    assert "12345" not in answer.text
    browser = Client(raise_request_exception=False)
    browser.force_login(member)
    page = browser.get("/requests/")
    assert (page.status_code, page["Content-Type"]) == (500, "text/html; charset=utf-8")


# --- the description -------------------------------------------------------------------------


def test_the_description_has_no_gaps(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn")

    out, err = capsys.readouterr()
    assert "openapi: 3" in out
    assert err == ""


def test_docs_and_schema_are_for_who_signed_in(member: User, client: Client) -> None:
    docs = "/api/v1/docs/"
    assert client.get(docs).status_code == 302
    assert_problem(client.get("/api/v1/schema/"), 401)
    client.force_login(member)

    page = client.get(docs)
    script = client.get(f"{docs}?script=")
    schema = client.get("/api/v1/schema/")

    assert page.status_code == script.status_code == schema.status_code == 200
    assert script["Content-Type"].startswith("application/javascript")
    assert 'url: "/api/v1/schema/"' in script.text
    assert "/api/v1/orders/{id}/submit/" in schema.json()["paths"]


def test_the_docs_keep_the_policy(member: User, client: Client) -> None:
    client.force_login(member)
    page = client.get("/api/v1/docs/")

    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert "<style" not in page.text
    assert "style=" not in page.text
    assert page.text.count("<script") == page.text.count('<script src="/') == 3
    assert page.text.count("<link") == page.text.count('href="/') == 3
