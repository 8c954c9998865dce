"""The FOCUS file: its grammar, its sums, its bytes, and the official validator."""

import csv
import json
import os
import re
import subprocess
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum, Value
from django.db.models.functions import Concat

from billing.exports import focus_1_2
from billing.exports.manifest import CannotWrite
from billing.models import BillingExport, Charge, Invoice
from billing.services import close_period, rate_period
from inventory.foundation.errors import Forbidden
from inventory.foundation.models import Project, User
from inventory.models import Resource, ResourceProvider
from tests.billing.world import Money, berlin, make_account, make_machine, make_price

JANUARY = date(2026, 1, 1)
AFTER = berlin(2026, 2, 3, 10)
NUMBER = re.compile(r"-?[0-9]+\.([0-9]{10}|[0-9]{12})\Z")
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
VALIDATOR = Path(__file__).parents[3] / "shared" / "tools" / "focus_1_2.sh"


@pytest.fixture
def ran(project: Project, money: Money, host: ResourceProvider) -> None:
    """Run machines of two accounts, one of them with a price of its own, over odd instants."""
    for index in range(3):
        make_machine(project=project, host=host, name=f"web-{index}", start=berlin(2026, 1, 12, 9))
    make_machine(
        project=project,
        host=host,
        name='short, with "quotes"',
        start=berlin(2026, 1, 3, 4, 17),
        end=berlin(2026, 1, 9, 15, 1),
        disk=37,
    )
    lab = Project.objects.create(
        organisation=project.organisation,
        name="Lab",
        slug="lab",
        owner=project.owner,
        deputy=project.deputy,
        cost_centre="4712",
        created_at=AFTER,
    )
    account = make_account(money.entity, project.organisation, "lab", lab)
    make_price(money.book, money.machine, "0.0951", account=account)
    make_machine(project=lab, host=host, name="gpu", start=berlin(2025, 12, 1), disk=3)


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read the file as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def export(directory: Path) -> list[dict[str, str]]:
    """Close December and January, export January, and read it."""
    for month in (date(2025, 12, 1), JANUARY):
        close_period(month=month, at=AFTER, actor=None)
    focus_1_2.write(month=JANUARY, directory=directory, at=AFTER)
    return rows_of(directory / "focus-1.2-2026-01.csv")


def test_strict_checks_of_our_own(ran: None, money: Money, tmp_path: Path) -> None:
    rows = export(tmp_path)

    assert len(rows[0]) == 57
    assert list(rows[0]) == sorted(rows[0])
    by_invoice: dict[str, Decimal] = defaultdict(Decimal)
    prices: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in rows:
        by_invoice[row["InvoiceId"]] += Decimal(row["BilledCost"])
        for name in row:
            if name.endswith(("Cost", "UnitPrice", "Quantity")) and row[name]:
                assert NUMBER.match(row[name]), (name, row[name])
            if name.endswith(("PeriodStart", "PeriodEnd")):
                assert INSTANT.match(row[name])
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        assert row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        assert row["ProviderName"] == row["PublisherName"] == row["InvoiceIssuerName"] == "Acme IT"
        if row["ChargeCategory"] == "Adjustment":
            assert row["PricingQuantity"] == row["SkuId"] == row["ResourceId"] == ""
            continue
        quantity = Decimal(row["PricingQuantity"])
        assert Decimal(row["ListCost"]) == Decimal(row["ListUnitPrice"]) * quantity
        assert Decimal(row["ContractedCost"]) == Decimal(row["ContractedUnitPrice"]) * quantity
        assert row["PricingUnit"] in {"Hours", "GiB-Months"}
        assert row["ConsumedUnit"] in {"Hours", "GiB-Hours"}
        prices[row["SkuPriceId"]].add((row["SkuId"], row["ListUnitPrice"]))
        assert set(json.loads(row["Tags"])) == {
            "team",
            "orchestra/application",
            "orchestra/cost_centre",
            "orchestra/environment",
            "orchestra/pool",
        }
    assert all(len(found) == 1 for found in prices.values())
    invoices = Invoice.objects.filter(period__month=JANUARY)
    assert by_invoice == {invoice.number: invoice.total for invoice in invoices}
    assert sum(Decimal(row["EffectiveCost"]) for row in rows) == sum(by_invoice.values())


def test_rows_tie_with_the_ledger(ran: None, money: Money, tmp_path: Path) -> None:
    rows = export(tmp_path)

    usage = [Decimal(row["BilledCost"]) for row in rows if row["ChargeCategory"] == "Usage"]
    ledger = Charge.objects.filter(period__month=JANUARY).aggregate(sum=Sum("billed_cost"))["sum"]
    assert sum(usage) == ledger


