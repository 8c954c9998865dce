"""Lists as files, read as a program reads them: the rows, and what stands below them."""

import csv
import io
from typing import Any

from inventory.foundation.tables import cell_text

FOOT = "# "


def split(text: str) -> tuple[str, list[list[str]]]:
    """Return the header and rows of a file as text, and the lines that prove them."""
    above, mark, below = text.partition("\r\n# Address,")
    foot = list(csv.reader(io.StringIO(f"# Address,{below}"))) if mark else []
    return f"{above}\r\n" if mark else text, foot


def rows_only(text: str) -> str:
    """Return a file without what stands below its rows."""
    return split(text)[0]


def slow_cells(table: Any, row: Any) -> dict[str, str]:
    """Return each column's cell as django-tables2 itself gives it, whatever a file does."""
    return {
        name: cell_text(row.get_cell_value(name))
        for name, column in table.columns.columns.items()
        if not column.column.exclude_from_export
    }


def file_cells(table: Any, row: Any) -> dict[str, str]:
    """Return each column's cell as a file has it."""
    return {
        name: cell_text(table._file_column(column).cell(row))
        for name, column in table.columns.columns.items()
        if not column.column.exclude_from_export
    }
