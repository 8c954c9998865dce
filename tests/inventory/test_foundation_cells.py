"""A file's cells are those that django-tables2 gives, though they are read in another way."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import gettext_lazy as _

from inventory.foundation.choices import ProjectStatus
from inventory.foundation.models import Organisation, Project, RoleGrant, User
from inventory.foundation.tables import (
    BadgeColumn,
    LinkColumn,
    MoneyColumn,
    PortalTable,
    QuantityColumn,
    TextColumn,
    WhenColumn,
)
from tests.lists import file_cells, slow_cells


class OddTable(PortalTable):
    """Every way in which a column may find and change its value."""

    name = LinkColumn(to="foundation:project")
    status = BadgeColumn()
    above = TextColumn(accessor="organisation__parent__name")
    joined = TextColumn(accessor="organisation__get_absolute_url")
    own = TextColumn(accessor="get_status_display")
    missing = TextColumn(accessor="organisation__nothing__more")
    calls = TextColumn(accessor="organisation__name__upper")
    alters = TextColumn(accessor="delete")
    children = TextColumn(accessor="role_grants__count")
    letters = TextColumn(accessor="slug__0")
    rendered = TextColumn(accessor="slug")
    valued = TextColumn(accessor="slug")
    asks_all = TextColumn(accessor="slug")
    asks_unknown = TextColumn(accessor="slug")
    everything = TextColumn(accessor="slug")
    never_empty = TextColumn(accessor="end_date", empty_values=())
    end_date = WhenColumn()
    cost_centre = QuantityColumn()

    def render_rendered(self, value: str) -> str:
        return f"rendered {value}"

    def render_valued(self, value: str) -> str:  # noqa: ARG002
        return "on screen alone"

    def value_valued(self, record: Project) -> str:
        return f"value of {record.name}"

    def value_asks_all(self, value: Any, record: Any, column: Any, bound_column: Any) -> str:
        return f"{value} {record.pk} {type(column).__name__} {bound_column.name}"

    def value_asks_unknown(self, value: Any, weather: Any) -> str:  # noqa: ARG002
        return "never called"

    def value_everything(self, **kwargs: Any) -> str:
        return f"{sorted(kwargs)} {kwargs['bound_row'].record.slug}"

    def value_never_empty(self, value: Any) -> str:
        return f"it is {value}"


class PlainTable(PortalTable):
    """Rows that are no objects of the database."""

    name = TextColumn()
    inner = TextColumn(accessor="inner__name")
    flat = TextColumn(accessor="a__b")
    amount = MoneyColumn(currency="inner__code")
    words = TextColumn(verbose_name=_("Words"))


@pytest.mark.django_db
def test_the_cells_of_objects_are_those_of_the_library(
    project: Project, organisation: Organisation, owner: User
) -> None:
    inside = Organisation.objects.create(name="Inside", slug="inside", parent=organisation)
    Project.objects.create(
        organisation=inside,
        name="",
        slug="odd",
        owner=owner,
        deputy=project.deputy,
        cost_centre="9",
        status=ProjectStatus.CLOSED,
        end_date=project.created_at.date(),
        created_at=project.created_at,
    )
    RoleGrant.objects.filter(project=project).delete()
    table = OddTable(Project.objects.select_related("organisation__parent"))
    seen = [(slow_cells(table, row), file_cells(table, row)) for row in table.rows]

    assert [slow for slow, _fast in seen] == [fast for _slow, fast in seen]
    odd = next(slow for slow, _fast in seen if slow["letters"] == "o")
    assert odd["status"] == "Closed"
    assert odd["above"] == organisation.name
    assert odd["calls"] == "INSIDE"
    assert odd["asks_unknown"] == odd["alters"] == odd["missing"] == ""
    assert odd["valued"].startswith("value of")


def test_the_cells_of_plain_rows_are_those_of_the_library() -> None:
    rows = [
        {"name": "a", "inner": {"name": "b", "code": "EUR"}, "a__b": 3, "amount": Decimal("1.50")},
        {"name": "", "inner": None, "amount": None, "words": _("said later")},
        {"name": None, "inner": {"name": None}, "a": {"b": 4}, "amount": Decimal(0), "words": ""},
    ]
    table = PlainTable(rows)
    seen = [(slow_cells(table, row), file_cells(table, row)) for row in table.rows]

    assert [slow for slow, _fast in seen] == [fast for _slow, fast in seen]
    assert [slow["flat"] for slow, _fast in seen] == ["3", "", "4"]
    assert seen[0][0]["inner"] == "b"
