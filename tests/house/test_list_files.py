"""Every list of the site as a file: the cells are those of the library, and both files agree."""

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.test import Client
from django.urls import get_resolver, reverse

from inventory.foundation.models import Project, User
from inventory.foundation.verification import verify
from tests.house.permission_world import PermissionWorld, addresses, make_permission_world
from tests.house.test_permissions import routes
from tests.lists import file_cells, slow_cells, split
from tests.orchestra.world import make_catalogue

LISTS = [
    name
    for name, pattern in routes(get_resolver().url_patterns)
    if getattr(getattr(pattern.callback, "view_class", None), "is_list", False)
]


@pytest.fixture
def world(
    project: Project, member: User, finance: User, second_finance: User, tmp_path: Path
) -> PermissionWorld:
    """Return a world with one of everything."""
    catalogue = make_catalogue(
        organisation=project.organisation,
        project=project,
        finance=finance,
        second_finance=second_finance,
    )
    return make_permission_world(
        catalogue=catalogue, member=member, finance=finance, folder=tmp_path
    )


def same(text: str, cell: Any) -> bool:
    """Say whether a cell of the sheet means what the CSV has."""
    if cell is None:
        return text == ""
    if isinstance(cell, int | float):
        return Decimal(text) == Decimal(f"{cell:.15g}")
    if hasattr(cell, "isoformat"):
        return len(text) >= len("2026-01-01")  # the zone differs, test_foundation_sheets.py has it
    return text.removeprefix("'") == cell


@pytest.mark.django_db
def test_the_files_of_every_list_agree_with_the_library_and_with_each_other(
    world: PermissionWorld, finance: User
) -> None:
    User.objects.filter(pk=finance.pk).update(is_superuser=True)
    client, filled = Client(), 0
    client.force_login(finance)
    for name in LISTS:
        address = reverse(name, kwargs=addresses(world).get(name))
        page = client.get(address, {"view": "all", "per_page": "100"}).context
        for row in page["table"].paginated_rows:
            assert file_cells(page["table"], row) == slow_cells(page["table"], row), name
        filled += bool(page["count"])

        columns = ",".join(page["table"].columns.columns)
        asked = {"view": "all", "columns": columns}
        text = client.get(address, asked | {"format": "csv"}).getvalue()
        sheet = io.BytesIO(client.get(address, asked | {"format": "xlsx"}).getvalue())
        assert verify(file=io.BytesIO(text)).agrees, name
        assert verify(file=sheet).agrees, name
        above, foot = split(text.decode())
        header, *rows = list(csv.reader(io.StringIO(above)))
        cells = openpyxl.load_workbook(sheet).worksheets[0]
        lines = [[cell.value for cell in line][: len(header)] for line in cells.iter_rows()]
        assert lines[0] == header, name
        for row, line in zip(rows, lines[1:], strict=False):
            assert all(map(same, row, line)), (name, row, line)
        wide = [[cell.value for cell in line] for line in cells.iter_rows()][1 + len(rows) :]
        stated = {line[0] for line in wide} - {"# Rounded"}
        assert stated == {line[0] for line in foot}, name
        totals = [line for line in foot if line[0] == "# Total"]
        for csv_line, line in zip(
            totals, (one for one in wide if one[0] == "# Total"), strict=True
        ):
            assert Decimal(csv_line[2]) == Decimal(str(line[2])), name
    assert filled > len(LISTS) / 2
