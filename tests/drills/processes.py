"""Real worker processes for the drills: Celery's, plain commands, and forks of the test."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.db import connection, connections

from orchestra.engine import drain

ROOT = Path(__file__).resolve().parents[2]
WORKER = (
    *("-m", "celery", "-A", "orchestra", "worker", "--pool", "solo", "--loglevel", "WARNING"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
)
BEAT = ("-m", "celery", "-A", "orchestra", "beat", "--loglevel", "WARNING")


def is_full() -> bool:
    """Say whether the long version of the drills was asked for."""
    return os.environ.get("ORCHESTRA_DRILL_FULL") == "1"


def database_url(role: str = settings.DATABASE_APPLICATION_ROLE) -> str:
    """Return the test database's address for a role, with that role's password if it has one."""
    chosen = connection.settings_dict
    given = (urlsplit(os.environ.get(name, "")) for name in ("DATABASE_URL", "DATABASE_OWNER_URL"))
    password = next((url.password for url in given if url.username == role), None)
    who = quote(role) + (f":{password}" if password else "")
    host = quote(str(chosen["HOST"]), safe="")
    query = f"?host={host}&port={chosen['PORT'] or 5432}"
    return f"postgresql://{who}@/{chosen['NAME']}{query}"


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return what a process of the drill runs with; its state lies in the test's folder."""
    ours = {
        "DATABASE_URL": database_url(),
        "DATABASE_OWNER_URL": database_url(str(connections["owner"].settings_dict["USER"])),
        "ORCHESTRA_VAR": str(folder),
        "ORCHESTRA_LEASE_SECONDS": "2",
        "ORCHESTRA_HEARTBEAT_SECONDS": "1",
        "ORCHESTRA_INSECURE_LOOPBACK": "1",
        "CELERY_BROKER_URL": "filesystem://",
    }
    return {**os.environ, **ours, **more}


class Crew:
    """Processes that are killed without warning and replaced at once."""

    def __init__(self, folder: Path, command: tuple[str, ...] = WORKER, **more: str) -> None:
        (folder / "beat").mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.command = command
        self.environment = environment(folder, **more)
        self.members: list[subprocess.Popen[bytes]] = []
        self.hired = 0

    def hire(self, command: tuple[str, ...] | None = None) -> subprocess.Popen[bytes]:
        """Start one process."""
        command = command or self.command
        self.hired += 1
        if command is WORKER:
            command = (*command, "-n", f"w{self.hired}@drill")
        with (self.folder / "crew.log").open("ab") as log:
            member = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.members.append(member)
        return member

    def kill(self, member: subprocess.Popen[bytes]) -> None:
        """Kill -9 the process and all it started."""
        os.killpg(member.pid, signal.SIGKILL)
        member.wait()
        self.members.remove(member)

    def all_alive(self) -> bool:
        """Say whether nobody ended but by our hand."""
        return all(member.poll() is None for member in self.members)

    def log(self) -> str:
        """Return what the processes wrote."""
        path = self.folder / "crew.log"
        return path.read_text(errors="replace")[-5000:] if path.exists() else ""

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for member in list(self.members):
            self.kill(member)


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Ask ten times a second; return whether it was so in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(0.1)
    return done()


def fork(work: Callable[[], None]) -> int:
    """Do the work in a copy of this process, with a database connection of its own."""
    connections.close_all()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def exit_code(pid: int) -> int:
    """Wait for a fork and return how it ended; killed by a signal is negative."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def keep_draining() -> None:
    """Be a worker until killed."""
    while True:
        drain(worker=f"fork:{os.getpid()}")
        time.sleep(0.02)


@contextmanager
def forked_workers(count: int) -> Iterator[list[int]]:
    """Run workers as forks for the length of the block, then kill them."""
    pids = [fork(keep_draining) for _ in range(count)]
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
