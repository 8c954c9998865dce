"""Recorded requests driven through the street: twice is once, and every refusal is right."""

import json
from decimal import Decimal
from fractions import Fraction
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from billing.models import Charge
from billing.services import close_period
from inventory.foundation.models import Organisation
from inventory.models import Allocation
from orchestra.choices import DeploymentState, OrderKind, OrderState, RunState
from orchestra.models import Deployment, Order, Run
from orchestra.replay import NotReplayed, TraceRefused, read_trace, replay, report_of
from orchestra.replay.drive import LOCK_CLASS
from orchestra.selectors.runs import invariants
from tests.orchestra.traces import (
    HEADING,
    PRICES,
    START,
    crowded_trace,
    make_hosts,
    over_full,
    write_trace,
    wrongly_refused,
)

OPENB = Path(__file__).parents[3] / "shared" / "data" / "openb" / "openb_pod_list_default.csv"

FAULTS = [
    ("a,1,1,0,0,,LS,5,4", "line 2, column deletion_time: 4 is before the creation at 5"),
    ("a,-1,1,0,0,,LS,0,4", "line 2, column cpu_milli: -1 is not between 0 and"),
    ("a,1,2147483648,0,0,,LS,0,4", "line 2, column memory_mib: 2147483648 is not between"),
    ("a,1,1,1,1001,,LS,0,4", "line 2, column gpu_milli: 1001 is not between"),
    ("a,1,x,0,0,,LS,0,4", "line 2, column memory_mib: 'x' is not a whole number"),
    ("a,1,1,0,0,,LS,0,4\na,1,1,0,0,,LS,0,4", "line 3, column name: a stands in line 2 too"),
    ("A b,1,1,0,0,,LS,0,4", "line 2, column name: Use small letters"),
    ("a,1,1,1,100,T4|G2,LS,0,4", "line 2, column gpu_spec: names models"),
    ("a,0,0,0,0,,LS,0,4", "line 2, column cpu_milli: asks for nothing"),
    ("a,1,1,0,0,,LS,0", "line 2: has 8 cells, the heading has 9"),
    ("", "line 1: the file has a heading but no rows"),
]


@pytest.mark.parametrize(("line", "fault"), FAULTS)
def test_what_is_wrong_is_named_by_line_and_column(tmp_path: Path, line: str, fault: str) -> None:
    with pytest.raises(TraceRefused) as caught:
        read_trace(path=write_trace(tmp_path, line))
    assert fault in caught.value.message
    assert "nothing was replayed" in caught.value.message


def test_all_faults_at_once_and_missing_columns(tmp_path: Path) -> None:
    with pytest.raises(TraceRefused) as caught:
        read_trace(path=write_trace(tmp_path, "a,-1,-2,0,0,,LS,7,6"))
    assert len(caught.value.faults) == 3
    short = HEADING.replace(",memory_mib", "").replace(",deletion_time", "")
    with pytest.raises(TraceRefused) as caught:
        read_trace(path=write_trace(tmp_path, "a,1,0,0,,LS,7", heading=short))
    assert [(fault.line, fault.column) for fault in caught.value.faults] == [
        (1, "deletion_time"),
        (1, "memory_mib"),
    ]
    with pytest.raises(TraceRefused, match="There is no file"):
        read_trace(path=tmp_path / "nowhere.csv")


@pytest.mark.skipif(not OPENB.exists(), reason="the shared trace is not here")
def test_the_public_trace_is_read() -> None:
    requests = read_trace(path=OPENB)
    assert len(requests) == 8152
    assert [one.name for one in requests if one.deleted == one.created] == ["openb-pod-7285"]
    assert sorted({one.gpu_milli for one in requests if one.gpu_milli > 1000}) == [2000, 4000, 8000]


