"""The pages of resources: who sees what, filters, file, detail, and constant queries."""

import csv
import io

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.foundation.models import Organisation, Project, User
from inventory.models import Pool, Resource
from inventory.services import activate, release
from tests.cast import NOW
from tests.factories import hold, make_resource
from tests.lists import rows_only

LIST = "/resources/"
CEILING = 40


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def web(project: Project, pool: Pool) -> Resource:
    """Return a running machine that holds capacity and has an address."""
    resource = hold(project, pool, {"VCPU": 4, "MEMORY_MB": 16_384}, name="web-1")
    activate(
        resource=resource, at=NOW, attributes={"address": "10.1.2.3", "root_password": "hush-hush"}
    )
    resource.refresh_from_db()
    return resource


@pytest.fixture
def other_project(organisation: Organisation, finance: User, deputy: User) -> Project:
    """Return a project of the same organisation in which owner and member have no role."""
    return Project.objects.create(
        organisation=organisation,
        name="Payroll",
        slug="payroll",
        owner=finance,
        deputy=deputy,
        cost_centre="4712",
        created_at=NOW,
    )


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(rows_only(content.decode()))))


@pytest.mark.parametrize("who", ["owner", "deputy", "member", "approver", "operator", "finance"])
def test_roles_that_see_the_resource(
    who: str, web: Resource, request: pytest.FixtureRequest
) -> None:
    client = signed_in(request.getfixturevalue(who))

    assert "web-1" in client.get(LIST).text
    assert client.get(reverse("inventory:resource", args=[web.pk])).status_code == 200


def test_a_stranger_finds_nothing(web: Resource, stranger: User) -> None:
    client = signed_in(stranger)

    assert "web-1" not in client.get(LIST).text
    assert client.get(reverse("inventory:resource", args=[web.pk])).status_code == 404
    assert client.get(reverse("inventory:resource", args=[2**63])).status_code == 404


def test_nobody_signs_in_first(web: Resource, client: Client) -> None:
    answer = client.get(LIST)

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("foundation:login"))


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_pages_only_read(method: str, web: Resource, owner: User) -> None:
    client = signed_in(owner)

    for address in (LIST, reverse("inventory:resource", args=[web.pk]), "/pools/"):
        assert getattr(client, method)(address).status_code == 405


def test_a_member_does_not_see_another_project(
    web: Resource, other_project: Project, pool: Pool, member: User
) -> None:
    secret = make_resource(other_project, pool, name="payroll-db")
    client = signed_in(member)

    assert "payroll-db" not in client.get(LIST).text
    assert client.get(reverse("inventory:resource", args=[secret.pk])).status_code == 404
    assert client.get(LIST, {"project": other_project.pk}).status_code == 200
    assert "Select a valid choice" in client.get(LIST, {"project": other_project.pk}).text


def test_what_is_gone_stands_last_and_can_be_left_out(
    web: Resource, project: Project, pool: Pool, owner: User
) -> None:
    gone = hold(project, pool, {"VCPU": 1}, name="a-first")
    activate(resource=gone, at=NOW)
    release(resource=gone, at=NOW)
    client = signed_in(owner)

    everything = rows_of(client.get(LIST, {"format": "csv"}).getvalue())
    live = rows_of(client.get(LIST, {"format": "csv", "status": "live"}).getvalue())

    assert [row["Name"] for row in everything] == ["web-1", "a-first"]
    assert [row["State"] for row in everything] == ["Running", "Gone"]
    assert [row["Name"] for row in live] == ["web-1"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": "WEB"}, {"web-1"}),
        ({"q": "shop"}, {"db-1"}),
        ({"environment": "production"}, {"db-1"}),
        ({"kind": "compute.vm"}, {"web-1", "db-1"}),
        ({"status": "running"}, {"web-1"}),
        ({"sort": "-name"}, {"web-1", "db-1"}),
    ],
)
def test_filters_serve_page_and_file_alike(
    query: dict[str, str],
    names: set[str],
    web: Resource,
    project: Project,
    pool: Pool,
    owner: User,
) -> None:
    make_resource(project, pool, name="db-1", environment="production", application="shop")
    client = signed_in(owner)

    rows = rows_of(client.get(LIST, query | {"format": "csv"}).getvalue())
    page = client.get(LIST, query).text

    assert {row["Name"] for row in rows} == names
    assert {name for name in ("web-1", "db-1") if f">{name}</a>" in page} == names


def test_a_wrong_filter_is_named(web: Resource, owner: User) -> None:
    client = signed_in(owner)

    assert "Select a valid choice" in client.get(LIST, {"status": "exploded"}).text
    assert client.get(LIST, {"status": "exploded", "format": "csv"}).status_code == 400


def test_the_resource_says_what_it_is(web: Resource, member: User) -> None:
    page = signed_in(member).get(reverse("inventory:resource", args=[web.pk])).text

    assert "10.1.2.3" in page
    assert "hush-hush" not in page
    assert "olivia, dario" in page
    assert '16 <span class="quantity-unit">GiB</span>' in page
    assert "host-1" not in page  # a member sees the pool, not its hosts
    assert "Running" in page


def test_the_operator_sees_the_host_but_no_money_and_no_address(
    web: Resource, operator: User, stranger: User
) -> None:
    page = signed_in(operator).get(reverse("inventory:resource", args=[web.pk])).text

    assert "host-1" in page
    assert "Since it was delivered" not in page
    assert "See each charge" not in page


def test_history_is_for_owner_and_auditor(
    web: Resource, owner: User, auditor: User, member: User
) -> None:
    address = reverse("inventory:resource", args=[web.pk])

    assert "resource.create" in signed_in(owner).get(address).text
    assert "resource.create" in signed_in(auditor).get(address).text
    assert "resource.create" not in signed_in(member).get(address).text


def queries_of(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def test_queries_do_not_grow_with_the_rows(
    web: Resource, project: Project, pool: Pool, owner: User
) -> None:
    client = signed_in(owner)
    make_resource(project, pool, name="second")
    few = queries_of(client, LIST)

    for number in range(30):
        make_resource(project, pool, name=f"more-{number}")

    assert queries_of(client, LIST) == few
    assert few <= CEILING
    assert queries_of(client, reverse("inventory:resource", args=[web.pk])) <= CEILING
