"""A long list as a file: all of the ledger as CSV, against what django-tables2 takes a cell."""

import resource
import time
from datetime import date
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from billing.models import Charge
from billing.selectors import visible_charges
from billing.services import rate_period
from billing.tables import ChargeTable
from inventory.foundation.models import Project, User
from inventory.foundation.tables import cell_text
from tests.benchmarks.conftest import Bench
from tests.billing.world import berlin, make_host, make_machine, make_money

pytestmark = pytest.mark.bench
ROWS, SAMPLE = 150_000, 3_000


def make_ledger(project: Project, finance: User, second: User) -> None:
    """Rate one machine's month, and copy its charge until there are ROWS of them."""
    money = make_money(
        organisation=project.organisation, project=project, preparer=finance, releaser=second
    )
    make_machine(
        project=project,
        host=make_host(project.organisation),
        name="old",
        start=berlin(2026, 1, 5),
        end=berlin(2026, 1, 6),
    )
    rate_period(account=money.account, month=date(2026, 1, 1), at=berlin(2026, 2, 1))
    names = [
        field.column
        for field in Charge._meta.concrete_fields
        if field.column not in ("id", "line_id", "billed_cost", "charge_start")
    ]
    columns = ", ".join(names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO billing_charge (line_id, billed_cost, charge_start, {columns}) "  # noqa: S608
            "SELECT gen_random_uuid(), number / 977.0, "
            f"charge_start + number * interval '1 millisecond', {columns} "
            "FROM billing_charge, generate_series(2, %s) number "
            "WHERE billing_charge.id = (SELECT min(id) FROM billing_charge)",
            [ROWS],
        )
        cursor.execute("ANALYZE billing_charge")


def test_csv(
    bench: Bench, project: Project, finance: User, second_finance: User, tmp_path: Path
) -> None:
    """All rows by the page's own address, to a file; the baseline is a sample read cell by cell."""
    make_ledger(project, finance, second_finance)
    client = Client()
    client.force_login(finance)
    count = visible_charges(finance).count()
    bench.conditions["rows"] = count
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with (tmp_path / "charges.csv").open("wb") as file:
        for block in client.get("/charges/", {"format": "csv"}):
            file.write(block)
    taken = time.perf_counter() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    with (tmp_path / "charges.csv").open(encoding="utf-8") as text:
        assert sum(not line.startswith("#") for line in text) == count + 1

    start = time.perf_counter()
    with (tmp_path / "charges.xlsx").open("wb") as file:
        for block in client.get("/charges/", {"format": "xlsx"}):
            file.write(block)
    sheet = time.perf_counter() - start
    grown_too = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    start = time.perf_counter()
    table = ChargeTable(visible_charges(finance))
    for row in table.rows[:SAMPLE]:
        for column in table.columns:
            cell_text(row.get_cell_value(column.name))
    plain = time.perf_counter() - start
    bench.note(
        seconds=taken,
        rows_a_second=count / taken,
        ratio=(plain / SAMPLE) / (taken / count),
        grown_mib=grown / 1024,
        xlsx_seconds=sheet,
        xlsx_grown_mib=grown_too / 1024,
    )