@pytest.mark.django_db(transaction=True)
def test_a_crowded_trace_from_order_to_charge(tmp_path: Path, organisation: Organisation) -> None:
    """Hosts too small for all of it: what is refused would not fit, what fits is not refused."""
    requests = read_trace(path=crowded_trace(tmp_path, requests=40))
    pool = make_hosts(tmp_path, pool="Small")
    stage = replay(requests=requests, pool=pool, start=START, is_alone=True)
    report = report_of(stage)

    assert report.orders == 40
    assert report.refused["empty_interval"] == 1
    assert report.refused["capacity"] >= 5
    assert report.placed == 40 - sum(report.refused.values())
    assert report.resources == report.placed
    assert (report.overallocated, report.difference) == (0, "0")
    assert wrongly_refused(stage, requests) == []
    assert over_full(stage) == []
    assert invariants() == []

    orders = Order.objects.filter(project=stage.project, kind=OrderKind.CREATE)
    refused = orders.exclude(refusal={})
    assert all(order.state == OrderState.DRAFT for order in refused)
    assert all(order.refusal["message"] for order in refused)
    assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}
    assert set(Deployment.objects.values_list("state", flat=True)) == {DeploymentState.RETIRED}
    # Everything was held, and is charged, from the recorded second to the recorded second.
    times = {one.name: (one.created, one.deleted) for one in requests}
    for allocation in Allocation.objects.select_related("resource__deployment_link__deployment"):
        name = allocation.resource.deployment_link.deployment.name
        began, ended = (
            moment.timestamp() - START.timestamp()
            for moment in (allocation.active_from, allocation.active_to)
        )
        assert (began, ended) == times[name]
    cost = sum(
        (
            Fraction(amount * (times[order.name][1] - times[order.name][0]), 3600) * PRICES[name]
            for order in orders.filter(refusal={})
            for name, amount in _asked(order).items()
        ),
        Fraction(0),
    )
    # Quantities lie on a grid so that price × quantity is exact: at most half a step a charge.
    charges = Charge.objects.filter(account=stage.account)
    assert abs(Fraction(Decimal(report.total)) - cost) <= charges.count() * Fraction(1, 10**9)


def _asked(order: Order) -> dict[str, int]:
    return {
        "CPU_MILLI": order.parameters["cpu_milli"],
        "MEMORY_MB": order.parameters["memory_mib"],
        "GPU_MILLI": order.parameters["gpu_milli"],
    }


@pytest.mark.django_db(transaction=True)
def test_again_later_elsewhere_and_too_late(tmp_path: Path, organisation: Organisation) -> None:
    """A part and then the rest is the whole; another start, another replay, a closed month: no."""
    path = crowded_trace(tmp_path, requests=12)
    requests = read_trace(path=path)
    pool = make_hosts(tmp_path, pool="Small")
    replay(requests=requests[:5], pool=pool, start=START, is_alone=True)
    stage = replay(requests=requests, pool=pool, start=START, is_alone=True)
    once = report_of(stage)
    replay(requests=requests, pool=pool, start=START, is_alone=True)
    assert report_of(stage) == once

    whole = make_hosts(tmp_path, pool="Second")
    other = replay(requests=requests, pool=whole, start=START, is_alone=True)
    assert report_of(other) == once

    with pytest.raises(NotReplayed, match=r"Go on with --start 2026-01-01"):
        replay(requests=requests, pool=pool, start=START.replace(day=2), is_alone=True)
    rival = connections["default"].copy()
    try:
        with rival.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, pool.pk])
        with pytest.raises(NotReplayed, match="Another replay into Small is under way"):
            replay(requests=requests, pool=pool, start=START, is_alone=True)
    finally:
        rival.close()

    closed = close_period(
        month=START.date(), at=START.replace(year=2027), actor=None, account=stage.account
    )
    assert [result.error for result in closed] == [""]
    with pytest.raises(NotReplayed, match=r"January 2026 is closed .* --report"):
        replay(requests=requests, pool=pool, start=START, is_alone=True)
    out = StringIO()
    call_command("replay", str(path), "--pool", "Small", "--report", "--json", stdout=out)
    said = json.loads(out.getvalue().splitlines()[-1])
    assert said["invoices"] == 1
    assert said | {"invoices": 0} == once.as_dict()


@pytest.mark.django_db
def test_the_command_names_the_cure(tmp_path: Path, organisation: Organisation) -> None:
    path = write_trace(tmp_path, "a,1,1,0,0,,LS,0,4")
    with pytest.raises(CommandError, match=r"no pool 'X'.*Make it first: manage.py import_pool"):
        call_command("replay", str(path), "--pool", "X")
    make_hosts(tmp_path, pool="Small")
    with pytest.raises(CommandError, match="Leave out --report"):
        call_command("replay", str(path), "--pool", "Small", "--report")
    with pytest.raises(CommandError, match="is not a day"):
        call_command("replay", str(path), "--pool", "Small", "--start", "soon")
    with pytest.raises(CommandError, match="whole number of at least 1"):
        call_command("replay", str(path), "--pool", "Small", "--limit", "0")
