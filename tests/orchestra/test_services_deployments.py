"""Giving an application back."""

import pytest

from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import User
from inventory.models import Resource
from inventory.services import activate
from orchestra.choices import ChangeKind, DeploymentState, OrderKind, OrderState, RunState
from orchestra.models import Approval, Deployment, Order, PolicyVersion, Run
from orchestra.selectors.deployments import deployment_detail, visible_deployments
from orchestra.services.deployments import Busy, NotLive
from orchestra.services.orders import decide, request_retirement
from tests.cast import NOW
from tests.orchestra.world import Catalogue, place, submit


@pytest.fixture
def deployment(catalogue: Catalogue, member: User) -> Deployment:
    """An application of two copies that was delivered."""
    order = submit(place(catalogue, member, instances=2), member)
    for resource in Resource.objects.order_by("pk"):
        activate(resource=resource, at=NOW, external_ref=f"vm-{resource.pk}")
    Run.objects.update(state=RunState.SUCCEEDED, finished_at=NOW)
    Order.objects.update(state=OrderState.FULFILLED)
    Deployment.objects.update(state=DeploymentState.LIVE)
    return Deployment.objects.get(pk=order.deployment_id)


def give_back(deployment: Deployment, requester: User, reason: str = "Not needed") -> Order:
    return request_retirement(
        deployment=deployment, requester=requester, business_reason=reason, at=NOW
    )


def test_it_is_approved_by_rule_and_starts(deployment: Deployment, member: User) -> None:
    order = give_back(deployment, member)
    assert (order.kind, order.state) == (OrderKind.RETIRE, OrderState.FULFILLING)
    assert order.change_kind == ChangeKind.STANDARD
    plan = order.plans.get()
    assert (plan.monthly_cost, plan.term_cost, plan.currency) == (0, None, "EUR")
    assert [step["key"] for step in plan.document["steps"]] == [
        "stop[0]",
        "delete[0]",
        "release[0]",
        "stop[1]",
        "delete[1]",
        "release[1]",
    ]
    assert Approval.objects.get(plan=plan).policy_version is not None
    run = Run.objects.get(order=order)
    assert (run.deployment, run.action) == (deployment, OrderKind.RETIRE)
    resources = run.steps.order_by("ordinal").values_list("resource__name", flat=True)
    assert list(resources) == ["web-1"] * 3 + ["web-2"] * 3


def test_asked_twice_is_one_request(deployment: Deployment, member: User, owner: User) -> None:
    first = give_back(deployment, member)
    assert give_back(deployment, member) == first
    assert give_back(deployment, owner) == first
    assert Run.objects.filter(action=OrderKind.RETIRE).count() == 1


def test_without_a_rule_a_person_decides(
    deployment: Deployment, member: User, approver: User
) -> None:
    PolicyVersion.objects.all().update(during=(None, NOW))
    order = give_back(deployment, member)
    assert order.state == OrderState.AWAITING_APPROVAL
    decide(
        order=order,
        approver=approver,
        decision="approve",
        reason="",
        plan_sha256=order.plans.get().sha256,
        at=NOW,
    )
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLING


def test_it_waits_for_what_is_under_way(deployment: Deployment, member: User) -> None:
    Run.objects.update(state=RunState.NEEDS_OPERATOR)
    with pytest.raises(Busy, match="is being changed"):
        give_back(deployment, member)
    Run.objects.update(state=RunState.SUCCEEDED)
    Deployment.objects.update(state=DeploymentState.PENDING)
    with pytest.raises(NotLive, match="only a running application"):
        give_back(deployment, member)


def test_who_may_and_with_which_reason(
    deployment: Deployment, member: User, auditor: User, stranger: User
) -> None:
    with pytest.raises(Forbidden):
        give_back(deployment, auditor)
    with pytest.raises(NotVisible):
        give_back(deployment, stranger)
    for reason in ("", "x" * 501, "=1"):
        with pytest.raises(InvalidInput) as caught:
            give_back(deployment, member, reason)
        assert "business_reason" in caught.value.fields


def test_who_sees_it(deployment: Deployment, member: User, stranger: User) -> None:
    (seen,) = visible_deployments(member)
    assert seen.copies == 2
    assert deployment_detail(user=member, deployment_id=deployment.pk) == deployment
    assert not visible_deployments(stranger).exists()
    with pytest.raises(NotVisible):
        deployment_detail(user=stranger, deployment_id=deployment.pk)
