"""Reads of requests: who sees what, and who may decide."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.foundation.choices import Role, Scope
from inventory.foundation.errors import NotVisible
from inventory.foundation.models import Project, RoleGrant, User
from orchestra.selectors.orders import (
    deciders,
    inbox,
    latest_plan,
    order_detail,
    visible_orders,
)
from tests.cast import NOW, make_user
from tests.orchestra.world import Catalogue, place, waiting


def test_a_detail_comes_with_all_it_shows(catalogue: Catalogue, member: User) -> None:
    order = waiting(catalogue, member)
    seen = order_detail(user=member, order_id=order.pk)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert [plan.number for plan in seen.plans.all()] == [1]
        assert not [approval for plan in seen.plans.all() for approval in plan.approvals.all()]
        assert (seen.project.organisation.slug, seen.pool.slug) == ("acme", "frankfurt")
        assert not seen.runs.all()
    assert len(queries) == 0


def test_strangers_see_nothing(catalogue: Catalogue, member: User, stranger: User) -> None:
    order = waiting(catalogue, member)
    assert not visible_orders(stranger).exists()
    assert not inbox(stranger).exists()
    for number in (order.pk, order.pk + 1):
        with pytest.raises(NotVisible, match="no such request"):
            order_detail(user=stranger, order_id=number)


def test_the_inbox_is_what_one_may_decide_oldest_first(
    catalogue: Catalogue, member: User, owner: User, approver: User, auditor: User
) -> None:
    place(catalogue, member, name="draft")
    second = waiting(catalogue, owner, name="api")
    first = waiting(catalogue, member)
    assert list(inbox(approver)) == [second, first]
    assert list(inbox(owner)) == [first]
    assert not inbox(member).exists()
    assert not inbox(auditor).exists()
    plan = latest_plan(first)
    assert plan is not None
    row = inbox(owner).get()
    assert (row.plan_sha256, row.plan_monthly) == (plan.sha256, plan.monthly_cost)


def test_who_may_decide_on_whose_request(
    catalogue: Catalogue, project: Project, owner: User, deputy: User, member: User, approver: User
) -> None:
    assert set(deciders(project=project, requester=owner, at=NOW)) == {deputy, approver}
    group = Group.objects.create(name="change board")
    colleague = make_user("carla", project.organisation)
    colleague.groups.add(group)
    RoleGrant.objects.create(
        group=group,
        role=Role.APPROVER,
        scope=Scope.PROJECT,
        project=project,
        granted_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    everybody = {owner, deputy, approver, colleague}
    assert set(deciders(project=project, requester=member, at=NOW)) == everybody
    later = NOW + timedelta(days=1)
    assert set(deciders(project=project, requester=member, at=later)) == everybody - {colleague}
    User.objects.filter(pk=deputy.pk).update(is_active=False)
    assert deputy not in deciders(project=project, requester=member, at=NOW)
