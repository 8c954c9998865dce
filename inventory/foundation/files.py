"""A list as a file that proves itself: rows, then what they must add up to, a sum and a seal.

Below its rows a file states, each line beginning with "# ": the address of the view, when it was
made, the zone of the days in its filters, the number of rows, the total of each column that adds
up, the SHA-256 of every byte above, and a seal that only this installation can make.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from itertools import batched
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.text import slugify

from inventory.foundation.clock import database_now
from inventory.foundation.tables import FileColumn, PortalTable, cell_text

ADDRESS, MADE, ZONE, ROWS, TOTAL = "# Address", "# Made", "# Zone", "# Rows", "# Total"
SHA256, SEAL = "# SHA-256", "# Seal"
SALT = "orchestra.list.file"
LINES_AT_ONCE = 200


class Streamed:
    """Rows read in chunks, so that a long file does not fill the memory."""

    def __init__(self, rows: QuerySet[Any]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        return self.rows.iterator(chunk_size=2_000)


class Line:
    """What csv.writer writes into: it hands each line straight on."""

    def write(self, line: str) -> str:
        """Return the line."""
        return line


@dataclass(frozen=True)
class Origin:
    """Where a file comes from; `notes` are further lines (label, text)."""

    address: str
    made_at: datetime
    zone: str
    notes: tuple[tuple[str, str], ...] = ()


def origin_of(request: HttpRequest, *, notes: tuple[tuple[str, str], ...] = ()) -> Origin:
    """Return where a file of this request comes from: the address of the page that it shows."""
    asked = request.GET.copy()
    for name in ("format", "page", "per_page"):
        asked.pop(name, None)
    address = request.build_absolute_uri(request.path)
    return Origin(
        address=f"{address}?{asked.urlencode()}" if asked else address,
        made_at=database_now(),
        zone=timezone.get_current_timezone_name(),
        notes=notes,
    )


@dataclass
class Totals:
    """The sums of a file's columns while it is written: (column, currency, its column) → sum."""

    sums: dict[tuple[str, str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def add(self, columns: Iterable[tuple[int, FileColumn]], row: Any, cells: list[Any]) -> None:
        """Add one row of the table; `columns` are those that add up, by their place in it."""
        for place, column in columns:
            value = cells[place]
            if isinstance(value, int | Decimal):
                self.sums[column.header, column.code(row), column.code_header] += value

    def lines(self) -> Iterator[list[str]]:
        """Yield one line for each sum: column, sum, currency, the column that holds it."""
        for (header, code, code_header), total in sorted(self.sums.items()):
            yield [TOTAL, header, f"{total:f}", code, code_header]


def csv_file(
    table: PortalTable, *, name: str, count: int, origin: Origin | None = None
) -> StreamingHttpResponse:
    """Return what a table shows as a file to download; day and count of rows stand in its name.

    Exactly the columns in sight, and the currency or unit that the screen writes into their cells.
    With an `origin` the file proves itself.
    """
    stamp = database_now().date().isoformat()
    filename = f"{slugify(name) or 'list'}-{stamp}-{count}-rows.csv"
    lines = csv_lines(table, origin)
    return StreamingHttpResponse(
        map("".join, batched(lines, LINES_AT_ONCE)),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{filename}"',
            "X-Row-Count": str(count),
        },
    )


def csv_lines(table: PortalTable, origin: Origin | None = None) -> Iterable[str]:
    """Yield the header and then each row of a table as a line of CSV (UTF-8, RFC 4180)."""
    writer = csv.writer(Line())
    digest = sha256()
    columns = table.file_columns()
    adding = [pair for pair in enumerate(columns) if origin is not None and pair[1].adds_up]
    readers = [column.cell for column in columns]
    totals, rows = Totals(), 0

    def line(cells: Iterable[str]) -> str:
        text: str = writer.writerow(cells)
        digest.update(text.encode())
        return text

    yield line([column.header for column in columns])
    for row in table.rows:
        rows += 1
        cells = [read(row) for read in readers]
        totals.add(adding, row, cells)
        yield line([cell_text(cell) for cell in cells])
    if origin is None:
        return
    yield line([ADDRESS, origin.address])
    yield line([MADE, origin.made_at.isoformat(timespec="seconds")])
    yield line([ZONE, origin.zone])
    for label, text in origin.notes:
        yield line([f"# {label}", text])
    yield line([ROWS, str(rows)])
    for cells in totals.lines():
        yield line(cells)
    found = digest.hexdigest()
    yield line([SHA256, found])
    yield line([SEAL, seal_of(found)])


def seal_of(digest: str, secret: str | None = None) -> str:
    """Return the seal of a file's SHA-256: who changes a file can add up anew, but not seal it."""
    return salted_hmac(SALT, digest, secret=secret, algorithm="sha256").hexdigest()


def is_sealed(*, digest: str, seal: str) -> bool:
    """Say whether this installation made the seal, with its present or an earlier secret."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(constant_time_compare(seal, seal_of(digest, secret)) for secret in secrets)
