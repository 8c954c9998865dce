"""What a list is for the test that screen, file, program and a plain count agree."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from inventory.foundation.models import Project, User

WORDS = ("web", "api", "batch", "mail")
ENVIRONMENTS = ("test", "production", "development")
Rule = Callable[[Any, Any, User], bool]


@dataclass(frozen=True)
class Listing:
    """A list: its address, its table, where its project stands, and what each filter means."""

    model: type[Model]
    path: str
    api: str
    project: Callable[[Any], Project | None]
    texts: Callable[[Any], list[str]]
    rules: dict[str, tuple[Callable[[Any], Any], Rule]]
    amount: str = ""
    viewer: str = "owner"
    # Where a row has no project of its own: who may see it, worked out anew.
    seen: Callable[[Any], bool] | None = None


def equal(read: Callable[[Any], Any]) -> tuple[Callable[[Any], Any], Rule]:
    """Return a filter that keeps rows with this very value."""
    return read, lambda row, value, _viewer: str(read(row)) == str(value)


def starts(read: Callable[[Any], Any]) -> tuple[Callable[[Any], Any], Rule]:
    """Return a filter that keeps rows whose text begins so."""
    return (
        lambda row: str(read(row)).split(".")[0],
        lambda row, value, _viewer: str(read(row)).startswith(value),
    )


def project_of(row: Any) -> Project | None:
    """Return a row's own project."""
    return row.project


PROJECT = equal(lambda row: row.project_id)
ENVIRONMENT = equal(lambda row: row.environment)
STATE = equal(lambda row: row.state)
DAY_FROM = (
    lambda row: f"{row.at:%Y-%m-%d}" if hasattr(row, "at") else f"{row.time:%Y-%m-%d}",
    lambda row, value, _viewer: f"{(row.at if hasattr(row, 'at') else row.time):%Y-%m-%d}" >= value,
)


def copies(row: Model, count: int, vary: Callable[[int, Any], None]) -> None:
    """Write copies of a row, each with something of its own."""
    made = []
    for number in range(count):
        one = copy.copy(row)
        one._state = copy.copy(row._state)
        # What was set to None would else be read from what another copy was given.
        one._state.fields_cache = dict(row._state.fields_cache)
        one.pk = None
        vary(number, one)
        made.append(one)
    type(row)._default_manager.bulk_create(made)
