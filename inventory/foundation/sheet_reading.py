"""Read the first sheet of an Excel file back into the lines of `sheets.plain_line`.

The file comes from outside: nothing in it is trusted. No document type (so no entities), bounded
sizes whatever the archive claims, and what is no workbook is refused.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from tempfile import SpooledTemporaryFile
from typing import BinaryIO
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from inventory.foundation.sheets import DATE_FORMAT, DAY_ZERO, plain, plain_line

MAGIC = b"PK\x03\x04"
SHEET, STRINGS, STYLES = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"
BLOCK = 1 << 16
LONGEST_PART = 4_000_000_000  # of a sheet, unpacked and read block by block
LONGEST_KEPT = 100_000_000  # of what must be kept in memory: texts that many cells share, styles
LONGEST_CSV, LONGEST_LINE = 1_000_000_000, 1_000_000
WIDEST = 16_384
TIME = re.compile(r'yyyy-mm-dd hh:mm:ss "(local|[+-][0-9:]{5,8})"\Z')
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class NotASheet(ValueError):
    """The file is no workbook, or a broken or boundless one."""


# What a broken archive, part or number raises, NotASheet among them.
BROKEN = (
    ArithmeticError,
    BadZipFile,
    LookupError,
    RuntimeError,
    ValueError,
    expat.ExpatError,
    zlib.error,
)


def is_sheet(file: BinaryIO) -> bool:
    """Say whether a file begins as Excel files do."""
    file.seek(0)
    start = file.read(len(MAGIC))
    file.seek(0)
    return start == MAGIC


def as_lines(file: BinaryIO) -> BinaryIO:
    """Return a temporary file with the sheet's lines as CSV; raises NotASheet."""
    lines: BinaryIO = SpooledTemporaryFile(max_size=1 << 22)  # type: ignore[assignment] # noqa: SIM115
    try:
        with ZipFile(file) as archive:
            strings, formats = shared_strings(archive), cell_formats(archive)
            for cells in rows_of(archive, strings, formats):
                lines.write(plain_line(cells).encode())
                if lines.tell() > LONGEST_CSV:
                    raise NotASheet
    except BROKEN as error:
        lines.close()
        raise NotASheet from error
    lines.seek(0)
    return lines


def parse(
    archive: ZipFile,
    name: str,
    *,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
    longest: int,
) -> Iterator[None]:
    """Parse a part of the archive block by block; yields after each block."""

    def refuse(*_names: object) -> None:
        raise NotASheet

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda tag, names: start(tag.rpartition(" ")[2], names)
    parser.EndElementHandler = lambda tag: end(tag.rpartition(" ")[2])
    parser.CharacterDataHandler = text
    read = 0
    with archive.open(name) as part:
        while block := part.read(BLOCK):
            read += len(block)
            if read > longest:
                raise NotASheet
            parser.Parse(block)
            yield
    parser.Parse(b"", True)
    yield


def shared_strings(archive: ZipFile) -> list[str]:
    """Return the texts that cells name by their number: none where the file has them in place."""
    if STRINGS not in archive.namelist():
        return []
    found: list[str] = []
    parts: list[str] = []
    inside = {"t": False, "rPh": False}

    def start(tag: str, _names: dict[str, str]) -> None:
        if tag in inside:
            inside[tag] = True

    def end(tag: str) -> None:
        if tag in inside:
            inside[tag] = False
        elif tag == "si":
            found.append(unescaped("".join(parts)))
            parts.clear()

    def text(more: str) -> None:
        if inside["t"] and not inside["rPh"]:
            parts.append(more)

    for _ in parse(archive, STRINGS, start=start, end=end, text=text, longest=LONGEST_KEPT):
        pass
    return found


def cell_formats(archive: ZipFile) -> list[str]:
    """Return the number format of each style that a cell may name, "" where it is no own one."""
    if STYLES not in archive.namelist():
        return []
    codes: dict[str, str] = {}
    found: list[str] = []
    where: list[str] = []

    def start(tag: str, names: dict[str, str]) -> None:
        if tag == "numFmt":
            codes[names["numFmtId"]] = names["formatCode"].replace("\\", "")
        elif tag == "xf" and where and where[-1] == "cellXfs":
            found.append(codes.get(names.get("numFmtId", ""), ""))
        where.append(tag)

    def end(_tag: str) -> None:
        where.pop()

    for _ in parse(
        archive, STYLES, start=start, end=end, text=lambda _more: None, longest=LONGEST_KEPT
    ):
        pass
    return found


def rows_of(archive: ZipFile, strings: list[str], formats: list[str]) -> Iterator[list[str]]:
    """Yield each line's cells as texts; empty cells between others are there."""
    ready: list[list[str]] = []
    row: list[str] = []
    cell: dict[str, str] = {}
    parts: list[str] = []
    inside = {"v": False, "t": False}
    room = LONGEST_LINE

    def start(tag: str, names: dict[str, str]) -> None:
        nonlocal room
        if tag == "row":
            row.clear()
            room = LONGEST_LINE
        elif tag == "c":
            cell.clear()
            cell.update(names)
            parts.clear()
        elif tag in inside:
            inside[tag] = True

    def end(tag: str) -> None:
        nonlocal room
        if tag in inside:
            inside[tag] = False
        elif tag == "c":
            place = place_of(cell["r"]) if "r" in cell else len(row)
            text_of = meaning("".join(parts), cell, strings, formats)
            room -= len(text_of)
            if place < len(row) or place >= WIDEST or room < 0:
                raise NotASheet
            row.extend([""] * (place - len(row)))
            row.append(text_of)
        elif tag == "row":
            ready.append(list(row))

    def text(more: str) -> None:
        if inside["v"] or inside["t"]:
            parts.append(more)

    for _ in parse(archive, SHEET, start=start, end=end, text=text, longest=LONGEST_PART):
        yield from ready
        ready.clear()


def place_of(reference: str) -> int:
    """Return the place of a cell in its line, from 0: "C7" is 2."""
    place = 0
    for letter in reference.rstrip("0123456789"):
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def meaning(text: str, cell: dict[str, str], strings: list[str], formats: list[str]) -> str:
    """Return what a cell means, as `sheets.plain` says it."""
    kind = cell.get("t", "n")
    if kind == "s":
        return strings[int(text)]
    if kind != "n":
        return unescaped(text)
    if not text:
        return ""
    style = int(cell.get("s", "0"))
    code = formats[style] if style < len(formats) else ""
    number = float(text)
    if code == DATE_FORMAT:
        return plain((DAY_ZERO + timedelta(days=number)).date())
    if found := TIME.match(code):
        at: datetime = DAY_ZERO + timedelta(seconds=round(number * 86_400))
        return at.isoformat() + ("" if found[1] == "local" else found[1])
    return plain(Decimal(f"{number:.15g}"))


def unescaped(text: str) -> str:
    """Return a text with the characters that the format cannot hold as they are."""
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
