"""Who allowed it: sending a plan, the rule's answer, the person's decision, and the start."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from billing.choices import BudgetAction
from billing.selectors import QuoteLine, lock_budgets, quote
from inventory.foundation.choices import ProjectStatus, Via
from inventory.foundation.errors import Conflict, Forbidden, InvalidInput, StaleEdit
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, may, require
from inventory.foundation.trail import current_trail, on_trail, told_together
from orchestra import policies
from orchestra.blueprints import amounts_of
from orchestra.choices import Alteration, Decision, OrderKind, OrderState
from orchestra.models import Approval, Order, Plan, PolicyVersion
from orchestra.selectors.budgets import budget_state
from orchestra.selectors.deployments import name_is_taken
from orchestra.selectors.orders import deciders, latest_plan, lock_order
from orchestra.services.change_plans import assess_change_of, since
from orchestra.services.order_states import (
    WrongState,
    clean_reason,
    emit,
    locked_for_requester,
    move,
    record,
    require_state,
)
from orchestra.services.plans import billing_zone
from orchestra.services.runs import start_run

UNDER_WAY = {OrderState.APPROVED, OrderState.FULFILLING, OrderState.FULFILLED}


class OwnDecision(Forbidden):
    """Nobody decides on what they asked for themselves."""

    code = "own_decision"
    title = "Somebody else must decide"


class PlanExpired(Conflict):
    """What the plan says does not hold any more, so nobody may act on it."""

    code = "plan_expired"
    title = "The plan does not hold any more"


class BudgetExceeded(Conflict):
    """The project's budget refuses what it cannot carry."""

    code = "budget_exceeded"
    title = "The budget does not carry this"


class NameTaken(Conflict):
    """Another application took the name meanwhile."""

    code = "name_taken"


@transaction.atomic
@told_together()
def submit_order(
    *,
    order: Order,
    actor: User,
    plan_sha256: str,
    at: datetime,
    effective_at: datetime | None = None,
) -> Order:
    """Send a planned request. By rule it is approved and started here, else it waits for a person.

    `effective_at` is the business time of a replay or import (`Run.effective_at`). Sent twice it is
    the same request. Raises StaleEdit when the plan is not the latest one or the rules answer
    differently by now, PlanExpired, BudgetExceeded, NoCapacity or QuotaExceeded.
    """
    order = locked_for_requester(order, actor)
    plan = _bound_plan(order, plan_sha256)
    if order.state == OrderState.AWAITING_APPROVAL or order.state in UNDER_WAY:
        return order
    require_state(order, {OrderState.PLANNED}, "send")
    _require_valid(order, plan, at)
    _require_budget(order, plan, at)
    if _answer_changed(order, plan, at):
        message = (
            "The rules or the budget have changed since this was planned, so it now needs another "
            "decision. Plan it again to see which."
        )
        raise StaleEdit(message)
    settle(order=order, plan=plan, actor=actor, at=at, effective_at=effective_at)
    return order


@transaction.atomic
@told_together()
def decide(
    *,
    order: Order,
    approver: User,
    decision: str,
    reason: str,
    plan_sha256: str,
    at: datetime,
    on_behalf_of: User | None = None,
    effective_at: datetime | None = None,
) -> Approval:
    """Approve or reject the plan with that hash; an approval starts the run at once.

    A rejection needs a reason. Never one's own request. The same decision sent
    twice is one. If the room is gone meanwhile nothing is written (NoCapacity, QuotaExceeded) and
    the request goes on waiting.
    """
    require(approver, Action.ORDER_DECIDE, order.project)
    order = lock_order(order.pk)
    if decision not in Decision.values:
        message = "Decide to approve or to reject."
        raise InvalidInput(message, fields={"decision": message})
    reason = clean_reason(reason, needed=decision == Decision.REJECT)
    plan = _bound_plan(order, plan_sha256)
    _require_other_person(order, approver, on_behalf_of, at)
    given = plan.approvals.filter(approver=approver, decision=decision).first()
    if given is not None:
        return given
    require_state(order, {OrderState.AWAITING_APPROVAL}, "decide on")
    approval = Approval(
        plan=plan,
        plan_sha256=plan.sha256,
        requester=order.requester,
        approver=approver,
        on_behalf_of=on_behalf_of,
        decision=decision,
        reason=reason,
        decided_at=at,
    )
    if decision == Decision.REJECT:
        approval.save()
        order.decided_at = order.finished_at = at
        move(order, OrderState.REJECTED)
        record(order, "reject", at=at, actor=approver, reason=reason)
        emit(order, "rejected", at=at, plan=plan, reason=reason)
        return approval
    _require_valid(order, plan, at)
    _require_requester(order)
    _require_budget(order, plan, at)
    approval.save()
    record(order, "approve", at=at, actor=approver, reason=reason)
    _start(order, plan, at, effective_at)
    return approval


