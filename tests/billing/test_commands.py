"""What is typed: one line that names the cure, and nothing half done."""

import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from billing.models import BillingPeriod, Invoice
from inventory.foundation.models import AuditEvent, Project, User
from inventory.models import ResourceProvider
from tests.billing.world import LINUX_M, Money, berlin, make_machine


@pytest.fixture
def january(project: Project, money: Money, host: ResourceProvider) -> None:
    """One machine ran from the middle of January on."""
    make_machine(project=project, host=host, name="web", start=berlin(2026, 1, 12, 9))


def typed(*words: object) -> str:
    """Run a command and return what it says."""
    out = StringIO()
    call_command(*map(str, words), stdout=out)
    return out.getvalue()


def test_close_and_export(january: None, money: Money, finance: User, tmp_path: Path) -> None:
    said = typed("close_period", "2026-01", "--as", finance.username)
    again = typed("close_period", "2026-01", "--account", "shop")
    exported = typed("export_billing", "2026-01", "--format", "focus-1.2", "--out", tmp_path)

    number = Invoice.objects.get().number
    assert said == f"shop: {number} 57.82 EUR\n"
    assert again == f"shop: {number} 57.82 EUR (was closed before)\n"
    assert re.search(r"focus-1\.2-2026-01\.csv: 3 rows, closed, sha256 [0-9a-f]{64}\n", exported)
    assert AuditEvent.objects.get(action="close.period").actor == finance


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["2026-1"], "'2026-1' is not a month. Write it as YYYY-MM"),
        (["9998-11"], "The period 9998-11 is open until 01 December 9998 00:00"),
        (["2020-01", "--account", "none"], "There is no account 'none'. Known are: shop."),
        (["2026-01", "--as", "nobody"], "There is nobody with the user name 'nobody'"),
        (["2026-01", "--as", "olivia"], "you need the role finance"),
        (["2026-02"], "2026-01 is still open. Close the earlier month first."),
    ],
)
def test_bad_words(january: None, words: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=re.escape(message)) as refused:
        typed("close_period", *words)

    assert "\n" not in str(refused.value)
    assert not BillingPeriod.objects.filter(state="closed").exists()
    assert Invoice.objects.count() == 0


def test_what_fails_is_named(
    january: None, project: Project, money: Money, host: ResourceProvider
) -> None:
    money.storage.resource_kind = LINUX_M
    money.storage.save()
    make_machine(project=project, host=host, name="odd", start=berlin(2026, 1, 20), kind="vm.plan9")

    with pytest.raises(CommandError, match=r"1 of 1 accounts are still open\. shop: .*vm\.plan9"):
        typed("close_period", "2026-01")
