"""Two people decide at the same instant; one request is sent twenty times at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from billing.choices import BudgetAction
from billing.models import Budget
from inventory.foundation.choices import Role
from inventory.foundation.errors import DomainError
from inventory.foundation.models import Organisation, Project, User
from inventory.models import Allocation
from orchestra.choices import OrderState
from orchestra.models import Approval, Order, Run
from orchestra.services.orders import WrongState, cancel_order
from tests.cast import NOW, grant, make_user
from tests.orchestra.world import Catalogue, approve, make_catalogue, place, submit, waiting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(transactional_db: None) -> tuple[Catalogue, User, list[User]]:
    """A catalogue, somebody who asks, and two who may decide; all really committed."""
    organisation = Organisation.objects.create(name="Acme", slug="acme")
    owner, deputy, first, second = (
        make_user(name, organisation) for name in ("olivia", "dario", "fiona", "frank")
    )
    project = Project.objects.create(
        organisation=organisation,
        name="Shop",
        slug="shop",
        owner=owner,
        deputy=deputy,
        cost_centre="4711",
        created_at=NOW,
    )
    member = make_user("mia", organisation)
    grant(member, Role.MEMBER, project=project)
    catalogue = make_catalogue(
        organisation=organisation, project=project, finance=first, second_finance=second
    )
    return catalogue, member, [owner, deputy]


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """Run all jobs at the same instant; return what each returned, or its refusal."""
    start = Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        start.wait(timeout=30)
        try:
            return job()
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=len(jobs)) as threads:
        return list(threads.map(run, jobs))


def test_two_approvers_start_one_run(world: tuple[Catalogue, User, list[User]]) -> None:
    catalogue, member, (owner, deputy) = world
    order = waiting(catalogue, member)
    answers = together(lambda: approve(order, owner), lambda: approve(order, deputy))
    assert sorted(type(answer).__name__ for answer in answers) == ["Approval", "WrongState"]
    assert (Run.objects.count(), Approval.objects.count()) == (1, 1)
    assert Allocation.objects.count() == 3


def test_sent_many_times_at_once_is_one_request(
    world: tuple[Catalogue, User, list[User]],
) -> None:
    catalogue, member, _ = world
    order = place(catalogue, member)
    answers = together(*[lambda: submit(order, member)] * 12)
    assert {answer.state for answer in answers} == {OrderState.FULFILLING}
    assert (Run.objects.count(), Approval.objects.count()) == (1, 1)


def test_cancel_and_approve_at_once_leave_one_truth(
    world: tuple[Catalogue, User, list[User]],
) -> None:
    catalogue, member, (owner, _) = world
    order = waiting(catalogue, member)
    _, decided = together(
        lambda: cancel_order(order=order, actor=member, reason="", at=NOW),
        lambda: approve(order, owner),
    )
    order = Order.objects.get(pk=order.pk)
    if isinstance(decided, WrongState):  # the cancellation came first
        assert (order.state, Run.objects.count()) == (OrderState.CANCELLED, 0)
    else:
        assert Run.objects.get().desired_state == "cancel"


def test_two_requests_and_a_budget_for_one(world: tuple[Catalogue, User, list[User]]) -> None:
    catalogue, member, (owner, deputy) = world
    first = waiting(catalogue, member)
    second = waiting(catalogue, member, name="shop")
    Budget.objects.update(amount="900.00", action=BudgetAction.BLOCK)
    answers = together(lambda: approve(first, owner), lambda: approve(second, deputy))
    assert sorted(type(answer).__name__ for answer in answers) == ["Approval", "BudgetExceeded"]
    assert Run.objects.count() == 1
