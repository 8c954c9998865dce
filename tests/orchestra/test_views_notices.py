"""Notices: the bell, the page, reading them, and the applications that are due."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from inventory.foundation.clock import database_now
from inventory.foundation.models import User
from orchestra.choices import DeploymentState, NoticeKind
from orchestra.models import Deployment, Notification
from orchestra.services.notices import notify
from tests.orchestra.pages import signed_in
from tests.orchestra.programs import assert_problem, program, send
from tests.orchestra.world import Catalogue


def running(catalogue: Catalogue, owner: User, name: str, **fields: Any) -> Deployment:
    """Make a running application."""
    return Deployment.objects.create(
        project=catalogue.project,
        pool=catalogue.pool,
        offering_version=catalogue.version,
        name=name,
        application="shop",
        environment="production",
        owner=owner,
        state=DeploymentState.LIVE,
        instances=1,
        created_at=database_now() - timedelta(days=300),
        **fields,
    )


def tell(*people: User, text: str = "web ends in 7 days.") -> list[Notification]:
    """Tell people something."""
    return notify(
        people=people,
        kind=NoticeKind.ENDS_SOON,
        text=text,
        link="/applications/",
        at=database_now(),
    )


@pytest.fixture
def client_of_mia(member: User) -> Client:
    """The member's browser."""
    return signed_in(member)


def test_the_bell_counts_what_is_unread(client_of_mia: Client, member: User, owner: User) -> None:
    assert "top-bell-count" not in client_of_mia.get("/").text
    tell(member, owner)
    tell(member, text="db ends tomorrow.")
    page = client_of_mia.get("/").text
    assert '<span class="top-bell-count">2' in page
    client_of_mia.post("/notices/read/")
    assert "top-bell-count" not in client_of_mia.get("/").text
    assert Notification.objects.unread().get().user == owner


def test_one_is_read_by_its_button_and_nobody_elses(
    client_of_mia: Client, member: User, owner: User
) -> None:
    mine, theirs = tell(member, owner)
    page = client_of_mia.get("/notices/").text
    assert f"/notices/{mine.pk}/read/" in page
    assert f"/notices/{theirs.pk}/read/" not in page
    assert client_of_mia.get(f"/notices/{mine.pk}/read/").status_code == 405
    assert client_of_mia.post(f"/notices/{mine.pk}/read/").status_code == 302
    assert client_of_mia.post(f"/notices/{theirs.pk}/read/").status_code == 404
    mine.refresh_from_db()
    read_at = mine.read_at
    assert read_at is not None
    client_of_mia.post(f"/notices/{mine.pk}/read/")
    mine.refresh_from_db()
    assert mine.read_at == read_at


def test_the_button_carries_the_token_that_a_browser_needs(member: User) -> None:
    (mine,) = tell(member)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(member)
    page = strict.get("/notices/").text
    token = page.split('name="csrfmiddlewaretoken" value="')[-1].split('"')[0]
    address = f"/notices/{mine.pk}/read/"
    assert strict.post(address).status_code == 403
    assert strict.post(address, {"csrfmiddlewaretoken": token}).status_code == 302


def test_the_list_is_filtered_and_written_as_csv(client_of_mia: Client, member: User) -> None:
    first, _second = [*tell(member, text="old one"), *tell(member, text="new one")]
    Notification.objects.filter(pk=first.pk).update(read_at=database_now())
    page = client_of_mia.get("/notices/?unread=true").text
    assert "new one" in page
    assert "old one" not in page
    assert "Nothing matches" in client_of_mia.get("/notices/?q=zzz").text
    file = client_of_mia.get("/notices/?format=csv").getvalue().decode()
    assert file.startswith("Notice,About,Project,Told,E-mail,Read")
    assert file.index("new one") < file.index("old one")
    assert "<form" not in file


def test_without_notices_the_page_says_what_comes_here(client_of_mia: Client) -> None:
    page = client_of_mia.get("/notices/").text
    assert "No notices yet" in page
    assert "E-mail is not set up" in page
    assert "Mark all as read" not in page


def test_the_list_asks_little(
    client_of_mia: Client, member: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        tell(member, text=f"notice {number}")
    with django_assert_max_num_queries(25):
        client_of_mia.get("/notices/")


def test_the_start_page_shows_what_is_due(
    client_of_mia: Client, catalogue: Catalogue, member: User, stranger: User
) -> None:
    now = database_now()
    running(catalogue, member, "ends", lease_end_at=now + timedelta(days=5))
    running(catalogue, member, "late", confirm_by=now - timedelta(days=1))
    running(catalogue, member, "far", confirm_by=now + timedelta(days=200))
    page = client_of_mia.get("/").text
    block = page.split("Ends soon, or to confirm")[1].split("</table>")[0]
    block = page[page.index("Ends soon, or to confirm") :].split("</tbody>")[0]
    assert block.index(">late<") < block.index(">ends<")
    assert ">far<" not in block
    assert "Not confirmed" in block
    assert "Ends soon, or to confirm" not in signed_in(stranger).get("/").text
    soon = client_of_mia.get("/applications/?term=soon").text
    assert ">late<" in soon
    assert ">ends<" in soon
    assert ">far<" not in soon
    overdue = client_of_mia.get("/applications/?term=overdue").text
    assert ">late<" in overdue
    assert ">ends<" not in overdue


def test_a_member_confirms_on_the_applications_page(
    client_of_mia: Client, catalogue: Catalogue, member: User, auditor: User
) -> None:
    late = running(catalogue, member, "late", confirm_by=database_now() - timedelta(days=1))
    address = f"/applications/{late.pk}/"
    page = client_of_mia.get(address).text
    assert "Nobody confirmed that it is still needed" in page
    assert "Confirm for another year" in page
    assert "Confirm for another year" not in signed_in(auditor).get(address).text
    assert signed_in(auditor).post(f"{address}confirm/").status_code == 403
    after = client_of_mia.post(
        f"{address}confirm/", {"idempotency_key": uuid4().hex}, follow=True
    ).text
    assert "late is confirmed until" in after
    assert "Nobody confirmed" not in after
    late.refresh_from_db()
    assert late.confirm_by is not None
    assert late.confirm_by > database_now() + timedelta(days=364)


def test_programs_read_and_confirm(catalogue: Catalogue, member: User, owner: User) -> None:
    mine, theirs = tell(member, owner)
    client = program(member)
    listed = client.get("/api/v1/notices/").json()
    assert [one["id"] for one in listed["results"]] == [mine.pk]
    assert client.get(f"/api/v1/notices/{theirs.pk}/").status_code == 404
    read = send(client, f"/api/v1/notices/{mine.pk}/read/", {})
    assert read.json()["read_at"] is not None
    tell(member)
    assert send(client, "/api/v1/notices/read/", {}).json() == {"read": 1}
    assert client.get("/api/v1/notices/?unread=true").json()["results"] == []
    late = running(catalogue, member, "late", confirm_by=database_now())
    confirmed = send(client, f"/api/v1/applications/{late.pk}/confirm/", {})
    assert confirmed.status_code == 200, confirmed.content
    ends = running(catalogue, member, "ends", lease_end_at=database_now() + timedelta(days=9))
    refused = send(client, f"/api/v1/applications/{ends.pk}/confirm/", {})
    assert_problem(refused, 409, "nothing_to_confirm")
    reader = program(member, scopes=["read"])
    assert send(reader, f"/api/v1/applications/{late.pk}/confirm/", {}).status_code == 403
