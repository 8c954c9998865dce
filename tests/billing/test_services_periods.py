"""Rating and closing months: exact, in order, once."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from billing.choices import AccountKind, InvoiceState, MeterSource, PeriodState
from billing.models import (
    BillingAccount,
    BillingPeriod,
    Charge,
    Invoice,
    InvoiceLine,
    InvoiceSeries,
    Meter,
    Sku,
    UsageRecord,
)
from billing.selectors import explain, reconcile
from billing.services import (
    NothingToClose,
    PeriodClosed,
    PeriodOpen,
    close_period,
    rate_open_periods,
    rate_period,
)
from inventory.foundation.errors import Forbidden
from inventory.foundation.models import AuditEvent, Event, Project, User
from inventory.models import ResourceProvider
from tests.billing.world import (
    FIRST_PRICES,
    LINUX_M,
    Money,
    berlin,
    make_account,
    make_machine,
    make_price,
)

JANUARY = date(2026, 1, 1)
FEBRUARY = date(2026, 2, 1)
START = berlin(2026, 1, 12, 9)
AFTER = berlin(2026, 2, 3, 10)


@pytest.fixture
def three(project: Project, money: Money, host: ResourceProvider) -> None:
    """Three Linux M with 100 GiB each run since 12 January 09:00."""
    for index in range(3):
        make_machine(project=project, host=host, name=f"web-{index}", start=START)


def ledger() -> list[dict[str, object]]:
    """Return the ledger without what a new rating may change."""
    return list(
        Charge.objects.order_by("line_id").values(
            "line_id", "charge_start", "charge_end", "pricing_quantity", "billed_cost", "labels"
        )
    )


def test_january_of_the_demo(three: None, money: Money, project: Project) -> None:
    period = rate_period(account=money.account, month=JANUARY, at=AFTER)

    assert (period.rating_run, period.failure) == (1, "")
    assert period.rated_to == period.end_at == berlin(2026, 2, 1)
    machines = Charge.objects.filter(sku=money.machine)
    assert [charge.pricing_quantity for charge in machines] == [471, 471, 471]
    assert machines.aggregate(sum=Sum("billed_cost"))["sum"] == Decimal("158.256")
    storage = Charge.objects.filter(sku=money.storage).aggregate(sum=Sum("billed_cost"))["sum"]
    assert abs(storage - 24 * Decimal(471) / 744) < Decimal("0.000000001")
    charge = Charge.objects.filter(sku=money.storage).first()
    assert charge is not None
    assert charge.list_cost == charge.list_unit_price * charge.pricing_quantity
    assert (charge.consumed_quantity, charge.consumed_unit) == (47_100, "GiB-Hours")
    assert charge.cost_centre == project.cost_centre
    assert charge.labels["resource"] == "web-0"
    assert charge.labels["tags"] == {"team": "blue"}
    assert charge.labels["region"] == "eu-north"


def test_rating_again_gives_the_same_lines(three: None, money: Money) -> None:
    rate_period(account=money.account, month=JANUARY, at=AFTER)
    before = ledger()

    period = rate_period(account=money.account, month=JANUARY, at=AFTER + timedelta(hours=1))

    assert period.rating_run == 2
    assert ledger() == before


def test_a_link_to_a_line_holds_while_its_month_grows(three: None, money: Money) -> None:
    rate_period(account=money.account, month=JANUARY, at=berlin(2026, 1, 15))
    before = dict(Charge.objects.values_list("line_id", "pk"))
    rate_period(account=money.account, month=JANUARY, at=AFTER)
    after = dict(Charge.objects.values_list("line_id", "pk"))
    still_there = before.keys() & after.keys()
    assert still_there
    assert all(after[line] == before[line] for line in still_there)
    assert not {after[line] for line in after.keys() - before.keys()} & set(before.values())


def test_an_open_month_is_rated_up_to_now(three: None, money: Money) -> None:
    now = START + timedelta(hours=10)

    period = rate_period(account=money.account, month=JANUARY, at=now)

    assert period.rated_to == now
    assert {charge.charge_end for charge in Charge.objects.all()} == {now}


def test_a_price_change_splits_at_its_instant(
    project: Project, money: Money, host: ResourceProvider
) -> None:
    change = berlin(2026, 1, 20, 7, 30)
    money.machine_price.during = (FIRST_PRICES, change)
    money.machine_price.save()
    make_price(money.book, money.machine, "0.2", start=change)
    make_machine(project=project, host=host, name="web", start=START)

    rate_period(account=money.account, month=JANUARY, at=AFTER)

    low, high = Charge.objects.filter(sku=money.machine).order_by("charge_start")
    assert (low.charge_start, low.charge_end) == (START, change)
    assert (high.charge_start, high.charge_end) == (change, berlin(2026, 2, 1))
    assert low.billed_cost == Decimal("190.5") * Decimal("0.112")
    assert high.billed_cost == Decimal("280.5") * Decimal("0.2")


def test_list_and_contract_both_stand_on_the_charge(three: None, money: Money) -> None:
    make_price(money.book, money.machine, "0.095", account=money.account)

    rate_period(account=money.account, month=JANUARY, at=AFTER)

    charge = Charge.objects.filter(sku=money.machine).first()
    assert charge is not None
    assert charge.list_cost == 471 * Decimal("0.112")
    assert charge.contracted_cost == charge.billed_cost == 471 * Decimal("0.095")


def test_what_has_no_price_is_named_and_the_rest_is_rated(
    three: None, project: Project, money: Money, host: ResourceProvider
) -> None:
    money.storage.resource_kind = LINUX_M
    money.storage.save()
    make_machine(project=project, host=host, name="odd", start=START, kind="vm.plan9")

    period = rate_period(account=money.account, month=JANUARY, at=AFTER)
    (result,) = close_period(month=JANUARY, at=AFTER, actor=None)

    assert period.failure.startswith("“vm.plan9” was used and has no price in EUR")
    assert Charge.objects.count() == 6
    assert "cannot close 2026-01: “vm.plan9” was used" in result.error
    assert Invoice.objects.count() == 0


def test_a_price_that_ran_out_is_named_though_other_items_are_priced(
    three: None, money: Money
) -> None:
    money.storage_price.during = (FIRST_PRICES, berlin(2026, 2, 1))
    money.storage_price.save()

    rate_period(account=money.account, month=JANUARY, at=AFTER)
    period = rate_period(account=money.account, month=FEBRUARY, at=AFTER)

    assert period.failure.startswith("“Block storage” has no price at 01 February 2026 00:00")
    assert {charge.sku for charge in period.charges.all()} == {money.machine}


def test_an_item_that_ran_out_leaves_its_place_to_the_next(three: None, money: Money) -> None:
    money.storage_price.during = (FIRST_PRICES, berlin(2026, 2, 1))
    money.storage_price.save()
    successor = Sku.objects.create(
        code="block-storage-2",
        name="Block storage 2",
        meter=money.storage.meter,
        base=money.storage.base,
        service_name="Block storage",
        pricing_unit="GiB-Months",
    )
    make_price(money.book, successor, "0.09", start=berlin(2026, 2, 1))

    period = rate_period(account=money.account, month=FEBRUARY, at=AFTER)

    assert period.failure == ""
    assert {charge.sku for charge in period.charges.all()} == {money.machine, successor}


def test_close_of_january(three: None, money: Money, finance: User) -> None:
    (result,) = close_period(month=JANUARY, at=AFTER, actor=finance)

    invoice = result.invoice
    assert invoice is not None
    assert result.error == ""
    assert invoice.state == InvoiceState.ISSUED
    assert invoice.number == f"ST{money.entity.pk}-000001"
    assert invoice.total == Decimal("173.45")
    assert invoice.exact_total == Charge.objects.aggregate(sum=Sum("billed_cost"))["sum"]
    assert set(Charge.objects.values_list("invoice", flat=True)) == {invoice.pk}
    lines = InvoiceLine.objects.order_by("position")
    assert [(line.sku_name, line.amount) for line in lines] == [
        ("Block storage", Decimal("15.19")),
        ("Linux M", Decimal("158.26")),
    ]
    assert [line.quantity for line in lines][1] == 1413
    assert invoice.snapshot["projects"] == ["Shop"]
    period = BillingPeriod.objects.get(month=JANUARY)
    assert (period.state, period.closed_by) == (PeriodState.CLOSED, finance)
    records = UsageRecord.objects.order_by("origin", "origin_id")
    assert [record.origin for record in records] == ["allocation"] * 3 + ["count"] * 3
    assert records[0].quantity == 100 * 471 * 3600
    assert AuditEvent.objects.filter(action="close.period", actor=finance).count() == 1
    assert set(Event.objects.values_list("type", flat=True)) == {
        "orchestra.invoice.issued",
        "orchestra.period.closed",
    }


def test_asked_twice_the_same_document(three: None, money: Money, finance: User) -> None:
    (first,) = close_period(month=JANUARY, at=AFTER, actor=finance)
    (second,) = close_period(month=JANUARY, at=AFTER + timedelta(days=1), actor=finance)

    assert first.invoice == second.invoice
    assert second.was_closed
    assert Invoice.objects.count() == 1
    assert InvoiceSeries.objects.get().last_number == 1


def test_a_running_month_is_refused(three: None, money: Money, finance: User) -> None:
    with pytest.raises(PeriodOpen, match=r"2026-01 is open until 01 February 2026 00:00"):
        close_period(month=JANUARY, at=berlin(2026, 1, 31, 23, 59), actor=finance)


def test_a_later_month_waits_for_the_earlier(three: None, money: Money, finance: User) -> None:
    (result,) = close_period(month=FEBRUARY, at=berlin(2026, 3, 2), actor=finance)

    assert "2026-01 is still open" in result.error
    assert not BillingPeriod.objects.filter(state=PeriodState.CLOSED).exists()


def test_a_month_nobody_has(money: Money, finance: User) -> None:
    with pytest.raises(NothingToClose, match="No account has anything to close in March 2020"):
        close_period(month=date(2020, 3, 1), at=AFTER, actor=finance)


def test_only_finance_closes(three: None, money: Money, owner: User, stranger: User) -> None:
    for person in (owner, stranger):
        with pytest.raises(Forbidden, match="you need the role finance"):
            close_period(month=JANUARY, at=AFTER, actor=person)


def test_a_failing_account_stops_nobody_else(
    three: None, money: Money, host: ResourceProvider, project: Project, finance: User
) -> None:
    other = Project.objects.create(
        organisation=project.organisation,
        name="Lab",
        slug="lab",
        owner=project.owner,
        deputy=project.deputy,
        cost_centre="4712",
        created_at=FIRST_PRICES,
    )
    make_account(money.entity, project.organisation, "lab", other)
    money.storage.resource_kind = LINUX_M
    money.storage.save()
    make_machine(project=other, host=host, name="odd", start=START, kind="vm.plan9")

    failed, closed = close_period(month=JANUARY, at=AFTER, actor=finance)
    odd = BillingPeriod.objects.get(account=failed.account, month=JANUARY)
    make_price(money.book, money.storage, "0.08", account=failed.account)
    money.storage.resource_kind = ""
    money.storage.save()
    later, same = close_period(month=JANUARY, at=AFTER, actor=finance)

    assert (failed.account.code, failed.invoice) == ("lab", None)
    assert "vm.plan9" in odd.failure
    assert closed.invoice is not None
    assert same.invoice == closed.invoice
    assert later.invoice is not None
    assert later.invoice.sequence == 2


def test_a_month_without_charges_closes_without_a_document(money: Money, finance: User) -> None:
    (result,) = close_period(month=JANUARY, at=AFTER, actor=finance)

    assert result.invoice is None
    assert result.error == ""
    assert BillingPeriod.objects.get(month=JANUARY).state == PeriodState.CLOSED


def test_an_external_account_gets_an_invoice(three: None, money: Money, finance: User) -> None:
    BillingAccount.objects.update(kind=AccountKind.EXTERNAL)

    (result,) = close_period(month=JANUARY, at=AFTER, actor=finance)

    assert result.invoice is not None
    assert result.invoice.number.startswith("IN")


def test_the_database_refuses_changes_after_the_close(
    three: None, money: Money, finance: User
) -> None:
    (result,) = close_period(month=JANUARY, at=AFTER, actor=finance)
    charge = Charge.objects.first()
    assert charge is not None
    attempts = [
        lambda: Charge.objects.update(billed_cost=0),
        lambda: Charge.objects.filter(pk=charge.pk).delete(),
        lambda: Charge.objects.create(
            **{
                field.attname: getattr(charge, field.attname)
                for field in Charge._meta.concrete_fields
                if field.attname not in ("id", "line_id")
            }
        ),
        lambda: BillingPeriod.objects.update(state=PeriodState.OPEN, closed_at=None),
        lambda: Invoice.objects.update(total=1),
        lambda: Invoice.objects.all().delete(),
        lambda: InvoiceLine.objects.update(amount=1),
        lambda: UsageRecord.objects.update(quantity=1),
    ]
    for attempt in attempts:
        with pytest.raises(Exception, match=r"pgtrigger|permission denied|protected"):  # noqa: SIM117
            with transaction.atomic():
                attempt()
    with pytest.raises(PeriodClosed, match="January 2026 is closed"):
        rate_period(account=money.account, month=JANUARY, at=AFTER)
    assert result.invoice is not None
    result.invoice.refresh_from_db()
    assert result.invoice.total == Decimal("173.45")


def test_the_open_months_open_by_themselves(three: None, money: Money) -> None:
    report = rate_open_periods(at=berlin(2026, 3, 2))

    assert (report.rated, report.failures) == (3, {})
    assert [period.month.month for period in BillingPeriod.objects.order_by("month")] == [1, 2, 3]


def test_a_project_that_moves_splits_between_its_payers(
    three: None, money: Money, project: Project, finance: User
) -> None:
    move = berlin(2026, 1, 20)
    billing = project.billings.get()
    billing.during = (FIRST_PRICES, move)
    billing.save()
    other = make_account(money.entity, project.organisation, "other")
    other.project_billings.create(project=project, during=(move, None))

    results = close_period(month=JANUARY, at=AFTER, actor=finance)

    totals = [result.invoice.exact_total for result in results if result.invoice]
    assert len(totals) == 2
    assert abs(sum(totals) - (Decimal("158.256") + 24 * Decimal(471) / 744)) < Decimal("1e-9")


def test_the_constraint_refuses_two_documents(three: None, money: Money, finance: User) -> None:
    (result,) = close_period(month=JANUARY, at=AFTER, actor=finance)
    assert result.invoice is not None

    with pytest.raises(IntegrityError):
        Invoice.objects.create(
            account=money.account,
            period=result.invoice.period,
            kind=result.invoice.kind,
            currency="EUR",
            exact_total=1,
            total=1,
            created_at=AFTER,
        )


def test_time_in_a_state_is_priced_by_the_state(
    project: Project, money: Money, host: ResourceProvider
) -> None:
    machine = make_machine(project=project, host=host, name="web", start=START)
    stop = START + timedelta(hours=10)
    running = machine.states.get()
    running.during = (START, stop)
    running.save()
    machine.states.create(state="stopped", during=(stop, None))
    sku = Sku.objects.create(
        code="stopped",
        name="Stopped machine",
        meter=Meter.objects.create(
            name="stopped",
            label="Stopped",
            source=MeterSource.STATE,
            state="stopped",
            unit="machine",
        ),
        service_name="Virtual machines",
        pricing_unit="Hours",
    )
    make_price(money.book, sku, "0.01")

    rate_period(account=money.account, month=JANUARY, at=AFTER)
    charge = Charge.objects.get(sku=sku)

    assert charge.pricing_quantity == 461
    assert explain(charge=charge).difference == 0
    close_period(month=JANUARY, at=AFTER, actor=None)
    assert reconcile(month=JANUARY)[0].difference == 0


def test_rating_asks_the_database_the_same_for_many(
    three: None, money: Money, project: Project, host: ResourceProvider
) -> None:
    with CaptureQueriesContext(connection) as few:
        rate_period(account=money.account, month=JANUARY, at=AFTER)
    for index in range(20):
        make_machine(project=project, host=host, name=f"more-{index}", start=START)
    with CaptureQueriesContext(connection) as many:
        rate_period(account=money.account, month=JANUARY, at=AFTER)

    assert Charge.objects.count() == 46
    assert len(many) <= len(few)
