"""The demo: the same for the same day, whole on awkward days, and only into an empty database."""

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import F, Sum
from pytest_django import Settings

from billing.choices import PeriodState
from billing.models import BillingPeriod, Charge, Invoice, InvoiceLine, UsageRecord
from billing.selectors import reconcile
from inventory.choices import ResourceStatus
from inventory.foundation.models import AuditEvent, Event, Organisation
from inventory.models import Allocation, Resource, ResourceState
from orchestra.choices import OrderState, RunState
from orchestra.demo import load_demo
from orchestra.models import Deployment, Order, Plan, Run, Step, WorkerBeat
from orchestra.selectors.runs import invariants

pytestmark = pytest.mark.django_db

AS_OF = date(2026, 3, 14)
AWKWARD = [
    date(2026, 1, 1),
    date(2026, 5, 1),
    date(2026, 5, 31),
    date(2028, 2, 29),
    date(2026, 3, 29),
    date(2026, 10, 25),
]


def facts() -> dict[str, list[Any]]:
    """Return all that the demo says, without the row numbers that a sequence hands out."""
    rows = {
        "orders": Order.objects.values_list(
            "name", "project__slug", "state", "instances", "created_at", "end_at"
        ),
        "plans": Plan.objects.values_list(
            "order__name", "number", "monthly_cost", "term_cost", "valid_until"
        ),
        "steps": Step.objects.values_list("run__order__name", "key", "state", "attempt"),
        "applications": Deployment.objects.values_list("name", "state", "lease_end_at"),
        "resources": Resource.objects.values_list(
            "name", "status", "provider__name", "delivered_at", "ended_at"
        ),
        "states": ResourceState.objects.values_list("resource__name", "state", "during"),
        "held": Allocation.objects.values_list(
            "resource__name",
            "inventory__resource_class__name",
            "amount",
            "active_from",
            "active_to",
        ),
        "charges": Charge.objects.values_list(
            "resource__name", "sku__code", "period__month", "pricing_quantity", "billed_cost"
        ),
        "statements": Invoice.objects.values_list("sequence", "issued_at", "total", "exact_total"),
        "events": Event.objects.values_list("type", "time"),
        "audit": AuditEvent.objects.values_list("action", "actor_label", "object_type", "at"),
    }
    return {name: sorted(map(repr, found)) for name, found in rows.items()}


def test_the_same_day_gives_the_same_demo(settings: Settings, tmp_path: Path) -> None:
    told = []
    for number in (1, 2):
        settings.VAR_DIR = tmp_path / str(number)
        with transaction.atomic():
            load_demo(as_of=AS_OF)
            told.append(facts())
            transaction.set_rollback(True)
    first, second = told
    for name, rows in first.items():
        assert rows == second[name], name
        assert rows, name


@pytest.mark.parametrize("as_of", AWKWARD, ids=str)
def test_it_is_whole_on_an_awkward_day(as_of: date, settings: Settings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    report = load_demo(as_of=as_of)

    states = Counter(Order.objects.values_list("state", flat=True))
    assert states[OrderState.AWAITING_APPROVAL] == 1
    assert states[OrderState.DRAFT] == 1  # what does not fit
    assert not states[OrderState.FULFILLING]
    assert not states[OrderState.FAILED]
    assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}
    delivered = Resource.objects.filter(status=ResourceStatus.RUNNING)
    assert delivered.count() >= 10
    assert not Resource.objects.filter(delivered_at__gt=F("ended_at")).exists()

    assert report.closed_months[0] < report.closed_months[1] < as_of.replace(day=1)
    for month in report.closed_months:
        for row in reconcile(month=month):
            assert row.period.state == PeriodState.CLOSED
            assert (row.difference, row.problems) == (Decimal(0), ())
    for row in reconcile(month=as_of.replace(day=1)):
        assert row.period.state == PeriodState.OPEN
        assert (row.difference, row.problems) == (Decimal(0), ())
    for invoice in Invoice.objects.all():
        lines = InvoiceLine.objects.filter(invoice=invoice).aggregate(
            printed=Sum("amount"), exact=Sum("exact_amount")
        )
        charged = Charge.objects.filter(invoice=invoice).aggregate(sum=Sum("billed_cost"))["sum"]
        assert lines == {"printed": invoice.total, "exact": invoice.exact_total}
        assert charged == invoice.exact_total
    assert Invoice.objects.count() == 4
    assert BillingPeriod.objects.filter(state=PeriodState.CLOSED).count() == 4
    assert UsageRecord.objects.exists()
    assert invariants() == []
    assert not WorkerBeat.objects.exists(), "the teller is no worker that could fall silent"


def test_it_goes_into_an_empty_database_only(organisation: Organisation) -> None:
    with pytest.raises(CommandError, match="The demo needs an empty database") as refusal:
        call_command("demo", as_of="2026-03-14")
    assert "\n" not in str(refusal.value)
    assert Organisation.objects.get() == organisation


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "14.03.2026"])
def test_a_day_that_is_none_is_refused_with_the_cure(day: str) -> None:
    with pytest.raises(CommandError, match="Write it as YYYY-MM-DD"):
        call_command("demo", as_of=day)
