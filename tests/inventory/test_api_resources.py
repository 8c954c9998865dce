"""Resources by program: read only, with what they hold."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory.foundation.models import Project, User
from inventory.models import Pool, Resource
from tests.factories import hold
from tests.orchestra.programs import assert_problem, program, send

RESOURCES = "/api/v1/resources/"


@pytest.fixture
def web(project: Project, pool: Pool) -> Resource:
    """Return a resource that holds something."""
    return hold(project, pool, {"VCPU": 2, "MEMORY_MB": 1024})


def test_a_resource_is_told_with_what_it_holds(web: Resource, member: User) -> None:
    client = program(member)

    (row,) = client.get(RESOURCES).json()["results"]

    one = client.get(f"{RESOURCES}{web.pk}/").json()
    (state,) = one.pop("states")
    assert (state["state"], state["end_at"]) == ("planned", None)
    assert one.pop("former_kinds") == []
    assert row == one
    assert (row["id"], row["name"], row["project"], row["pool"]) == (
        web.pk,
        "web-1",
        "shop",
        web.pool.slug,
    )
    held = [(one["resource_class"], one["amount"], one["state"]) for one in row["allocations"]]
    assert sorted(held) == [("MEMORY_MB", 1024, "reserved"), ("VCPU", 2, "reserved")]


def test_only_ones_own_and_only_to_read(web: Resource, member: User, stranger: User) -> None:
    theirs, mine = program(stranger), program(member)

    assert theirs.get(RESOURCES).json()["count"] == 0
    assert_problem(theirs.get(f"{RESOURCES}{web.pk}/"), 404)
    for method in ("post", "put", "patch", "delete"):
        assert_problem(send(mine, f"{RESOURCES}{web.pk}/", {}, method=method), 405)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"status": "live"}, 200),
        ({"status": "asleep"}, 400),
        ({"pool": "x"}, 400),
        ({"pool": "99999999999999999999"}, 400),
        ({"kind": "x" * 81}, 400),
        ({"kind": "compute.vm"}, 200),
    ],
)
def test_filters(query: dict[str, str], status: int, web: Resource, member: User) -> None:
    answer = program(member).get(RESOURCES, query)

    if status == 200:
        assert answer.json()["count"] == 1
    else:
        assert list(assert_problem(answer, status)["errors"]) == list(query)


def test_many_cost_as_many_questions_as_one(
    project: Project, pool: Pool, member: User, client: Client
) -> None:
    client.force_login(member)
    counts: list[Any] = []
    for wanted in (1, 6):
        while Resource.objects.count() < wanted:
            hold(project, pool, {"VCPU": 1}, name=f"web-{Resource.objects.count()}")
        with CaptureQueriesContext(connection) as asked:
            assert len(client.get(RESOURCES).json()["results"]) == wanted
        counts.append(len(asked))

    assert counts[0] == counts[1] <= 20
