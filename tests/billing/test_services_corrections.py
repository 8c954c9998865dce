"""Corrections: only differences, in the open month, once; in the end everything adds up."""

import csv
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum

from billing.choices import PreparedState
from billing.exports import focus_1_2
from billing.models import BillingPeriod, Charge, Correction, Sku
from billing.selectors import explain, reconcile
from billing.services import (
    AlreadyDecided,
    CannotCorrect,
    DifferenceChanged,
    NewTier,
    NothingToCorrect,
    TwoPeople,
    change_price,
    close_period,
    correct_period,
    prepare_correction,
    rate_period,
    record_usage,
    release_correction,
    withdraw_correction,
)
from inventory.foundation.errors import Conflict, Forbidden, NotVisible
from inventory.foundation.models import AuditEvent, Event, Project, User
from inventory.models import Resource, ResourceProvider
from tests.billing.test_tiers import LADDER, graduated, official, reference
from tests.billing.world import FIRST_PRICES, Money, berlin, make_machine, make_reading_meter

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
START = berlin(2026, 1, 12, 9)
AFTER = berlin(2026, 2, 3, 10)
LATER = berlin(2026, 2, 10)
VALIDATOR = Path(__file__).parents[3] / "shared" / "tools" / "focus_1_2.sh"


@pytest.fixture
def web(project: Project, money: Money, host: ResourceProvider, finance: User) -> Resource:
    """Return a machine that runs since 12 January; January is closed."""
    machine = make_machine(project=project, host=host, name="web", start=START)
    close_period(month=JANUARY, at=AFTER, actor=finance)
    return machine


def end(machine: Resource, at: datetime) -> None:
    """Let it turn out that the machine ended at an instant."""
    machine.ended_at = at
    machine.save()
    machine.allocations.update(active_to=at, held_to=at)


def january() -> BillingPeriod:
    """Return the closed month."""
    return BillingPeriod.objects.select_related("account__entity").get(month=JANUARY)


def both(finance: User, second_finance: User, at: datetime = LATER) -> Correction:
    """Correct January by two people."""
    return correct_period(
        period=january(),
        reason="It ended earlier",
        at=at,
        prepared_by=finance,
        released_by=second_finance,
    )


def frozen() -> list[Any]:
    """Return all that may not change in January."""
    period = january()
    return [
        list(Charge.objects.filter(period=period).order_by("pk").values()),
        list(period.invoices.values()),
        BillingPeriod.objects.filter(pk=period.pk).values().get(),
    ]


def test_an_earlier_end_becomes_a_delta_in_the_open_month(
    web: Resource, money: Money, finance: User, second_finance: User
) -> None:
    before = frozen()
    end(web, berlin(2026, 1, 20, 9))

    correction = both(finance, second_finance)

    machine = Charge.objects.get(correction=correction, sku=money.machine)
    assert machine.pricing_quantity == 192 - 471
    assert machine.billed_cost == machine.list_cost == Decimal("-31.248")
    assert machine.period.month == FEBRUARY
    assert machine.correction_of is not None
    assert machine.correction_of.period.month == JANUARY
    assert (machine.charge_start, machine.charge_end) == (START, berlin(2026, 2, 1))
    assert correction.after - correction.before == sum(
        charge.billed_cost for charge in correction.charges.all()
    )
    assert frozen() == before
    assert AuditEvent.objects.filter(action="release.correction", actor=second_finance).exists()
    assert Event.objects.filter(type="orchestra.correction.released").count() == 1


def test_again_changes_nothing_and_rating_keeps_it(
    web: Resource, money: Money, finance: User, second_finance: User
) -> None:
    end(web, berlin(2026, 1, 20, 9))
    both(finance, second_finance)
    rows = list(Charge.objects.filter(correction__isnull=False).order_by("pk").values())

    for _ in range(3):
        with pytest.raises(NothingToCorrect, match="there is no difference"):
            both(finance, second_finance)
        rate_period(account=money.account, month=FEBRUARY, at=LATER)

    assert rows == list(Charge.objects.filter(correction__isnull=False).order_by("pk").values())


