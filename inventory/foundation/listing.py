"""What a list's page keeps in its address and offers around its table: columns, views, totals."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse

from inventory.foundation.choices import PageSize
from inventory.foundation.context import views_of
from inventory.foundation.lists import is_same, view_query
from inventory.foundation.models import SavedView, User
from inventory.foundation.tables import MoneyColumn, PortalTable

PAGE_SIZES: tuple[int, ...] = tuple(PageSize.values)
LISTS_REMEMBERED = 20
LONGEST_REMEMBERED = 2_000
COLUMNS = "columns"


@dataclass(frozen=True)
class Total:
    """The exact sum of a column over all rows of a view, in one currency."""

    label: str
    amount: Decimal
    currency: str
    digits: int


def choose_columns(table: PortalTable, request: HttpRequest) -> bool:
    """Show the columns that the address names (`columns=name,state`, or repeated), if any."""
    named = [name for text in request.GET.getlist(COLUMNS) for name in text[:2_000].split(",")]
    return table.choose(named)


def column_choices(table: PortalTable) -> list[tuple[str, str, bool]]:
    """Return each column's name, header and whether it is shown."""
    columns = table.columns.columns.values()
    return [(one.name, str(one.header), one.visible) for one in columns]


def page_size(request: HttpRequest, user: User) -> int:
    """Return the rows a page: as the address says, else as the person's profile does."""
    asked = request.GET.get("per_page", "")
    return int(asked) if asked in {str(size) for size in PAGE_SIZES} else user.page_size


def kept_pairs(request: HttpRequest, *but: str) -> list[tuple[str, str]]:
    """Return what a form within the list sends along: all of the address but these names."""
    passing = {"page", "format", "figure", *but}
    return [
        (name, value)
        for name, values in request.GET.lists()
        for value in values
        if value and name not in passing
    ]


def totals_of(found: QuerySet[Any], table: PortalTable) -> list[Total]:
    """Return the exact sums over all rows of the columns of money in sight, by currency."""
    totals = []
    for column in table.columns:
        kind = column.column
        if not isinstance(kind, MoneyColumn) or not kind.adds_up:
            continue
        path = str(column.accessor).replace(".", "__")
        for code, amount in sums_by_currency(found, path, kind):
            totals.append(Total(str(column.header), amount, code, kind.digits))
    return totals


def sums_by_currency(
    found: QuerySet[Any], path: str, column: MoneyColumn
) -> list[tuple[str, Decimal]]:
    """Return (currency, exact sum) of one column; an aggregate may be summed, so one a query."""
    rows = found.order_by()
    if column.is_fixed:
        groups = {column.currency: rows}
    else:
        where = column.currency.replace(".", "__")
        codes = rows.exclude(**{path: None}).values_list(where, flat=True).distinct()
        groups = {code: rows.filter(**{where: code}) for code in sorted(set(codes) - {None})}
    sums = [(code, group.aggregate(sum=Sum(path))["sum"]) for code, group in groups.items()]
    return [(code, amount) for code, amount in sums if amount is not None]


def default_address(request: HttpRequest) -> str:
    """Return where a bare visit of a list leads: the person's default view of it, if any."""
    if request.GET:
        return ""
    for view in views_here(request):
        if view.is_default and view.query:  # type: ignore[attr-defined]
            return view.address
    return ""


def views_here(request: HttpRequest) -> list[SavedView]:
    """Return the saved views of the list that is looked at."""
    return [view for view in views_of(request) if view.path == request.path]


def views_menu(request: HttpRequest) -> dict[str, Any]:
    """Return what the menu of views reads: the views, which is open, where to save and clear."""
    query = view_query(request.GET)
    views = views_here(request)
    return {
        "views": [(view, is_same(view.query, query)) for view in views],
        "view": next((view for view in views if is_same(view.query, query)), None),
        "save_view_url": f"{reverse('foundation:view-new')}?"
        + urlencode({"of": f"{request.path}?{query}" if query else request.path}),
        "bare_url": f"{request.path}?view=all"
        if any(view.is_default for view in views)  # type: ignore[attr-defined]
        else request.path,
    }


def remember(request: HttpRequest) -> None:
    """Keep in the session how the list is looked at, so that a way back leads to the same."""
    query = request.GET.urlencode()
    kept = request.session.get("lists", {})
    if len(query) > LONGEST_REMEMBERED or kept.get(request.path, "") == query:
        return
    rest = [(path, text) for path, text in kept.items() if path != request.path]
    newest = [(request.path, query)] if query else []
    request.session["lists"] = dict([*rest, *newest][-LISTS_REMEMBERED:])
