"""Requests: place, edit, plan, cancel, expire: who may, and what is refused."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from inventory.foundation.choices import ProjectStatus
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible, StaleEdit
from inventory.foundation.models import AuditEvent, Event, Organisation, Project, User
from inventory.models import Allocation, Pool
from inventory.services import named_class, set_quota
from orchestra import blueprints
from orchestra.choices import OfferingStatus, OrderState
from orchestra.models import Order, Plan, Run
from orchestra.selectors.orders import latest_plan, visible_orders
from orchestra.services.orders import (
    NotTheRequester,
    WrongState,
    cancel_order,
    decide,
    edit_order,
    expire_orders,
    plan_order,
    submit_order,
)
from tests.cast import NOW
from tests.factories import hold, make_pool
from tests.orchestra.world import (
    LATER,
    Catalogue,
    approve,
    make_connection,
    place,
    submit,
    waiting,
)

ALL_OF_IT = {"VCPU": 16, "MEMORY_MB": 65536}


def sha_of(order: Order) -> str:
    plan = latest_plan(order)
    assert plan is not None
    return plan.sha256


# --- place -------------------------------------------------------------------------------------


def test_a_request_is_planned_at_once(catalogue: Catalogue, member: User) -> None:
    order = place(catalogue, member, instances=2)

    assert order.state == OrderState.PLANNED
    assert order.refusal == {}
    plan = latest_plan(order)
    assert plan is not None
    assert plan.sha256 == blueprints.digest(plan.document)
    assert plan.document["instances"] == 2
    assert plan.document["placement"]["amounts"]["DISK_GB"] == 50
    assert plan.document["parameters"] == {"disk": 50, "image": "debian-13"}
    assert len(plan.placement) == 2
    # March has 743 hours in Berlin: 2 × 743 × 0.112 and 2 × 50 GiB × 0.08
    assert plan.monthly_cost == plan.max_monthly_cost == Decimal("174.432")
    assert plan.document["max_monthly_cost"] == "174.432"
    assert plan.valid_until == NOW + timedelta(days=14)
    assert plan.decisions[0]["outcome"] == "approve_by_rule"
    assert not Allocation.objects.exists()
    events = Event.objects.filter(type__startswith="orchestra").order_by("pk")
    types = list(events.values_list("type", flat=True))
    assert types == ["orchestra.order.placed", "orchestra.order.planned"]
    entries = AuditEvent.objects.filter(action__startswith="order").order_by("pk")
    actions = list(entries.values_list("action", "actor__username"))
    assert actions == [("order.place", "mia"), ("order.plan", "mia")]


def test_the_same_request_gives_the_same_plan(catalogue: Catalogue, member: User) -> None:
    first, second = place(catalogue, member), place(catalogue, member)
    assert sha_of(first) == sha_of(second)
    stored = Plan.objects.get(order=first)
    assert blueprints.canonical(stored.document) == blueprints.canonical(
        Plan.objects.get(order=second).document
    )
    assert plan_order(order=second, actor=member, at=LATER) is not None
    assert sha_of(second) == sha_of(first)


def test_test_and_development_end_after_ninety_days(catalogue: Catalogue, member: User) -> None:
    """Days of the wall: Berlin's clock goes forward on 29 March."""
    ninety, an_hour = timedelta(days=90), timedelta(hours=1)
    order = place(catalogue, member, end_at=None)
    assert order.end_at == NOW + ninety - an_hour
    later = place(catalogue, member, end_at=None, start_at=NOW + timedelta(days=9), name="api")
    assert later.end_at == NOW + timedelta(days=9) + ninety - an_hour
    for_ever = place(catalogue, member, end_at=None, environment="production", name="prod")
    assert for_ever.end_at is None


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": "x" * 61}, "name", "at most 60"),
        ({"name": "Not A Slug"}, "name", "letters"),
        ({"name": "web_1"}, "name", "small letters"),
        ({"name": ""}, "name", "needed"),
        ({"name": 7}, "name", "text"),
        ({"application": "a" * 81}, "application", "at most 80"),
        ({"application": "=cmd()"}, "application", "Must not start"),
        ({"business_reason": "b" * 501}, "business_reason", "at most 500"),
        ({"business_reason": "   "}, "business_reason", "needed"),
        ({"business_reason": "a\0b"}, "business_reason", "NUL"),
        ({"environment": "prod"}, "environment", "Choose one of"),
        ({"environment": None}, "environment", "Choose one of"),
        ({"instances": 0}, "instances", "1 to 50"),
        ({"instances": -3}, "instances", "1 to 50"),
        ({"instances": 51}, "instances", "1 to 50"),
        ({"instances": 2.0}, "instances", "whole number"),
        ({"instances": float("nan")}, "instances", "whole number"),
        ({"instances": "2"}, "instances", "whole number"),
        ({"instances": True}, "instances", "whole number"),
        ({"parameters": {"disk": float("nan")}}, "parameters.disk", "not a number"),
        ({"parameters": {"disk": -5}}, "parameters.disk", "at least 10"),
        ({"parameters": {"disk": 50, "gpu": 1}}, "parameters.gpu", "no such choice"),
        ({"parameters": [1]}, "parameters", "JSON object"),
        ({"end_at": NOW}, "end_at", "end after"),
        ({"start_at": NOW + timedelta(days=40)}, "end_at", "end after"),
        ({"start_at": NOW - timedelta(days=1)}, "start_at", "past"),
        ({"start_at": NOW + timedelta(days=3000), "end_at": None}, "start_at", "five years"),
        ({"end_at": NOW + timedelta(days=9000)}, "end_at", "ten years"),
        ({"end_at": datetime(2026, 6, 1)}, "end_at", "time zone"),  # noqa: DTZ001
        ({"end_at": "2026-06-01"}, "end_at", "time zone"),
        ({"offering": None}, "offering", "Choose a service"),
    ],
)
def test_bad_input_is_named_by_field(
    catalogue: Catalogue, member: User, changes: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        place(catalogue, member, **changes)
    assert words.lower() in caught.value.fields[field].lower()
    assert not Order.objects.exists()


def test_a_closed_or_ending_project_takes_no_requests(
    catalogue: Catalogue, member: User, project: Project
) -> None:
    project.end_date = NOW.date() + timedelta(days=20)
    project.save()
    with pytest.raises(InvalidInput, match="ends on 2026-03-22"):
        place(catalogue, member)
    with pytest.raises(InvalidInput, match="ends on 2026-03-22"):
        place(catalogue, member, environment="production", end_at=None)
    # without an end a test ends with its project
    assert place(catalogue, member, end_at=None).end_at < NOW + timedelta(days=21)
    project.end_date = NOW.date() - timedelta(days=1)
    project.save()
    with pytest.raises(InvalidInput, match="ended on"):
        place(catalogue, member, name="api")
    project.end_date, project.status = None, ProjectStatus.CLOSED
    project.save()
    with pytest.raises(InvalidInput, match="Shop is closed"):
        place(catalogue, member, name="api")


def test_only_what_is_offered_where_it_is_offered(
    catalogue: Catalogue, member: User, organisation: Organisation
) -> None:
    elsewhere = Organisation.objects.create(name="Elsewhere", slug="elsewhere")
    theirs = make_pool(elsewhere, name="Theirs")
    unused = make_pool(organisation, name="Unused")
    for pool, words in ((theirs, "not offered to Acme"), (unused, "does not deliver")):
        with pytest.raises(InvalidInput) as caught:
            place(catalogue, member, pool=pool)
        assert words in caught.value.fields["pool"]
    catalogue.version.pools.add(unused)
    with pytest.raises(InvalidInput, match="not connected yet"):
        place(catalogue, member, pool=unused)
    Pool.objects.filter(pk=catalogue.pool.pk).update(is_open=False)
    with pytest.raises(InvalidInput, match="takes no requests"):
        place(catalogue, member, pool=catalogue.pool)
    with pytest.raises(InvalidInput, match="No pool can deliver"):
        place(catalogue, member)
    catalogue.version.status = OfferingStatus.DEPRECATED
    catalogue.version.save()
    with pytest.raises(InvalidInput, match="not offered any more"):
        place(catalogue, member)


def test_without_a_pool_the_first_that_fits_is_taken(
    catalogue: Catalogue, member: User, organisation: Organisation, project: Project
) -> None:
    second = make_pool(organisation, name="Zurich")
    make_connection(second)
    catalogue.version.pools.add(second)
    assert place(catalogue, member).pool == catalogue.pool
    for number in (1, 2):
        hold(project, catalogue.pool, ALL_OF_IT, name=f"big-{number}")
    assert place(catalogue, member, name="api").pool == second


@pytest.mark.parametrize("person", ["auditor", "approver", "finance", "operator"])
def test_who_may_see_but_not_place_is_told_which_role(
    catalogue: Catalogue, person: str, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(Forbidden, match="role member or owner"):
        place(catalogue, request.getfixturevalue(person))


def test_a_stranger_is_told_that_there_is_nothing(catalogue: Catalogue, stranger: User) -> None:
    with pytest.raises(NotVisible):
        place(catalogue, stranger)
    assert not visible_orders(stranger).exists()


def test_what_does_not_fit_stays_a_draft_with_the_reason(
    catalogue: Catalogue, member: User, project: Project
) -> None:
    order = place(catalogue, member, instances=9, end_at=NOW + timedelta(days=2))
    assert order.state == OrderState.DRAFT
    assert order.refusal["code"] == "capacity"
    assert (order.refusal["fits"], order.refusal["wanted"]) == (8, 9)
    assert not order.plans.exists()
    with pytest.raises(WrongState, match="no plan yet"):
        submit_order(order=order, actor=member, plan_sha256="", at=NOW)

    smaller = edit_order(order=order, actor=member, version=1, changes={"instances": 8}, at=LATER)
    assert (smaller.state, smaller.refusal) == (OrderState.PLANNED, {})


def test_no_price_and_no_quota_are_refusals_too(
    catalogue: Catalogue, member: User, project: Project, operator: User
) -> None:
    set_quota(project=project, resource_class=named_class(name="VCPU"), limit=4, at=NOW)
    order = place(catalogue, member, instances=2)
    assert (order.state, order.refusal["code"]) == (OrderState.DRAFT, "quota")
    assert "is 4 vCPU, of which 0 are held; this needs 8 more" in order.refusal["message"].replace(
        "VCPU", "vCPU"
    )
    catalogue.money.account.project_billings.all().delete()
    order = place(catalogue, member, name="api")
    assert (order.state, order.refusal["code"]) == (OrderState.DRAFT, "no_account")


# --- edit and plan -----------------------------------------------------------------------------


def test_an_edit_makes_a_new_plan_and_voids_the_approval(
    catalogue: Catalogue, member: User, approver: User
) -> None:
    order = waiting(catalogue, member)
    old = sha_of(order)
    edited = edit_order(
        order=order, actor=member, version=1, changes={"parameters": {"disk": 60}}, at=LATER
    )
    assert (edited.state, edited.version) == (OrderState.PLANNED, 2)
    assert edited.plans.count() == 2
    with pytest.raises(StaleEdit, match="latest plan is number 2"):
        decide(
            order=order,
            approver=approver,
            decision="approve",
            reason="",
            plan_sha256=old,
            at=LATER,
        )
    with pytest.raises(StaleEdit, match="latest plan is number 2"):
        submit_order(order=order, actor=member, plan_sha256=old, at=LATER)
    change = AuditEvent.objects.get(action="order.edit").changes
    assert change == {
        "parameters": [
            {"disk": 50, "image": "debian-13"},
            {"disk": 60, "image": "debian-13"},
        ]
    }


def test_a_stale_form_and_unknown_fields_are_refused(catalogue: Catalogue, member: User) -> None:
    order = place(catalogue, member)
    edit_order(order=order, actor=member, version=1, changes={"instances": 2}, at=LATER)
    with pytest.raises(StaleEdit, match="changed since you opened it"):
        edit_order(order=order, actor=member, version=1, changes={"instances": 3}, at=LATER)
    with pytest.raises(InvalidInput) as caught:
        edit_order(order=order, actor=member, version=2, changes={"state": "approved"}, at=LATER)
    assert caught.value.fields == {"state": "There is no such field."}


def test_only_the_requester_edits_plans_and_sends(
    catalogue: Catalogue, member: User, owner: User, stranger: User
) -> None:
    order = place(catalogue, member)
    with pytest.raises(NotTheRequester, match="Only mia may change"):
        edit_order(order=order, actor=owner, version=1, changes={"instances": 2}, at=LATER)
    with pytest.raises(NotTheRequester):
        submit(order, owner)
    with pytest.raises(NotTheRequester):
        plan_order(order=order, actor=owner, at=LATER)
    with pytest.raises(NotVisible):
        submit(order, stranger)


def test_a_rejected_request_can_be_changed_and_sent_again(
    catalogue: Catalogue, member: User, approver: User
) -> None:
    order = waiting(catalogue, member)
    approve(order, approver, decision="reject", reason="Too large")
    order = edit_order(
        order=order, actor=member, version=1, changes={"parameters": {"disk": 10}}, at=LATER
    )
    assert (order.state, order.decided_at) == (OrderState.PLANNED, None)
    order = submit(order, member, at=LATER)
    approve(order, approver)
    assert Order.objects.get(pk=order.pk).state == OrderState.FULFILLING


# --- cancel and expire -------------------------------------------------------------------------


def test_cancelling_before_the_approval(
    catalogue: Catalogue, member: User, operator: User, auditor: User, approver: User
) -> None:
    order = waiting(catalogue, member)
    with pytest.raises(Forbidden):
        cancel_order(order=order, actor=auditor, reason="", at=LATER)
    for _ in range(2):
        gone = cancel_order(order=order, actor=operator, reason="Not needed", at=LATER)
        assert (gone.state, gone.finished_at) == (OrderState.CANCELLED, LATER)
    assert Event.objects.filter(type="orchestra.order.cancelled").count() == 1
    with pytest.raises(WrongState, match="cancelled"):
        approve(order, approver)


def test_cancelling_a_run_undoes_it(catalogue: Catalogue, member: User) -> None:
    order = submit(place(catalogue, member), member)
    cancel_order(order=order, actor=member, reason="Wrong size", at=LATER)
    run = Run.objects.get()
    assert run.desired_state == "cancel"
    assert AuditEvent.objects.filter(action="order.cancel", reason="Wrong size").count() == 1


def test_what_has_ended_cannot_be_cancelled(
    catalogue: Catalogue, member: User, approver: User
) -> None:
    order = waiting(catalogue, member)
    approve(order, approver, decision="reject", reason="No")
    with pytest.raises(WrongState, match="rejected"):
        cancel_order(order=order, actor=member, reason="", at=LATER)


def test_undecided_requests_expire_with_their_plan(catalogue: Catalogue, member: User) -> None:
    planned = place(catalogue, member)
    asked = waiting(catalogue, member, name="api")
    started = submit(place(catalogue, member, name="job"), member)
    end = NOW + timedelta(days=14)
    assert expire_orders(at=end - timedelta(seconds=1)) == 0
    assert expire_orders(at=end) == 2
    assert expire_orders(at=end) == 0
    states = [Order.objects.get(pk=order.pk).state for order in (planned, asked, started)]
    assert states == [OrderState.EXPIRED, OrderState.EXPIRED, OrderState.FULFILLING]
    assert Event.objects.filter(type="orchestra.order.expired").count() == 2
    again = plan_order(order=asked, actor=member, at=end)
    assert again is not None
    assert asked.state == OrderState.PLANNED


# --- what would fit instead --------------------------------------------------------------------


def test_a_refusal_names_the_next_pool_and_the_next_start(
    catalogue: Catalogue, member: User, organisation: Organisation, project: Project
) -> None:
    free_again = NOW + timedelta(days=2)
    hold(project, catalogue.pool, ALL_OF_IT, name="big-1", end=free_again)
    hold(project, catalogue.pool, ALL_OF_IT, name="big-2", end=NOW + timedelta(days=3))
    order = place(catalogue, member, instances=4)
    assert order.state == OrderState.DRAFT
    (later,) = order.refusal["alternatives"]
    assert later["start_at"] == free_again.isoformat()
    assert "Frankfurt has room for all 4 from 4 March 2026 10:00 (Europe/Berlin)." in str(
        order.refusal["message"]
    )
    order = edit_order(
        order=order, actor=member, version=1, changes={"start_at": free_again}, at=LATER
    )
    assert order.state == OrderState.PLANNED

    second = make_pool(organisation, name="Zurich")
    make_connection(second)
    catalogue.version.pools.add(second)
    order = place(catalogue, member, name="api", pool=catalogue.pool)
    assert order.refusal["alternatives"][0] == {
        "pool": "zurich",
        "message": "Zurich has room for it now.",
    }