def test_a_correction_is_corrected_in_a_later_month(
    web: Resource, money: Money, finance: User, second_finance: User
) -> None:
    end(web, berlin(2026, 1, 20, 9))
    both(finance, second_finance)
    close_period(month=FEBRUARY, at=berlin(2026, 3, 2), actor=finance)
    end(web, berlin(2026, 1, 25, 9))

    second = both(finance, second_finance, at=berlin(2026, 3, 3))

    assert second.into is not None
    assert second.into.month == MARCH
    machine = Charge.objects.get(correction=second, sku=money.machine)
    assert machine.pricing_quantity == 120
    assert machine.correction_of == Charge.objects.get(
        period__month=JANUARY, sku=money.machine, correction=None
    )
    original = explain(charge=machine.correction_of)
    assert (original.corrected, original.difference) == (
        (312 - 471) * Decimal("0.112"),
        0,
    )
    shown = explain(charge=machine)
    assert shown.formula == "(312 − 192) × 0.112 = 13.44"
    assert shown.difference == 0


def test_an_earlier_start_bills_a_line_that_was_never_billed(
    web: Resource, money: Money, finance: User, second_finance: User
) -> None:
    earlier = START - timedelta(hours=10)
    web.delivered_at = earlier
    web.save()
    web.allocations.update(active_from=earlier)

    correction = both(finance, second_finance)

    rows = Charge.objects.filter(correction=correction, sku=money.machine)
    assert sorted(row.pricing_quantity for row in rows) == [-471, 481]
    assert {row.correction_of for row in rows} == {
        Charge.objects.get(period__month=JANUARY, sku=money.machine, correction=None)
    }
    assert sum(row.billed_cost for row in rows) == Decimal("1.12")


def test_what_was_forgotten_comes_in(
    web: Resource,
    project: Project,
    host: ResourceProvider,
    money: Money,
    finance: User,
    second_finance: User,
) -> None:
    make_machine(
        project=project,
        host=host,
        name="forgotten",
        start=berlin(2026, 1, 5),
        end=berlin(2026, 1, 6),
    )

    correction = both(finance, second_finance)

    row = Charge.objects.get(correction=correction, sku=money.machine)
    assert (row.billed_cost, row.correction_of) == (Decimal("2.688"), None)
    assert row.labels["resource"] == "forgotten"


def test_a_late_reading_fills_the_tiers_anew(
    web: Resource, project: Project, money: Money, finance: User, second_finance: User
) -> None:
    traffic = make_reading_meter(money)
    graduated(traffic, [("0", "100", "0.05", "0"), ("100", None, "0.04", "0")])
    close_period(month=FEBRUARY, at=berlin(2026, 3, 2), actor=finance)
    assert send(project, "1", "90", at=berlin(2026, 3, 3)) == "late"
    both(finance, second_finance, at=berlin(2026, 3, 4))
    assert send(project, "2", "30", at=berlin(2026, 3, 5)) == "late"

    correction = both(finance, second_finance, at=berlin(2026, 3, 6))

    rows = {row.contracted_unit_price: row.pricing_quantity for row in correction.charges.all()}
    assert rows == {Decimal("0.05"): 10, Decimal("0.04"): 20}
    total = Charge.objects.filter(sku=traffic).aggregate(sum=Sum("billed_cost"))["sum"]
    assert total == 100 * Decimal("0.05") + 20 * Decimal("0.04")


def send(project: Project, event_id: str, amount: str, *, at: datetime, day: int = 15) -> str:
    """Report traffic of a day in January; return the verdict."""
    (found,) = record_usage(
        events=[
            {
                "source": "//router",
                "id": event_id,
                "data": {
                    "meter": "traffic",
                    "project": project.pk,
                    "start": f"2026-01-{day:02}T10:00:00Z",
                    "end": f"2026-01-{day:02}T11:00:00Z",
                    "amount": amount,
                },
            }
        ],
        at=at,
    )
    return found.verdict.value