def settle(
    *, order: Order, plan: Plan, actor: User, at: datetime, effective_at: datetime | None = None
) -> None:
    """Send a locked request with its plan: by rule it is approved and starts, else it waits."""
    record(order, "submit", at=at, actor=actor)
    rule_id = policies.by_rule(plan.decisions)
    if rule_id is None:
        move(order, OrderState.AWAITING_APPROVAL)
        emit(order, "submitted", at=at, plan=plan)
        return
    rule = PolicyVersion.objects.select_related("policy").get(pk=rule_id)
    Approval.objects.create(
        plan=plan,
        plan_sha256=plan.sha256,
        requester=order.requester,
        policy_version=rule,
        decision=Decision.APPROVE,
        reason=policies.sentence(plan.decisions),
        decided_at=at,
    )
    with on_trail(replace(current_trail(), via=Via.RULE, actor=None, label=str(rule.policy))):
        record(order, "approve", at=at, reason=f"{rule.policy.name}, version {rule.number}")
    _start(order, plan, at, effective_at)


def _start(order: Order, plan: Plan, at: datetime, effective_at: datetime | None) -> None:
    """Start the run of an approved plan in this transaction; what it cannot hold undoes it all."""
    _require_price(order, plan, at)
    order.decided_at = at
    move(order, OrderState.APPROVED)
    emit(order, "approved", at=at, plan=plan)
    taken = f"{order.project} has an application {order.name} by now. Choose another name."
    if order.kind == OrderKind.CREATE and name_is_taken(project=order.project, name=order.name):
        raise NameTaken(taken, fields={"name": taken})
    try:
        with transaction.atomic():
            start_run(order=order, plan=plan, at=at, effective_at=effective_at)
    except IntegrityError as error:
        if "deployment_name_unique_while_live" in str(error):
            raise NameTaken(taken, fields={"name": taken}) from error
        raise
    order.refresh_from_db()
    if order.state == OrderState.APPROVED:
        move(order, OrderState.FULFILLING)


def _bound_plan(order: Order, plan_sha256: object) -> Plan:
    """Return the latest plan if it is the one that was looked at."""
    plan = latest_plan(order)
    if plan is None:
        message = f"{order} has no plan yet: plan it first."
        raise WrongState(message)
    if plan.sha256 != plan_sha256:
        message = (
            f"{order} was planned again since you looked: its latest plan is number {plan.number}. "
            "Read that one first."
        )
        raise StaleEdit(message)
    return plan


def _require_valid(order: Order, plan: Plan, at: datetime) -> None:
    if order.project.status != ProjectStatus.ACTIVE:
        message = f"{order.project} is {order.project.get_status_display().lower()}."
        raise PlanExpired(message)
    if at >= plan.valid_until:
        message = (
            f"This plan was valid until {plan.valid_until:%d %B %Y}. {order.requester} can plan "
            f"{order} again, with today's prices and capacity."
        )
        raise PlanExpired(message)
    if order.end_at is not None and order.end_at <= at:
        message = (
            f"The end that {order} asks for has passed. {order.requester} can choose a later one."
        )
        raise PlanExpired(message)


def _require_requester(order: Order) -> None:
    """Refuse to hand capacity to somebody who lost their role since they asked."""
    if not may(order.requester, Action.ORDER_PLACE, order.project):
        message = (
            f"{order.requester} may not place requests in {order.project} any more. Reject this, "
            "or ask the owner to give the role back."
        )
        raise WrongState(message)


