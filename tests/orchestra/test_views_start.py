"""Start, services, tokens, connections and health: what each shows to whom."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from inventory.foundation.models import AuditEvent, User
from orchestra.models import ApiToken, WorkerBeat
from orchestra.urls import pages
from tests.cast import make_user
from tests.orchestra.pages import asked, large, sha_of, signed_in
from tests.orchestra.world import Catalogue, make_offering

pytestmark = pytest.mark.django_db


def test_start_gathers_what_is_mine(catalogue: Catalogue, member: User, approver: User) -> None:
    browser = signed_in(member)
    order = asked(browser, catalogue, **large())
    browser.post(f"/requests/{order.pk}/submit/", {"plan_sha256": sha_of(order)})
    page = browser.get("/").content.decode()
    assert str(order) in page
    assert "was sent for approval" in page
    assert "budget" in page
    assert "Set up this portal" not in page
    theirs = signed_in(approver).get("/").content.decode()
    assert "Waiting for your decision" in theirs
    assert f"/approvals/{order.pk}/" in theirs


def test_an_empty_portal_is_set_up_step_by_step(operator: User, stranger: User) -> None:
    page = signed_in(operator).get("/").content.decode()
    assert "Set up this portal" in page
    assert "A pool with hosts" in page
    assert "Set up this portal" not in signed_in(stranger).get("/").content.decode()


def test_the_catalogue_tells_price_room_and_rule(catalogue: Catalogue, member: User) -> None:
    page = signed_in(member).get("/catalogue/").content.decode()
    assert "Linux M" in page
    assert "a month" in page
    assert "more fit" in page
    assert "by rule, if small and short" in page
    assert "/catalogue/linux-m/request/" in page


def test_the_catalogue_is_searched_in_its_address(catalogue: Catalogue, member: User) -> None:
    browser = signed_in(member)
    assert "Linux M" in browser.get("/catalogue/", {"q": "middle"}).content.decode()
    assert "No service matches" in browser.get("/catalogue/", {"q": "xyz"}).content.decode()
    assert "Linux M" in browser.get("/catalogue/", {"category": "Machines"}).content.decode()
    for bad in ({"category": "x\0"}, {"q": "x" * 900}, {"project": "9" * 40}, {"project": "x"}):
        assert browser.get("/catalogue/", bad).status_code == 200


def test_more_services_need_no_more_queries(catalogue: Catalogue, member: User) -> None:
    browser = signed_in(member)
    browser.get("/catalogue/")
    with CaptureQueriesContext(connection) as one:
        browser.get("/catalogue/")
    for number in range(4):
        make_offering(catalogue.pool, f"linux-{number}", resource_kind=f"vm.linux.{number}")
    with CaptureQueriesContext(connection) as many:
        browser.get("/catalogue/")
    assert len(many) <= len(one) + 24  # the unpriced kinds are left out one after the other


def test_a_stranger_and_an_auditor_see_the_catalogue_without_buttons(
    catalogue: Catalogue, stranger: User, auditor: User
) -> None:
    assert signed_in(stranger).get("/catalogue/").status_code == 403
    page = signed_in(auditor).get("/catalogue/").content.decode()
    assert "Linux M" in page
    assert "/request/" not in page


def token_fields(**changes: object) -> dict[str, object]:
    expires = timezone.now() + timedelta(days=30)
    fields = {
        "name": "backup script",
        "scopes": ["read"],
        "project": "",
        "expires_at": expires.strftime("%Y-%m-%dT%H:%M"),
    }
    return fields | changes


def test_a_token_is_shown_once_and_revoked(member: User, project: object) -> None:
    browser = signed_in(member)
    answer = browser.post("/tokens/", token_fields())
    page = answer.content.decode()
    secret = re.search(r"orc_[0-9a-f]{20,}", page)
    assert secret is not None
    assert answer["Cache-Control"] == "no-store"
    again = browser.get("/tokens/").content.decode()
    assert secret[0] not in again
    assert "backup script" in again
    token = ApiToken.objects.get()
    assert secret[0] not in (token.digest, token.token_key)
    entry = AuditEvent.objects.get(action="token.create")
    assert entry.actor == member
    assert secret[0] not in str(entry.changes)
    assert browser.post(f"/tokens/{token.token_key}/revoke/").status_code == 302
    assert ApiToken.objects.count() == 0
    assert AuditEvent.objects.filter(action="token.revoke").count() == 1
    assert browser.post(f"/tokens/{token.token_key}/revoke/").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 81},
        {"name": "=1+1"},
        {"scopes": ["everything"]},
        {"scopes": []},
        {"expires_at": ""},
        {"expires_at": "2020-01-01T00:00"},
        {"expires_at": "2099-01-01T00:00"},
        {"project": "999999"},
    ],
)
def test_bad_tokens(member: User, project: object, changes: dict[str, object]) -> None:
    answer = signed_in(member).post("/tokens/", token_fields(**changes))
    assert answer.status_code == 400
    assert ApiToken.objects.count() == 0


def test_nobody_touches_anothers_token(member: User, owner: User, project: object) -> None:
    signed_in(member).post("/tokens/", token_fields())
    key = ApiToken.objects.get().token_key
    assert signed_in(owner).post(f"/tokens/{key}/revoke/").status_code == 404
    assert "backup script" not in signed_in(owner).get("/tokens/").content.decode()
    assert ApiToken.objects.count() == 1


def test_connections_are_for_operators(catalogue: Catalogue, operator: User, member: User) -> None:
    page = signed_in(operator).get("/connections/").content.decode()
    assert "Simulated" in page
    assert "Working" in page
    assert "Frankfurt" in page
    assert signed_in(member).get("/connections/").status_code == 403


def test_health_tells_who_is_at_work(catalogue: Catalogue, operator: User, member: User) -> None:
    browser = signed_in(operator)
    assert "No worker is at work" in browser.get("/health/").content.decode()
    now = timezone.now()
    WorkerBeat.objects.create(name="w1", kind="worker", seen_at=now)
    WorkerBeat.objects.create(name="w2", kind="worker", seen_at=now - timedelta(hours=1))
    page = browser.get("/health/").content.decode()
    assert "No worker is at work" not in page
    assert "At work" in page
    assert "Silent" in page
    assert "All rules hold" in page
    assert signed_in(member).get("/health/").status_code == 403


def test_every_list_page_draws_for_every_role(
    catalogue: Catalogue,
    member: User,
    owner: User,
    approver: User,
    operator: User,
    finance: User,
    auditor: User,
    stranger: User,
) -> None:
    root = make_user("root")
    root.is_superuser = True
    root.save()
    addresses = [
        reverse(f"orchestra:{page.name}")
        for page in pages
        if "<" not in str(page.pattern) and page.name != "notices-read"  # only a POST
    ]
    for user in (member, owner, approver, operator, finance, auditor, stranger, root):
        browser = signed_in(user)
        for address in addresses:
            assert browser.get(address).status_code in {200, 403}, (user, address)
            assert browser.delete(address).status_code in {403, 405}
    assert all(signed_in(root).get(address).status_code == 200 for address in addresses)


def test_nobody_gets_in_without_signing_in(catalogue: Catalogue, client: object) -> None:
    for page in pages:
        if "<" not in str(page.pattern):
            answer = client.get(reverse(f"orchestra:{page.name}"))  # type: ignore[attr-defined]
            assert answer.status_code == 302
            assert "/login" in answer["Location"]
