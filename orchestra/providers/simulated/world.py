"""The simulated infrastructure itself: a SQLite file, so that it survives killed workers.

It also counts what a drill wants to know: calls at once, things made twice, fences refused.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

SCHEMA = """
CREATE TABLE IF NOT EXISTS thing (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  ref TEXT NOT NULL UNIQUE, key TEXT NOT NULL, spec TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS thing_key ON thing (key);
CREATE TABLE IF NOT EXISTS fence (key TEXT PRIMARY KEY, highest INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS call (token TEXT PRIMARY KEY, pid INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
BUSY_SECONDS = 30.0
STOPPED = "stopped"  # kept with the description, so that an older world needs no new column


class FenceTooLow(Exception):
    """A higher fence was seen for this key."""


@dataclass(frozen=True)
class Thing:
    """One simulated thing; `spec` is what was asked for, as plain data."""

    number: int
    ref: str
    key: str
    spec: Mapping[str, Any]

    @property
    def is_stopped(self) -> bool:
        """Say whether it was stopped."""
        return bool(self.spec.get(STOPPED))


class World:
    """Everything that exists at one simulated destination."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        with closing(self._open()) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.executescript(SCHEMA)

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count this call among those at once; calls of dead processes do not count."""
        token = uuid4().hex
        with self._write() as database:
            database.execute("INSERT INTO call VALUES (?, ?)", (token, os.getpid()))
            pids = [row[0] for row in database.execute("SELECT pid FROM call")]
            alive = sum(1 for pid in pids if _is_alive(pid))
            _raise_to(database, "peak", alive)
        try:
            yield
        finally:
            with self._write() as database:
                database.execute("DELETE FROM call WHERE token = ?", (token,))

    def nth(self, name: str) -> int:
        """Return 1 for the first time this name is asked about, then 2, 3, …"""
        with self._write() as database:
            return _count(database, name)

    def make(self, *, key: str, fence: int, spec: Mapping[str, Any], idempotent: bool) -> Thing:
        """Make a thing, or return the one that the key has if creates are idempotent."""
        with self._write() as database:
            _check_fence(database, key, fence)
            existing = _by_key(database, key)
            if existing and idempotent:
                return existing
            if existing:
                _count(database, "duplicated")
            number = _count(database, "made")
            ref = f"sim-{number:06d}"
            database.execute(
                "INSERT INTO thing (ref, key, spec) VALUES (?, ?, ?)",
                (ref, key, json.dumps(dict(spec), sort_keys=True)),
            )
            made = _by_ref(database, ref)
        if made is None:
            message = f"{ref} vanished while it was made"
            raise LookupError(message)
        return made

    def change(self, *, key: str, fence: int, ref: str, spec: Mapping[str, Any]) -> Thing | None:
        """Give a thing another description; None when it is not there."""
        with self._write() as database:
            _check_fence(database, key, fence)
            before = _by_ref(database, ref)
            if before is None:
                return None
            after = {**spec, STOPPED: True} if before.is_stopped else dict(spec)
            if after != before.spec:
                _count(database, "changed")
            database.execute(
                "UPDATE thing SET spec = ? WHERE ref = ?",
                (json.dumps(after, sort_keys=True), ref),
            )
            return _by_ref(database, ref)

    def stop(self, *, key: str, fence: int, ref: str) -> None:
        """Note that a thing is stopped; absent is fine."""
        with self._write() as database:
            _check_fence(database, key, fence)
            thing = _by_ref(database, ref)
            if thing is not None and not thing.is_stopped:
                _count(database, "stopped")
                database.execute(
                    "UPDATE thing SET spec = ? WHERE ref = ?",
                    (json.dumps({**thing.spec, STOPPED: True}, sort_keys=True), ref),
                )

    def remove(self, *, key: str, fence: int, ref: str) -> None:
        """Remove what the reference names, or else all that the key made; absent is fine."""
        with self._write() as database:
            _check_fence(database, key, fence)
            column, value = ("ref", ref) if ref else ("key", key)
            database.execute(
                f"UPDATE thing SET deleted = 1 WHERE {column} = ?",  # noqa: S608 - two fixed names
                (value,),
            )

    def by_key(self, key: str) -> Thing | None:
        """Return the thing that the key made."""
        with closing(self._open()) as database:
            return _by_key(database, key)

    def by_ref(self, ref: str) -> Thing | None:
        """Return the thing of that name."""
        with closing(self._open()) as database:
            return _by_ref(database, ref)

    def things(self) -> list[Thing]:
        """Return all that exists now, oldest first."""
        with closing(self._open()) as database:
            rows = database.execute(
                "SELECT number, ref, key, spec FROM thing WHERE NOT deleted ORDER BY number"
            )
            return [_thing(row) for row in rows]

    def counters(self) -> dict[str, int]:
        """Return made, duplicated, changed, stopped, refused_stale and peak (the most calls at
        once), if any."""
        with closing(self._open()) as database:
            return dict(database.execute("SELECT name, value FROM counter"))

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        # A killed process loses nothing by this; only a machine that loses power would.
        database.execute("PRAGMA synchronous=OFF")
        return database

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with closing(self._open()) as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except FenceTooLow:
                database.execute("COMMIT")
                raise
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


def _check_fence(database: sqlite3.Connection, key: str, fence: int) -> None:
    row = database.execute("SELECT highest FROM fence WHERE key = ?", (key,)).fetchone()
    if row and fence < row[0]:
        _count(database, "refused_stale")
        message = f"fence {fence} comes after {row[0]}"
        raise FenceTooLow(message)
    database.execute("INSERT OR REPLACE INTO fence VALUES (?, ?)", (key, fence))


def _count(database: sqlite3.Connection, name: str) -> int:
    row = database.execute(
        "INSERT INTO counter VALUES (?, 1) "
        "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
        (name,),
    ).fetchone()
    return int(row[0])


def _raise_to(database: sqlite3.Connection, name: str, value: int) -> None:
    database.execute(
        "INSERT INTO counter VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        (name, value),
    )


def _by_key(database: sqlite3.Connection, key: str) -> Thing | None:
    row = database.execute(
        "SELECT number, ref, key, spec FROM thing WHERE key = ? AND NOT deleted ORDER BY number",
        (key,),
    ).fetchone()
    return _thing(row) if row else None


def _by_ref(database: sqlite3.Connection, ref: str) -> Thing | None:
    row = database.execute(
        "SELECT number, ref, key, spec FROM thing WHERE ref = ? AND NOT deleted", (ref,)
    ).fetchone()
    return _thing(row) if row else None


def _thing(row: tuple[int, str, str, str]) -> Thing:
    return Thing(number=row[0], ref=row[1], key=row[2], spec=json.loads(row[3]))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
