"""The street under load: placing into a large pool, and recorded requests from order to charge."""

import resource
import time
from pathlib import Path

import pytest
from django.core.management import call_command

from inventory.foundation.models import Organisation
from inventory.models import Pool
from inventory.placement import Need, plan_placement
from inventory.selectors import snapshots
from orchestra.replay import read_trace, replay, report_of
from tests.benchmarks.conftest import Bench
from tests.orchestra.traces import START, crowded_trace, make_hosts

pytestmark = pytest.mark.bench
OPENB = Path(__file__).parents[3] / "shared" / "data" / "openb"
needs_openb = pytest.mark.skipif(not OPENB.exists(), reason="the shared trace is not here")


def public_pool(*options: str) -> Pool:
    """Import the public trace's hosts."""
    hosts = str(OPENB / "openb_node_list_all_node.csv")
    call_command("import_pool", hosts, "--pool", "openb", "--organisation", "acme", *options)
    return Pool.objects.get(name="openb")


@needs_openb
def test_plan(bench: Bench, organisation: Organisation) -> None:
    """One plan on 1,523 hosts with 6,212 GPUs: the kept layout against reading it each time."""
    start = time.perf_counter()
    pool = public_pool()
    bench.note(import_seconds=time.perf_counter() - start)
    need = Need({"CPU_MILLI": 12_000, "MEMORY_MB": 16_384, "GPU_MILLI": 1_000})

    def plan() -> None:
        answer = plan_placement(pool=pool, needs=[need], start=START, end=None)
        assert answer.refusal is None

    def plan_anew() -> None:
        snapshots.forget_layouts()
        plan()

    kept = bench.median(plan, times=20)
    anew = bench.median(plan_anew, times=5)
    bench.note(plan_ms=kept * 1000, plan_anew_ms=anew * 1000, ratio=anew / kept)


def test_replay(bench: Bench, tmp_path: Path, organisation: Organisation) -> None:
    """Recorded requests through order, plan, approval, run, delivery, end and charge, alone."""
    count = 100
    requests = read_trace(path=crowded_trace(tmp_path, requests=count))
    pool = make_hosts(tmp_path, pool="Small")
    bench.conditions["requests"] = count
    start = time.perf_counter()
    stage = replay(requests=requests, pool=pool, start=START, is_alone=True)
    first = time.perf_counter() - start
    start = time.perf_counter()
    replay(requests=requests, pool=pool, start=START, is_alone=True)
    again = time.perf_counter() - start
    report = report_of(stage)
    assert (report.overallocated, report.difference) == (0, "0")
    bench.note(
        seconds=first,
        requests_a_second=count / first,
        again_seconds=again,
        ratio=first / again,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
