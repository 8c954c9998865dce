"""Read a CSV file of hosts and find all its faults, by line and column.

Two kinds of file are read. Our own has the columns

    name       required; unique in the pool
    parent     the name of the host that this device is in; empty for a host
    traits     properties, separated by |
    rack       the rack that it stands in
    sharing    yes for storage or a network that serves every host of the pool
    VCPU, …    any kind of capacity, by its name in capitals: how much; empty for none
    VCPU.reserved, VCPU.ratio     its host overhead (0) and over-commit ratio (1)

and the public trace's node list has `sn,cpu_milli,memory_mib,gpu,model`: a host with CPU_MILLI and
MEMORY_MB, and below it one device with GPU_MILLI 1000 and the trait GPU_<MODEL> for each GPU.
"""

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from django.core.exceptions import ValidationError

from inventory.foundation.errors import InvalidInput
from inventory.foundation.models import plain_text
from inventory.models import LARGEST

TRACE_COLUMNS = frozenset({"sn", "cpu_milli", "memory_mib", "gpu", "model"})
OWN_COLUMNS = frozenset({"name", "parent", "traits", "rack", "sharing"})
CLASS_COLUMN = re.compile(r"(?P<name>[A-Z][A-Z0-9_]{0,59})(\.(?P<what>reserved|ratio))?\Z")
TRAIT_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
MOST_DEVICES = 1024
LONGEST_NAME = 120
WHOLE_DEVICE = 1000


@dataclass(frozen=True)
class Fault:
    """Something wrong in the file; `column` is empty where it is about the whole line."""

    line: int
    column: str
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"
        return f"{where}: {self.message}"


class ImportRefused(InvalidInput):
    """The file has faults, or cannot be read; nothing was imported. `faults` has them all."""

    code = "import_refused"

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message, details={"faults": [str(fault) for fault in faults]})
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Figures:
    """How much of one class a line gives."""

    total: int
    reserved: int = 0
    ratio: Decimal = Decimal(1)
    max_unit: int = LARGEST


@dataclass(frozen=True)
class Line:
    """One provider as the file wants it."""

    number: int
    name: str
    parent: str = ""
    traits: frozenset[str] = frozenset()
    rack: str = ""
    is_sharing: bool = False
    figures: Mapping[str, Figures] = field(default_factory=dict)


def read_lines(*, path: Path, known: Collection[str] = ()) -> list[Line]:
    """Read the file and check each cell by itself and each name against the others.

    `known` are the names that the pool has already, which may be parents too.

    Raises ImportRefused with all faults, by line and column.
    """
    faults: list[Fault] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(_parsed(csv.reader(file, strict=True), faults))
    except FileNotFoundError as error:
        raise ImportRefused(f"There is no file {path}. Check the path.") from error
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}). Name a readable CSV file."
        raise ImportRefused(message) from error
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{path} is not a CSV file in UTF-8 ({error}). Save it as CSV, UTF-8."
        raise ImportRefused(message) from error
    _check_names(lines, known, faults)
    if faults:
        faults.sort(key=lambda fault: (fault.line, fault.column))
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        listed = "\n".join(f"  {fault}" for fault in faults)
        message = f"{path.name} has {count}, nothing was imported. Correct and repeat:\n{listed}"
        raise ImportRefused(message, faults)
    return lines


def _parsed(rows: Iterator[list[str]], faults: list[Fault]) -> Iterator[Line]:
    header = [column.strip() for column in next(rows, [])]
    is_trace = set(header) >= TRACE_COLUMNS
    header_faults = list(_header_faults(header, is_trace=is_trace))
    faults.extend(header_faults)
    if header_faults:
        return
    seen_any = False
    for number, cells in enumerate(rows, start=2):
        if not any(cells):
            continue
        seen_any = True
        if len(cells) != len(header):
            wrong = f"has {len(cells)} cells, the heading has {len(header)}"
            faults.append(Fault(number, "", wrong))
            continue
        row = _Row(number, dict(zip(header, map(str.strip, cells), strict=True)), faults)
        yield from _trace_lines(row) if is_trace else _own_line(row)
    if not seen_any:
        faults.append(Fault(1, "", "the file has a heading but no rows"))


def _header_faults(header: Sequence[str], *, is_trace: bool) -> Iterator[Fault]:
    if not header:
        yield Fault(1, "", "the file is empty; it needs a heading")
        return
    for column in sorted({column for column in header if header.count(column) > 1}):
        yield Fault(1, column, "stands twice in the heading")
    if is_trace:
        return
    if "name" not in header:
        yield Fault(1, "name", "this column is missing")
    for column in header:
        match = CLASS_COLUMN.match(column)
        if column not in OWN_COLUMNS and not match:
            yield Fault(1, column, "is not known; a kind of capacity is in capitals, e.g. VCPU")
        elif match and match["what"] and match["name"] not in header:
            yield Fault(1, column, f"needs the column {match['name']} beside it")


