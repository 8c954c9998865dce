"""The inbox and the page of a decision."""

import pytest
from django.test import Client

from inventory.foundation.models import User
from orchestra.choices import OrderState
from orchestra.models import Approval, Order, Run
from tests.cast import grant
from tests.orchestra.pages import asked, large, sha_of, signed_in, typed
from tests.orchestra.world import Catalogue

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(catalogue: Catalogue, member: User) -> Order:
    """A request for three machines that waits for an approver."""
    browser = signed_in(member)
    order = asked(browser, catalogue, **large())
    browser.post(f"/requests/{order.pk}/submit/", {"plan_sha256": sha_of(order)})
    order.refresh_from_db()
    assert order.state == OrderState.AWAITING_APPROVAL
    return order


def decision(order: Order, what: str, reason: str = "", **changes: str) -> dict[str, str]:
    fields = {
        "decision": what,
        "reason": reason,
        "plan_sha256": sha_of(order),
        "idempotency_key": "0123456789abcdef",
    }
    return fields | changes


def text(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_the_inbox_and_the_count_in_the_navigation(waiting: Order, approver: User) -> None:
    page = text(signed_in(approver), "/approvals/")
    assert str(waiting) in page
    assert f"/approvals/{waiting.pk}/" in page
    assert "EUR" in page


def test_looking_never_decides(waiting: Order, approver: User) -> None:
    browser = signed_in(approver)
    answer = browser.get(f"/approvals/{waiting.pk}/", decision(waiting, "approve"))
    assert answer.status_code == 200
    waiting.refresh_from_db()
    assert waiting.state == OrderState.AWAITING_APPROVAL
    assert Approval.objects.count() == 0


def test_the_page_shows_the_consequences(waiting: Order, approver: User) -> None:
    page = text(signed_in(approver), f"/approvals/{waiting.pk}/")
    assert "over 250.00 EUR a month" in page
    assert "Free in the budget" in page
    assert "Room in Frankfurt for this size" in page
    assert "Try the new checkout" in page
    assert "Your decision" in page


def test_approving_starts_it(waiting: Order, approver: User) -> None:
    browser = signed_in(approver)
    answer = browser.post(f"/approvals/{waiting.pk}/", decision(waiting, "approve", "Fine"))
    assert answer.status_code == 302
    waiting.refresh_from_db()
    assert waiting.state == OrderState.FULFILLING
    assert Run.objects.get().order == waiting
    page = text(browser, f"/requests/{waiting.pk}/")
    assert "Fine" in page
    assert "ana" in page
    again = browser.post(f"/approvals/{waiting.pk}/", decision(waiting, "approve", "Fine"))
    assert again.status_code == 302
    assert Run.objects.count() == 1


def test_rejecting_needs_a_reason_that_the_requester_reads(
    waiting: Order, approver: User, member: User
) -> None:
    browser = signed_in(approver)
    empty = browser.post(f"/approvals/{waiting.pk}/", decision(waiting, "reject"))
    assert empty.status_code == 400
    assert "Say why" in empty.content.decode()
    done = browser.post(f"/approvals/{waiting.pk}/", decision(waiting, "reject", "Too large"))
    assert done.status_code == 302
    page = text(signed_in(member), f"/requests/{waiting.pk}/")
    assert "Rejected by ana" in page
    assert "Too large" in page


def test_a_stale_plan_is_not_decided_on(
    waiting: Order, approver: User, member: User, catalogue: Catalogue
) -> None:
    old = decision(waiting, "approve")
    edited = signed_in(member).post(
        f"/requests/{waiting.pk}/edit/",
        typed(catalogue, **large(instances="4", version=waiting.version)),
    )
    assert edited.status_code == 302
    answer = signed_in(approver).post(f"/approvals/{waiting.pk}/", old)
    assert answer.status_code == 409
    assert Approval.objects.count() == 0


def test_nobody_decides_on_their_own(waiting: Order, member: User, project: object) -> None:
    grant(member, "approver", project=project)  # type: ignore[arg-type]
    browser = signed_in(member)
    page = text(browser, f"/approvals/{waiting.pk}/")
    assert "somebody else must decide" in page
    assert "Your decision" not in page
    assert "Yours, waiting for others" in text(browser, "/approvals/")
    answer = browser.post(f"/approvals/{waiting.pk}/", decision(waiting, "approve"))
    assert answer.status_code == 403
    assert "separation of duties" in answer.content.decode()


def test_who_may_not(waiting: Order, member: User, auditor: User, stranger: User) -> None:
    address = f"/approvals/{waiting.pk}/"
    assert signed_in(stranger).get(address).status_code == 404
    assert signed_in(stranger).post(address, decision(waiting, "approve")).status_code == 404
    assert signed_in(auditor).get(address).status_code == 200
    assert signed_in(auditor).post(address, decision(waiting, "approve")).status_code == 403
    assert signed_in(auditor).get("/approvals/").status_code == 403
    assert signed_in(member).put(address).status_code == 405


@pytest.mark.parametrize(
    "changes",
    [
        {"decision": "maybe"},
        {"decision": ""},
        {"plan_sha256": ""},
        {"plan_sha256": "x" * 5000},
        {"reason": "x" * 501},
        {"reason": "=1+1", "decision": "reject"},
        {"reason": "a\0b"},
    ],
)
def test_bad_decisions(waiting: Order, approver: User, changes: dict[str, str]) -> None:
    fields = decision(waiting, "approve") | changes
    answer = signed_in(approver).post(f"/approvals/{waiting.pk}/", fields)
    assert answer.status_code == 400
    waiting.refresh_from_db()
    assert waiting.state == OrderState.AWAITING_APPROVAL


def test_the_requester_reads_who_blocks(waiting: Order, approver: User, member: User) -> None:
    page = text(signed_in(member), f"/requests/{waiting.pk}/")
    assert "Waiting for an approver" in page
    assert "ana" in page
