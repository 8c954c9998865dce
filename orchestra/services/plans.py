"""What will be done, where and for how much: a request assessed, and its plan written down."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from django.db.models import Max

from billing.selectors import (
    BudgetState,
    NoPrice,
    Quote,
    QuoteLine,
    account_of,
    quote,
)
from inventory.foundation.models import Project, User
from inventory.models import Pool
from inventory.placement import Answer, Need, plan_placement
from inventory.selectors import QuotaUse, quota_use
from orchestra import policies
from orchestra.blueprints import (
    amounts_of,
    create_steps,
    digest,
    plan_document,
    retire_steps,
)
from orchestra.models import Deployment, OfferingVersion, Order, Plan
from orchestra.selectors.budgets import budget_state
from orchestra.selectors.defaults import lease_rules
from orchestra.selectors.deployments import live_links
from orchestra.services.alternatives import alternatives

VALID_FOR = timedelta(days=14)
COST_STEP = Decimal("0.0000000001")
DEFAULT_CURRENCY = "EUR"


@dataclass(frozen=True)
class QuotaChange:
    """One quota that binds the project, before and after."""

    holder: str
    resource_class: str
    label: str
    unit: str
    limit: int
    before: int
    after: int

    @property
    def asked(self) -> int:
        """Return how much the request adds."""
        return self.after - self.before

    @property
    def is_exceeded(self) -> bool:
        """Say whether the request asks for more than the quota has left."""
        return self.asked > 0 and self.after > self.limit


@dataclass(frozen=True)
class Assessment:
    """Everything that follows from a request at one instant; nothing is held by it.

    `refusal` is empty where it fits now; otherwise JSON with `code` (no_price, quota, capacity),
    `message` and what the reason knows besides (`fits`, `wanted`, `short`, `filters`, and
    `alternatives`, each with a `pool` or a `start_at` and its own message).
    """

    amounts: Mapping[str, int]
    answer: Answer
    quote: Quote | None
    budget: BudgetState | None
    quotas: tuple[QuotaChange, ...]
    decisions: tuple[policies.Decision, ...]
    refusal: Mapping[str, Any]

    @property
    def cost(self) -> Decimal | None:
        """Return the cost of the term or, without an end, of a month."""
        return cost_of(self.quote) if self.quote else None


def cost_of(quoted: Quote) -> Decimal:
    """Return what a quote takes from the budget: its term's cost or, without an end, a month's."""
    return quoted.monthly if quoted.term is None else quoted.term


def billing_zone(*, project: Project, at: datetime) -> str:
    """Return the time zone of the project's statements; UTC while nobody pays for it."""
    account = account_of(project=project, at=at)
    return account.entity.zone if account else "UTC"


def need_of(version: OfferingVersion, amounts: Mapping[str, int]) -> Need:
    """Return what one copy asks of a host."""
    return Need(amounts=amounts, required_traits=frozenset(version.required_traits))


def assess(
    *,
    project: Project,
    version: OfferingVersion,
    pool: Pool,
    instances: int,
    parameters: Mapping[str, Any],
    start_at: datetime | None,
    end_at: datetime | None,
    at: datetime,
) -> Assessment:
    """Place, price and judge a request for new capacity as things stand at `at`. Reads only."""
    start = max(start_at or at, at)
    amounts = amounts_of(version, parameters)
    need = need_of(version, amounts)
    answer = plan_placement(pool=pool, needs=[need] * instances, start=start, end=end_at)
    quotas = tuple(
        _quota_change(use, amounts, instances) for use in quota_use(project=project, at=start)
    )
    budget = budget_state(project=project, at=at)
    refusal: dict[str, Any] = {}
    quoted = None
    line = QuoteLine(
        kind=version.resource_kind,
        amounts=amounts,
        count=instances,
        traits=frozenset(version.required_traits),
    )
    try:
        quoted = quote(project=project, lines=[line], start=start, end=end_at)
    except NoPrice as error:
        refusal = {"code": error.code, "message": error.message}
    exceeded = [change for change in quotas if change.is_exceeded]
    if exceeded and not refusal:
        refusal = quota_refusal(exceeded, instances)
    if answer.refusal is not None and not refusal:
        instead = alternatives(
            project=project,
            version=version,
            pool=pool,
            needs=[need] * instances,
            start=start,
            end=end_at,
            zone=billing_zone(project=project, at=at),
        )
        words = [answer.refusal.message, *(other["message"] for other in instead)]
        refusal = {
            "code": "capacity",
            **answer.refusal.as_dict(),
            "message": " ".join(words),
            "alternatives": instead,
        }
    decisions: tuple[policies.Decision, ...] = ()
    if quoted is not None:
        case = policies.Case(
            monthly=quoted.monthly,
            cost=cost_of(quoted),
            currency=quoted.currency,
            start=start,
            end=end_at,
            budget=budget,
            zone=quoted.account.entity.zone,
        )
        decisions = policies.evaluate(project=project, case=case, at=at)
    return Assessment(
        amounts=amounts,
        answer=answer,
        quote=quoted,
        budget=budget,
        quotas=quotas,
        decisions=decisions,
        refusal=refusal,
    )


