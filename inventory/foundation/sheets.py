"""A list as an Excel sheet: numbers are numbers, times are times, and it proves itself as CSV does.

Excel keeps 15 digits of a number: where one has more it is rounded, and a line below the rows says
how many. The statements are those of `files.py`. Their SHA-256 is over what the cells mean
(`plain_line`), not over bytes: a spreadsheet that opens the file and saves it does not change it.
"""

import csv
import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from hashlib import sha256
from tempfile import TemporaryFile
from typing import Any

import xlsxwriter
from django.http import FileResponse
from django.utils import timezone
from django.utils.text import slugify

from inventory.foundation.clock import database_now
from inventory.foundation.errors import InvalidInput
from inventory.foundation.files import (
    ADDRESS,
    MADE,
    ROWS,
    SEAL,
    SHA256,
    ZONE,
    Line,
    Origin,
    Totals,
    seal_of,
)
from inventory.foundation.tables import PortalTable, cell_text

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS_AT_MOST = 1_048_000  # a sheet has 1,048,576 lines; some are for what stands below the rows
LONGEST_TEXT = 32_767
DIGITS = Context(prec=15)
DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's times have no zone; the format says it
FIRST_DAY = date(1900, 3, 1)  # before it Excel counts a day that never was
DATE_FORMAT, TIME_FORMAT = "yyyy-mm-dd", 'yyyy-mm-dd hh:mm:ss "{offset}"'
ROUNDED = "# Rounded"
WIDTH = 18


class TooManyRows(InvalidInput):
    """A sheet of Excel has an end."""

    code = "too_many_rows"
    title = "Too many rows for a sheet"


def refuse_more_than_fits(count: int) -> None:
    """Raise TooManyRows for a list that no sheet holds."""
    if count > ROWS_AT_MOST:
        message = (
            f"An Excel sheet holds {ROWS_AT_MOST:,} rows, and this list has {count:,}. "
            "Narrow it by filters, or take the CSV file."
        )
        raise TooManyRows(message)


def xlsx_file(table: PortalTable, *, name: str, count: int, origin: Origin) -> FileResponse:
    """Return what a table shows as an Excel file; made on disk, so that memory stays small.

    Raises TooManyRows where it does not fit.
    """
    refuse_more_than_fits(count)
    stamp = database_now().date().isoformat()
    file = TemporaryFile()  # noqa: SIM115 - the response closes it
    try:
        write_sheet(table, file=file, origin=origin)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return FileResponse(
        file,
        as_attachment=True,
        filename=f"{slugify(name) or 'list'}-{stamp}-{count}-rows.xlsx",
        content_type=CONTENT_TYPE,
        headers={"X-Row-Count": str(count)},
    )


def write_sheet(table: PortalTable, *, file: Any, origin: Origin) -> None:
    """Write header, rows and what they must add up to as a workbook into an open file."""
    columns = table.file_columns()
    adding = [pair for pair in enumerate(columns) if pair[1].adds_up]
    readers = [column.cell for column in columns]
    totals, rows = Totals(), 0
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet = Sheet(book, name=str(table.caption), width=len(columns))
        sheet.add([column.header for column in columns], sheet.bold)
        for row in table.rows:
            rows += 1
            refuse_more_than_fits(rows)
            cells = [sheet.kept(read(row)) for read in readers]
            totals.add(adding, row, cells)
            sheet.add(cells)
        sheet.add([ADDRESS, origin.address])
        sheet.add([MADE, origin.made_at.isoformat(timespec="seconds")])
        sheet.add([ZONE, origin.zone])
        for label, text in origin.notes:
            sheet.add([f"# {label}", text])
        if sheet.rounded:
            sheet.add([ROUNDED, Decimal(sheet.rounded)])
        sheet.add([ROWS, Decimal(rows)])
        for name, header, total, *more in totals.lines():
            exact = Decimal(total)
            sheet.add([name, header, exact if DIGITS.plus(exact) == exact else total, *more])
        digest = sheet.digest.hexdigest()
        sheet.add([SHA256, digest])
        sheet.add([SEAL, seal_of(digest)])


class Sheet:
    """The one sheet of a workbook, written line by line; `digest` is of what its cells mean."""

    def __init__(self, book: Any, *, name: str, width: int) -> None:
        self.book = book
        self.sheet = book.add_worksheet(re.sub(r"[\[\]:*?/\\']", " ", name)[:31].strip() or "List")
        self.sheet.freeze_panes(1, 0)
        self.sheet.set_column(0, max(width - 1, 0), WIDTH)
        self.bold = book.add_format({"bold": True})
        self.digest = sha256()
        self.line = self.rounded = 0
        self.zone = timezone.get_current_timezone()
        self.formats: dict[str, Any] = {}

    def kept(self, value: Any) -> str | Decimal | date:
        """Return what a sheet keeps of a cell: a number of 15 digits, a time of the zone, a text.

        An empty text for nothing.
        """
        if isinstance(value, Decimal | int) and not isinstance(value, bool):
            number = Decimal(value)
            rounded = DIGITS.plus(number)
            self.rounded += rounded != number
            return rounded
        if isinstance(value, datetime):
            local = timezone.localtime(value, self.zone) if timezone.is_aware(value) else value
            return local.replace(microsecond=0) if local.date() >= FIRST_DAY else cell_text(value)
        if isinstance(value, date) and value >= FIRST_DAY:
            return value
        text = cell_text(value)
        # As text nothing is run, so what cell_text puts in front of it for CSV is not needed.
        return (text if text == "" or isinstance(value, bool | date) else str(value))[:LONGEST_TEXT]

    def add(self, cells: Iterable[str | Decimal | date], style: Any = None) -> None:
        """Write one line."""
        values = list(cells)
        for place, value in enumerate(values):
            if isinstance(value, Decimal):
                self.sheet.write_number(self.line, place, float(value), style)
            elif isinstance(value, datetime):
                serial = (value.replace(tzinfo=None) - DAY_ZERO) / timedelta(days=1)
                self.sheet.write_number(self.line, place, serial, self.format_of(value))
            elif isinstance(value, date):
                serial = (value - DAY_ZERO.date()).days
                self.sheet.write_number(self.line, place, serial, self.format_of(value))
            elif value:
                self.sheet.write_string(self.line, place, value, style)
        self.line += 1
        self.digest.update(plain_line(map(plain, values)).encode())

    def format_of(self, value: date) -> Any:
        """Return the format of a date, or of a time: it says how far the zone is from UTC then."""
        code = DATE_FORMAT
        if isinstance(value, datetime):
            code = TIME_FORMAT.format(offset=value.isoformat()[19:] or "local")
        if code not in self.formats:
            self.formats[code] = self.book.add_format({"num_format": code})
        return self.formats[code]


def plain(value: str | Decimal | date) -> str:
    """Return what a cell means as text: a number without zeros behind it, a time in ISO 8601."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    return value if isinstance(value, str) else value.isoformat()


def plain_line(texts: Iterable[str]) -> str:
    """Return a line of CSV of what the cells mean, without the empty ones at its end."""
    kept = list(texts)
    while kept and not kept[-1]:
        kept.pop()
    line: str = csv.writer(Line()).writerow(kept)
    return line
