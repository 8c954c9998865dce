"""Readings: each counts once, the wrong ones are named, the closed month stays closed."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.choices import MeterSource
from billing.models import BillingPeriod, Charge, Meter, Sku, UsageKey, UsageRecord
from billing.selectors import explain, reconcile
from billing.selectors.corrections import late_readings
from billing.services import Verdict, close_period, rate_open_periods, rate_period, record_usage
from inventory.foundation.models import Project, User
from inventory.models import ResourceProvider
from tests.billing.world import (
    FIRST_PRICES,
    LINUX_M,
    Money,
    berlin,
    make_machine,
    make_price,
    make_reading_meter,
)

JANUARY = date(2026, 1, 1)
AT = berlin(2026, 1, 20)
AFTER = berlin(2026, 2, 3)


@pytest.fixture
def traffic(money: Money) -> Sku:
    """Readings of traffic at 0.05 a gigabyte."""
    return make_reading_meter(money)


def event(whose: Project, event_id: str = "1", **changes: Any) -> dict[str, Any]:
    """Return one CloudEvent with 12.5 GB on 15 January."""
    data = {
        "meter": "traffic",
        "project": whose.pk,
        "start": "2026-01-15T10:00:00+01:00",
        "end": "2026-01-15T11:00:00+01:00",
        "amount": "12.5",
    }
    return {"source": "//router", "id": event_id, "data": data | changes}


def verdicts(*events: Any) -> list[str]:
    """Record and return the verdicts."""
    return [found.verdict.value for found in record_usage(events=events, at=AT)]


def test_each_event_counts_once(project: Project, traffic: Sku) -> None:
    again, other = event(project), event(project, amount="13")

    assert verdicts(event(project), again, event(project, "2")) == [
        "recorded",
        "duplicate",
        "recorded",
    ]
    assert verdicts(again, other) == ["duplicate", "conflict"]

    assert UsageKey.objects.count() == 2
    records = UsageRecord.objects.all()
    assert [record.amount for record in records] == [Decimal("12.5")] * 2
    assert len({record.pk for record in records}) == 2


def test_a_conflict_inside_one_batch(project: Project, traffic: Sku) -> None:
    assert verdicts(event(project, amount="1"), event(project, amount="2")) == [
        "recorded",
        "conflict",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"amount": 1.5}, "amount is a whole number or decimal text"),
        ({"amount": "NaN"}, "amount is a whole number or decimal text"),
        ({"amount": "-1"}, "amount is a whole number or decimal text"),
        ({"amount": "1e40"}, "amount is a whole number or decimal text"),
        ({"amount": "0.0000000000001"}, "with at most 12 decimals"),
        ({"amount": True}, "amount is a whole number or decimal text"),
        ({"meter": "nothing"}, "There is no meter 'nothing' for readings. Known: ['traffic']"),
        ({"meter": "machines"}, "There is no meter 'machines' for readings"),
        ({"start": "2026-01-15T10:00:00"}, "start is an instant with offset"),
        ({"start": "2026-13-15T10:00:00Z"}, "start is an instant with offset"),
        ({"end": "2026-01-15T08:00:00Z"}, "end lies before start"),
        ({"start": "1970-01-01T00:00:00Z"}, "days back"),
        ({"start": "2026-03-15T08:00:00Z", "end": "2026-03-15T08:00:00Z"}, "in the future"),
        ({"project": 999_999}, "There is no project 999999"),
        ({"project": "shop"}, "There is no project 'shop'"),
        ({"project": 2**70}, "There is no project"),
        ({"project": []}, "There is no project"),
        ({"project": True}, "There is no project"),
        ({"resource": {}}, "The project has no resource"),
        ({"dimensions": {"a": "\x00"}}, "without NUL"),
        ({"dimensions": {"a": float("nan")}}, "without NUL"),
        ({"resource": 999_999}, "The project has no resource 999999"),
        ({"dimensions": []}, "dimensions is an object"),
    ],
)
def test_wrong_events_are_named_and_the_others_count(
    project: Project, traffic: Sku, changes: dict[str, Any], message: str
) -> None:
    wrong, right = record_usage(events=[event(project, **changes), event(project, "2")], at=AT)

    assert wrong.verdict == Verdict.INVALID
    assert message in wrong.message
    assert right.verdict == Verdict.RECORDED
    assert UsageRecord.objects.count() == 1


@pytest.mark.parametrize("shape", ["text", None, 7, [], {}, {"source": "s", "id": "x" * 201}])
def test_wrong_shapes_are_named(traffic: Sku, shape: Any) -> None:
    (found,) = record_usage(events=[shape], at=AT)

    assert found.verdict == Verdict.INVALID


def test_readings_become_charges_that_tie(
    project: Project, traffic: Sku, money: Money, host: ResourceProvider
) -> None:
    machine = make_machine(project=project, host=host, name="web", start=berlin(2026, 1, 10))
    change = berlin(2026, 1, 16)
    traffic.prices.update(during=(FIRST_PRICES, change))
    make_price(money.book, traffic, "0.1", start=change)
    record_usage(
        events=[
            event(project, "1", resource=machine.pk),
            event(project, "2", resource=machine.pk),
            event(
                project,
                "3",
                resource=machine.pk,
                start="2026-01-17T00:00:00Z",
                end="2026-01-17T00:00:00Z",
            ),
        ],
        at=AT,
    )

    rate_period(account=money.account, month=JANUARY, at=AFTER)

    low, high = Charge.objects.filter(sku=traffic).order_by("charge_start")
    assert (low.pricing_quantity, low.billed_cost) == (25, Decimal("1.25"))
    assert (high.pricing_quantity, high.billed_cost) == (Decimal("12.5"), Decimal("1.25"))
    assert high.charge_start == change
    assert explain(charge=low).formula == "25 GB × 0.05 = 1.25"
    close_period(month=JANUARY, at=AFTER, actor=None)
    (tied,) = reconcile(month=JANUARY)
    assert (tied.difference, tied.problems) == (0, ())


def test_a_closed_month_takes_late_readings_for_a_correction(
    project: Project, traffic: Sku, money: Money, host: ResourceProvider
) -> None:
    make_machine(project=project, host=host, name="web", start=berlin(2026, 1, 10))
    record_usage(events=[event(project, "0")], at=AT)
    close_period(month=JANUARY, at=AFTER, actor=None)
    later = AFTER + timedelta(days=1)

    late, again = (record_usage(events=[event(project)], at=later)[0] for _ in range(2))

    assert late.verdict == Verdict.LATE
    assert "January 2026 is closed" in late.message
    assert again.verdict == Verdict.DUPLICATE
    assert UsageKey.objects.count() == 2
    (tied,) = reconcile(month=JANUARY)
    assert (tied.difference, tied.problems) == (0, ())
    periods = BillingPeriod.objects.filter(month=JANUARY)
    assert late_readings(periods=periods) == {periods.get().pk: 1}


def test_readings_alone_open_their_month(project: Project, traffic: Sku, money: Money) -> None:
    record_usage(events=[event(project)], at=AT)

    report = rate_open_periods(at=berlin(2026, 3, 1))

    assert report.failures == {}
    assert Charge.objects.get().period.month == JANUARY


def test_a_reading_without_a_price_is_named_and_holds_up_the_close(
    project: Project, money: Money, traffic: Sku, host: ResourceProvider, finance: User
) -> None:
    """No price for the meter, or only one for another kind: both are said, neither is lost."""
    Meter.objects.create(
        name="calls", label="Calls", source=MeterSource.READING, unit="call", aggregation="sum"
    )
    Sku.objects.filter(pk=traffic.pk).update(resource_kind="vm.other")
    machine = make_machine(project=project, host=host, name="a", start=AT)
    said = verdicts(
        event(project, meter="calls"), event(project, "2"), event(project, "3", resource=machine.pk)
    )
    assert set(said) == {"recorded"}
    period = rate_period(account=money.account, month=JANUARY, at=AFTER)
    assert period.failure == (
        "Readings of “Calls” have no price in EUR. Ask finance to publish one. "
        f"Readings of “Traffic” of “{LINUX_M}” have no price in EUR. Ask finance to publish one. "
        "Readings of “Traffic” have no price in EUR. Ask finance to publish one."
    )
    (result,) = close_period(account=money.account, month=JANUARY, at=AFTER, actor=finance)
    assert result.invoice is None
    assert "Readings of “Calls” have no price" in result.error
