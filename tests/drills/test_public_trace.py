"""The public trace on few hosts: what is refused would not fit, and kills change no figure."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import call_command

from inventory.foundation.models import Organisation
from inventory.models import Pool
from orchestra.replay import read_trace
from orchestra.replay.stage import stage_of
from orchestra.selectors.runs import invariants
from tests.drills.processes import ROOT, Crew, environment, is_full
from tests.orchestra.traces import over_full, wrongly_refused

OPENB = ROOT.parent / "shared" / "data" / "openb"
TRACE = OPENB / "openb_pod_list_default.csv"
HOSTS = OPENB / "openb_node_list_all_node.csv"
LIMIT = None if is_full() else 60
KILLS = 5
BETWEEN_KILLS = 100.0

pytestmark = [
    pytest.mark.drill,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not OPENB.exists(), reason="the shared trace is not here"),
]


def few_hosts(name: str, count: int) -> Pool:
    """Import every 101st host with GPUs, as many as asked for."""
    pick = ("--gpu-only", "--every", "101", "--limit", str(count))
    call_command("import_pool", str(HOSTS), "--pool", name, "--organisation", "acme", *pick)
    return Pool.objects.get(name=name)


def command_for(pool: Pool) -> tuple[str, ...]:
    """Return the command that replays the trace into the pool."""
    limit = () if LIMIT is None else ("--limit", str(LIMIT))
    return ("manage.py", "replay", str(TRACE), "--pool", pool.name, "--json", *limit)


def replayed(pool: Pool, folder: Path) -> dict[str, object]:
    """Replay to the end and return the figures."""
    done = subprocess.run(
        [sys.executable, *command_for(pool)],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return figures


def checked(pool: Pool, figures: dict[str, object]) -> None:
    """Compare what was refused and held with a plain loop over the hosts at each instant."""
    requests = read_trace(path=TRACE, limit=LIMIT)
    stage = stage_of(pool)
    assert stage is not None
    assert wrongly_refused(stage, requests) == []
    assert over_full(stage) == []
    assert invariants() == []
    assert (figures["overallocated"], figures["difference"]) == (0, "0")
    assert figures["orders"] == len(requests)


@pytest.mark.parametrize("count", [13, 9] if is_full() else [2])
def test_nothing_that_fits_is_refused(
    count: int, tmp_path: Path, organisation: Organisation, capsys: pytest.CaptureFixture[str]
) -> None:
    """On 13 hosts and on 9, and a twin of the first is killed five times; in short, on two."""
    pool = few_hosts(f"few-{count}", count)
    figures = replayed(pool, tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"\n{count} hosts: {json.dumps(figures)}\n")
    checked(pool, figures)
    refused = figures["refused"]
    assert isinstance(refused, dict)
    assert refused["capacity"] >= 5
    if is_full() and count == 13:
        harried = few_hosts("harried", count)
        dice = random.Random(5)
        with Crew(tmp_path, command_for(harried)) as crew:
            for _ in range(KILLS):
                member = crew.hire()
                time.sleep(BETWEEN_KILLS * (0.5 + dice.random()))
                assert member.poll() is None, crew.log()
                crew.kill(member)
        assert replayed(harried, tmp_path) == figures
