"""Progress, applications and giving back, through the pages, with the real engine."""

import pytest
from django.test import Client

from inventory.foundation.models import User
from orchestra.choices import DeploymentState, DesiredState, OrderState, RunState, StepState
from orchestra.engine import drain
from orchestra.models import Deployment, Order, Run
from tests.orchestra.pages import asked, sha_of, signed_in
from tests.orchestra.world import Catalogue

pytestmark = pytest.mark.django_db(transaction=True)


def started(browser: Client, catalogue: Catalogue, **changes: str) -> Run:
    """Place and send a request that a rule approves; return its run, not yet worked on."""
    order = asked(browser, catalogue, **changes)
    browser.post(f"/requests/{order.pk}/submit/", {"plan_sha256": sha_of(order)})
    return Run.objects.get(order=order)


def text(client: Client, address: str, **data: str) -> str:
    answer = client.get(address, data)
    assert answer.status_code == 200
    return answer.content.decode()


def test_from_approval_to_connecting_and_back(catalogue: Catalogue, member: User) -> None:
    browser = signed_in(member)
    run = started(browser, catalogue)
    page = text(browser, f"/progress/{run.pk}/")
    assert "hx-get=" in page
    assert "Create web-1" in page
    assert "Waiting to start" in page
    seen = "scheduled.run"
    same = browser.get(f"/progress/{run.pk}/timeline/", {"seen": seen})
    assert "HX-Refresh" not in same
    assert "<html" not in same.content.decode()
    drain(worker="test")
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    changed = browser.get(f"/progress/{run.pk}/timeline/", {"seen": seen})
    assert changed["HX-Refresh"] == "true"
    page = text(browser, f"/progress/{run.pk}/")
    assert "How to connect" in page
    assert "hx-get=" not in page.split("<main", 1)[1]
    resource = run.deployment.links.get().resource
    assert resource.attributes["address"] in page
    log = browser.get(f"/progress/{run.pk}/log/")
    assert log["Content-Type"].startswith("text/plain")
    assert "Create web-1" in log.content.decode()

    found = text(browser, f"/applications/{run.deployment_id}/")
    assert "web-1" in found
    assert f'href="/applications/{run.deployment_id}/end/"' in found
    address = f"/applications/{run.deployment_id}/end/"
    page = text(browser, address)
    assert "web-1" in page
    fields = {"reason": "Not needed", "confirm_name": "wbe", "idempotency_key": "0123456789ab"}
    assert browser.post(address, fields).status_code == 400
    answer = browser.post(address, fields | {"confirm_name": "web"})
    assert answer.status_code == 302
    twice = browser.post(address, fields | {"confirm_name": "web"})
    assert twice["Location"] == answer["Location"]
    drain(worker="test")
    deployment = Deployment.objects.get()
    assert deployment.state == DeploymentState.RETIRED
    assert (
        "Give back"
        not in text(browser, f"/applications/{deployment.pk}/")
        .split("<main")[1]
        .split("Requests")[0]
    )
    order = Order.objects.order_by("-pk").first()
    assert order is not None
    assert order.state == OrderState.FULFILLED
    assert "Remove web-1" in text(browser, f"/requests/{order.pk}/")


def test_pausing_going_on_and_cancelling(catalogue: Catalogue, member: User) -> None:
    browser = signed_in(member)
    run = started(browser, catalogue)
    steer = f"/progress/{run.pk}/steer/"
    assert browser.post(steer, {"desired": "pause"}).status_code == 302
    assert "Go on" in text(browser, f"/progress/{run.pk}/")
    assert browser.post(steer, {"desired": "run"}).status_code == 302
    assert browser.post(steer, {"desired": "explode"}).status_code == 400
    assert browser.post(steer, {}).status_code == 400
    assert browser.get(steer).status_code == 405
    assert browser.post(steer, {"desired": "cancel"}).status_code == 302
    drain(worker="test")
    run.refresh_from_db()
    assert run.desired_state == DesiredState.CANCEL
    assert run.state == RunState.CANCELLED
    assert "Cancelled" in text(browser, f"/progress/{run.pk}/")
    assert browser.post(steer, {"desired": "run"}).status_code == 409


def stuck(run: Run) -> int:
    """Let the run rest at its create step as the engine leaves it for an operator."""
    step = run.steps.get(key="create[0]")
    run.steps.filter(pk=step.pk).update(
        state=StepState.PARKED, error="The host did not answer.", attempt=5
    )
    Run.objects.filter(pk=run.pk).update(
        state=RunState.NEEDS_OPERATOR, reason="The host did not answer."
    )
    return step.pk


def test_an_operator_repairs_a_stuck_step(
    catalogue: Catalogue, member: User, operator: User
) -> None:
    run = started(signed_in(member), catalogue)
    step = stuck(run)
    base = f"/progress/{run.pk}/steps/{step}"
    mine, theirs = signed_in(member), signed_in(operator)
    assert "For the operator" not in text(mine, f"/progress/{run.pk}/")
    page = text(theirs, f"/progress/{run.pk}/")
    assert "For the operator" in page
    assert "The host did not answer." in page
    assert mine.post(f"{base}/retry/").status_code == 403
    assert theirs.get(f"{base}/retry/").status_code == 405
    assert theirs.post(f"{base}/skip/", {"reason": ""}).status_code == 400
    assert theirs.post(f"{base}/skip/", {"reason": "Not needed"}).status_code == 409
    assert theirs.post(f"{base}/resolve/", {"reason": "By hand"}).status_code == 400
    assert theirs.post(f"/progress/{run.pk}/steps/0/retry/").status_code == 404
    assert theirs.post(f"{base}/retry/").status_code == 302
    drain(worker="test")
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert theirs.post(f"{base}/retry/").status_code == 409


def test_who_sees_progress_and_applications(
    catalogue: Catalogue, member: User, stranger: User, auditor: User
) -> None:
    run = started(signed_in(member), catalogue)
    outside, reader = signed_in(stranger), signed_in(auditor)
    addresses = [
        f"/progress/{run.pk}/",
        f"/progress/{run.pk}/timeline/",
        f"/progress/{run.pk}/log/",
        f"/applications/{run.deployment_id}/",
        f"/applications/{run.deployment_id}/end/",
    ]
    for address in addresses:
        assert outside.get(address).status_code == 404
    assert outside.post(f"/progress/{run.pk}/steer/", {"desired": "pause"}).status_code == 404
    assert outside.post(f"/progress/{run.pk}/steps/1/retry/").status_code == 404
    for address in addresses[:4]:
        assert reader.get(address).status_code == 200
    assert reader.get(addresses[4]).status_code == 403
    assert reader.post(f"/progress/{run.pk}/steer/", {"desired": "pause"}).status_code == 403
    page = text(reader, f"/progress/{run.pk}/")
    assert "Cancel and undo" not in page


def test_the_lists(catalogue: Catalogue, member: User) -> None:
    browser = signed_in(member)
    run = started(browser, catalogue)
    assert f"/progress/{run.pk}/" in text(browser, "/progress/")
    assert f"/applications/{run.deployment_id}/" in text(browser, "/applications/")
    assert "Nothing matches" in text(browser, "/progress/", state="compensated")
    assert "web" in text(browser, "/applications/", q="web")
