"""Who gets which answer, for every route of the site; and the matrix as the operator reads it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files import File
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
    give_roles_elsewhere,
    make_permission_world,
    revoked_member,
)
from tests.orchestra.world import Catalogue, make_catalogue

ROLES_PAGE = Path(__file__).parents[2] / "docs" / "operator" / "roles.md"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REFUSALS = {401, 403, 404, 405}


@pytest.fixture
def catalogue(project: Project, finance: User, second_finance: User) -> Catalogue:
    """Return a small catalogue."""
    return make_catalogue(
        organisation=project.organisation,
        project=project,
        finance=finance,
        second_finance=second_finance,
    )


@pytest.fixture
def world(
    catalogue: Catalogue, member: User, finance: User, approver: User, tmp_path: Path
) -> PermissionWorld:
    """Return the world in which each route's object exists."""
    return make_permission_world(
        catalogue=catalogue, member=member, finance=finance, approver=approver, folder=tmp_path
    )


@pytest.fixture
def who(request: pytest.FixtureRequest, world: PermissionWorld) -> User | None:
    """Return the person of the cast whose name the test gets."""
    if request.param == "anonymous":
        return None
    if request.param == "revoked":
        return revoked_member(world.project)
    user: User = request.getfixturevalue(request.param)
    if request.param == "stranger":
        give_roles_elsewhere(user)
    return user


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


def ask(user: User | None, name: str, method: str, world: PermissionWorld) -> int:
    """Ask for a route as a browser or program would, undo what it did, return the status."""
    client = Client()
    more: dict[str, Any] = {}
    if method != "GET":
        more["data"] = contents(world).get(name, {})
    if name.startswith("api:"):
        more["headers"] = {"Idempotency-Key": "k", "If-Match": f'"{world.planned.version}"'}
    if method in {"PUT", "PATCH", "DELETE"} or (method == "POST" and name.startswith("api:")):
        more["content_type"] = "application/json"
        sent = more.get("data", {})
        if any(isinstance(value, File) for value in sent.values()):
            more["data"] = {}  # a file has no JSON, and the method is refused before it is read
    with transaction.atomic():
        if user is not None:
            client.force_login(user)
        address = reverse(name, kwargs=addresses(world).get(name))
        answer = getattr(client, method.lower())(address, **more)
        transaction.set_rollback(True)
    return int(answer.status_code)


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert {row.name for row in rows()} == set(ROUTES)


@pytest.mark.django_db
@pytest.mark.parametrize("who", CAST, indirect=True)
def test_each_person_gets_the_answer_of_the_table(
    who: User | None, world: PermissionWorld, request: pytest.FixtureRequest
) -> None:
    person = request.node.callspec.params["who"]
    answers = {f"{row.name} {row.method}": ask(who, row.name, row.method, world) for row in rows()}

    assert answers == {f"{row.name} {row.method}": row.expected[person] for row in rows()}


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["anonymous", "owner", "operator", "finance"], indirect=True)
def test_no_route_takes_a_method_that_the_table_does_not_name(
    who: User | None, world: PermissionWorld
) -> None:
    named = {(row.name, row.method) for row in rows()}
    asked = {
        f"{name} {method}": ask(who, name, method, world)
        for name in ROUTES
        for method in METHODS
        if (name, method) not in named and (name, who is None) != ("foundation:login", False)
    }  # who has signed in is sent on from the sign-in page, whatever the method

    allowed = REFUSALS if who else REFUSALS | {302}  # 302: sign in first
    assert {route: status for route, status in asked.items() if status not in allowed} == {}


@pytest.mark.django_db
@pytest.mark.parametrize("who", CAST, indirect=True)
def test_the_administration_is_for_staff(who: User | None) -> None:
    client = Client()
    if who is not None:
        client.force_login(who)
    addresses_of_it = [reverse("admin:index"), reverse("admin:foundation_user_changelist")]
    addresses_of_it.append(reverse("admin:orchestra_order_changelist"))

    answers = [client.get(address) for address in addresses_of_it]

    assert {answer.status_code for answer in answers} == {302}
    for answer in answers:
        assert answer["Location"].startswith(("/login/", "/admin/login/"))


def roles_table() -> str:
    """Return the permission matrix as a table for `docs/operator/roles.md`."""
    lines = [
        "| What | " + " | ".join(str(role.label) for role in Role) + " |",
        "|---|" + ":-:|" * len(Role),
    ]
    for action in Action:
        marks = ("●" if role in MATRIX[action] else "" for role in Role)
        what = action.value[0].upper() + action.value[1:]
        lines.append(f"| {what} | " + " | ".join(marks) + " |")
    return "\n".join(lines)


def test_the_operators_page_says_what_the_matrix_says() -> None:
    assert set(MATRIX) == set(Action)
    assert roles_table() in ROLES_PAGE.read_text(encoding="utf-8")
