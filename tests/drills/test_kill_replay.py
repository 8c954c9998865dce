"""A replay that is killed again and again ends with the same figures as one that is not."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inventory.foundation.models import Organisation
from orchestra.replay import read_trace, replay, report_of
from orchestra.replay.stage import stage_of
from orchestra.selectors.runs import invariants
from tests.drills.processes import ROOT, Crew, environment, is_full
from tests.orchestra.traces import START, crowded_trace, make_hosts, over_full, wrongly_refused

pytestmark = [pytest.mark.drill, pytest.mark.django_db(transaction=True)]


def test_kill_nine_and_go_on(tmp_path: Path, organisation: Organisation) -> None:
    """Five kills of the replay and of the process that helps it, then to the end."""
    path = crowded_trace(tmp_path, requests=400 if is_full() else 30)
    requests = read_trace(path=path)
    calm = make_hosts(tmp_path, pool="Calm")
    expected = report_of(replay(requests=requests, pool=calm, start=START, is_alone=True))
    harried = make_hosts(tmp_path, pool="Harried")
    command = ("manage.py", "replay", str(path), "--pool", "Harried", "--json")
    dice = random.Random(4)
    folder = tmp_path / "var"
    with Crew(folder, command) as crew:
        for _ in range(5):
            member = crew.hire()
            time.sleep(3 + dice.random() * 2)
            crew.kill(member)
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == expected.as_dict()
    stage = stage_of(harried)
    assert stage is not None
    assert over_full(stage) == []
    assert wrongly_refused(stage, requests) == []
    assert invariants() == []
