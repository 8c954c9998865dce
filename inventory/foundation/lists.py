"""Which addresses are lists, and what of an address makes a view: filters, order and columns."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.http import QueryDict
from django.urls import Resolver404, resolve

# What is no part of a view: where in it one is, in which shape it is wanted, and how one came.
PASSING = frozenset({"page", "format", "view"})


def list_at(path: str) -> type[Any] | None:
    """Return the page class of the list at a path, None where there is none."""
    try:
        found = resolve(path)
    except Resolver404:
        return None
    page = getattr(found.func, "view_class", None)
    return page if getattr(page, "is_list", False) else None


def view_query(asked: QueryDict | str) -> str:
    """Return the part of an address's query that makes the view, as text for an address."""
    if isinstance(asked, str):
        asked = QueryDict(asked.removeprefix("?"))
    return urlencode(
        [
            (name, value)
            for name, values in asked.lists()
            for value in values
            if value and name not in PASSING
        ]
    )


def split_address(address: str) -> tuple[str, str]:
    """Return path and view of an address, whole or from the path on."""
    parts = urlsplit(address)
    return parts.path, view_query(parts.query)


def is_same(one: str, other: str) -> bool:
    """Say whether two queries ask for the same view, in whatever order."""
    return sorted(parse_qsl(one)) == sorted(parse_qsl(other))
