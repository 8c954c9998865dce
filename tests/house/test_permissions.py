"""Who gets which answer, for every route of the site; and the matrix as the operator reads it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from inventory.foundation.choices import Role
from inventory.foundation.models import Project, User
from inventory.foundation.permissions import MATRIX, Action
from tests.house.permission_table import CAST, rows
from tests.house.permission_world import (
    PermissionWorld,
    addresses,
    contents,
    make_permission_world,
    revoked_member,
)
from tests.orchestra.world import Catalogue, make_catalogue

ROLES_PAGE = Path(__file__).parents[2] / "docs" / "operator" / "roles.md"
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def catalogue(
    project: Project, finance: User, second_finance: User
) -> Catalogue:
    """Return a small catalogue."""
    return make_catalogue(
        organisation=project.organisation,
        project=project,
        finance=finance,
        second_finance=second_finance,
    )


@pytest.fixture
def world(catalogue: Catalogue, member: User, finance: User, tmp_path: Path) -> PermissionWorld:
    """Return the world in which each route's object exists."""
    return make_permission_world(
        catalogue=catalogue, member=member, finance=finance, folder=tmp_path
    )


def routes(
    patterns: list[URLPattern | URLResolver], namespace: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    """Yield every route's name with its pattern; the administration is one group of its own."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}", pattern
        elif pattern.namespace != "admin":
            prefix = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from routes(pattern.url_patterns, prefix)


ROUTES = dict(routes(get_resolver().url_patterns))


def ask(client: Client, name: str, method: str, world: PermissionWorld) -> int:
    """Ask for a route as a browser or program would, undo what it did, return the status."""
    address = reverse(name, kwargs=addresses(world).get(name))
    content = contents(world).get(name, {}) if method in WRITES else None
    more: dict[str, Any] = {"data": content}
    if name.startswith("api:"):
        more["headers"] = {"Idempotency-Key": "k", "If-Match": f'"{world.planned.version}"'}
        if method in WRITES:
            more["content_type"] = "application/json"
    with transaction.atomic():
        answer = getattr(client, method.lower())(address, **more)
        transaction.set_rollback(True)
    return int(answer.status_code)


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert {row.name for row in rows()} == set(ROUTES)


@pytest.mark.parametrize("who", CAST)
@pytest.mark.django_db
def test_each_person_gets_the_answer_of_the_table(
    who: str, world: PermissionWorld, request: pytest.FixtureRequest
) -> None:
    if who == "anonymous":
        user = None
    elif who == "revoked":
        user = revoked_member(world.project)
    else:
        user = request.getfixturevalue(who)
    answers = {}
    for row in rows():
        client = Client()  # signing out must not end the sitting
        if user is not None:
            client.force_login(user)
        answers[f"{row.name} {row.method}"] = ask(client, row.name, row.method, world)

    assert answers == {f"{row.name} {row.method}": row.expected[who] for row in rows()}