def test_the_same_bytes_again_whatever_was_renamed(
    ran: None, money: Money, project: Project, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    export(first)
    Project.objects.update(name="Renamed", cost_centre="9999")
    Resource.objects.update(name=Concat("name", Value("-renamed")), tags={}, application="other")
    money.entity.name = "Other IT"
    money.entity.save()
    money.account.name = "Other account"
    money.account.save()
    money.machine.name = money.machine.service_name = "Other"
    money.machine.service_category = "Storage"
    money.machine.save()

    focus_1_2.write(month=JANUARY, directory=second, at=AFTER)

    for name in ("focus-1.2-2026-01.csv", "manifest.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert BillingExport.objects.values("sha256").distinct().count() == 1


def test_the_manifest_proves_the_file(ran: None, money: Money, tmp_path: Path) -> None:
    rows = export(tmp_path)
    focus_1_2.write(month=JANUARY, directory=tmp_path, at=AFTER, account=money.account)

    manifest = json.loads((tmp_path / "manifest.json").read_text())

    shop, everything = manifest["files"]
    assert shop["name"] == "focus-1.2-2026-01-shop.csv"
    assert (everything["rows"], everything["status"]) == (len(rows), "closed")
    total = sum(invoice.total for invoice in Invoice.objects.filter(period__month=JANUARY))
    assert Decimal(everything["sums"]["EUR"]["BilledCost"]) == total
    assert everything["ledger"] == {"lab": 1, "shop": 1}
    assert everything["sha256"] == focus_1_2.sha256_of(tmp_path / everything["name"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        shop["name"],
        everything["name"],
        "manifest.json",
    ]


def test_an_open_month_says_so(ran: None, money: Money, tmp_path: Path) -> None:
    rate_period(account=money.account, month=JANUARY, at=berlin(2026, 1, 20))

    entry = focus_1_2.write(month=JANUARY, directory=tmp_path, at=AFTER)

    assert entry.status == "open"
    assert not BillingExport.objects.get().is_final
    assert {row["InvoiceId"] for row in rows_of(tmp_path / entry.name)} == {""}


def test_a_stranger_exports_nothing(
    ran: None, money: Money, stranger: User, tmp_path: Path
) -> None:
    rate_period(account=money.account, month=JANUARY, at=AFTER)

    with pytest.raises(Forbidden):
        focus_1_2.write(month=JANUARY, directory=tmp_path, at=AFTER, actor=stranger)

    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(ran: None, money: Money, tmp_path: Path) -> None:
    rate_period(account=money.account, month=JANUARY, at=AFTER)
    (tmp_path / "focus-1.2-2026-01.csv").mkdir()  # the last step, the rename, must fail

    with pytest.raises(CannotWrite, match="cannot be written"):
        focus_1_2.write(month=JANUARY, directory=tmp_path, at=AFTER)

    assert [path.name for path in tmp_path.iterdir()] == ["focus-1.2-2026-01.csv"]
    assert BillingExport.objects.count() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["2026-13"], "'2026-13' is not a month. Write it as YYYY-MM"),
        (["2031-01"], "There is no billing period 2031-01"),
        (["2026-01", "--format", "focus-9"], "There is no format 'focus-9'. Use focus-1.2."),
        (["2026-01", "--account", "nobody"], "There is no account 'nobody'"),
    ],
)
def test_bad_words_on_the_command_line(
    money: Money, tmp_path: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=re.escape(message)):
        call_command("export_billing", *arguments, "--out", tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_bad_folders(ran: None, money: Money, tmp_path: Path) -> None:
    rate_period(account=money.account, month=JANUARY, at=AFTER)
    file = tmp_path / "file"
    file.write_text("")

    with pytest.raises(CommandError, match=r"does not exist\. Create it first"):
        call_command("export_billing", "2026-01", "--out", tmp_path / "missing")
    with pytest.raises(CommandError, match="is a file, not a folder"):
        call_command("export_billing", "2026-01", "--out", file)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable(ran: None, money: Money, tmp_path: Path) -> None:
    rate_period(account=money.account, month=JANUARY, at=AFTER)
    tmp_path.chmod(0o500)

    with pytest.raises(CommandError, match="is not writable"):
        call_command("export_billing", "2026-01", "--out", tmp_path)


@pytest.mark.skipif(not VALIDATOR.exists(), reason="the official validator is not here")
def test_the_official_validator_accepts_it(ran: None, money: Money, tmp_path: Path) -> None:
    export(tmp_path)

    found = subprocess.run(
        ["bash", VALIDATOR, tmp_path / "focus-1.2-2026-01.csv"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    if "needs Python 3.12" in found.stdout:
        pytest.skip("the validator needs Python 3.12")
    assert found.returncode == 0, found.stdout
