"""Measured, never passed or failed by time: each benchmark writes var/bench/<name>.json."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection


@dataclass
class Bench:
    """One benchmark's figures; a ratio compares with a baseline measured in the same run."""

    name: str
    conditions: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    def note(self, **figures: float) -> None:
        """Keep figures, rounded to four significant digits."""
        for name, value in figures.items():
            self.figures[name] = float(f"{value:.4g}")

    def median(self, work: Callable[[], object], *, times: int) -> float:
        """Return the median of so many runs, in seconds."""
        taken = []
        for _ in range(times):
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
        return statistics.median(taken)

    def write(self) -> Path:
        """Write the JSON object and return where it stands."""
        folder = settings.VAR_DIR / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        found = {"conditions": self.conditions, "figures": self.figures}
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        return path

    def table(self) -> str:
        """Return the figures as lines for people."""
        width = max(map(len, self.figures), default=0)
        said = ", ".join(f"{name} {value}" for name, value in self.conditions.items())
        lines = [f"{self.name}: {said}"]
        lines += [f"  {name:<{width}}  {value:>12,.6g}" for name, value in self.figures.items()]
        return "\n".join(lines)


@pytest.fixture
def bench(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], transactional_db: None
) -> Iterator[Bench]:
    """Measure under the test's name; print and write what it noted."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (server,) = cursor.fetchone()
    one = Bench(
        name=request.node.name.removeprefix("test_"),
        conditions={
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            "postgresql": server.split()[0],
        },
    )
    yield one
    path = one.write()
    with capsys.disabled():
        print(f"\n{one.table()}\n  → {path}")  # noqa: T201
