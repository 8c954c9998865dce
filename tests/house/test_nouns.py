"""Every noun has decided places: `docs/nouns.md` is compared with models, routes and desks."""

import re
from pathlib import Path

from django.apps import apps
from django.contrib import admin
from django.urls import get_resolver

from tests.house.test_permissions import routes

TEXT = (Path(__file__).parents[2] / "docs" / "nouns.md").read_text(encoding="utf-8")
HOUSES = ("foundation", "inventory", "billing", "orchestra")
PLACES = ("list", "page", "API", "admin", "CSV")
ROUTE = re.compile(r"(?:in )?`([a-z:-]+)`\Z")
REASON = re.compile(r"never: \S.{2,}\Z")
ROUTES = dict(routes(get_resolver().url_patterns))


def nouns() -> dict[tuple[str, str], dict[str, str]]:
    """Return the cells of each model's row."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        house, _, table = part.partition("\n")
        for line in table.splitlines():
            name, *cells = [cell.strip() for cell in line.strip("| ").split("|")]
            if line.startswith("| ") and name != "model":
                key = (house.strip(), name)
                assert key not in found, f"{key} has two rows"
                found[key] = dict(zip(PLACES, cells, strict=True))
    return found


NOUNS = nouns()
MODELS = {
    (house, model.__name__): model
    for house in HOUSES
    for model in apps.get_app_config(house).get_models()
}


def test_every_model_has_a_row_and_every_row_a_model() -> None:
    assert set(NOUNS) == set(MODELS)


def test_every_cell_is_decided_and_its_route_exists() -> None:
    wrong = []
    for noun, cells in NOUNS.items():
        for place, cell in cells.items():
            if cell == "open" or REASON.match(cell) or (place in PLACES[3:] and cell == "yes"):
                continue
            route = ROUTE.match(cell)
            is_there = route is not None and route[1] in ROUTES
            if not is_there or (place == "API") != route[1].startswith("api:"):
                wrong.append((*noun, place, cell))
    assert wrong == []


def test_the_desks_are_those_of_the_table() -> None:
    said = {noun for noun, cells in NOUNS.items() if cells["admin"] == "yes"}
    assert said == {noun for noun, model in MODELS.items() if model in admin.site._registry}


def test_a_file_is_promised_where_the_list_gives_one() -> None:
    wrong = []
    for noun, cells in NOUNS.items():
        route = re.match(r"`([a-z:-]+)`\Z", cells["list"])
        page = getattr(ROUTES[route[1]].callback, "view_class", None) if route else None
        if bool(getattr(page, "table_class", None)) != (cells["CSV"] == "yes"):
            wrong.append((*noun, cells["list"], cells["CSV"]))
    assert wrong == []


def test_no_open_cell_is_built_already() -> None:
    """An endpoint named after the noun fills the cell: the table says so then."""
    stale = []
    for (house, name), cells in NOUNS.items():
        words = "-".join(re.findall(r"[A-Z][a-z]+", name)).lower()
        if cells["API"] == "open" and f"api:{words}-list" in ROUTES:
            stale.append((house, name))
    assert stale == []
