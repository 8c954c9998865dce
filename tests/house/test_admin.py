"""The stock administration of all houses: every page opens, keeps the policy, asks little."""

import re
from collections import Counter
from pathlib import Path

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.foundation.models import Project, User
from orchestra.models import Connection
from tests.cast import make_user
from tests.house.permission_world import PermissionWorld, make_permission_world
from tests.orchestra.world import make_catalogue

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label_lower)
INLINE = re.compile(
    r"<style|style=\"|\son[a-z]+=\"|javascript:|<script(?![^>]*(?:\ssrc=\"/|application/json))"
)
SECRET = "correct-horse-battery"


@pytest.fixture
def world(
    project: Project, member: User, finance: User, second_finance: User, tmp_path: Path
) -> PermissionWorld:
    """Return the world in which there is one of everything, and a secret in a connection."""
    catalogue = make_catalogue(
        organisation=project.organisation,
        project=project,
        finance=finance,
        second_finance=second_finance,
    )
    found = make_permission_world(
        catalogue=catalogue, member=member, finance=finance, folder=tmp_path
    )
    Connection.objects.update(options={"password": SECRET})
    return found


@pytest.fixture
def desk(db: None) -> Client:
    """Sign in at the desk as the administrator."""
    root = make_user("root")
    User.objects.filter(pk=root.pk).update(is_staff=True, is_superuser=True)
    root.refresh_from_db()
    client = Client()
    client.force_login(root)
    return client


def address(model: type[Model], page: str, *pk: object) -> str:
    """Return the address of one of the model's pages."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=pk)


def assert_plain(text: str, where: str) -> None:
    """Check that nothing in the page would be blocked by the policy, and no secret is in it."""
    found = INLINE.search(text)
    assert found is None, (where, text[found.start() - 80 : found.end() + 80])
    assert SECRET not in text, where


def test_every_list_and_every_form_opens(desk: Client, world: PermissionWorld) -> None:
    seen = 0
    for model in MODELS:
        page = desk.get(address(model, "changelist"))
        assert page.status_code == 200, model
        assert_plain(page.text, model._meta.label)
        added = desk.get(address(model, "add"))
        assert added.status_code in {200, 403}, model
        row = model._default_manager.first()
        if row is not None:
            seen += 1
            change = desk.get(address(model, "change", row.pk))
            assert change.status_code == 200, model
            assert_plain(change.text, model._meta.label)
    assert seen > 40


def test_lists_do_not_ask_once_a_row(desk: Client, world: PermissionWorld) -> None:
    many = {}
    for model in MODELS:
        with CaptureQueriesContext(connection) as asked:
            desk.get(address(model, "changelist"))
        shapes = Counter(re.sub(r"\d+", "?", query["sql"]) for query in asked)
        again = {sql: times for sql, times in shapes.items() if times > 2}
        if again:
            many[model._meta.label] = again
    assert many == {}


def test_search_opens_everywhere(desk: Client, world: PermissionWorld) -> None:
    for model, desk_of_it in admin.site._registry.items():
        if desk_of_it.search_fields:
            assert desk.get(address(model, "changelist"), {"q": "a 1"}).status_code == 200, model
