"""Import a pool's hosts from a CSV file: everything or nothing, and twice is the same as once.

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

What is in the pool already is changed where the file says otherwise; what the file does not name is
left alone, and traits are only added.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from django.core.exceptions import ValidationError
from django.db import transaction

from inventory.choices import AggregateKind
from inventory.foundation.errors import InvalidInput
from inventory.foundation.models import Organisation, User, plain_text
from inventory.foundation.trail import record_audit
from inventory.models import (
    LARGEST,
    Aggregate,
    Inventory,
    Pool,
    ResourceProvider,
    Trait,
)
from inventory.selectors import lock_pool, lock_providers
from inventory.services.classes import named_class, named_trait
from inventory.services.inventories import set_inventory
from inventory.services.pools import create_pool, require_pool
from inventory.services.spans import capacities_of, open_spans

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
class ImportReport:
    """What an import did, in providers (hosts and devices)."""

    pool: Pool
    new: int
    changed: int
    unchanged: int


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


@transaction.atomic
def import_pool(
    *,
    path: Path,
    pool_name: str,
    at: datetime,
    organisation: Organisation | None = None,
    actor: User | None = None,
    dry_run: bool = False,
) -> ImportReport:
    """Bring the pool to what the file says, in one transaction; `dry_run` takes all back again.

    The pool is made when it is new; `organisation` then says who operates it. Raises ImportRefused
    with every fault of the file; Forbidden or NotVisible for an actor who may not change the pool.
    """
    lines = read_lines(path=path)
    pool = Pool.objects.filter(name=pool_name).first()
    if pool is None:
        if organisation is None:
            message = (
                f"There is no pool {pool_name!r} yet. Name who operates it (--organisation SLUG)."
            )
            raise ImportRefused(message)
        pool = create_pool(organisation=organisation, name=pool_name, at=at, actor=actor)
    elif actor is not None:
        require_pool(actor=actor, pool=pool)
    pool = lock_pool(pool.pk)
    report = _bring(pool, lines, at, actor)
    if report.new or report.changed:
        record_audit(
            action="pool.import",
            subject=pool,
            at=at,
            actor=actor,
            organisation=pool.organisation,
            changes={"new": [0, report.new], "changed": [0, report.changed]},
            reason=f"from {path.name}",
        )
    if dry_run:
        transaction.set_rollback(True)
    return report


# --- reading -----------------------------------------------------------------------------------


def read_lines(*, path: Path) -> list[Line]:
    """Read the file and check each cell by itself and each name against the others.

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
    _check_names(lines, faults)
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


def _check_names(lines: Sequence[Line], faults: list[Fault]) -> None:
    """Find names that stand twice, and hosts that are inside themselves."""
    first: dict[str, Line] = {}
    for line in lines:
        if line.name in first and line.name:
            stands = first[line.name].number
            faults.append(Fault(line.number, "name", f"{line.name} stands in line {stands} too"))
        first.setdefault(line.name, line)
    for line in lines:
        above, node = {line.name}, line
        while node.parent in first:
            if node.parent in above:
                faults.append(Fault(line.number, "parent", f"{line.name} is inside itself"))
                break
            above.add(node.parent)
            node = first[node.parent]


# --- writing -----------------------------------------------------------------------------------


def _bring(pool: Pool, lines: Sequence[Line], at: datetime, actor: User | None) -> ImportReport:
    existing = {
        provider.name: provider
        for provider in ResourceProvider.objects.filter(pool=pool).prefetch_related(
            "traits", "inventories__resource_class"
        )
    }
    _check_against(existing, lines)
    fresh = [line for line in lines if line.name not in existing]
    differing = {
        line.name: line
        for line in lines
        if line.name in existing and _differs(existing[line.name], line)
    }
    _add(pool, fresh, existing)
    lock_providers({existing[name].pk for name in differing})
    for name, line in differing.items():
        _change(existing[name], line, at, actor)
    _connect_traits(lines, existing)
    _connect_racks(lines, existing)
    return ImportReport(
        pool=pool,
        new=len(fresh),
        changed=len(differing),
        unchanged=len(lines) - len(fresh) - len(differing),
    )


