"""Look at a downloaded list again: are its rows, its totals, its sum and its seal as it states?"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import BinaryIO

from django.utils.translation import gettext as _

from inventory.foundation.errors import InvalidInput
from inventory.foundation.files import ADDRESS, MADE, ROWS, SEAL, SHA256, TOTAL, ZONE, is_sealed
from inventory.foundation.sheet_reading import NotASheet, as_lines, is_sheet

LONGEST_LINE = 1_000_000
LARGEST_FILE = 500_000_000


@dataclass(frozen=True)
class Check:
    """One thing that the file states, beside what is found in it."""

    label: str
    stated: str
    found: str
    agrees: bool


@dataclass(frozen=True)
class Verdict:
    """What became of a file: where it is from, and each check; `notes` are its further lines."""

    address: str
    made: str
    zone: str
    notes: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        """Say whether everything is as it was when the file was made."""
        return all(check.agrees for check in self.checks)


@dataclass
class Read:
    """What the pass over the rows has found: their number, the sums, and the lines below them."""

    header: list[str] = field(default_factory=list)
    rows: int = 0
    ragged: list[int] = field(default_factory=list)
    sums: dict[int, dict[str, Decimal]] = field(default_factory=dict)
    foot: list[list[str]] = field(default_factory=list)

    def stated(self, name: str) -> str:
        """Return what a line below the rows states."""
        return next((row[1] for row in self.foot if row[0] == name and len(row) > 1), "")


def verify(*, file: BinaryIO) -> Verdict:
    """Check a CSV or Excel file, in bounded memory.

    Raises InvalidInput where it is no list of ours at all.
    """
    if not is_sheet(file):
        return verify_lines(file=file)
    try:
        lines = as_lines(file)
    except NotASheet as error:
        message = _("The file cannot be read as an Excel sheet. Download it again and upload that.")
        raise InvalidInput(message, fields={"file": message}) from error
    with lines:
        return verify_lines(file=lines, is_trimmed=True)


def verify_lines(*, file: BinaryIO, is_trimmed: bool = False) -> Verdict:
    """Check the lines of a file; `is_trimmed` says that empty cells at a line's end are left out.

    Raises InvalidInput as `verify` does.
    """
    digest = digest_above(file)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        stated = read_foot(text)
        text.seek(0)
        found = read_rows(text, stated, is_trimmed=is_trimmed)
    except (UnicodeDecodeError, csv.Error) as error:
        message = _("The file cannot be read as UTF-8 CSV. Download it again and upload that.")
        raise InvalidInput(message, fields={"file": message}) from error
    finally:
        text.detach()
    checks = [
        Check(
            _("Rows"),
            stated.stated(ROWS),
            str(found.rows),
            stated.stated(ROWS) == str(found.rows),
        ),
        *total_checks(stated, found),
    ]
    if found.ragged:
        lines = ", ".join(map(str, found.ragged[:10]))
        width = str(len(found.header))
        checks.append(Check(_("Cells in each row"), width, _("other in line %s") % lines, False))
    seal = stated.stated(SEAL)
    checks += [
        Check(
            _("SHA-256 of every cell") if is_trimmed else _("SHA-256 of every byte"),
            stated.stated(SHA256),
            digest,
            _same(stated, digest),
        ),
        Check(
            _("Seal of this installation"),
            seal,
            _("fits") if is_sealed(digest=digest, seal=seal) else _("does not fit"),
            is_sealed(digest=digest, seal=seal),
        ),
    ]
    known = {ADDRESS, MADE, ZONE, ROWS, TOTAL, SHA256, SEAL}
    notes = tuple((row[0][2:], row[1]) for row in stated.foot if row[0] not in known)
    return Verdict(
        stated.stated(ADDRESS), stated.stated(MADE), stated.stated(ZONE), notes, tuple(checks)
    )


def _same(stated: Read, digest: str) -> bool:
    return stated.stated(SHA256) == digest


def digest_above(file: BinaryIO) -> str:
    """Return the SHA-256 of all that stands above the last line that states one."""
    running = sha256()
    above = ""
    file.seek(0)
    while line := file.readline(LONGEST_LINE):
        if line.lstrip(b'"').startswith(SHA256.encode()):
            above = running.hexdigest()
        running.update(line)
    return above


def rows_of(text: io.TextIOWrapper) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with its line; a spreadsheet may have put semicolons between the cells."""
    first = text.readline(LONGEST_LINE)
    text.seek(0)
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(text, delimiter=delimiter)
    for row in reader:
        yield reader.line_num, row


