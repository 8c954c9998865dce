"""Freezes and windows on the portal and by program: who reads them, who sets and ends them."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from inventory.foundation.clock import database_now
from inventory.foundation.models import AuditEvent, Project, User
from inventory.models import Pool
from orchestra.models import ChangeWindow, Freeze
from tests.factories import make_pool
from tests.orchestra.programs import assert_problem, program, send

FREEZES = "/api/v1/freezes/"


@pytest.fixture
def pool(project: Project) -> Pool:
    """Return a pool of the organisation."""
    return make_pool(project.organisation)


@pytest.fixture
def freeze(pool: Pool, operator: User) -> Freeze:
    """Return a freeze of the pool that is in force."""
    at = database_now()
    return Freeze.objects.create(
        name="Stock-taking",
        reason="We count",
        during=(at - timedelta(days=1), at + timedelta(days=1)),
        pool=pool,
        created_by=operator,
    )


def entered(client: Client, user: User) -> Client:
    """Sign a person in."""
    client.force_login(user)
    return client


def typed(pool: Pool, **changes: Any) -> dict[str, Any]:
    """Return what a browser sends for a new entry."""
    local = timezone.localtime(database_now())
    return {
        "name": "Move",
        "reason": "The room is moved",
        "place": f"pool-{pool.pk}",
        "start_at": f"{local + timedelta(days=1):%Y-%m-%dT%H:%M}",
        "end_at": f"{local + timedelta(days=2):%Y-%m-%dT%H:%M}",
        "idempotency_key": uuid4().hex,
        **changes,
    }


def test_whoever_orders_into_the_pool_reads_it_and_only_its_operator_ends_it(
    client: Client, freeze: Freeze, member: User, operator: User, stranger: User
) -> None:
    page, end = (reverse(f"orchestra:freeze{verb}", args=[freeze.pk]) for verb in ("", "-end"))

    shown = entered(client, member).get(page)
    assert "We count" in shown.content.decode()
    assert shown.context["end_url"] == ""
    assert client.post(end).status_code == 403
    assert entered(client, stranger).get(page).status_code == 404
    assert client.get("/freezes/").context["count"] == 0

    assert entered(client, operator).get(page).context["end_url"] == end
    assert client.post(end).status_code == 302
    freeze.refresh_from_db()
    assert freeze.during.upper <= database_now()
    assert client.get(page).context["standing"] == "over"
    assert client.post(end).status_code == 409, "what is over is not ended again"


def test_an_operator_sets_a_freeze_once_and_it_is_on_record(
    client: Client, pool: Pool, operator: User
) -> None:
    form = typed(pool, holds_scaling="on")

    first = entered(client, operator).post("/freezes/new/", form)
    again = client.post("/freezes/new/", form)

    freeze = Freeze.objects.get()
    assert first["Location"] == again["Location"] == f"/freezes/{freeze.pk}/"
    assert (freeze.pool, freeze.holds_scaling, freeze.created_by) == (pool, True, operator)
    entry = AuditEvent.objects.get(action="freeze.add")
    assert (entry.actor, entry.reason) == (operator, "The room is moved")


def test_a_place_of_others_is_no_choice_and_a_backward_time_stands_at_its_field(
    client: Client, pool: Pool, owner: User, operator: User
) -> None:
    refused = entered(client, owner).post("/freezes/new/", typed(pool))
    assert refused.status_code == 400
    assert list(refused.context["form"].errors) == ["place"]
    backward = typed(pool, end_at="2020-01-01T00:00")
    turned = entered(client, operator).post("/change-windows/new/", backward)
    assert list(turned.context["form"].errors) == ["end_at"]
    assert not Freeze.objects.exists()
    assert not ChangeWindow.objects.exists()


def test_a_change_keeps_what_was_not_touched(
    client: Client, freeze: Freeze, operator: User
) -> None:
    page = reverse("orchestra:freeze-edit", args=[freeze.pk])
    shown = entered(client, operator).get(page).content.decode()
    moments = dict(re.findall(r'name="(start_at|end_at)" value="([^"]+)"', shown))
    assert len(moments) == 2, "both stand in the form, in the viewer's zone"
    sent = {"name": freeze.name, "reason": "We still count", **moments}
    before = freeze.during

    answer = client.post(page, sent)

    assert answer.status_code == 302, answer.context["form"].errors
    freeze.refresh_from_db()
    assert freeze.reason == "We still count"
    assert (freeze.during.lower, freeze.during.upper) == before, "to the microsecond"


def test_a_program_sets_changes_ends_and_takes_away(
    pool: Pool, operator: User, member: User, stranger: User
) -> None:
    mine = program(operator)
    start = (database_now() + timedelta(days=1)).isoformat()
    wish = {"name": "Move", "reason": "The room", "pool": pool.slug, "start_at": start}

    made = send(mine, FREEZES, wish)
    assert made.status_code == 201, made.content
    one = f"{FREEZES}{made.json()['id']}/"
    assert (made.json()["pool"], made.json()["standing"]) == (pool.slug, "ahead")
    assert program(member).get(one).json()["reason"] == "The room"
    assert_problem(send(program(member), one, {"name": "Mine"}, method="patch"), 403)
    assert_problem(program(stranger).get(one), 404)
    assert_problem(send(program(stranger), FREEZES, wish), 404)
    assert_problem(send(mine, FREEZES, wish | {"until": "x"}), 400)
    assert send(mine, one, {"name": "Later"}, method="patch").json()["name"] == "Later"
    assert_problem(send(mine, f"{one}end/", {}), 400)
    assert send(mine, one, {}, method="delete").status_code == 204
    assert not Freeze.objects.exists()


def test_a_token_for_one_project_hears_nothing_of_other_projects(
    project: Project, owner: User
) -> None:
    other = Project.objects.create(
        organisation=project.organisation,
        name="Other",
        slug="other",
        owner=owner,
        deputy=project.deputy,
        cost_centre="1",
        created_at=project.created_at,
    )
    for one in (project, other):
        Freeze.objects.create(
            name=one.name, reason="x", during=(None, None), project=one, created_by=owner
        )

    rows = program(owner, project=project).get(FREEZES).json()["results"]

    assert [row["name"] for row in rows] == ["Shop"]


def test_the_machinery_is_told_to_who_looks_after_a_pool(
    pool: Pool, operator: User, member: User
) -> None:
    told = program(operator).get("/api/v1/health/").json()
    assert (told["beats"], told["violations"]) == ([], [])
    assert_problem(program(member).get("/api/v1/health/"), 403)
