"""Closing a project, and moving it to another organisation and paying account."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing.models import Charge
from billing.selectors import account_of
from billing.services import assign_account, rate_period
from inventory.choices import AllocationState
from inventory.foundation.choices import Role, WishState
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import (
    AuditEvent,
    Membership,
    Organisation,
    Project,
    ProjectTransfer,
    User,
)
from inventory.foundation.services import ask_move, hand_over, reopen_project, withdraw_transfer
from inventory.models import Allocation, Pool, Resource
from orchestra.choices import DeploymentState, OrderState, RunState
from orchestra.engine import drain
from orchestra.models import Deployment, Order, Run
from orchestra.selectors.projects import obstacles
from orchestra.services.orders import cancel_order
from orchestra.services.projects import (
    NotEmpty,
    OutOfReach,
    accept_move,
    carry_out_moves,
    close_project,
)
from tests.billing.world import berlin, make_account, make_host, make_machine, make_money
from tests.cast import NOW, grant
from tests.factories import hold
from tests.orchestra.world import Catalogue, place, submit

LATER = NOW + timedelta(hours=1)
MARCH = date(2026, 3, 1)


def close(project: Project, actor: User, **more: str) -> Project:
    inputs = {"confirm_name": project.name, "reason": "Over"} | more
    return close_project(project=project, actor=actor, at=NOW, **inputs)


def test_an_empty_project_closes_when_its_name_is_typed(
    project: Project, owner: User, member: User, stranger: User
) -> None:
    with pytest.raises(Forbidden):
        close(project, member)
    with pytest.raises(NotVisible):
        close(project, stranger)
    with pytest.raises(InvalidInput) as caught:
        close(project, owner, confirm_name="shop")
    assert "Type “Shop”" in caught.value.fields["confirm_name"]
    with pytest.raises(InvalidInput, match="Say why"):
        close(project, owner, reason=" ")
    assert close(project, owner).status == "closed"


def test_each_thing_in_the_way_is_named_with_its_cure(
    catalogue: Catalogue, project: Project, owner: User, member: User, approver: User
) -> None:
    order = place(catalogue, member)
    transfer = hand_over(
        project=project, kind="owner", user=approver, reason="Ok", actor=owner, at=NOW
    )
    hold(project, catalogue.pool, {"VCPU": 1}, name="loose")
    run = Run.objects.get(order=submit(place(catalogue, member, name="going"), member))

    with pytest.raises(NotEmpty, match="things are in the way") as caught:
        close(project, owner)

    named = {(one.kind, one.subject) for one in caught.value.obstacles}
    assert ("request", order) in named
    assert ("request", run.order) in named
    assert ("run", run) in named
    assert ("application", run.deployment) in named
    assert ("transfer", transfer) in named
    assert ("resource", Resource.objects.get(name="loose")) in named
    assert all(one.cure for one in caught.value.obstacles)
    assert caught.value.details["obstacles"][0]["cure"]
    project.refresh_from_db()
    assert project.status == "active"


def test_a_booking_of_a_resource_that_is_gone_still_holds_the_project(
    catalogue: Catalogue, project: Project, owner: User
) -> None:
    held = hold(project, catalogue.pool, {"VCPU": 1}, start=LATER)
    Resource.objects.filter(pk=held.pk).update(status="gone", ended_at=LATER)
    assert [one.subject for one in obstacles(project)] == [held]
    Allocation.objects.update(state=AllocationState.RELEASED, held_to=LATER)
    assert obstacles(project) == ()


def test_a_closed_project_keeps_what_was_and_orders_nothing(
    catalogue: Catalogue, project: Project, owner: User, member: User
) -> None:
    order = place(catalogue, member)
    cancel_order(order=order, actor=member, reason="No", at=NOW)
    close(project, owner)
    assert Order.objects.get().state == OrderState.CANCELLED
    assert project.billings.count() == 1
    assert AuditEvent.objects.filter(project=project, action="project.close").count() == 1
    project.refresh_from_db()
    with pytest.raises(InvalidInput, match="choose an active project"):
        place(catalogue, member)
    reopen_project(project=project, actor=owner, reason="Again", at=NOW)
    project.refresh_from_db()
    assert place(catalogue, member).state == OrderState.PLANNED


def test_a_delivered_and_given_back_application_is_no_obstacle(
    catalogue: Catalogue, project: Project, owner: User, member: User, tmp_path
) -> None:
    catalogue.connection.options = {"state_dir": str(tmp_path)}
    catalogue.connection.save()
    submit(place(catalogue, member), member)
    drain(worker="test")
    assert {one.kind for one in obstacles(project)} == {"application", "resource"}
    deployment = Deployment.objects.get()
    Deployment.objects.update(state=DeploymentState.RETIRED, retired_at=LATER)
    Resource.objects.update(status="gone", ended_at=None)
    Allocation.objects.update(state=AllocationState.RELEASED, held_to=LATER)
    assert Run.objects.get(deployment=deployment).state == RunState.SUCCEEDED
    assert close(project, owner).status == "closed"


# --- another organisation ----------------------------------------------------------------------


@pytest.fixture
def elsewhere(stranger: User, owner: User, organisation: Organisation) -> Organisation:
    """Return a sister under one parent; the project's owner belongs to both."""
    parent = Organisation.objects.create(name="Group", slug="group")
    Organisation.objects.filter(pk=organisation.pk).update(parent=parent)
    found = Organisation.objects.get(memberships__user=stranger)
    found.parent = parent
    found.save()
    grant(stranger, Role.OWNER, organisation=found)
    grant(stranger, Role.FINANCE, organisation=found)
    Membership.objects.create(user=owner, organisation=found, since=NOW)
    return found