@dataclass(frozen=True)
class _Row:
    """The cells of one line, read with a fault for each that is not what it should be."""

    number: int
    cells: Mapping[str, str]
    faults: list[Fault]

    def fault(self, column: str, message: str) -> None:
        self.faults.append(Fault(self.number, column, message))

    def name(self, column: str, *, required: bool, longest: int = LONGEST_NAME) -> str:
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

    def whole(self, column: str, *, low: int, high: int = LARGEST) -> int | None:
        """Return the number, None (and a fault) where there is none in [low, high]."""
        text = self.cells[column]
        if not re.fullmatch(r"-?[0-9]{1,30}", text):
            self.fault(column, f"{text[:40]!r} is not a whole number")
            return None
        if not low <= int(text) <= high:
            self.fault(column, f"{text} is not between {low:,} and {high:,}")
            return None
        return int(text)

    def ratio(self, column: str) -> Decimal:
        text = self.cells.get(column, "")
        try:
            ratio = Decimal(text or "1")
        except InvalidOperation:
            ratio = Decimal("NaN")
        if not (ratio.is_finite() and 0 < ratio < 1_000_000 and ratio == round(ratio, 4)):
            self.fault(column, f"{text[:40]!r} is not a ratio such as 1 or 4.5 (four decimals)")
            return Decimal(1)
        return ratio

    def traits(self) -> frozenset[str]:
        names = {part.strip() for part in self.cells.get("traits", "").split("|")} - {""}
        for name in sorted(names):
            if len(name) > 80 or not TRAIT_NAME.match(name):
                message = f"{name[:90]!r} is not a property such as SSD or GPU_A100"
                self.fault("traits", message)
        return frozenset(names)

    def yes(self, column: str) -> bool:
        text = self.cells.get(column, "").lower()
        if text not in {"", "yes", "no"}:
            self.fault(column, f"{text[:40]!r} is neither yes nor no")
        return text == "yes"


def _own_line(row: _Row) -> Iterator[Line]:
    figures = {}
    for column, text in row.cells.items():
        if column in OWN_COLUMNS or "." in column or text in {"", "0"}:
            continue
        total = row.whole(column, low=1)
        reserved_column = f"{column}.reserved"
        reserved = (
            row.whole(reserved_column, low=0, high=total or LARGEST)
            if row.cells.get(reserved_column)
            else 0
        )
        ratio = row.ratio(f"{column}.ratio")
        figures[column] = Figures(total or 1, reserved or 0, ratio)
    yield Line(
        number=row.number,
        name=row.name("name", required=True),
        parent=row.name("parent", required=False),
        traits=row.traits(),
        rack=row.name("rack", required=False),
        is_sharing=row.yes("sharing"),
        figures=figures,
    )


def _trace_lines(row: _Row) -> Iterator[Line]:
    host = row.name("sn", required=True, longest=LONGEST_NAME - len("-gpu-9999"))
    cpu = row.whole("cpu_milli", low=1)
    memory = row.whole("memory_mib", low=1)
    devices = row.whole("gpu", low=0, high=MOST_DEVICES)
    trait = "GPU_" + re.sub(r"[^A-Z0-9]+", "_", row.cells["model"].upper()).strip("_")
    if devices and not row.cells["model"]:
        row.fault("model", "is empty, but the host has GPUs")
    if len(trait) > 80:
        row.fault("model", "is longer than 76 characters")
    figures = {"CPU_MILLI": Figures(cpu or 1), "MEMORY_MB": Figures(memory or 1)}
    yield Line(row.number, host, figures=figures)
    for index in range(devices or 0):
        yield Line(
            number=row.number,
            name=f"{host}-gpu-{index}",
            parent=host,
            traits=frozenset({trait}),
            figures={"GPU_MILLI": Figures(WHOLE_DEVICE, max_unit=WHOLE_DEVICE)},
        )


def _check_names(lines: Sequence[Line], known: Collection[str], faults: list[Fault]) -> None:
    """Find names that stand twice, parents that are nowhere, and hosts inside themselves."""
    first: dict[str, Line] = {}
    for line in lines:
        if line.name in first:
            stands = first[line.name].number
            faults.append(Fault(line.number, "name", f"{line.name} stands in line {stands} too"))
        elif line.name:
            first[line.name] = line
    for line in lines:
        if line.parent and line.parent not in first and line.parent not in known:
            message = f"{line.parent} is neither in the file nor in the pool"
            faults.append(Fault(line.number, "parent", message))
        above, node = {line.name}, line
        while node.parent in first:
            if node.parent in above:
                faults.append(Fault(line.number, "parent", f"{line.name} is inside itself"))
                break
            above.add(node.parent)
            node = first[node.parent]
