"""The embedded server really starts, keeps its promises and stops."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from orchestra import embedded


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty folder for all state; the server in it is stopped at the end."""
    for name in ("DATABASE_URL", "DATABASE_URL_FILE", "DATABASE_OWNER_URL"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    embedded.stop(tmp_path)


def test_it_starts_with_two_roles_and_stops(var: Path) -> None:
    assert embedded.start(var) is True
    assert embedded.start(var) is False
    application, owner = embedded.database_urls(var)
    with psycopg.connect(owner) as connection:
        assert connection.info.server_version >= 150_000
        connection.execute("CREATE EXTENSION btree_gist")
        connection.execute("CREATE TABLE kept (id integer)")
        connection.execute("SET ROLE orchestra_app")
    with psycopg.connect(application) as connection:
        superuser = connection.execute(
            "SELECT bool_or(rolsuper) FROM pg_roles WHERE rolname LIKE 'orchestra%'"
        ).fetchone()
        assert superuser == (False,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DROP TABLE kept")
    assert embedded.stop(var) is True
    assert embedded.stop(var) is False
    assert embedded.server_pid(var) is None


def test_it_survives_a_kill_and_a_lock_file_of_somebody_else(var: Path) -> None:
    embedded.start(var)
    with psycopg.connect(embedded.database_urls(var)[1]) as connection:
        connection.execute("CREATE TABLE kept (id integer)")
    pid = embedded.server_pid(var)
    assert pid is not None
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    lock = var / "postgres" / "data" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n", encoding="utf-8")
    assert embedded.server_pid(var) is None
    assert embedded.start(var) is True
    with psycopg.connect(embedded.database_urls(var)[0]) as connection:
        assert connection.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone() == (True,)


def test_only_this_user_can_reach_it(var: Path) -> None:
    embedded.start(var)
    folder = embedded.socket_folder(var)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_data_of_another_version_is_refused_by_name(var: Path) -> None:
    embedded.prepare(var)
    (var / "postgres" / "data" / "PG_VERSION").write_text("12\n", encoding="utf-8")
    with pytest.raises(embedded.EmbeddedServerError, match="written by PostgreSQL 12"):
        embedded.start(var)


def test_a_half_made_cluster_is_made_again(var: Path) -> None:
    draft = var / "postgres" / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n", encoding="utf-8")
    embedded.prepare(var)
    assert not draft.exists()
    assert (var / "postgres" / "data" / "postgresql.conf").exists()


def test_a_deep_folder_gets_a_short_socket(var: Path) -> None:
    deep = var / ("d" * 60) / ("e" * 60)
    socket = embedded.socket_folder(deep)
    assert len(os.fsencode(socket / embedded.SOCKET_NAME)) <= embedded.SOCKET_PATH_LIMIT
    assert socket != embedded.socket_folder(var / "other" / ("f" * 120))
    assert str(socket) in embedded.database_urls(deep)[0]


def test_naming_addresses_starts_nothing(var: Path) -> None:
    embedded.database_urls(var)
    assert list(var.iterdir()) == []


def test_the_secret_key_stays_and_is_private(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = embedded.secret_key(var)
    assert embedded.secret_key(var) == first
    assert len(first) > 50
    assert stat.S_IMODE((var / "secret-key").stat().st_mode) == 0o600
    monkeypatch.setenv("ORCHESTRA_SECRET_KEY", "named")
    assert embedded.secret_key(var) == "named"
