"""The programs of `make up`: their supervisor's configuration, its start and its stop.

Every process carries the mark ORCHESTRA_SUPERVISED=<var> in its environment, so what a killed
supervisor left behind is found without pid files. Run as a module, this file is the first thing in
each program: it ends the orphans of the program's earlier life (granian's worker outlives a killed
master and goes on to answer), then becomes the program.
"""

import hashlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "ORCHESTRA_SUPERVISED"
NAME = "ORCHESTRA_PROGRAM"
PORT = "ORCHESTRA_PORT"
STOP_SECONDS = 20
BECOME = (sys.executable, "-m", "orchestra.management.programs")


@dataclass(frozen=True)
class Program:
    """One supervised program; `first` is started before the others and stopped after them."""

    name: str
    command: Sequence[str]
    stop_signal: str = "TERM"
    first: bool = False


def programs(*, var: Path, port: int, with_database: bool) -> list[Program]:
    """Return what runs: the embedded database if used, portal, two workers and the scheduler."""
    python = sys.executable
    celery = [python, "-m", "celery", "--app", "orchestra"]
    place = hashlib.sha256(os.fsencode(var)).hexdigest()[:8]
    portal = [python, "-m", "granian", "--interface", "wsgi", "--no-ws", "--log-level", "warning"]
    portal += ["--host", "127.0.0.1", "--port", str(port), "--blocking-threads", "4"]
    # Each worker is one process. Celery's pool of processes hangs for good over the file broker
    # when a member is killed: it dies with the lock that the others take their messages under.
    worker = [*celery, "worker", "--pool", "solo", "--loglevel", "INFO"]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    chosen = [
        Program("portal", [*portal, "orchestra.wsgi:application"]),
        *(
            Program(name, [*worker, "--hostname", f"{name}-{place}@%h"])
            for name in ("worker-1", "worker-2")
        ),
        Program("scheduler", [*celery, "beat", "--loglevel", "WARNING"]),
    ]
    if with_database:
        serve = [python, "manage.py", "embedded", "serve"]
        chosen.insert(0, Program("database", serve, stop_signal="INT", first=True))
    return chosen


def write_configuration(*, chosen: Sequence[Program], var: Path, root: Path) -> Path:
    """Write the supervisor's file under `var` and return its path."""
    lines = [
        "[supervisord]",
        f"logfile = {_text(var / 'log' / 'supervisor.log')}",
        f"pidfile = {_text(var / 'supervisor.pid')}",
        f"childlogdir = {_text(var / 'log')}",
        "silent = true",
    ]
    if os.geteuid() == 0:
        lines.append("user = root")
    for program in chosen:
        lines += [
            "",
            f"[program:{program.name}]",
            f"command = {_text(shlex.join([*BECOME, *program.command]))}",
            f"directory = {_text(root)}",
            f'environment = {NAME}="{program.name}"',
            f"priority = {1 if program.first else 10}",
            f"stopsignal = {program.stop_signal}",
            "stopwaitsecs = 10",
            "autorestart = true",
            "startretries = 1000000",
            "killasgroup = true",
            "redirect_stderr = true",
            f"stdout_logfile = {_text(var / 'log' / f'{program.name}.log')}",
            "stdout_logfile_maxbytes = 10MB",
            "stdout_logfile_backups = 2",
        ]
    path = var / "supervisor.conf"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def start_supervisor(*, configuration: Path, var: Path, port: int) -> None:
    """Start the supervisor in the background; it goes on when this terminal closes."""
    scratch = var / "tmp"  # the file broker takes a message by moving it: stay on one disk
    scratch.mkdir(exist_ok=True)
    (var / "beat").mkdir(exist_ok=True)
    settings = {MARK: str(var), PORT: str(port), "TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1"}
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(configuration)],
        env=os.environ | settings,
        check=True,
        stdin=subprocess.DEVNULL,
    )


def supervisor_pid(var: Path) -> int | None:
    """Return the supervisor's process id, or None; a stale pid file counts as none."""
    try:
        process = psutil.Process(int((var / "supervisor.pid").read_text(encoding="utf-8")))
        ours = process.environ().get(MARK) == str(var)
    except (OSError, ValueError, psutil.Error):
        return None
    return process.pid if ours else None


def running_port(var: Path) -> int | None:
    """Return the port that the running portal was started with, or None."""
    pid = supervisor_pid(var)
    return None if pid is None else int(psutil.Process(pid).environ()[PORT])


def running_programs(var: Path) -> set[str]:
    """Return the names of the programs that are alive now."""
    pid = supervisor_pid(var)
    if pid is None:
        return set()
    return {child.environ().get(NAME, "") for child in psutil.Process(pid).children()}


def stop_supervisor(var: Path) -> bool:
    """Stop the supervisor and what it runs; return False when it was not running."""
    pid = supervisor_pid(var)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        psutil.Process(pid).wait(timeout=STOP_SECONDS * 2)
    return True


def leftovers(var: str | Path, name: str | None = None) -> list[psutil.Process]:
    """Return the processes started under this `var` (or one program's), apart from this one."""
    return [process for process in psutil.process_iter() if _is_marked(process, str(var), name)]


def clear_leftovers(var: str | Path, name: str | None = None) -> int:
    """End what a killed supervisor of this `var`, or one program in it, left; return how many.

    They are killed, as they would be in a crash, but for the database, which is asked to stop.
    Never called while the supervisor runs, except by the program `name` itself.
    """
    left = leftovers(var, name)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            is_database = process.name() == "postgres"
            process.send_signal(signal.SIGINT if is_database else signal.SIGKILL)
    _, stubborn = psutil.wait_procs(left, timeout=STOP_SECONDS)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return len(left)


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask `condition` until it says yes; return False when the seconds are over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def _is_marked(process: psutil.Process, var: str, name: str | None) -> bool:
    """Tell whether a process was started under this `var`; not ours to read means no."""
    try:
        marks = process.environ()
    except (psutil.Error, OSError):
        return False
    ours = process.pid != os.getpid() and marks.get(MARK) == var
    return ours and (name is None or marks.get(NAME) == name)


def _text(value: object) -> str:
    """Write a value for the supervisor, to which a per cent sign means an expansion."""
    return str(value).replace("%", "%%")


if __name__ == "__main__":
    clear_leftovers(os.environ[MARK], os.environ[NAME])
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - our own command
