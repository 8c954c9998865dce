"""Reads about requests, their plans and decisions."""

from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf

from inventory.foundation.errors import NotVisible
from inventory.foundation.models import Project, User
from inventory.foundation.permissions import Action, projects_where
from inventory.foundation.selectors import people_with
from orchestra.choices import OrderKind, OrderState
from orchestra.models import Approval, Deployment, Order, Plan

ON_ITS_WAY = (OrderState.AWAITING_APPROVAL, OrderState.APPROVED, OrderState.FULFILLING)


def visible_orders(user: User) -> QuerySet[Order]:
    """Return the requests of all projects that the person may see, newest first."""
    return (
        Order.objects.filter(project__in=projects_where(user, Action.PROJECT_VIEW))
        .select_related(
            "project__organisation", "requester", "offering_version__offering", "pool", "deployment"
        )
        .order_by("-pk")
    )


def order_detail(*, user: User, order_id: int) -> Order:
    """Return one request with its plans, decisions and runs; NotVisible if there is none to see."""
    order = (
        visible_orders(user)
        .prefetch_related(
            "plans__approvals__approver", "plans__approvals__policy_version__policy", "runs"
        )
        .filter(pk=order_id)
        .first()
    )
    if order is None:
        message = "There is no such request, or you have no role in its project."
        raise NotVisible(message)
    return order


def inbox(user: User) -> QuerySet[Order]:
    """Return what waits for a decision of this person, oldest first: never what they asked for.

    `plan_monthly`, `plan_currency` and `plan_sha256` are those of the latest plan.
    """
    latest = Plan.objects.filter(order=OuterRef("pk")).order_by("-number")
    return (
        Order.objects.filter(
            state=OrderState.AWAITING_APPROVAL,
            project__in=projects_where(user, Action.ORDER_DECIDE),
        )
        .exclude(requester=user)
        .select_related("project__organisation", "requester", "offering_version__offering", "pool")
        .annotate(
            plan_monthly=Subquery(latest.values("monthly_cost")[:1]),
            plan_sha256=Subquery(latest.values("sha256")[:1]),
            plan_currency=Subquery(latest.values("currency")[:1]),
        )
        .order_by("created_at", "pk")
    )


def visible_decisions(user: User) -> QuerySet[Approval]:
    """Return the decisions on requests of all projects that the person may see.

    `decider` names who decided, or the rule.
    """
    seen = projects_where(user, Action.PROJECT_VIEW)
    return (
        Approval.objects.filter(plan__order__project__in=seen)
        .annotate(
            decider=Coalesce(
                NullIf("approver__display_name", Value("")),
                "approver__username",
                "policy_version__policy__name",
            )
        )
        .select_related("plan__order__project", "approver", "policy_version__policy")
    )


def waiting_on_others(user: User) -> QuerySet[Order]:
    """Return the person's own requests that somebody else must decide on, oldest first."""
    return (
        Order.objects.filter(state=OrderState.AWAITING_APPROVAL, requester=user)
        .select_related("project", "offering_version__offering")
        .order_by("created_at", "pk")
    )


def latest_plan(order: Order) -> Plan | None:
    """Return the request's newest plan, if it has any."""
    return order.plans.order_by("-number").first()


def deciders(*, project: Project, requester: User, at: datetime) -> QuerySet[User]:
    """Return who may decide on this person's requests in the project, never the person."""
    people = people_with(action=Action.ORDER_DECIDE, project=project, at=at)
    return people.exclude(pk=requester.pk)


def plans_past(at: datetime) -> list[int]:
    """Return the ids of undecided requests whose newest plan was valid until `at` or before."""
    latest = Plan.objects.filter(order=OuterRef("pk")).order_by("-number")
    return list(
        Order.objects.filter(state__in=[OrderState.PLANNED, OrderState.AWAITING_APPROVAL])
        .annotate(valid_until=Subquery(latest.values("valid_until")[:1]))
        .filter(valid_until__lte=at)
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def open_orders_named(*, project: Project, name: str, but: Order | None = None) -> bool:
    """Say whether another request on its way will make an application of that name."""
    orders = Order.objects.filter(
        project=project,
        name=name,
        kind=OrderKind.CREATE,
        state__in=ON_ITS_WAY,
    )
    return (orders.exclude(pk=but.pk) if but else orders).exists()


def open_retirement(deployment: Deployment) -> Order | None:
    """Return the request that is giving the application back already, if any."""
    return Order.objects.filter(
        deployment=deployment,
        kind=OrderKind.RETIRE,
        state__in=[*ON_ITS_WAY, OrderState.PLANNED],
    ).first()


def lock_order(order_id: int) -> Order:
    """Return the request with its row locked until the transaction ends."""
    return (
        Order.objects.select_for_update(no_key=True, of=("self",))
        .select_related(
            "project__organisation",
            "project__owner",
            "requester",
            "offering_version__offering",
            "pool",
            "deployment",
        )
        .get(pk=order_id)
    )