def assess_order(order: Order, at: datetime) -> Assessment:
    """Assess what a request for new capacity says now."""
    return assess(
        project=order.project,
        version=order.offering_version,
        pool=order.pool,
        instances=order.instances,
        parameters=order.parameters,
        start_at=order.start_at,
        end_at=order.end_at,
        at=at,
    )


def first_that_fits(
    *,
    pools: Sequence[Pool],
    need: Need,
    instances: int,
    start: datetime,
    end: datetime | None,
) -> Pool:
    """Return the first pool where all copies fit; the first of all where none has the room."""
    for pool in pools if len(pools) > 1 else ():
        answer = plan_placement(pool=pool, needs=[need] * instances, start=start, end=end)
        if answer.refusal is None:
            return pool
    return pools[0]


def write_plan(order: Order, assessment: Assessment, *, created_by: User, at: datetime) -> Plan:
    """Write the next plan of a request that fits and is priced. It is valid for 14 days.

    The most it may cost a month is what it costs by today's prices: dearer ones need a new plan.
    """
    quoted = assessment.quote
    assert quoted is not None
    most = quoted.monthly.quantize(COST_STEP, rounding=ROUND_CEILING)
    document = plan_document(
        order=order,
        amounts=assessment.amounts,
        prices=[line.price_id for line in quoted.lines],
        max_monthly_cost=most,
        currency=quoted.currency,
        policy=[decision.said() for decision in assessment.decisions],
        steps=create_steps(order.name, order.instances),
    )
    return save_plan(
        order,
        document,
        placement=[asdict(candidate) for candidate in assessment.answer.candidates],
        quote=quoted.as_dict(),
        currency=quoted.currency,
        monthly_cost=most,
        term_cost=quoted.term,
        max_monthly_cost=most,
        decisions=[decision.as_dict() for decision in assessment.decisions],
        created_by=created_by,
        at=at,
    )


def write_retirement(
    order: Order, deployment: Deployment, *, created_by: User, at: datetime
) -> Plan:
    """Write the plan that gives an application back: it holds nothing new and costs nothing."""
    account = account_of(project=order.project, at=at)
    currency = account.currency if account else DEFAULT_CURRENCY
    nothing = Decimal(0)
    case = policies.Case(
        monthly=nothing,
        cost=nothing,
        currency=currency,
        start=at,
        end=None,
        budget=None,
        gives_back=True,
    )
    decisions = policies.evaluate(project=order.project, case=case, at=at)
    copies = [(link.index, link.resource.name) for link in live_links(deployment)]
    rules = lease_rules(organisation_id=order.project.organisation_id, at=at)
    document = plan_document(
        order=order,
        amounts={},
        prices=[],
        max_monthly_cost=nothing,
        currency=currency,
        policy=[decision.said() for decision in decisions],
        steps=retire_steps(copies, stops_first=rules.stop_first),
    )
    return save_plan(
        order,
        document,
        placement=[],
        quote={"currency": currency, "hourly": "0", "monthly": "0", "term": None, "lines": []},
        currency=currency,
        monthly_cost=nothing,
        term_cost=None,
        max_monthly_cost=nothing,
        decisions=[decision.as_dict() for decision in decisions],
        created_by=created_by,
        at=at,
    )


def save_plan(
    order: Order, document: Mapping[str, Any], *, created_by: User, at: datetime, **columns: Any
) -> Plan:
    """Write the next plan of a request under the hash of its document; valid for 14 days."""
    last = order.plans.aggregate(last=Max("number"))["last"] or 0
    return Plan.objects.create(
        order=order,
        number=last + 1,
        document=document,
        sha256=digest(document),
        created_at=at,
        created_by=created_by,
        valid_until=at + VALID_FOR,
        **columns,
    )


def _quota_change(use: QuotaUse, amounts: Mapping[str, int], instances: int) -> QuotaChange:
    return QuotaChange(
        holder=use.holder,
        resource_class=use.resource_class.name,
        label=use.resource_class.label,
        unit=use.resource_class.unit,
        limit=use.limit,
        before=use.used,
        after=use.used + amounts.get(use.resource_class.name, 0) * instances,
    )


def quota_refusal(exceeded: Sequence[QuotaChange], instances: int) -> dict[str, Any]:
    """Return why quotas refuse, as a request keeps it."""
    first = exceeded[0]
    message = (
        f"The quota of {first.holder} for {first.label} is {first.limit:,} {first.unit}, of which "
        f"{first.before:,} are held; this needs {first.after - first.before:,} more. "
        "Ask for less, or ask the owner for a larger quota."
    )
    short = {change.resource_class: change.after - change.limit for change in exceeded}
    return {"code": "quota", "message": message, "wanted": instances, "short": short}