def ask(project: Project, elsewhere: Organisation, owner: User, stranger: User, **more):
    return ask_move(
        project=project,
        organisation=elsewhere,
        user=stranger,
        deputy=owner,
        reason="Sold",
        actor=owner,
        at=NOW,
        **more,
    )


def test_a_move_waits_for_what_lies_in_pools_that_are_not_theirs(
    project: Project, catalogue: Catalogue, elsewhere: Organisation, owner: User, stranger: User
) -> None:
    hold(project, catalogue.pool, {"VCPU": 1})
    transfer = ask(project, elsewhere, owner, stranger)
    with pytest.raises(OutOfReach, match="web-1 in Frankfurt"):
        accept_move(transfer=transfer, actor=stranger, at=LATER)
    Pool.objects.update(organisation=elsewhere.parent)
    accept_move(transfer=transfer, actor=stranger, at=LATER)
    project.refresh_from_db()
    assert project.organisation == elsewhere


def test_a_move_takes_effect_at_its_instant(
    project: Project, elsewhere: Organisation, owner: User, stranger: User
) -> None:
    when = NOW + timedelta(days=3)
    transfer = ask(project, elsewhere, owner, stranger, effective_at=when)
    assert accept_move(transfer=transfer, actor=stranger, at=LATER).state == WishState.AGREED
    assert carry_out_moves(at=when - timedelta(seconds=1)) == 0
    project.refresh_from_db()
    assert project.organisation != elsewhere
    assert carry_out_moves(at=when) == 1
    assert carry_out_moves(at=when) == 0
    project.refresh_from_db()
    assert project.organisation == elsewhere
    assert ProjectTransfer.objects.get().decided_at == when


def test_an_agreed_move_can_be_withdrawn_or_fails_with_its_reason(
    project: Project, catalogue: Catalogue, elsewhere: Organisation, owner: User, stranger: User
) -> None:
    when = NOW + timedelta(days=3)
    first = ask(project, elsewhere, owner, stranger, effective_at=when)
    accept_move(transfer=first, actor=stranger, at=LATER)
    withdraw_transfer(transfer=first, actor=owner, at=LATER)
    second = ask(project, elsewhere, owner, stranger, effective_at=when)
    accept_move(transfer=second, actor=stranger, at=LATER)
    hold(project, catalogue.pool, {"VCPU": 1})
    assert carry_out_moves(at=when) == 0
    second.refresh_from_db()
    assert second.state == WishState.REJECTED
    assert "web-1 in Frankfurt" in second.answer
    project.refresh_from_db()
    assert project.organisation != elsewhere


def test_charges_are_split_at_exactly_the_instant(
    project: Project,
    elsewhere: Organisation,
    owner: User,
    stranger: User,
    finance: User,
    second_finance: User,
) -> None:
    money = make_money(
        organisation=project.organisation,
        project=project,
        preparer=finance,
        releaser=second_finance,
    )
    theirs = make_account(money.entity, elsewhere, "theirs")
    host = make_host(project.organisation)
    Pool.objects.update(organisation=elsewhere.parent)
    make_machine(project=project, host=host, name="web", start=berlin(2026, 3, 1))
    cut = berlin(2026, 3, 10, 14, 30)
    transfer = ask(project, elsewhere, owner, stranger, effective_at=cut)
    accept_move(transfer=transfer, actor=stranger, at=LATER)
    carry_out_moves(at=cut)
    project.refresh_from_db()

    assign_account(project=project, account=theirs, from_at=cut, at=cut, actor=stranger)

    assert account_of(project=project, at=cut - timedelta(microseconds=1)) == money.account
    assert account_of(project=project, at=cut) == theirs
    end = berlin(2026, 4, 1)
    for account in (money.account, theirs):
        rate_period(account=account, month=MARCH, at=end)
    rows = Charge.objects.filter(sku=money.machine)
    before = rows.get(account=money.account)
    after = rows.get(account=theirs)
    assert (before.charge_start, before.charge_end) == (berlin(2026, 3, 1), cut)
    assert (after.charge_start, after.charge_end) == (cut, end)
    # 9 days and 14.5 hours, and the rest of a month of 743 hours
    assert before.billed_cost == Decimal("230.5") * Decimal("0.112")
    assert before.billed_cost + after.billed_cost == Decimal(743) * Decimal("0.112")
    disk = Charge.objects.filter(sku=money.storage)
    assert sum(row.billed_cost for row in disk) == Decimal("8.00")
