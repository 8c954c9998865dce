"""Read a CSV file that people made, and find all its faults, by line and column."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ValidationError

from inventory.foundation.errors import InvalidInput
from inventory.foundation.models import plain_text


@dataclass(frozen=True)
class Fault:
    """Something wrong in the file; `column` is empty where it is about the whole line."""

    line: int
    column: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"
        return f"{where}: {self.message}"


class FileRefused(InvalidInput):
    """The file has faults, or cannot be read; nothing came of it. `faults` has them all."""

    code = "file_refused"

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message, details={"faults": [str(fault) for fault in faults]})
        self.faults = tuple(faults)


def read_table[T](
    *,
    path: Path,
    parse: Callable[[Iterator[list[str]], list[Fault]], list[T]],
    refused: type[FileRefused] = FileRefused,
    undone: str,
) -> list[T]:
    """Return what `parse` makes of the file's cells, line by line, the heading first.

    `parse` notes what is wrong in the list that it is given. Raises `refused` with all of it, by
    line and column; `undone` says there what was not done ("nothing was imported").
    """
    faults: list[Fault] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = parse(csv.reader(file, strict=True), faults)
    except FileNotFoundError as error:
        raise refused(f"There is no file {path}. Check the path.") from error
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}). Name a readable CSV file."
        raise refused(message) from error
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{path} is not a CSV file in UTF-8 ({error}). Save it as CSV, UTF-8."
        raise refused(message) from error
    if faults:
        faults.sort(key=lambda fault: (fault.line, fault.column))
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        listed = "\n".join(f"  {fault}" for fault in faults)
        message = f"{path.name} has {count}, {undone}. Correct and repeat:\n{listed}"
        raise refused(message, faults)
    return found


def rows_below(
    header: Sequence[str], rows: Iterator[list[str]], faults: list[Fault]
) -> Iterator["Row"]:
    """Yield the lines below the heading; empty ones are passed over, odd ones are a fault."""
    seen_any = False
    for number, cells in enumerate(rows, start=2):
        if not any(cells):
            continue
        seen_any = True
        if len(cells) != len(header):
            wrong = f"has {len(cells)} cells, the heading has {len(header)}"
            faults.append(Fault(number, "", wrong))
            continue
        yield Row(number, dict(zip(header, map(str.strip, cells), strict=True)), faults)
    if not seen_any:
        faults.append(Fault(1, "", "the file has a heading but no rows"))


@dataclass(frozen=True)
class Row:
    """The cells of one line, read with a fault for each that is not what it should be."""

    number: int
    cells: Mapping[str, str]
    faults: list[Fault]

    def fault(self, column: str, message: str) -> None:
        """Note what is wrong with a cell."""
        self.faults.append(Fault(self.number, column, message))

    def name(self, column: str, *, required: bool, longest: int) -> str:
        """Return a name, or what stands there and a fault."""
        text = self.cells.get(column, "")
        if not text and required:
            self.fault(column, "is empty; a name is needed")
        elif len(text) > longest:
            self.fault(column, f"has {len(text)} characters; at most {longest} are allowed")
        else:
            try:
                plain_text(text)
            except ValidationError as error:
                self.fault(column, error.messages[0])
        return text

    def whole(self, column: str, *, low: int, high: int) -> int | None:
        """Return the number, None (and a fault) where there is none in [low, high]."""
        text = self.cells[column]
        if not re.fullmatch(r"-?[0-9]{1,30}", text):
            self.fault(column, f"{text[:40]!r} is not a whole number")
            return None
        if not low <= int(text) <= high:
            self.fault(column, f"{text} is not between {low:,} and {high:,}")
            return None
        return int(text)
