"""Two people close the same month at once, and somebody rates meanwhile."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection, transaction

from billing.choices import PeriodState
from billing.models import (
    BillingAccount,
    BillingPeriod,
    Charge,
    Invoice,
    InvoiceSeries,
    UsageKey,
    UsageRecord,
)
from billing.selectors import number_gaps, reconcile
from billing.services import (
    AlreadyCharged,
    CloseResult,
    assign_account,
    close_period,
    rate_open_periods,
    record_usage,
)
from inventory.foundation.choices import Role
from inventory.foundation.models import Organisation, Project, User
from tests.billing.world import (
    FIRST_PRICES,
    Money,
    berlin,
    make_account,
    make_host,
    make_machine,
    make_money,
    make_reading_meter,
)
from tests.cast import grant, make_user

JANUARY = date(2026, 1, 1)
AFTER = berlin(2026, 2, 3, 10)
ACCOUNTS = 6

pytestmark = pytest.mark.race


@pytest.fixture
def money(transactional_db: None) -> Money:
    """Six accounts, each with one machine that runs since the middle of January."""
    organisation = Organisation.objects.create(name="Acme", slug="acme")
    people = [make_user(name, organisation) for name in ("olivia", "dario", "fiona", "frank")]
    for person in people[2:]:
        grant(person, Role.FINANCE, organisation=organisation)
    projects = [
        Project.objects.create(
            organisation=organisation,
            name=f"Project {index}",
            slug=f"project-{index}",
            owner=people[0],
            deputy=people[1],
            cost_centre=f"47{index}",
            created_at=FIRST_PRICES,
        )
        for index in range(ACCOUNTS)
    ]
    money = make_money(
        organisation=organisation, project=projects[0], preparer=people[2], releaser=people[3]
    )
    host = make_host(organisation)
    for index, project in enumerate(projects):
        if index:
            make_account(money.entity, organisation, f"account-{index}", project)
        make_machine(project=project, host=host, name="web", start=berlin(2026, 1, 15))
    return money


def at_once(*jobs: tuple[Callable[..., Any], dict[str, Any]]) -> list[Any]:
    """Start the jobs together, each on a connection of its own."""
    barrier = Barrier(len(jobs))

    def run(job: tuple[Callable[..., Any], dict[str, Any]]) -> Any:
        function, arguments = job
        try:
            barrier.wait()
            return function(**arguments)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def test_two_closers_and_a_rater_leave_one_gapless_series(money: Money) -> None:
    close = (close_period, {"month": JANUARY, "at": AFTER, "actor": None})

    first, second, _ = at_once(close, close, (rate_open_periods, {"at": AFTER}))

    results: list[CloseResult] = [*first, *second]
    assert [result.error for result in results] == [""] * 2 * ACCOUNTS
    assert sorted(result.was_closed for result in results) == [False] * 6 + [True] * 6
    assert Invoice.objects.count() == ACCOUNTS
    numbers = Invoice.objects.order_by("sequence").values_list("sequence", flat=True)
    assert list(numbers) == list(range(1, ACCOUNTS + 1))
    assert number_gaps() == []
    assert InvoiceSeries.objects.get().last_number == ACCOUNTS
    assert all(found.difference == 0 for found in reconcile(month=JANUARY))
    assert Charge.objects.filter(period__month=JANUARY).count() == 2 * ACCOUNTS
    assert UsageRecord.objects.count() == 2 * ACCOUNTS


def test_killed_between_accounts_goes_on_where_it_was(
    money: Money, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A death inside the fourth account: everything it wrote must be gone, three must be closed.
    calls = []
    original = Invoice.objects.create

    def dies(**values: object) -> Invoice:
        calls.append(values)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(**values)

    monkeypatch.setattr(Invoice.objects, "create", dies)
    with pytest.raises(KeyboardInterrupt):
        close_period(month=JANUARY, at=AFTER, actor=None)
    monkeypatch.undo()
    closed = BillingPeriod.objects.filter(month=JANUARY, state=PeriodState.CLOSED)
    assert closed.count() == Invoice.objects.count() == 3
    assert UsageRecord.objects.count() == 6

    results = close_period(month=JANUARY, at=AFTER, actor=None)

    assert sum(result.was_closed for result in results) == 3
    assert closed.count() == Invoice.objects.count() == ACCOUNTS
    assert number_gaps() == []
    assert all(found.difference == 0 for found in reconcile(month=JANUARY))


def test_the_same_event_from_two_senders_counts_once(money: Money) -> None:
    make_reading_meter(money)
    project = Project.objects.get(slug="project-0")
    events = [
        {
            "source": "//router",
            "id": str(number),
            "data": {
                "meter": "traffic",
                "project": project.pk,
                "start": "2026-02-01T10:00:00Z",
                "end": "2026-02-01T11:00:00Z",
                "amount": 1,
            },
        }
        for number in range(50)
    ]
    send = (record_usage, {"events": events, "at": AFTER})
    back = (record_usage, {"events": events[::-1], "at": AFTER})

    answers = at_once(send, back, send)

    verdicts = [found.verdict.value for answer in answers for found in answer]
    assert sorted(set(verdicts)) == ["duplicate", "recorded"]
    assert verdicts.count("recorded") == 50
    assert UsageKey.objects.count() == UsageRecord.objects.count() == 50


def test_nobody_pays_from_inside_a_month_that_is_being_closed(money: Money) -> None:
    finance = User.objects.get(username="fiona")
    project = Project.objects.get(slug="project-0")
    other = BillingAccount.objects.get(code="account-1")
    is_rated = Event()

    def close() -> None:
        with transaction.atomic():
            (closed,) = close_period(month=JANUARY, at=AFTER, actor=finance, account=money.account)
            assert closed.error == ""
            is_rated.set()
            time.sleep(0.5)

    def move() -> None:
        is_rated.wait(timeout=30)
        with pytest.raises(AlreadyCharged, match="are closed"):
            assign_account(
                project=project,
                account=other,
                from_at=berlin(2026, 1, 20),
                at=AFTER,
                actor=finance,
            )

    at_once((close, {}), (move, {}))
    close_period(month=JANUARY, at=AFTER, actor=finance)
    assert Charge.objects.filter(project=project).values("account").distinct().count() == 1
