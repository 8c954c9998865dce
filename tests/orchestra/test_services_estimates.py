"""The price tag: the same figures as the plan, while the form is still half empty."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing.models import Budget
from inventory.foundation.errors import Forbidden, NotVisible
from inventory.foundation.models import AuditEvent, Event, Project, User
from inventory.services import named_class, set_quota
from orchestra.choices import OrderState
from orchestra.models import Order
from orchestra.services.orders import Estimate, estimate
from tests.billing.world import berlin
from tests.cast import NOW
from tests.factories import hold
from tests.orchestra.world import Catalogue, place, wish


def estimate_of(catalogue: Catalogue, requester: User, **changes: Any) -> Estimate:
    at = changes.pop("at", NOW)
    return estimate(requester=requester, at=at, **wish(catalogue, **changes))


def test_the_estimate_is_what_the_plan_will_say(catalogue: Catalogue, member: User) -> None:
    found = estimate_of(catalogue, member, instances=2)
    assert found.faults == {}
    assert found.names == "web-1 … web-2"
    assert found.pool == catalogue.pool
    assert found.fits == 8
    assert found.refusal == {}
    assert found.needs_approval is False
    assert found.sentence == "Approved by rule: cheap, short and within budget."
    assert found.approvers == ()
    assert (found.minutes_to_deliver, found.zone) == (5, "Europe/Berlin")

    plan = place(catalogue, member, instances=2).plans.get()
    assert found.quote is not None
    assert found.quote.as_dict() == plan.quote
    assert found.cost == plan.term_cost
    assert found.budget is not None
    assert found.budget_after == Decimal("3200.00") - found.cost


def test_figures_of_the_demo(
    catalogue: Catalogue, member: User, owner: User, deputy: User, approver: User
) -> None:
    set_quota(project=catalogue.project, resource_class=named_class(name="VCPU"), limit=48, at=NOW)
    start = berlin(2026, 1, 12, 9)
    zone = ZoneInfo("Europe/Berlin")
    end = (start.astimezone(zone) + timedelta(days=90)).astimezone(start.tzinfo)
    found = estimate_of(
        catalogue,
        member,
        instances=3,
        parameters={"disk": 100},
        start_at=start,
        end_at=end,
        at=berlin(2026, 1, 5, 9),
    )
    assert found.quote is not None
    assert round(found.quote.monthly, 2) == Decimal("273.98")
    assert found.quote.term is not None
    assert round(found.quote.term, 2) == Decimal("797.72")
    assert found.quote.term_hours == 2159
    assert found.budget_after is not None
    assert round(found.budget_after, 2) == Decimal("2402.28")
    (quota,) = found.quotas
    assert (quota.before, quota.after, quota.limit) == (0, 12, 48)
    assert found.needs_approval is True
    # no rule was in force in January
    assert "no rule here approves" in found.sentence
    assert set(found.approvers) == {str(owner), str(deputy), str(approver)}


def test_why_and_by_whom(
    catalogue: Catalogue, owner: User, deputy: User, approver: User, member: User
) -> None:
    found = estimate_of(catalogue, owner, instances=3, environment="production", end_at=None)
    assert found.sentence == "Needs the approver: over 250.00 EUR a month, no end date."
    assert found.reasons == ("over 250.00 EUR a month", "no end date")
    assert set(found.approvers) == {str(deputy), str(approver)}


@pytest.mark.parametrize(
    "blank",
    [
        {"name": "", "application": "", "business_reason": ""},
        {"environment": ""},
        {"name": "Not A Slug"},
        {"name": None, "application": None, "environment": None, "business_reason": None},
    ],
)
def test_what_is_not_priced_may_be_missing(
    catalogue: Catalogue, member: User, blank: dict[str, Any]
) -> None:
    found = estimate_of(catalogue, member, **blank)
    assert set(found.faults) == set(blank)
    assert found.quote is not None
    assert found.sentence


@pytest.mark.parametrize(
    "blank",
    [
        {"offering": None},
        {"instances": None},
        {"instances": ""},
        {"instances": 10**9},
        {"parameters": {"disk": "many"}},
        {"parameters": {"disk": float("nan")}},
        {"end_at": "tomorrow"},
        {"end_at": NOW},
    ],
)
def test_without_what_is_priced_it_says_what_is_missing(
    catalogue: Catalogue, member: User, blank: dict[str, Any]
) -> None:
    found = estimate_of(catalogue, member, **blank)
    assert found.faults
    assert (found.quote, found.fits, found.needs_approval) == (None, None, None)


def test_an_empty_form_is_answered(catalogue: Catalogue, member: User, project: Project) -> None:
    found = estimate(requester=member, project=project, offering=None, at=NOW)
    assert found.faults["offering"] == "Choose a service."


def test_no_room_no_quota_no_price(catalogue: Catalogue, member: User, project: Project) -> None:
    found = estimate_of(catalogue, member, instances=9)
    assert found.fits == 8
    assert found.refusal is not None
    assert found.refusal["code"] == "capacity"
    assert found.quote is not None
    set_quota(project=project, resource_class=named_class(name="VCPU"), limit=4, at=NOW)
    found = estimate_of(catalogue, member, instances=2)
    assert found.refusal is not None
    assert (found.refusal["code"], found.quotas[0].is_exceeded) == ("quota", True)
    catalogue.money.account.project_billings.all().delete()
    found = estimate_of(catalogue, member)
    assert found.refusal is not None
    assert found.refusal["code"] == "no_account"
    assert (found.quote, found.budget, found.needs_approval) == (None, None, None)


def test_what_is_held_counts_against_the_quota(
    catalogue: Catalogue, member: User, project: Project
) -> None:
    set_quota(project=project, resource_class=named_class(name="VCPU"), limit=8, at=NOW)
    hold(project, catalogue.pool, {"VCPU": 4, "MEMORY_MB": 16384})
    (quota,) = estimate_of(catalogue, member, name="api").quotas
    assert (quota.before, quota.after, quota.is_exceeded) == (4, 8, False)


def test_it_writes_nothing(catalogue: Catalogue, member: User) -> None:
    before = (AuditEvent.objects.count(), Event.objects.count())
    estimate_of(catalogue, member)
    assert (AuditEvent.objects.count(), Event.objects.count()) == before
    assert not Order.objects.exclude(state=OrderState.DRAFT).exists()


def test_a_budget_without_room_is_said(catalogue: Catalogue, member: User) -> None:
    Budget.objects.update(amount=Decimal(10))
    found = estimate_of(catalogue, member)
    assert found.budget_after is not None
    assert found.budget_after < 0
    assert found.reasons == ("more than the 10.00 EUR left in the budget",)


def test_who_may_not_ask(catalogue: Catalogue, auditor: User, stranger: User) -> None:
    with pytest.raises(Forbidden):
        estimate_of(catalogue, auditor)
    with pytest.raises(NotVisible):
        estimate_of(catalogue, stranger)