def test_a_wrong_price_is_corrected_for_a_stretch_of_the_past(
    web: Resource, money: Money, finance: User, second_finance: User
) -> None:
    wrong_from, wrong_to = berlin(2026, 1, 20), berlin(2026, 1, 25)

    change_price(
        book=money.book,
        sku=money.machine,
        unit_price=Decimal("0.1"),
        from_at=wrong_from,
        until=wrong_to,
        at=LATER,
        prepared_by=finance,
        released_by=second_finance,
        corrects=True,
    )
    correction = both(finance, second_finance)

    assert correction.after - correction.before == 120 * (Decimal("0.1") - Decimal("0.112"))
    charge = Charge.objects.get(period__month=JANUARY, sku=money.machine, correction=None)
    assert explain(charge=charge).difference == 0
    assert [str(price.unit_price.normalize()) for price in holding(money.machine)] == [
        "0.112",
        "0.1",
        "0.112",
    ]


def test_a_price_that_was_wrong_from_its_start(
    web: Resource, money: Money, finance: User, second_finance: User
) -> None:
    change_price(
        book=money.book,
        sku=money.machine,
        unit_price=Decimal("0.1"),
        from_at=FIRST_PRICES,
        at=LATER,
        prepared_by=finance,
        released_by=second_finance,
        corrects=True,
    )

    correction = both(finance, second_finance)

    assert correction.after - correction.before == 471 * (Decimal("0.1") - Decimal("0.112"))
    assert len(holding(money.machine)) == 1
    charge = Charge.objects.get(period__month=JANUARY, sku=money.machine, correction=None)
    assert explain(charge=charge).difference == 0
    money.machine_price.refresh_from_db()
    assert money.machine_price.during.isempty
    with pytest.raises(IntegrityError, match="never edited"), transaction.atomic():
        type(money.machine_price).objects.filter(pk=money.machine_price.pk).update(
            during=(START, None)
        )


def holding(sku: Sku) -> list[Any]:
    """Return the rows that hold at any time, in order."""
    return list(sku.prices.exclude(during__isempty=True).order_by("during"))


def test_two_people_and_the_same_difference(
    web: Resource,
    money: Money,
    finance: User,
    second_finance: User,
    auditor: User,
    stranger: User,
) -> None:
    end(web, berlin(2026, 1, 20))
    prepared = prepare_correction(period=january(), reason="Late", at=LATER, actor=finance)

    with pytest.raises(TwoPeople, match="You prepared this correction"):
        release_correction(correction=prepared, at=LATER, actor=finance)
    with pytest.raises(Conflict, match="waits for its release"):
        prepare_correction(period=january(), reason="Again", at=LATER, actor=second_finance)
    with pytest.raises(Forbidden):
        release_correction(correction=prepared, at=LATER, actor=auditor)
    with pytest.raises(NotVisible):
        release_correction(correction=prepared, at=LATER, actor=stranger)
    end(web, berlin(2026, 1, 21))
    with pytest.raises(DifferenceChanged, match="prepare it again"):
        release_correction(correction=prepared, at=LATER, actor=second_finance)
    withdraw_correction(correction=prepared, at=LATER, actor=finance)
    with pytest.raises(AlreadyDecided):
        release_correction(correction=prepared, at=LATER, actor=second_finance)

    assert not Charge.objects.filter(correction__isnull=False).exists()
    with pytest.raises(IntegrityError, match="correction_two_people"), transaction.atomic():
        Correction.objects.bulk_create(
            [
                Correction(
                    period=january(),
                    into=january(),
                    reason="x",
                    state=PreparedState.RELEASED,
                    before=0,
                    after=0,
                    lines=0,
                    prepared_by=finance,
                    prepared_at=LATER,
                    released_by=finance,
                    released_at=LATER,
                )
            ]
        )


