"""The street of the journeys: a database of its own, the programs of `make up`, a real browser."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.db import connections
from playwright.sync_api import Browser, Page, expect, sync_playwright

from orchestra.demo import PASSWORD
from orchestra.management.checks import page_answers
from orchestra.management.programs import programs
from orchestra.providers.simulated.world import World
from tests.drills.processes import ROOT, Crew, database_url, wait_until
from tests.journeys.axe import CHROMIUM, CHROMIUM_ARGS, Watch, watch

START_SECONDS = 120
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look at the demo's figures first: what the other journeys are given changes what is held."""
    items.sort(key=lambda item: item.path.name != "test_demo_hour.py")


@dataclass
class Street:
    """The running portal, its worker and scheduler, and the folder that their state lies in."""

    address: str
    var: Path
    crew: Crew
    workers: list[subprocess.Popen[bytes]]

    def manage(self, *words: str) -> str:
        """Run a command of manage.py beside the programs and return what it printed."""
        return run(self.crew, "manage.py", *words)

    def ring(self, task: str) -> None:
        """Have the worker do a task now that the scheduler would ask for later."""
        run(self.crew, "-m", "celery", "--app", "orchestra", "call", task)

    def kill_a_worker(self) -> None:
        """Kill -9 the worker that is longest there and start another, as the supervisor does."""
        killed = self.workers.pop(0)
        command = tuple(str(word) for word in killed.args[1:])  # type: ignore[index]
        self.crew.kill(killed)
        self.workers.append(self.crew.hire(command))

    def machines(self, name: str) -> list[str]:
        """Return the names of the machines that exist at the destination and begin with `name`."""
        (path,) = (self.var / "simulated").glob("*/world.sqlite3")
        names = [str(thing.spec["name"]) for thing in World(path).things()]
        return sorted(one for one in names if one.startswith(name))


@dataclass
class Visitor:
    """Somebody in a browser of their own, and what went wrong in it so far."""

    page: Page
    watched: Watch


Enter = Callable[..., Visitor]


def run(crew: Crew, *words: str) -> str:
    """Run a Python program with the environment of the street's processes."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=crew.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def addresses(django_db_blocker: Any) -> Iterator[dict[str, str]]:
    """Make a database that only the journeys use; return its addresses for both roles.

    Not the test database: what is committed here must not be seen by any other test, and
    pytest-django makes that one only when a test of this session asks for it.
    """
    known = connections["owner"].copy().settings_dict
    name = f"{known['NAME']}_journey_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    application = urlsplit(database_url())._replace(path=f"/{name}")
    login = f"{quote(known['USER'])}:{quote(known['PASSWORD'] or '')}"
    owner = application._replace(netloc=f"{login}@")
    drop = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
    with django_db_blocker.unblock(), connections["owner"].copy()._nodb_cursor() as cursor:
        cursor.execute(drop)
        cursor.execute(f'CREATE DATABASE "{name}"')
    yield {"DATABASE_URL": application.geturl(), "DATABASE_OWNER_URL": owner.geturl()}
    with django_db_blocker.unblock(), connections["owner"].copy()._nodb_cursor() as cursor:
        cursor.execute(drop)


@pytest.fixture(scope="session")
def street(addresses: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """Start portal, worker and scheduler on the demo, as `make up` does."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is missing: install the package chromium")
    var = tmp_path_factory.mktemp("street")
    for folder in ("beat", "tmp"):
        (var / folder).mkdir()
    port = free_port()
    more = {"ORCHESTRA_DEMO": "1", "ORCHESTRA_PORT": str(port), "TMPDIR": str(var / "tmp")}
    with Crew(var, **addresses, **more) as crew:
        run(crew, "manage.py", "migrate", "--verbosity", "0")
        run(crew, "manage.py", "demo")
        run(crew, "manage.py", "collectstatic", "--verbosity", "0", "--no-input")
        workers = []
        for program in programs(var=var, port=port, with_database=False):
            hired = crew.hire(tuple(program.command[1:]))
            if program.name.startswith("worker"):
                workers.append(hired)
        assert wait_until(lambda: page_answers(port), START_SECONDS), crew.log()
        yield Street(f"http://localhost:{port}", var, crew, workers)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Open Debian's Chromium. For one module only: no test beside it may run within its loop."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is missing: install the package chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGS))
        yield opened
        opened.close()


@pytest.fixture
def enter(street: Street, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Enter]:
    """Return a function that signs a person of the demo in, in a browser of their own."""
    contexts = []

    def sign_in(username: str, **options: Any) -> Visitor:
        context = browser.new_context(
            **{
                "base_url": street.address,
                "viewport": {"width": 1280, "height": 900},
                "color_scheme": "light",
                "reduced_motion": "reduce",
                "locale": "en-GB",
                "accept_downloads": True,
            }
            | options
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        visitor = Visitor(page, watch(page))
        page.goto("/login/")
        page.get_by_label("Username").fill(username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        return visitor

    yield sign_in
    for context in contexts:
        context.close()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