def _require_budget(order: Order, plan: Plan, at: datetime) -> None:
    """Refuse what a blocking budget cannot carry; nobody else takes from it meanwhile."""
    cost = _cost(plan)
    if cost <= 0:
        return
    locked = lock_budgets(project=order.project, at=at)
    if all(budget.action != BudgetAction.BLOCK for budget in locked):
        return
    budget = budget_state(project=order.project, at=at)
    if budget is None or budget.action != BudgetAction.BLOCK:
        return
    reason = policies.budget_reason(budget=budget, cost=cost, currency=plan.currency)
    if reason:
        message = (
            f"The budget refuses this: {cost:,.2f} {plan.currency} is {reason}. "
            "Ask for less, or ask finance to raise the budget."
        )
        raise BudgetExceeded(message)


def _require_price(order: Order, plan: Plan, at: datetime) -> None:
    """Refuse a start that would cost more than what was approved, because prices have risen.

    A month that is only longer than the planned one is no rise.
    """
    if order.kind == OrderKind.CHANGE:
        _require_change_price(order, plan, at)
    if order.kind != OrderKind.CREATE:
        return
    version = order.offering_version
    line = QuoteLine(
        kind=version.resource_kind,
        amounts=amounts_of(version, order.parameters),
        count=order.instances,
        traits=frozenset(version.required_traits),
    )
    start = max(order.start_at or at, at)
    now = quote(project=order.project, lines=[line], start=start, end=order.end_at)
    planned = {item["sku"]: Decimal(item["unit_price"]) for item in plan.quote["lines"]}
    is_dearer = any(
        item.sku not in planned or item.unit_price > planned[item.sku] for item in now.lines
    )
    if is_dearer and now.monthly > plan.max_monthly_cost:
        message = (
            f"Prices have changed: this would cost {now.monthly:,.2f} {now.currency} a month, and "
            f"{plan.max_monthly_cost:,.2f} was planned. {order.requester} can plan it again."
        )
        raise PlanExpired(message)


def _require_change_price(order: Order, plan: Plan, at: datetime) -> None:
    """Refuse a change whose prices have risen; that less of the term is left is no rise."""
    found = assess_change_of(order, at)
    planned = {item["sku"]: Decimal(item["unit_price"]) for item in plan.quote["lines"]}
    lines = found.then.lines if found.then else ()
    is_dearer = any(
        line.sku not in planned or line.unit_price > planned[line.sku] for line in lines
    )
    if is_dearer and found.monthly > plan.max_monthly_cost:
        message = (
            f"Prices have changed: this would cost {found.monthly:,.2f} {found.currency} a month "
            f"more, and {plan.max_monthly_cost:,.2f} was planned. {order.requester} can ask again."
        )
        raise PlanExpired(message)


def _answer_changed(order: Order, plan: Plan, at: datetime) -> bool:
    """Say whether the rule that lets the plan pass would not let it pass now."""
    rule_id = policies.by_rule(plan.decisions)
    if rule_id is None:
        return False
    case = policies.Case(
        monthly=plan.monthly_cost,
        cost=_cost(plan),
        currency=plan.currency,
        start=_term_start(order, at),
        end=order.end_at,
        budget=budget_state(project=order.project, at=at),
        zone=billing_zone(project=order.project, at=at),
        gives_back=plan.quote.get("gives_back", False),
    )
    decisions = policies.evaluate(project=order.project, case=case, at=at)
    return policies.by_rule([decision.as_dict() for decision in decisions]) != rule_id


def _term_start(order: Order, at: datetime) -> datetime:
    """Return from when on the rules count the term."""
    if order.kind == OrderKind.CHANGE:
        return since(order.deployment, Alteration(order.alteration)) or at
    return max(order.start_at or at, at)


def _cost(plan: Plan) -> Decimal:
    return plan.monthly_cost if plan.term_cost is None else plan.term_cost


def _require_other_person(
    order: Order, approver: User, on_behalf_of: User | None, at: datetime
) -> None:
    if order.requester_id in {approver.pk, on_behalf_of.pk if on_behalf_of else None}:
        people = deciders(project=order.project, requester=order.requester, at=at)
        names = ", ".join(str(person) for person in people[:5]) or "the project's owner"
        message = (
            "Nobody decides on their own request: whoever asks and whoever approves are two people "
            f"(separation of duties). These can decide: {names}."
        )
        raise OwnDecision(message)
    if on_behalf_of is not None and not may(on_behalf_of, Action.ORDER_DECIDE, order.project):
        message = f"{on_behalf_of} may not decide here, so nobody can do it in their name."
        raise Forbidden(message)
