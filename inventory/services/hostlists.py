"""Read a CSV file of hosts and find all its faults, by line and column.

Two kinds of file are read. Our own has the columns

    name       required; unique in the pool
    parent     the name of the host that this device is in; empty for a host
    traits     properties, separated by |
    rack       the rack that it stands in
    sharing    yes for storage or a network that serves every host of the pool
    VCPU, …    any kind of capacity, by its name in capitals: how much; empty for none
    VCPU.reserved, VCPU.ratio     its host overhead (0) and over-commit ratio (empty: what
                                  the host has, for a new one the default of the pool's operator)

and the public trace's node list has `sn,cpu_milli,memory_mib,gpu,model`: a host with CPU_MILLI and
MEMORY_MB, and below it one device with GPU_MILLI 1000 and the trait GPU_<MODEL> for each GPU.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from inventory.foundation.rows import Fault, FileRefused, Row, read_table, rows_below
from inventory.models import LARGEST

TRACE_COLUMNS = frozenset({"sn", "cpu_milli", "memory_mib", "gpu", "model"})
OWN_COLUMNS = frozenset({"name", "parent", "traits", "rack", "sharing"})
CLASS_COLUMN = re.compile(r"(?P<name>[A-Z][A-Z0-9_]{0,59})(\.(?P<what>reserved|ratio))?\Z")
TRAIT_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
MOST_DEVICES = 1024
LONGEST_NAME = 120
WHOLE_DEVICE = 1000


class ImportRefused(FileRefused):
    """The file has faults, or cannot be read; nothing was imported. `faults` has them all."""

    code = "import_refused"


@dataclass(frozen=True)
class Figures:
    """How much of one class a line gives; without a ratio the default, or what is there."""

    total: int
    reserved: int = 0
    ratio: Decimal | None = None
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
    return read_table(
        path=path,
        parse=lambda rows, faults: _parsed(rows, faults, known),
        refused=ImportRefused,
        undone="nothing was imported",
    )


def _parsed(rows: Iterator[list[str]], faults: list[Fault], known: Collection[str]) -> list[Line]:
    header = [column.strip() for column in next(rows, [])]
    is_trace = set(header) >= TRACE_COLUMNS
    faults.extend(_header_faults(header, is_trace=is_trace))
    if faults:
        return []
    read = _trace_lines if is_trace else _own_line
    lines = [line for row in rows_below(header, rows, faults) for line in read(_Cells(row))]
    _check_names(lines, known, faults)
    return lines


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


class _Cells(Row):
    """A line's cells with what only a list of hosts has in them."""

    def __init__(self, row: Row) -> None:
        super().__init__(row.number, row.cells, row.faults)

    def ratio(self, column: str) -> Decimal | None:
        text = self.cells.get(column, "")
        if not text:
            return None
        try:
            ratio = Decimal(text)
        except InvalidOperation:
            ratio = Decimal("NaN")
        if not (ratio.is_finite() and 0 < ratio < 1_000_000 and ratio == round(ratio, 4)):
            self.fault(column, f"{text[:40]!r} is not a ratio such as 1 or 4.5 (four decimals)")
            return None
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


def _own_line(row: _Cells) -> Iterator[Line]:
    figures = {}
    for column, text in row.cells.items():
        if column in OWN_COLUMNS or "." in column or text in {"", "0"}:
            continue
        total = row.whole(column, low=1, high=LARGEST)
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
        name=row.name("name", required=True, longest=LONGEST_NAME),
        parent=row.name("parent", required=False, longest=LONGEST_NAME),
        traits=row.traits(),
        rack=row.name("rack", required=False, longest=LONGEST_NAME),
        is_sharing=row.yes("sharing"),
        figures=figures,
    )


def _trace_lines(row: _Cells) -> Iterator[Line]:
    host = row.name("sn", required=True, longest=LONGEST_NAME - len("-gpu-9999"))
    cpu = row.whole("cpu_milli", low=1, high=LARGEST)
    memory = row.whole("memory_mib", low=1, high=LARGEST)
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
