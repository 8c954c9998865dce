"""What stands in the way of a start: read only, one line for each thing looked at (`doctor`)."""

import http.client
import os
import platform
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg
from celery import current_app
from celery.exceptions import OperationalError as BrokerError
from django.conf import settings
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import Error as DatabaseError
from django.urls import reverse

from orchestra import embedded
from orchestra.management import programs

LEAST_DISK_MB = 500
LEAST_POSTGRESQL = 150_000


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: what was looked at, whether it is well, what is so or what to do."""

    subject: str
    is_well: bool
    message: str


def before_start() -> list[Finding]:
    """Return the findings that a start depends on."""
    return [check() for check in (_python, _folder, _supervisor, _port, _broker, _database)]


def after_start() -> list[Finding]:
    """Return the findings about what runs; empty when nothing was started."""
    if programs.supervisor_pid(settings.VAR_DIR) is None:
        return []
    return [check() for check in (_programs, _page)]


def of_tables() -> list[Finding]:
    """Return the findings about the tables; empty when the database is not running."""
    if embedded.is_used() and embedded.server_pid(settings.VAR_DIR) is None:
        return []
    return [check() for check in (_migrations, _rights)]


def page_answers(port: int) -> bool:
    """Tell whether the portal's login page answers on the loopback address."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", reverse(settings.LOGIN_URL), headers={"Host": "localhost"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _python() -> Finding:
    """Django 6.1 needs Python 3.12."""
    well = sys.version_info >= (3, 12)
    cure = "" if well else ": too old. Install Python 3.12 or 3.13, remove .venv, run `make env`"
    return Finding("Python", well, f"{platform.python_version()}{cure}")


def _folder() -> Finding:
    """Everything that is kept lies under one folder."""
    var: Path = settings.VAR_DIR
    if not os.access(var, os.W_OK | os.X_OK):
        cure = "is not writable. Give this user the right to write there, or set ORCHESTRA_VAR"
        return Finding("Folder", False, f"{var} {cure}")
    free = shutil.disk_usage(var).free // 1_000_000
    if free < LEAST_DISK_MB:
        cure = f"make room, {LEAST_DISK_MB} MB are needed, or set ORCHESTRA_VAR to another disk"
        return Finding("Folder", False, f"{var} has {free} MB left: {cure}")
    return Finding("Folder", True, f"{var}, {free:,} MB free")


def _supervisor() -> Finding:
    """A pid file without its process is what a crash leaves."""
    var: Path = settings.VAR_DIR
    if programs.supervisor_pid(var) is not None:
        return Finding("Programs", True, "started by `make up`")
    if (var / "supervisor.pid").exists():
        return Finding("Programs", True, "an earlier start was killed; `make up` clears its traces")
    return Finding("Programs", True, "not started; `make up` starts them")


def _port() -> Finding:
    """The portal's port is free, or the portal itself has it."""
    port: int = settings.PORT
    if programs.supervisor_pid(settings.VAR_DIR) is not None:
        return Finding("Port", True, f"{port} belongs to the portal")
    if programs.leftovers(settings.VAR_DIR):
        return Finding("Port", True, "an earlier start was killed; `make up` ends what it left")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            cure = "Stop that program, or choose another port: ORCHESTRA_PORT=8001 make up"
            return Finding("Port", False, f"{port} cannot be used: {error.strerror}. {cure}")
    return Finding("Port", True, f"{port} is free")


def _broker() -> Finding:
    """The queue is only the bell, but it must ring."""
    url: str = settings.CELERY_BROKER_URL
    if url.startswith("filesystem://"):
        return Finding("Broker", True, f"files under {settings.VAR_DIR}/broker")
    with current_app.connection_for_write(connect_timeout=3) as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=5)
        except (OSError, BrokerError) as error:
            cure = "Start it, correct CELERY_BROKER_URL, or unset it to use files"
            return Finding(
                "Broker", False, f"{connection.as_uri()} does not answer: {error}. {cure}"
            )
        return Finding("Broker", True, connection.as_uri())


def _database() -> Finding:
    """The embedded server may be stopped; a named one must answer, in a version that we know."""
    var: Path = settings.VAR_DIR
    if embedded.is_used():
        return _embedded_database(var)
    for alias, variable in (("default", "DATABASE_URL"), ("owner", "DATABASE_OWNER_URL")):
        try:
            version = _version(alias)
        except DatabaseError as error:
            reason = str(error).strip().splitlines()[0]
            cure = (
                f"Start that server or correct {variable}; unset DATABASE_URL for the embedded one"
            )
            return Finding("Database", False, f"{reason}. {cure}")
        if version < LEAST_POSTGRESQL:
            cure = "Orchestra needs PostgreSQL 15 or newer"
            return Finding(
                "Database", False, f"{variable} is PostgreSQL {version // 10_000}. {cure}"
            )
    return Finding("Database", True, f"PostgreSQL {version // 10_000}.{version % 10_000} answers")


def _embedded_database(var: Path) -> Finding:
    """Look whether the embedded server is installed and runs."""
    try:
        embedded.programs_folder()
    except embedded.EmbeddedServerError as error:
        return Finding("Database", False, str(error))
    if embedded.server_pid(var) is None:
        return Finding("Database", True, "embedded PostgreSQL, stopped; `make up` starts it")
    return Finding("Database", True, f"embedded PostgreSQL runs in {var}/postgres")


def _version(alias: str) -> int:
    """Return the server's version as PostgreSQL counts it, 150004 for 15.4."""
    connection = connections[alias]
    connection.ensure_connection()
    raw: psycopg.Connection[object] = connection.connection
    return raw.info.server_version


def _migrations() -> Finding:
    """The tables are those of this code."""
    try:
        executor = MigrationExecutor(connections["owner"])
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return Finding("Tables", False, f"{str(error).strip().splitlines()[0]}. Run `make up`")
    if missing:
        cure = "Run `python manage.py migrate` (or `make up`)"
        return Finding("Tables", False, f"{len(missing)} migrations are not applied. {cure}")
    return Finding("Tables", True, "as this version needs them")


def _rights() -> Finding:
    """The application may use the tables and not change them (ADR 4)."""
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT current_user, rolsuper OR EXISTS ("
                " SELECT 1 FROM pg_tables WHERE tableowner = current_user"
                " AND schemaname = 'public') FROM pg_roles WHERE rolname = current_user"
            )
            role, too_much = cursor.fetchone()
    except DatabaseError as error:
        return Finding("Rights", False, str(error).strip().splitlines()[0])
    if too_much:
        cure = "Give DATABASE_URL a role that owns no tables (docs/operator/install.md)"
        return Finding("Rights", False, f"{role} may change the tables. {cure}")
    return Finding("Rights", True, f"{role} uses the tables and does not own them")


def _programs() -> Finding:
    """Every program that was started is alive."""
    var: Path = settings.VAR_DIR
    wanted = programs.programs(var=var, port=settings.PORT, with_database=embedded.is_used())
    missing = {program.name for program in wanted} - programs.running_programs(var)
    if missing:
        logs = ", ".join(f"{var}/log/{name}.log" for name in sorted(missing))
        return Finding("Programs", False, f"not running: read {logs}")
    return Finding("Programs", True, "all running")


def _page() -> Finding:
    """The page answers."""
    if page_answers(settings.PORT):
        return Finding("Page", True, f"http://localhost:{settings.PORT}/ answers")
    log = settings.VAR_DIR / "log" / "portal.log"
    return Finding("Page", False, f"port {settings.PORT} does not answer: read {log}")
