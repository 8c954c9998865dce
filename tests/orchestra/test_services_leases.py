"""Warnings before an end and before a confirmation: once each, to the right people, in time."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from inventory.foundation.choices import Role
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import AuditEvent, Event, RoleGrant, User
from orchestra.choices import DeploymentState, DueKind, MailState, NoticeKind
from orchestra.lifecycle import warning_now
from orchestra.models import Deployment, LeaseWarning, Notification, Order
from orchestra.selectors.defaults import lease_rules
from orchestra.selectors.deployments import visible_deployments
from orchestra.selectors.leases import ending_soon, overdue
from orchestra.services.defaults import set_lease_defaults
from orchestra.services.leases import NothingToConfirm, confirm_deployment, warn_of_ends
from tests.cast import NOW, grant, make_user
from tests.orchestra.world import LATER, Catalogue, approve, place, submit, waiting

BERLIN_SUMMER_NOON = datetime(2026, 4, 2, 10, 0, tzinfo=UTC)  # 12:00 in Berlin, UTC+2


def running(catalogue: Catalogue, owner: User, name: str = "web", **fields: Any) -> Deployment:
    """Make a running application, asked for long before NOW."""
    values = {
        "environment": "test",
        "state": DeploymentState.LIVE,
        "created_at": NOW - timedelta(days=200),
    } | fields
    return Deployment.objects.create(
        project=catalogue.project,
        pool=catalogue.pool,
        offering_version=catalogue.version,
        name=name,
        application="shop",
        owner=owner,
        instances=1,
        **values,
    )


def told(user: User) -> list[str]:
    """Return what a person was told, in order."""
    return list(
        Notification.objects.filter(user=user).order_by("pk").values_list("text", flat=True)
    )


def test_a_test_without_an_end_gets_the_defaults_one(
    catalogue: Catalogue, member: User, operator: User
) -> None:
    organisation = catalogue.project.organisation
    assert place(catalogue, member, end_at=None).end_at == NOW + timedelta(days=90) - timedelta(
        hours=1
    )  # Berlin's clock goes forward on 29 March: the same time on the wall
    set_lease_defaults(
        organisation=organisation, number=0, values={"lease_days": 14}, actor=operator, at=NOW
    )
    placed = place(catalogue, member, name="other", end_at=None)
    assert placed.end_at == NOW + timedelta(days=14)
    forever = place(catalogue, member, name="prod", environment="production", end_at=None)
    assert forever.end_at is None


def test_warnings_come_thirty_seven_and_one_day_before(
    catalogue: Catalogue, member: User, owner: User, deputy: User, approver: User
) -> None:
    end = NOW + timedelta(days=40)
    running(catalogue, member, lease_end_at=end)
    said = [
        (day, warn_of_ends(at=NOW + timedelta(days=day, hours=hour)))
        for day in range(41)
        for hour in (2, 3)
    ]
    assert [day for day, given in said if given] == [10, 33, 39]
    for person in (member, owner, deputy):
        assert len(told(person)) == 3
    assert told(approver) == []
    first, second, last = told(member)
    assert (
        first == "web in Shop ends in 30 days, on 11 April 2026, 11:00 (Europe/Berlin). "
        "Then it is given back."
    )
    assert "in 7 days" in second
    assert "tomorrow" in last
    events = Event.objects.filter(type="orchestra.deployment.warned").order_by("pk")
    assert [event.data["days"] for event in events] == [30, 7, 1]
    notice = Notification.objects.filter(user=member).first()
    assert notice is not None
    assert (notice.kind, notice.mail_state) == (NoticeKind.ENDS_SOON, MailState.NONE)
    assert notice.link.startswith("/applications/")


def test_seven_days_are_days_of_the_wall_across_a_change_of_the_clock(
    catalogue: Catalogue, member: User
) -> None:
    """Noon in Berlin on 2 April is UTC+2; noon seven days before, before 29 March, is UTC+1."""
    running(catalogue, member, lease_end_at=BERLIN_SUMMER_NOON)
    warn_of_ends(at=datetime(2026, 3, 3, 12, 0, tzinfo=UTC))  # the one of 30 days
    seven = datetime(2026, 3, 26, 11, 0, tzinfo=UTC)
    assert warn_of_ends(at=seven - timedelta(seconds=1)) == 0
    assert warn_of_ends(at=seven) == 1
    assert LeaseWarning.objects.get(days=7).warned_at == seven


def test_who_was_not_told_in_time_hears_it_once(catalogue: Catalogue, member: User) -> None:
    running(catalogue, member, lease_end_at=NOW + timedelta(days=5))
    assert [warn_of_ends(at=NOW + timedelta(hours=hour)) for hour in range(3)] == [1, 0, 0]
    assert [warning.days for warning in LeaseWarning.objects.all()] == [7]


def test_a_short_term_is_not_announced_at_its_start(catalogue: Catalogue, member: User) -> None:
    running(catalogue, member, created_at=NOW, lease_end_at=NOW + timedelta(days=5))
    assert warn_of_ends(at=NOW + timedelta(minutes=1)) == 0
    assert warn_of_ends(at=NOW + timedelta(days=4, minutes=1)) == 1


def test_a_moved_end_is_warned_of_anew(catalogue: Catalogue, member: User) -> None:
    web = running(catalogue, member, lease_end_at=NOW + timedelta(days=1))
    assert warn_of_ends(at=NOW) == 1
    Deployment.objects.filter(pk=web.pk).update(lease_end_at=NOW + timedelta(days=60))
    assert warn_of_ends(at=NOW + timedelta(days=1)) == 0
    assert warn_of_ends(at=NOW + timedelta(days=31)) == 1


@pytest.mark.parametrize("state", ["pending", "retiring", "retired", "failed"])
def test_only_what_runs_is_warned_of(catalogue: Catalogue, member: User, state: str) -> None:
    running(catalogue, member, state=state, lease_end_at=NOW + timedelta(days=1))
    running(catalogue, member, name="past", lease_end_at=NOW - timedelta(days=1))
    assert warn_of_ends(at=NOW) == 0


def test_who_lost_the_role_or_left_hears_nothing(
    catalogue: Catalogue, member: User, owner: User, deputy: User
) -> None:
    running(catalogue, member, lease_end_at=NOW + timedelta(days=1))
    RoleGrant.objects.filter(user=member).delete()
    User.objects.filter(pk=deputy.pk).update(is_active=False)
    warn_of_ends(at=NOW)
    assert [len(told(person)) for person in (member, owner, deputy)] == [0, 1, 0]


def test_what_has_no_end_has_a_date_as_soon_as_it_is_approved(
    catalogue: Catalogue, member: User, approver: User
) -> None:
    """In the transaction of the decision, not minutes later when the clock comes round."""
    order = waiting(catalogue, member)
    approve(order, approver)
    order.refresh_from_db()
    assert order.deployment is not None
    zone = ZoneInfo("Europe/Berlin")
    assert order.deployment.confirm_by == LATER.astimezone(zone).replace(year=LATER.year + 1)
    leased = place(catalogue, member, name="leased")
    sent = submit(leased, member)
    assert sent.deployment is not None
    assert sent.deployment.confirm_by is None


def test_production_is_confirmed_every_year(
    catalogue: Catalogue, member: User, owner: User, operator: User
) -> None:
    pool_operator = make_user("olga", catalogue.project.organisation)
    grant(pool_operator, Role.OPERATOR, pool_id=catalogue.pool.pk)
    born = datetime(2026, 1, 10, 9, 0, tzinfo=UTC)
    prod = running(catalogue, member, "prod", environment="production", created_at=born)
    warn_of_ends(at=NOW)
    prod.refresh_from_db()
    due = datetime(2027, 1, 10, 9, 0, tzinfo=UTC)
    assert prod.confirm_by == due
    assert warn_of_ends(at=due - timedelta(days=30)) == 1
    assert "is to be confirmed in 30 days" in told(owner)[0]
    confirmed = confirm_deployment(deployment=prod, actor=member, at=due - timedelta(days=29))
    assert confirmed.confirm_by == datetime(2027, 12, 12, 9, 0, tzinfo=UTC)
    assert warn_of_ends(at=due) == 0
    entry = AuditEvent.objects.get(action="deployment.confirm")
    assert entry.changes["confirm_by"][0] == due.isoformat()
    assert Event.objects.filter(type="orchestra.deployment.confirmed").count() == 1
    assert told(operator) == []


def test_what_nobody_confirms_is_told_to_the_operators_and_not_given_back(
    catalogue: Catalogue, member: User, owner: User, operator: User
) -> None:
    pool_operator = make_user("olga", catalogue.project.organisation)
    grant(pool_operator, Role.OPERATOR, pool_id=catalogue.pool.pk)
    prod = running(catalogue, member, "prod", environment="production", confirm_by=NOW)
    assert [warn_of_ends(at=NOW + timedelta(days=day)) for day in (0, 1, 30)] == [1, 0, 0]
    for person in (owner, operator, pool_operator):
        assert told(person) == [
            "prod in Shop was to be confirmed by 2 March 2026, 10:00 (Europe/Berlin) and was not. "
            "It goes on running and costing."
        ]
    prod.refresh_from_db()
    assert prod.state == DeploymentState.LIVE
    assert not Order.objects.exists()
    assert list(overdue(Deployment.objects.all(), at=NOW)) == [prod]
    assert list(ending_soon(visible_deployments(operator), at=NOW, days=30)) == [prod]
    confirm_deployment(deployment=prod, actor=owner, at=NOW + timedelta(days=31))
    assert list(overdue(Deployment.objects.all(), at=NOW + timedelta(days=31))) == []


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        ("approver", Forbidden),
        ("operator", Forbidden),
        ("finance", Forbidden),
        ("auditor", Forbidden),
        ("stranger", NotVisible),
    ],
)
def test_who_may_not_order_may_not_confirm(
    request: pytest.FixtureRequest,
    catalogue: Catalogue,
    member: User,
    who: str,
    refusal: type[Exception],
) -> None:
    prod = running(catalogue, member, environment="production", confirm_by=NOW)
    with pytest.raises(refusal):
        confirm_deployment(deployment=prod, actor=request.getfixturevalue(who), at=NOW)


def test_what_ends_or_is_gone_is_not_confirmed(catalogue: Catalogue, member: User) -> None:
    ends = running(catalogue, member, lease_end_at=NOW + timedelta(days=3))
    gone = running(catalogue, member, "gone", state=DeploymentState.RETIRED)
    for one in (ends, gone):
        with pytest.raises(NothingToConfirm):
            confirm_deployment(deployment=one, actor=member, at=NOW)


def test_the_terms_are_the_organisations_own(
    catalogue: Catalogue, member: User, operator: User
) -> None:
    organisation = catalogue.project.organisation
    set_lease_defaults(
        organisation=organisation,
        number=0,
        values={"warning_days": [2, 60], "confirm_months": 6, "stop_first": False},
        actor=operator,
        at=NOW,
    )
    rules = lease_rules(organisation_id=organisation.pk, at=NOW)
    assert (rules.warning_days, rules.confirm_months, rules.stop_first) == ((60, 2), 6, False)
    assert lease_rules(organisation_id=None, at=NOW).warning_days == (30, 7, 1)
    assert lease_rules(organisation_id=None, at=NOW).stop_first
    running(catalogue, member, lease_end_at=NOW + timedelta(days=59))
    assert warn_of_ends(at=NOW) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lease_days", 0),
        ("lease_days", 4000),
        ("confirm_months", 0),
        ("warning_days", []),
        ("warning_days", [7, 7]),
        ("warning_days", [0]),
        ("warning_days", [366]),
    ],
)
def test_bad_terms_are_refused_by_field(
    catalogue: Catalogue, operator: User, field: str, value: Any
) -> None:
    with pytest.raises(InvalidInput) as refused:
        set_lease_defaults(
            organisation=catalogue.project.organisation,
            number=0,
            values={field: value},
            actor=operator,
            at=NOW,
        )
    assert refused.value.fields


def test_which_warning_is_the_one_now() -> None:
    due = NOW + timedelta(days=30)
    starts = {days: due - timedelta(days=days) for days in (30, 7, 1)}

    def now(at: datetime, agreed: datetime = NOW - timedelta(days=1)) -> int | None:
        return warning_now(thresholds=starts, agreed_at=agreed, due_at=due, at=at)

    assert now(NOW - timedelta(seconds=1)) is None
    assert now(NOW) == 30
    assert now(NOW + timedelta(days=23)) == 7
    assert now(due - timedelta(seconds=1)) == 1
    assert now(due) is None
    assert now(NOW + timedelta(days=2), agreed=NOW) is None


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_schedulers_say_it_once(
    transactional_db: None, catalogue: Catalogue, member: User
) -> None:
    for number in range(6):
        running(catalogue, member, f"web-{number}", lease_end_at=NOW + timedelta(days=1))
    start = Barrier(4)

    def tick(_turn: int) -> int:
        start.wait(timeout=30)
        try:
            return warn_of_ends(at=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        given = list(threads.map(tick, range(4)))
    assert sum(given) == 6
    assert LeaseWarning.objects.count() == 6
    assert Notification.objects.filter(user=member).count() == 6
    assert Event.objects.filter(type="orchestra.deployment.warned").count() == 6


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_of_a_warning_it_is_said_once(
    transactional_db: None, catalogue: Catalogue, member: User
) -> None:
    """A process is killed after the rows were written and before the commit."""
    running(catalogue, member, lease_end_at=NOW + timedelta(days=1))
    connection.close()
    child = os.fork()
    if child == 0:
        try:
            connection.connection = None
            connection.execute_wrappers.append(die_at_the_event)
            warn_of_ends(at=NOW)
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert (LeaseWarning.objects.count(), Notification.objects.count()) == (0, 0)
    assert [warn_of_ends(at=NOW), warn_of_ends(at=NOW)] == [1, 0]
    assert Notification.objects.filter(user=member).count() == 1


def die_at_the_event(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    """Kill this process when it is about to write the outbox's row."""
    if 'INSERT INTO "foundation_event"' in sql:
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(sql, params, many, context)


def test_the_end_of_a_request_is_the_one_that_was_agreed(
    catalogue: Catalogue, member: User, operator: User
) -> None:
    """Another default moves no end that was agreed before."""
    order = submit(place(catalogue, member, end_at=None), member)
    set_lease_defaults(
        organisation=catalogue.project.organisation,
        number=0,
        values={"lease_days": 7},
        actor=operator,
        at=NOW,
    )
    order.refresh_from_db()
    assert order.end_at is not None
    assert order.end_at > NOW + timedelta(days=80)
    assert DueKind.END.label == "Ends"
