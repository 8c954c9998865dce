"""Sending and deciding: the rule, the second person, and what happens twice or too late."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from billing.choices import BudgetAction
from billing.models import Budget
from inventory.choices import AllocationState
from inventory.foundation.choices import Role, Via
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible, StaleEdit
from inventory.foundation.models import AuditEvent, Event, Project, RoleGrant, User
from inventory.models import Allocation, Resource
from inventory.services import NoCapacity, QuotaExceeded, named_class, set_quota
from orchestra.choices import Decision, OrderState
from orchestra.models import Approval, Deployment, Order, Run
from orchestra.selectors.orders import inbox, latest_plan
from orchestra.services.orders import (
    BudgetExceeded,
    NameTaken,
    OwnDecision,
    PlanExpired,
    WrongState,
    cancel_order,
    edit_order,
    plan_order,
)
from tests.billing.world import FIRST_PRICES, make_price
from tests.cast import NOW, grant, make_user
from tests.factories import hold
from tests.orchestra.world import LATER, Catalogue, approve, place, submit, waiting

ALL_OF_IT = {"VCPU": 16, "MEMORY_MB": 65536}


def sha_of(order: Order) -> str:
    plan = latest_plan(order)
    assert plan is not None
    return plan.sha256


# --- submit ------------------------------------------------------------------------------------


def test_cheap_short_and_within_budget_starts_by_rule(catalogue: Catalogue, member: User) -> None:
    order = submit(place(catalogue, member, instances=2), member)

    assert order.state == OrderState.FULFILLING
    approval = Approval.objects.get()
    assert (approval.approver, approval.policy_version) == (None, catalogue.rule)
    assert approval.plan_sha256 == sha_of(order)
    run = Run.objects.get(order=order)
    assert run.plan_sha256 == approval.plan_sha256
    assert order.deployment == run.deployment == Deployment.objects.get()
    assert Resource.objects.filter(name__in=["web-1", "web-2"]).count() == 2
    assert set(Allocation.objects.values_list("state", flat=True)) == {AllocationState.RESERVED}
    entry = AuditEvent.objects.get(action="order.approve")
    assert (entry.actor, entry.via, entry.reason) == (None, Via.RULE, "Small things, version 1")
    types = list(
        Event.objects.filter(type__startswith="orchestra.order")
        .order_by("pk")
        .values_list("type", flat=True)
    )
    assert types == [
        "orchestra.order.placed",
        "orchestra.order.planned",
        "orchestra.order.approved",
    ]


def test_sending_twice_is_one_request(catalogue: Catalogue, member: User) -> None:
    order = place(catalogue, member)
    for _ in range(3):
        assert submit(order, member).state == OrderState.FULFILLING
    assert (Run.objects.count(), Approval.objects.count()) == (1, 1)
    slow = place(catalogue, member, name="api", environment="production", end_at=None)
    for _ in range(3):
        assert submit(slow, member).state == OrderState.AWAITING_APPROVAL
    assert Event.objects.filter(type="orchestra.order.submitted").count() == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"instances": 3, "end_at": NOW + timedelta(days=9)}, "over 250.00 EUR a month"),
        ({"end_at": NOW + timedelta(days=91)}, "longer than 90 days"),
        ({"end_at": None, "environment": "production"}, "no end date"),
    ],
)
def test_anything_else_waits_for_an_approver(
    catalogue: Catalogue, member: User, changes: dict[str, Any], reason: str
) -> None:
    order = submit(place(catalogue, member, **changes), member)
    assert order.state == OrderState.AWAITING_APPROVAL
    plan = latest_plan(order)
    assert plan is not None
    assert plan.decisions[0]["reasons"] == [reason]
    assert plan.document["policy"][0]["reasons"] == [reason]
    assert not Run.objects.exists()


def test_a_budget_that_is_too_small_asks_or_blocks(catalogue: Catalogue, member: User) -> None:
    budget = Budget.objects.get()
    Budget.objects.update(amount=Decimal("50"))
    order = place(catalogue, member)
    plan = latest_plan(order)
    assert plan is not None
    assert plan.decisions[0]["reasons"] == ["more than the 50.00 EUR left in the budget"]
    Budget.objects.update(action=BudgetAction.BLOCK)
    with pytest.raises(BudgetExceeded, match=r"is more than the 50\.00 EUR left"):
        submit(order, member)
    budget.refresh_from_db()
    Budget.objects.update(amount=Decimal("5000"))
    assert submit(order, member).state == OrderState.AWAITING_APPROVAL


def test_a_budget_spent_meanwhile_asks_for_a_new_plan(catalogue: Catalogue, member: User) -> None:
    order = place(catalogue, member)
    Budget.objects.update(amount=Decimal("50"))
    with pytest.raises(StaleEdit, match="have changed since"):
        submit(order, member)
    plan_order(order=order, actor=member, at=LATER)
    assert submit(order, member, at=LATER).state == OrderState.AWAITING_APPROVAL


def test_an_old_plan_is_refused_with_the_cure(
    catalogue: Catalogue, member: User, approver: User
) -> None:
    order = place(catalogue, member)
    late = NOW + timedelta(days=14)
    with pytest.raises(PlanExpired, match="mia can plan R-"):
        submit(order, member, at=late)
    other = waiting(catalogue, member, name="api")
    with pytest.raises(PlanExpired, match="valid until 16 March 2026"):
        approve(other, approver, at=late)
    assert Approval.objects.count() == 0


# --- decide ------------------------------------------------------------------------------------


def test_an_approval_starts_the_run(catalogue: Catalogue, member: User, approver: User) -> None:
    order = waiting(catalogue, member)
    assert list(inbox(approver)) == [order]
    approval = approve(order, approver, reason="Needed for the launch")

    order.refresh_from_db()
    assert (order.state, order.decided_at) == (OrderState.FULFILLING, LATER)
    assert (approval.approver, approval.requester) == (approver, member)
    assert Run.objects.get().plan == approval.plan
    assert not inbox(approver).exists()
    entry = AuditEvent.objects.get(action="order.approve")
    assert (entry.actor, entry.reason) == (approver, "Needed for the launch")


def test_deciding_twice_is_one_decision(
    catalogue: Catalogue, member: User, approver: User, owner: User
) -> None:
    order = waiting(catalogue, member)
    assert approve(order, approver) == approve(order, approver)
    assert Run.objects.count() == 1
    with pytest.raises(WrongState, match="being delivered"):
        approve(order, owner)
    with pytest.raises(WrongState, match="being delivered"):
        approve(order, approver, decision="reject", reason="No")


def test_ones_own_approval_is_refused_by_the_service(catalogue: Catalogue, owner: User) -> None:
    order = waiting(catalogue, owner)
    assert not inbox(owner).exists()
    with pytest.raises(OwnDecision, match=r"Nobody decides on their own request.*dario"):
        approve(order, owner)
    order.refresh_from_db()
    assert order.state == OrderState.AWAITING_APPROVAL


def test_ones_own_approval_is_refused_by_the_database(catalogue: Catalogue, owner: User) -> None:
    plan = latest_plan(waiting(catalogue, owner))
    assert plan is not None
    values = {
        "plan": plan,
        "plan_sha256": plan.sha256,
        "requester": owner,
        "decision": Decision.APPROVE,
        "reason": "",
        "decided_at": NOW,
    }
    with pytest.raises(DatabaseError, match="approval_never_ones_own"), transaction.atomic():
        Approval.objects.create(approver=owner, **values)
    with pytest.raises(DatabaseError, match="approval_person_or_rule"), transaction.atomic():
        Approval.objects.create(**values)


def test_nobody_decides_in_the_name_of_the_requester(
    catalogue: Catalogue, member: User, owner: User, deputy: User, approver: User
) -> None:
    order = waiting(catalogue, owner)
    with pytest.raises(OwnDecision):
        approve(order, approver, on_behalf_of=owner)
    with pytest.raises(Forbidden, match="mia may not decide here"):
        approve(order, approver, on_behalf_of=member)
    assert approve(order, approver, on_behalf_of=deputy).on_behalf_of == deputy


@pytest.mark.parametrize("person", ["member", "auditor", "finance", "operator"])
def test_who_may_not_decide_is_told_which_role(
    catalogue: Catalogue, deputy: User, person: str, request: pytest.FixtureRequest
) -> None:
    order = waiting(catalogue, deputy)
    someone = request.getfixturevalue(person)
    with pytest.raises(Forbidden, match="role approver or owner"):
        approve(order, someone)
    assert not inbox(someone).exists()


def test_a_stranger_may_not_even_know(catalogue: Catalogue, member: User, stranger: User) -> None:
    order = waiting(catalogue, member)
    for verb in (
        lambda: approve(order, stranger),
        lambda: cancel_order(order=order, actor=stranger, reason="", at=LATER),
        lambda: edit_order(order=order, actor=stranger, version=1, changes={}, at=LATER),
    ):
        with pytest.raises(NotVisible):
            verb()


def test_a_role_that_was_taken_away_decides_nothing(
    catalogue: Catalogue, member: User, approver: User
) -> None:
    order = waiting(catalogue, member)
    RoleGrant.objects.filter(user=approver).delete()
    with pytest.raises(NotVisible):
        approve(order, approver)
    other = make_user("anton", catalogue.project.organisation)
    grant(other, Role.APPROVER, project=catalogue.project)
    RoleGrant.objects.filter(user=member).delete()
    with pytest.raises(WrongState, match="mia may not place requests in Shop any more"):
        approve(order, other)
    assert approve(order, other, decision="reject", reason="Left us").decision == "reject"


def test_a_rejection_needs_a_reason(catalogue: Catalogue, member: User, approver: User) -> None:
    order = waiting(catalogue, member)
    for reason in ("", "   "):
        with pytest.raises(InvalidInput) as caught:
            approve(order, approver, decision="reject", reason=reason)
        assert "Say why" in caught.value.fields["reason"]
    for reason in ("x" * 501, "=1+1", None):
        with pytest.raises(InvalidInput):
            approve(order, approver, decision="reject", reason=reason)
    with pytest.raises(InvalidInput):
        approve(order, approver, decision="maybe")
    approve(order, approver, decision="reject", reason="Too large")
    order.refresh_from_db()
    assert (order.state, order.decided_at) == (OrderState.REJECTED, LATER)
    assert not Run.objects.exists()
    assert Event.objects.filter(type="orchestra.order.rejected").count() == 1


def test_when_the_room_is_gone_nothing_is_written(
    catalogue: Catalogue, member: User, approver: User, project: Project
) -> None:
    order = waiting(catalogue, member)
    held = [hold(project, catalogue.pool, ALL_OF_IT, name=f"big-{n}") for n in (1, 2)]
    before = (Event.objects.count(), AuditEvent.objects.count(), Allocation.objects.count())
    with pytest.raises(NoCapacity):
        approve(order, approver)
    order.refresh_from_db()
    assert order.state == OrderState.AWAITING_APPROVAL
    assert not Approval.objects.exists()
    assert not Deployment.objects.exists()
    assert Resource.objects.count() == len(held)
    assert (
        Event.objects.count(),
        AuditEvent.objects.count(),
        Allocation.objects.count(),
    ) == before


def test_when_the_quota_is_gone_nothing_is_written(
    catalogue: Catalogue, member: User, approver: User, project: Project
) -> None:
    order = waiting(catalogue, member)
    set_quota(project=project, resource_class=named_class(name="VCPU"), limit=3, at=NOW)
    with pytest.raises(QuotaExceeded):
        approve(order, approver)
    order.refresh_from_db()
    assert order.state == OrderState.AWAITING_APPROVAL


def test_a_name_taken_meanwhile_is_said(catalogue: Catalogue, member: User, approver: User) -> None:
    order = waiting(catalogue, member)
    Deployment.objects.create(
        project=catalogue.project,
        pool=catalogue.pool,
        offering_version=catalogue.version,
        name="web",
        application="shop",
        environment="test",
        owner=member,
        instances=1,
        created_at=NOW,
    )
    with pytest.raises(NameTaken, match="has an application web by now"):
        approve(order, approver)
    with pytest.raises(InvalidInput, match="has an application web already"):
        place(catalogue, member)


def test_a_name_on_its_way_is_not_given_twice(catalogue: Catalogue, member: User) -> None:
    waiting(catalogue, member)
    with pytest.raises(InvalidInput, match="A request for web is under way"):
        place(catalogue, member)


def test_dearer_prices_need_a_new_plan(catalogue: Catalogue, member: User, approver: User) -> None:
    order = waiting(catalogue, member)
    catalogue.money.machine_price.during = (FIRST_PRICES, LATER)
    catalogue.money.machine_price.save()
    make_price(catalogue.money.book, catalogue.money.machine, "0.2", start=LATER)
    with pytest.raises(PlanExpired, match="Prices have changed"):
        approve(order, approver)
    plan_order(order=order, actor=member, at=LATER)
    order = submit(order, member, at=LATER)
    assert approve(order, approver).decision == Decision.APPROVE


def test_a_longer_month_is_no_rise(catalogue: Catalogue, member: User, approver: User) -> None:
    end_of_april = NOW + timedelta(days=58)
    order = place(catalogue, member, environment="production", end_at=None, at=end_of_april)
    order = submit(order, member, at=end_of_april)
    plan = latest_plan(order)
    assert plan is not None
    approve(order, approver, at=end_of_april + timedelta(days=5))
    # May has 744 hours, April 720: the same price
    assert Run.objects.get().plan == plan
