"""Files that are there as a whole or not at all, and the manifest that proves them."""

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

from billing import pricing
from inventory.foundation.errors import InvalidInput

NAME = "manifest.json"
SCHEMA = "orchestra-export/1"
BLOCK = 1 << 20


class CannotWrite(InvalidInput):
    """The folder is missing or refuses the file; nothing half done is left behind."""

    code = "cannot_write"
    title = "The file cannot be written"


@dataclass(frozen=True)
class FileEntry:
    """What a manifest says of one file. `sums` maps a currency to column sums as text.

    `ledger` is the watermark: the rating run of each account's period, by account number. There is
    no time of writing in it: a closed month exported again gives the same manifest.
    """

    name: str
    format: str
    period: str
    status: str
    rows: int
    bytes: int
    sha256: str
    sums: Mapping[str, Mapping[str, str]]
    ledger: Mapping[str, int]


def usable_directory(directory: Path) -> Path:
    """Return the folder if a file can be written into it; CannotWrite names the cure."""
    if not directory.exists():
        message = f"The folder {directory} does not exist. Create it first: mkdir -p {directory}"
        raise CannotWrite(message)
    if not directory.is_dir():
        message = f"{directory} is a file, not a folder. Name a folder with --out."
        raise CannotWrite(message)
    if not os.access(directory, os.W_OK | os.X_OK):
        message = f"The folder {directory} is not writable. Change its rights or name another one."
        raise CannotWrite(message)
    return directory


def write_whole(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    """Write a file under a temporary name, sync it, then give it its name in one step."""
    temporary: Path | None = None
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            fill(file.file)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        temporary = None
        _sync_directory(path.parent)
    except OSError as error:
        message = (
            f"{path} cannot be written: {error.strerror or error}. "
            "Free space or name another folder, then export again."
        )
        raise CannotWrite(message) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def sha256_of(path: Path) -> str:
    """Return the file's hash without reading it into memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums_of(
    path: Path, *, by: str, columns: Iterable[str]
) -> tuple[int, dict[str, dict[str, str]]]:
    """Read a CSV back: its rows, and the exact sums of the columns by the value of `by`."""
    rows = 0
    wanted = tuple(columns)
    sums: dict[str, dict[str, Decimal]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows += 1
            found = sums.setdefault(row[by], dict.fromkeys(wanted, Decimal(0)))
            for column in wanted:
                found[column] = pricing.EXACT.add(found[column], Decimal(row[column] or 0))
    return rows, {
        key: {column: f"{value:f}" for column, value in found.items()}
        for key, found in sorted(sums.items())
    }


def write_manifest(directory: Path, entry: FileEntry) -> dict[str, Any]:
    """Write the manifest last: this file's entry, and those of files exported here before."""
    path = directory / NAME
    kept = [one for one in _entries(path) if _stands(directory, one, entry)]
    document = {
        "schema": SCHEMA,
        "files": sorted([*kept, asdict(entry)], key=lambda one: str(one["name"])),
    }
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_whole(path, lambda file: _write(file, text.encode()))
    return document


def _entries(path: Path) -> list[dict[str, Any]]:
    """Return the entries of an earlier manifest of ours; anything else is replaced."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        return []
    files: list[dict[str, Any]] = document.get("files", [])
    return files


def _stands(directory: Path, one: Mapping[str, Any], entry: FileEntry) -> bool:
    return one.get("name") != entry.name and (directory / str(one.get("name"))).is_file()


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