def is_stating(row: list[str]) -> bool:
    """Say whether a row is one of those below the data."""
    return bool(row) and row[0].startswith("# ")


def read_foot(text: io.TextIOWrapper) -> Read:
    """Return the header and the lines that stand below the rows, from the last “# Address” on."""
    found = Read()
    for _line, row in rows_of(text):
        if not found.header:
            found.header = row
        if row[:1] == [ADDRESS]:
            found.foot = []
            found.rows = 0
        if is_stating(row):
            found.foot.append([*row[:1], *(row[1:] if len(row) > 1 else [""])])
        elif found.foot and row:
            found.foot = []
    if not found.foot or found.foot[0][0] != ADDRESS:
        message = _("Below its rows a list of ours states where it is from. This file does not.")
        raise InvalidInput(message, fields={"file": message})
    return found


def read_rows(text: io.TextIOWrapper, stated: Read, *, is_trimmed: bool = False) -> Read:
    """Return the number of rows, and the sums of the columns whose totals the file states."""
    found = Read()
    places = {
        stated.header.index(column): (
            stated.header.index(currency_column) if currency_column else None
        )
        for _name, column, _total, _code, currency_column in totals_stated(stated)
        if column in stated.header and (not currency_column or currency_column in stated.header)
    }
    foot = len(stated.foot)
    pending: list[tuple[int, list[str]]] = []
    for line, row in rows_of(text):
        if not found.header:
            found.header = row
            continue
        if not row:
            continue
        pending.append((line, row))
        if len(pending) > foot:
            at, one = pending.pop(0)
            missing = len(found.header) - len(one) if is_trimmed else 0
            _count(found, at, one + [""] * missing, places)
    return found


def _count(found: Read, line: int, row: list[str], places: dict[int, int | None]) -> None:
    found.rows += 1
    if len(row) != len(found.header) and len(found.ragged) < 11:
        found.ragged.append(line)
    for index, place in places.items():
        cell = row[index] if index < len(row) else ""
        code = row[place] if place is not None and place < len(row) else ""
        if not cell:
            continue
        try:
            number = Decimal(cell)
        except InvalidOperation:
            number = Decimal("NaN")
        found.sums.setdefault(index, defaultdict(Decimal))[code] += number


def totals_stated(stated: Read) -> list[list[str]]:
    """Return the lines of totals: name, column, sum, currency, the column that holds it."""
    return [[*row, "", "", "", ""][:5] for row in stated.foot if row[0] == TOTAL]


def total_checks(stated: Read, found: Read) -> Iterator[Check]:
    """Yield one check for each total that is stated, and for each sum that none is stated of."""
    named: set[tuple[int, str]] = set()
    for _name, column, total, code, currency_column in totals_stated(stated):
        label = _("Total of %s") % f"{column} {code}".strip()
        if column not in found.header:
            yield Check(label, total, _("the column is gone"), False)
            continue
        index = found.header.index(column)
        key = code if currency_column else ""
        named.add((index, key))
        number = found.sums.get(index, {}).get(key, Decimal(0))
        shown = _("not all are numbers") if number.is_nan() else f"{number:f}"
        yield Check(label, total, shown, _equal(total, number))
    for index, sums in found.sums.items():
        for code, number in sums.items():
            if (index, code) not in named:
                label = _("Total of %s") % f"{found.header[index]} {code}".strip()
                yield Check(label, "", f"{number:f}", False)


def _equal(stated: str, number: Decimal) -> bool:
    try:
        return not number.is_nan() and Decimal(stated) == number
    except InvalidOperation:
        return False
