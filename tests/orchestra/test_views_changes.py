"""The pages on which what runs is resized, extended and ended, and the same by program."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from inventory.foundation.clock import database_now
from inventory.foundation.models import User
from orchestra.choices import OrderKind, OrderState
from orchestra.engine import drain
from orchestra.models import Deployment, Order, PolicyVersion
from tests.billing.world import BERLIN
from tests.orchestra.pages import asked, sha_of, signed_in
from tests.orchestra.programs import assert_problem, program, send
from tests.orchestra.test_services_changes import make_large
from tests.orchestra.world import Catalogue

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def web(catalogue: Catalogue, member: User, tmp_path: Path) -> Deployment:
    """An application of one copy with 50 GiB, delivered now, for 30 days."""
    catalogue.connection.options = {"state_dir": str(tmp_path)}
    catalogue.connection.save()
    client = signed_in(member)
    order = asked(client, catalogue)
    client.post(f"/requests/{order.pk}/submit/", {"plan_sha256": sha_of(order)})
    drain(worker="test:1")
    return Deployment.objects.get()


def filled(web: Deployment, **changes: Any) -> dict[str, Any]:
    fields = {
        "reason": "It is full",
        "version": web.generation,
        "idempotency_key": uuid4().hex,
        "offering": "",
        "parameters.disk": "100",
    }
    return fields | changes


def text(moment: datetime) -> str:
    """Write a moment as the browser of somebody in Berlin does."""
    return f"{moment.astimezone(BERLIN):%Y-%m-%dT%H:%M}"


def order_of(response: Any) -> Order:
    assert response.status_code == 302, response.content.decode()
    return Order.objects.get(pk=int(response["Location"].rstrip("/").rsplit("/", 1)[1]))


def carried_out(client: Client, order: Order) -> Order:
    client.post(f"/requests/{order.pk}/submit/", {"plan_sha256": sha_of(order)})
    drain(worker="test:1")
    order.refresh_from_db()
    return order


def test_from_the_application_to_another_size(web: Deployment, member: User) -> None:
    client = signed_in(member)
    page = client.get(f"/applications/{web.pk}/").content.decode()
    for what in ("resize", "extend", "end"):
        assert f'href="/applications/{web.pk}/{what}/"' in page
    address = f"/applications/{web.pk}/resize/"
    form = client.get(address).content.decode()
    assert 'name="parameters.disk"' in form
    assert 'value="50"' in form
    assert "parameters.image" not in form

    effect = client.post(f"{address}estimate/", filled(web)).content.decode()
    assert "50 GiB" in effect
    assert "100 GiB" in effect
    assert "Fits now" in effect
    assert "Approved by rule" in effect
    assert "4.00" in effect
    assert not Order.objects.filter(kind=OrderKind.CHANGE).exists()

    order = order_of(client.post(address, filled(web)))
    shown = client.get(f"/requests/{order.pk}/").content.decode()
    assert "From what to what" in shown
    assert "Resize web-1" in shown
    assert carried_out(client, order).state == OrderState.FULFILLED
    assert "Resize: Linux M × 1" in client.get("/requests/").content.decode()
    progress = order.runs.get()
    assert client.get(f"/progress/{progress.pk}/").status_code == 200
    assert "The change is done." in client.get(f"/progress/{progress.pk}/log/").content.decode()


def test_sent_twice_is_one(web: Deployment, member: User) -> None:
    client, data = signed_in(member), filled(web)
    first = order_of(client.post(f"/applications/{web.pk}/resize/", data))
    assert order_of(client.post(f"/applications/{web.pk}/resize/", data)) == first


def test_while_it_is_filled_in(web: Deployment, member: User) -> None:
    client, address = signed_in(member), f"/applications/{web.pk}/resize/estimate/"
    for changes, words in (
        ({"parameters.disk": "50"}, "Nothing would change"),
        ({"parameters.disk": "9"}, "greater than or equal to 10"),
        ({"parameters.disk": "lots"}, "whole number"),
    ):
        found = client.post(address, filled(web, **changes))
        assert found.status_code == 200
        assert words in found.content.decode()
    assert client.post(f"/applications/{web.pk}/paint/estimate/", filled(web)).status_code == 404
    assert client.get(address).status_code == 405


def test_a_form_of_an_older_state(web: Deployment, member: User) -> None:
    Deployment.objects.update(generation=web.generation + 1)
    found = signed_in(member).post(f"/applications/{web.pk}/resize/", filled(web))
    assert found.status_code == 409
    assert "was changed" in found.content.decode()
    assert not Order.objects.filter(kind=OrderKind.CHANGE).exists()


def test_the_approver_sees_the_difference(web: Deployment, member: User, approver: User) -> None:
    PolicyVersion.objects.all().update(during=(None, database_now() - DAY))
    client = signed_in(member)
    order = order_of(client.post(f"/applications/{web.pk}/resize/", filled(web)))
    client.post(f"/requests/{order.pk}/submit/", {"plan_sha256": sha_of(order)})
    judge = signed_in(approver)
    assert "Resize: Linux M × 1" in judge.get("/approvals/").content.decode()
    page = judge.get(f"/approvals/{order.pk}/").content.decode()
    assert "From what to what" in page
    assert "Cost a month" in page
    decided = judge.post(
        f"/approvals/{order.pk}/",
        {
            "decision": "approve",
            "reason": "",
            "plan_sha256": sha_of(order),
            "idempotency_key": uuid4().hex,
        },
    )
    assert decided.status_code == 302
    drain(worker="test:1")
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED


def test_extend(web: Deployment, member: User) -> None:
    client, address = signed_in(member), f"/applications/{web.pk}/extend/"
    assert web.lease_end_at is not None
    later = web.lease_end_at + 10 * DAY
    data = filled(web, end_at=text(later))
    effect = client.post(f"{address}estimate/", data).content.decode()
    assert "for the added time" in effect
    assert "Fits now" in effect
    early = client.post(f"{address}estimate/", filled(web, end_at=text(database_now())))
    assert "after the agreed one" in early.content.decode()
    order = carried_out(client, order_of(client.post(address, data)))
    assert order.state == OrderState.FULFILLED
    web.refresh_from_db()
    assert web.lease_end_at is not None
    assert abs(web.lease_end_at - later) < timedelta(minutes=1)
    shown = client.get(f"/requests/{order.pk}/").content.decode()
    assert "For the added time" in shown


def test_end_at_a_date_and_now(web: Deployment, member: User) -> None:
    client, address = signed_in(member), f"/applications/{web.pk}/end/"
    page = client.get(address).content.decode()
    assert "cannot be brought back" in page
    early = text(database_now() + 5 * DAY)
    data = filled(web, end_at=early)
    effect = client.post(f"{address}estimate/", data).content.decode()
    assert "saved up to the end" in effect
    assert client.post(address, data).status_code == 400  # the name was not typed
    order = order_of(client.post(address, data | {"confirm_name": "web"}))
    drain(worker="test:1")
    order.refresh_from_db()
    assert (order.kind, order.state) == (OrderKind.CHANGE, OrderState.FULFILLED)
    assert "Not charged any more" in client.get(f"/requests/{order.pk}/").content.decode()
    now = filled(web, end_at="", confirm_name="web")
    order = order_of(client.post(address, now))
    assert order.kind == OrderKind.RETIRE
    drain(worker="test:1")
    assert client.get(address).status_code == 409
    assert "only a running application" in client.get(address).content.decode()


def test_another_service_brings_its_own_choices(
    catalogue: Catalogue, web: Deployment, member: User
) -> None:
    make_large(catalogue)
    client, address = signed_in(member), f"/applications/{web.pk}/resize/"
    assert '<option value="linux-l">' in client.get(address).content.decode()
    fields = filled(web, offering="linux-l")
    effect = client.post(f"{address}estimate/", fields)
    assert "8 vCPU" in effect.content.decode()
    drawn = client.post(address, fields | {"draw": "1", "parameters.disk": "120"}).content.decode()
    assert 'hx-trigger="change from:#id_offering" hx-select-oob="#choices"' in drawn
    assert 'value="120"' in drawn  # what was typed stays
    assert "It is full" in drawn
    assert web.orders.count() == 1
    order = order_of(client.post(address, fields))
    assert order.offering_version.offering.slug == "linux-l"
    again = client.get(f"{address}?again={order.pk}").content.decode()
    assert '<option value="linux-l" selected>' in again


# --- by program --------------------------------------------------------------------------------


def test_by_program(web: Deployment, member: User) -> None:
    api, address = program(member), f"/api/v1/applications/{web.pk}/"
    found = api.get(address)
    assert found.json()["parameters"]["disk"] == 50
    assert found["ETag"] == f'"{web.generation}"'
    (row,) = api.get("/api/v1/applications/").json()["results"]
    assert row["name"] == "web"
    body = {"parameters": {"disk": 100}, "business_reason": "Full"}
    key = uuid4().hex
    for _ in range(2):
        answer = send(api, f"{address}resize/", body, key=key, If_Match=found["ETag"])
        assert answer.status_code == 201, answer.content
    order = answer.json()
    assert (order["kind"], order["alteration"], order["state"]) == ("change", "resize", "planned")
    assert order["plan"]["document"]["change"]["after"]["amounts"]["DISK_GB"] == 100
    assert Order.objects.filter(kind=OrderKind.CHANGE).count() == 1
    sent = send(
        api,
        f"/api/v1/orders/{order['id']}/submit/",
        {"plan_sha256": order["plan"]["sha256"]},
    )
    assert sent.status_code == 200
    drain(worker="test:1")
    stale = send(api, f"{address}resize/", body, If_Match=found["ETag"])
    assert_problem(stale, 409, "stale_edit")


def test_refusals_by_program(web: Deployment, member: User, auditor: User) -> None:
    api, address = program(member), f"/api/v1/applications/{web.pk}/"
    tag = {"If_Match": f'"{web.generation}"'}
    body = {"parameters": {"disk": 9}, "business_reason": "Full"}
    problem = assert_problem(send(api, f"{address}resize/", body, **tag), 400)
    assert "parameters.disk" in str(problem)
    assert_problem(send(api, f"{address}resize/", body), 428, "version_missing")
    later = {"end_at": "2031-01-01T00:00:00Z", "business_reason": "x"}
    extended = send(api, f"{address}extend/", later, **tag)
    assert extended.status_code == 201
    assert_problem(send(program(auditor), f"{address}extend/", later, **tag), 403)
    ended = send(api, f"{address}end/", {"business_reason": "Done"}, **tag)
    assert ended.json()["kind"] == "retire"