def _check_against(existing: Mapping[str, ResourceProvider], lines: Sequence[Line]) -> None:
    """Refuse parents that are nowhere, and hosts that would have to move."""
    named = {line.name for line in lines}
    names = {provider.pk: name for name, provider in existing.items()}
    faults = []
    for line in lines:
        if line.parent and line.parent not in named and line.parent not in existing:
            message = f"{line.parent} is neither in the file nor in the pool"
            faults.append(Fault(line.number, "parent", message))
        known = existing.get(line.name)
        if known is None:
            continue
        stands_in = names[known.parent_id] if known.parent_id else ""
        if line.parent != stands_in:
            message = f"{line.name} is in {stands_in or 'no other host'} and cannot be moved"
            faults.append(Fault(line.number, "parent", message))
        if line.is_sharing != known.is_sharing:
            message = f"{line.name} is {'' if known.is_sharing else 'not '}shared; that is fixed"
            faults.append(Fault(line.number, "sharing", message))
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        message = f"The file does not go with the pool; nothing was imported:\n{listed}"
        raise ImportRefused(message, faults)


def _differs(provider: ResourceProvider, line: Line) -> bool:
    known = {
        each.resource_class.name: (each.total, each.reserved, each.allocation_ratio)
        for each in provider.inventories.all()
    }
    asked = {name: (each.total, each.reserved, each.ratio) for name, each in line.figures.items()}
    missing_traits = line.traits - {trait.name for trait in provider.traits.all()}
    return bool(missing_traits) or any(known.get(name) != each for name, each in asked.items())


def _change(provider: ResourceProvider, line: Line, at: datetime, actor: User | None) -> None:
    known = {each.resource_class.name: each for each in provider.inventories.all()}
    for name, figures in line.figures.items():
        inventory = known.get(name)
        set_inventory(
            provider=provider,
            resource_class=named_class(name=name),
            total=figures.total,
            reserved=figures.reserved,
            allocation_ratio=figures.ratio,
            min_unit=inventory.min_unit if inventory else 1,
            max_unit=inventory.max_unit if inventory else figures.max_unit,
            step_size=inventory.step_size if inventory else 1,
            at=at,
            actor=actor,
        )


def _add(pool: Pool, lines: Sequence[Line], existing: dict[str, ResourceProvider]) -> None:
    """Insert the new providers, parents before children, with inventories and first spans."""
    waiting = list(lines)
    while waiting:
        ready = [line for line in waiting if not line.parent or line.parent in existing]
        waiting = [line for line in waiting if line.parent and line.parent not in existing]
        made = ResourceProvider.objects.bulk_create(
            [_provider(pool, line, existing) for line in ready], batch_size=2000
        )
        existing.update((provider.name, provider) for provider in made)
    classes = {
        name: named_class(name=name) for name in sorted({n for line in lines for n in line.figures})
    }
    inventories = Inventory.objects.bulk_create(
        [
            Inventory(
                provider=existing[line.name],
                resource_class=classes[name],
                total=figures.total,
                reserved=figures.reserved,
                allocation_ratio=figures.ratio,
                max_unit=figures.max_unit,
            )
            for line in lines
            for name, figures in line.figures.items()
        ],
        batch_size=2000,
    )
    open_spans(capacities_of([inventory.pk for inventory in inventories]))


def _provider(pool: Pool, line: Line, existing: Mapping[str, ResourceProvider]) -> ResourceProvider:
    parent = existing[line.parent] if line.parent else None
    return ResourceProvider(
        pool=pool,
        name=line.name,
        parent=parent,
        root_id=(parent.root_id or parent.pk) if parent else None,
        is_sharing=line.is_sharing,
    )


def _connect_traits(lines: Iterable[Line], existing: Mapping[str, ResourceProvider]) -> None:
    traits: dict[str, Trait] = {}
    links = []
    for line in lines:
        for name in sorted(line.traits):
            if name not in traits:
                traits[name] = named_trait(name=name)
            links.append((existing[line.name].pk, traits[name].pk))
    through = ResourceProvider.traits.through
    through.objects.bulk_create(
        [through(resourceprovider_id=one, trait_id=other) for one, other in links],
        ignore_conflicts=True,
        batch_size=5000,
    )


def _connect_racks(lines: Iterable[Line], existing: Mapping[str, ResourceProvider]) -> None:
    members: dict[str, list[ResourceProvider]] = defaultdict(list)
    for line in lines:
        if line.rack:
            members[line.rack].append(existing[line.name])
    for rack in sorted(members):
        group, _ = Aggregate.objects.get_or_create(kind=AggregateKind.RACK, name=rack)
        group.providers.add(*members[rack])
