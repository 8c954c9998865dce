"""Read a trace of requests and find all its faults, by line and column.

The public trace's columns are read; others may stand beside them and are left alone:

    name           required, unique: what the request's application is called
    cpu_milli      thousandths of a processor
    memory_mib     MiB of memory
    num_gpu        GPUs; more than one are taken whole
    gpu_milli      thousandths of the one GPU, where num_gpu is 1
    gpu_spec       models that would do; only "any" (empty) is replayed
    creation_time, deletion_time     seconds from the trace's start; equal ones are refused later
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ValidationError

from inventory.foundation.models import short_name
from inventory.foundation.rows import Fault, FileRefused, Row, read_table, rows_below
from inventory.models import LARGEST

COLUMNS = (
    "name",
    "cpu_milli",
    "memory_mib",
    "num_gpu",
    "gpu_milli",
    "gpu_spec",
    "creation_time",
    "deletion_time",
)
LONGEST_NAME = 60
MOST_GPUS = 1024
WHOLE_GPU = 1000
LATEST_SECOND = 10 * 365 * 86_400  # a request must end within ten years


class TraceRefused(FileRefused):
    """The trace has faults, or cannot be read; nothing was replayed. `faults` has them all."""

    code = "trace_refused"


@dataclass(frozen=True)
class TraceRequest:
    """One request: what it holds, and when, in seconds from the trace's start, half open.

    `gpu_milli` counts all its GPUs: 460 is a share of one, 8000 are eight whole ones.
    """

    line: int
    name: str
    cpu_milli: int
    memory_mib: int
    gpu_milli: int
    created: int
    deleted: int


def read_trace(*, path: Path, limit: int | None = None) -> list[TraceRequest]:
    """Return the first `limit` requests in order of their creation; the whole file is checked.

    Raises TraceRefused with all faults, by line and column.
    """
    found = read_table(
        path=path, parse=_parsed, refused=TraceRefused, undone="nothing was replayed"
    )
    return sorted(found, key=lambda one: (one.created, one.line))[:limit]


def _parsed(rows: Iterator[list[str]], faults: list[Fault]) -> list[TraceRequest]:
    header = [column.strip() for column in next(rows, [])]
    faults.extend(_header_faults(header))
    if faults:
        return []
    requests: list[TraceRequest] = []
    lines: dict[str, int] = {}
    for row in rows_below(header, rows, faults):
        request = _request(row)
        stands = lines.setdefault(request.name, row.number)
        if stands != row.number:
            row.fault("name", f"{request.name} stands in line {stands} too")
        requests.append(request)
    return requests


def _header_faults(header: Sequence[str]) -> Iterator[Fault]:
    if not header:
        yield Fault(1, "", "the file is empty; it needs a heading")
        return
    for column in COLUMNS:
        if column not in header:
            yield Fault(1, column, "this column is missing")
        elif header.count(column) > 1:
            yield Fault(1, column, "stands twice in the heading")


def _request(row: Row) -> TraceRequest:
    name = row.name("name", required=True, longest=LONGEST_NAME)
    try:
        short_name(name)
    except ValidationError as error:
        row.fault("name", error.messages[0])
    cpu = row.whole("cpu_milli", low=0, high=LARGEST)
    memory = row.whole("memory_mib", low=0, high=LARGEST)
    gpus = row.whole("num_gpu", low=0, high=MOST_GPUS)
    share = row.whole("gpu_milli", low=0, high=WHOLE_GPU)
    if cpu == memory == gpus == 0:
        row.fault("cpu_milli", "asks for nothing; at least one amount must be more than 0")
    if row.cells["gpu_spec"]:
        row.fault("gpu_spec", "names models; only requests for any model can be replayed yet")
    created = row.whole("creation_time", low=0, high=LATEST_SECOND)
    deleted = row.whole("deletion_time", low=0, high=LATEST_SECOND)
    if created is not None and deleted is not None and deleted < created:
        row.fault("deletion_time", f"{deleted} is before the creation at {created}")
    return TraceRequest(
        line=row.number,
        name=name,
        cpu_milli=cpu or 0,
        memory_mib=memory or 0,
        gpu_milli=(gpus or 0) * WHOLE_GPU if (gpus or 0) > 1 else (share or 0) * (gpus or 0),
        created=created or 0,
        deleted=deleted or 0,
    )