def test_an_open_month_and_one_without_a_price_are_refused(
    web: Resource, money: Money, project: Project, host: ResourceProvider, finance: User
) -> None:
    money.storage.resource_kind = web.kind
    money.storage.save()
    period = rate_period(account=money.account, month=FEBRUARY, at=LATER)
    with pytest.raises(CannotCorrect, match="is open: it is counted anew"):
        prepare_correction(period=period, reason="x", at=LATER, actor=finance)
    make_machine(project=project, host=host, name="odd", start=START, kind="vm.plan9")
    with pytest.raises(CannotCorrect, match=r"“vm\.plan9” was used and has no price"):
        prepare_correction(period=january(), reason="x", at=LATER, actor=finance)


def test_the_next_statement_shows_them_and_the_file_ties(
    web: Resource, money: Money, finance: User, second_finance: User, tmp_path: Path
) -> None:
    end(web, berlin(2026, 1, 20, 9))
    both(finance, second_finance)

    (result,) = close_period(month=FEBRUARY, at=berlin(2026, 3, 2), actor=finance)

    invoice = result.invoice
    assert invoice is not None
    lines = list(invoice.lines.order_by("position"))
    assert {line.corrects_month for line in lines} == {JANUARY}
    assert lines[1].description == "Linux M · Shop · correction of January 2026"
    assert invoice.total < 0
    (tied,) = reconcile(month=FEBRUARY)
    assert (tied.difference, tied.problems) == (0, ())
    (still,) = reconcile(month=JANUARY)
    assert (still.difference, still.problems) == (0, ())
    focus_1_2.write(month=FEBRUARY, directory=tmp_path, at=berlin(2026, 3, 2))
    path = tmp_path / "focus-1.2-2026-02.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    corrections = [row for row in rows if row["ChargeClass"] == "Correction"]
    assert len(corrections) == 2
    for row in corrections:
        assert row["ChargePeriodStart"] < row["BillingPeriodStart"]
        assert Decimal(row["ListCost"]) == Decimal(row["ListUnitPrice"]) * Decimal(
            row["PricingQuantity"]
        )
    assert sum(Decimal(row["BilledCost"]) for row in rows) == invoice.total
    if VALIDATOR.exists():
        official(path)


def test_the_totals_of_all_time_tie(
    project: Project, host: ResourceProvider, money: Money, finance: User, second_finance: User
) -> None:
    graduated(money.machine, [("0", None, "0.112", "0")])
    web = make_machine(project=project, host=host, name="web", start=START)
    close_period(month=JANUARY, at=AFTER, actor=finance)
    graduated_from = berlin(2026, 2, 1)
    change_price(
        book=money.book,
        sku=money.machine,
        tiers=[NewTier(Decimal(lower), Decimal(price)) for lower, _upper, price, _fee in LADDER],
        from_at=graduated_from,
        at=LATER,
        prepared_by=finance,
        released_by=second_finance,
    )
    close_period(month=FEBRUARY, at=berlin(2026, 3, 2), actor=finance)
    end(web, berlin(2026, 2, 25))
    with pytest.raises(NothingToCorrect):
        both(finance, second_finance)
    february = BillingPeriod.objects.select_related("account__entity").get(month=FEBRUARY)
    correct_period(
        period=february,
        reason="It ended",
        at=berlin(2026, 3, 5),
        prepared_by=finance,
        released_by=second_finance,
    )
    close_period(month=MARCH, at=berlin(2026, 4, 2), actor=finance)

    machines = Charge.objects.filter(sku=money.machine, invoice__isnull=False)
    assert machines.aggregate(sum=Sum("billed_cost"))["sum"] == 471 * Decimal("0.112") + reference(
        LADDER, Decimal(24 * 24)
    )
