"""What a change of a running application would do: from what to what, at which difference.

Reads only. The request form, the plan, the approver's page and the start of the run all ask here,
so that they say the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.selectors import (
    BudgetState,
    NoPrice,
    Quote,
    QuoteLine,
    account_of,
    quote,
)
from inventory.choices import ProviderState
from inventory.foundation.models import User
from inventory.foundation.periods import zone_named
from inventory.models import Resource, ResourceProvider
from inventory.placement import plan_resize
from inventory.selectors import last_end_that_fits, quota_use
from inventory.services import growth_by_class, holdings_of
from orchestra import policies
from orchestra.blueprints import (
    amounts_of,
    end_steps,
    extend_steps,
    instant,
    plan_document,
    resize_steps,
)
from orchestra.choices import Alteration
from orchestra.models import Deployment, OfferingVersion, Order, Plan
from orchestra.selectors.budgets import budget_state
from orchestra.selectors.deployments import live_links
from orchestra.services.plans import (
    DEFAULT_CURRENCY,
    QuotaChange,
    billing_zone,
    need_of,
    quota_refusal,
    save_plan,
)

NOTHING = Decimal(0)


@dataclass(frozen=True)
class Shape:
    """What an application is, or would be: service, choices, one copy's amounts, agreed end."""

    version: OfferingVersion
    parameters: Mapping[str, Any]
    amounts: Mapping[str, int]
    end_at: datetime | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as a plan keeps it."""
        return {
            "offering": {
                "slug": self.version.offering.slug,
                "name": self.version.offering.name,
                "version": self.version.number,
            },
            "parameters": dict(self.parameters),
            "amounts": dict(self.amounts),
            "end_at": instant(self.end_at),
        }


@dataclass(frozen=True)
class Change:
    """Everything that follows from a change at one instant; nothing is held by it.

    `monthly` is what a month costs more (less than zero: less), of an extension what it costs as
    it does now; `cost` is what the change adds until the end or, without one, in a month: what the
    budget is asked for. `refusal` is as `plans.Assessment` has it, with `end_at` in `alternatives`.
    """

    alteration: Alteration
    deployment: Deployment
    resources: tuple[Resource, ...]
    before: Shape
    after: Shape
    now: Quote | None = None
    then: Quote | None = None
    monthly: Decimal = NOTHING
    cost: Decimal = NOTHING
    currency: str = DEFAULT_CURRENCY
    budget: BudgetState | None = None
    quotas: tuple[QuotaChange, ...] = ()
    gives_back: bool = False
    decisions: tuple[policies.Decision, ...] = ()
    refusal: Mapping[str, Any] = field(default_factory=dict)

    @property
    def budget_after(self) -> Decimal | None:
        """Return what the budget has left afterwards; None where none in this currency binds."""
        if self.budget is None or self.budget.currency != self.currency:
            return None
        return self.budget.free - self.cost


def assess_change(
    *,
    deployment: Deployment,
    alteration: Alteration,
    version: OfferingVersion,
    parameters: Mapping[str, Any],
    end_at: datetime | None,
    at: datetime,
) -> Change:
    """Say what a change would do as things stand at `at`."""
    was = deployment.offering_version
    draft = Change(
        alteration=alteration,
        deployment=deployment,
        resources=tuple(link.resource for link in live_links(deployment)),
        before=Shape(
            version=was,
            parameters=deployment.parameters,
            amounts=amounts_of(was, deployment.parameters),
            end_at=deployment.lease_end_at,
        ),
        after=Shape(
            version=version,
            parameters=parameters,
            amounts=amounts_of(version, parameters),
            end_at=end_at,
        ),
    )
    if alteration is Alteration.RESIZE:
        return _judged(_resized(draft, at), at)
    if alteration is Alteration.EXTEND:
        return _judged(_extended(draft, at), at)
    return _judged(_ended(draft), at)


def assess_change_of(order: Order, at: datetime) -> Change:
    """Say what a request for a change would do now."""
    assert order.deployment is not None
    return assess_change(
        deployment=order.deployment,
        alteration=Alteration(order.alteration),
        version=order.offering_version,
        parameters=order.parameters,
        end_at=order.end_at,
        at=at,
    )


def write_change(order: Order, change: Change, *, created_by: User, at: datetime) -> Plan:
    """Write the next plan of a change that fits and is priced."""
    copies = [(link.index, link.resource.name) for link in live_links(change.deployment)]
    steps = {
        Alteration.RESIZE: resize_steps(copies),
        Alteration.EXTEND: extend_steps(),
        Alteration.END: end_steps(),
    }[change.alteration]
    document = plan_document(
        order=order,
        amounts=change.after.amounts,
        prices=[line.price_id for line in change.then.lines] if change.then else [],
        max_monthly_cost=change.monthly,
        currency=change.currency,
        policy=[decision.said() for decision in change.decisions],
        steps=steps,
        change={
            "of": str(change.alteration),
            "generation": change.deployment.generation,
            "before": change.before.as_dict(),
            "after": change.after.as_dict(),
        },
    )
    has_term = change.after.end_at is not None
    quoted = change.then.as_dict() if change.then else {"currency": change.currency, "lines": []}
    return save_plan(
        order,
        document,
        placement=[],
        quote=quoted
        | {
            "before": change.now.as_dict() if change.now else None,
            "gives_back": change.gives_back,
        },
        currency=change.currency,
        monthly_cost=change.monthly,
        term_cost=change.cost if has_term else None,
        max_monthly_cost=change.monthly,
        decisions=[decision.as_dict() for decision in change.decisions],
        created_by=created_by,
        at=at,
    )


def _line(shape: Shape, copies: int) -> QuoteLine:
    return QuoteLine(
        kind=shape.version.resource_kind,
        amounts=shape.amounts,
        count=copies,
        traits=frozenset(shape.version.required_traits),
    )


def _resized(change: Change, at: datetime) -> Change:
    """Price, place and count another size from now on."""
    before, after, copies = change.before, change.after, len(change.resources)
    project, end = change.deployment.project, before.end_at
    holdings = holdings_of(change.resources)
    need = need_of(after.version, after.amounts)
    growth = growth_by_class(holdings, need)
    asked = {
        name: (after.amounts.get(name, 0) - before.amounts.get(name, 0)) * copies
        for name in {*before.amounts, *after.amounts}
    }
    quotas = _quotas(change.deployment, asked, at)
    try:
        now = quote(project=project, lines=[_line(before, copies)], start=at, end=end)
        then = quote(project=project, lines=[_line(after, copies)], start=at, end=end)
    except NoPrice as error:
        return replace(change, quotas=quotas, refusal=_no_price(error))
    refusal = _quota_refusal(quotas, copies)
    if not refusal:
        refit = plan_resize(
            pool=change.deployment.pool, holdings=holdings, need=need, start=at, end=end
        )
        if refit.refusal is not None:
            refusal = {"code": "capacity", **refit.refusal.as_dict()}
    monthly = then.monthly - now.monthly
    cost = monthly
    if now.term is not None and then.term is not None:
        cost = then.term - now.term
    return replace(
        change,
        now=now,
        then=then,
        monthly=monthly,
        cost=cost,
        quotas=quotas,
        gives_back=not growth and monthly <= 0 and cost <= 0,
        refusal=refusal,
    )


def _extended(change: Change, at: datetime) -> Change:
    """Price, place and count the time between the old end and the new one."""
    copies, old_end, new_end = len(change.resources), change.before.end_at, change.after.end_at
    assert old_end is not None
    assert new_end is not None
    asked = {name: amount * copies for name, amount in change.after.amounts.items()}
    quotas = _quotas(change.deployment, asked, old_end)
    refusal = (
        _term_refusal(change, at)
        or _quota_refusal(quotas, copies)
        or _room_refusal(change, old_end, new_end, at)
    )
    try:
        then = quote(
            project=change.deployment.project,
            lines=[_line(change.after, copies)],
            start=old_end,
            end=new_end,
        )
    except NoPrice as error:
        return replace(change, quotas=quotas, refusal=refusal or _no_price(error))
    return replace(
        change,
        then=then,
        monthly=then.monthly,
        cost=then.term or NOTHING,
        quotas=quotas,
        refusal=refusal,
    )


def _ended(change: Change) -> Change:
    """Say what an earlier end saves, where the time up to the old one has a price."""
    old_end, new_end = change.before.end_at, change.after.end_at
    change = replace(change, gives_back=True)
    if old_end is None or new_end is None:
        return change
    try:
        now = quote(
            project=change.deployment.project,
            lines=[_line(change.before, len(change.resources))],
            start=new_end,
            end=old_end,
        )
    except NoPrice:
        return change
    return replace(change, now=now, cost=-(now.term or NOTHING))


def _judged(change: Change, at: datetime) -> Change:
    """Ask the budget and the rules, each about the difference alone."""
    project = change.deployment.project
    account = account_of(project=project, at=at)
    budget = budget_state(project=project, at=at)
    currency = account.currency if account else DEFAULT_CURRENCY
    case = policies.Case(
        monthly=change.monthly,
        cost=change.cost,
        currency=currency,
        start=since(change.deployment, change.alteration) or at,
        end=change.after.end_at,
        budget=budget,
        zone=account.entity.zone if account else "UTC",
        gives_back=change.gives_back,
    )
    return replace(
        change,
        currency=currency,
        budget=budget,
        decisions=policies.evaluate(project=project, case=case, at=at),
    )


def since(deployment: Deployment | None, alteration: Alteration) -> datetime | None:
    """Return from when on the rules count the term: an extension's from the first delivery."""
    if deployment is None or alteration is not Alteration.EXTEND:
        return None
    delivered = [link.resource.delivered_at for link in live_links(deployment)]
    return min((moment for moment in delivered if moment), default=None)


def _quotas(
    deployment: Deployment, asked: Mapping[str, int], at: datetime
) -> tuple[QuotaChange, ...]:
    return tuple(
        QuotaChange(
            holder=use.holder,
            resource_class=use.resource_class.name,
            label=use.resource_class.label,
            unit=use.resource_class.unit,
            limit=use.limit,
            before=use.used,
            after=use.used + asked.get(use.resource_class.name, 0),
        )
        for use in quota_use(project=deployment.project, at=at)
    )


def _quota_refusal(quotas: Sequence[QuotaChange], copies: int) -> dict[str, Any]:
    exceeded = [one for one in quotas if one.is_exceeded]
    return quota_refusal(exceeded, copies) if exceeded else {}


def _no_price(error: NoPrice) -> dict[str, Any]:
    return {"code": error.code, "message": error.message}


def _term_refusal(change: Change, at: datetime) -> dict[str, Any]:
    """Refuse an end beyond the longest term that a rule in force allows, counted from delivery."""
    days = policies.longest_term(project=change.deployment.project, at=at)
    begin, end = since(change.deployment, change.alteration), change.after.end_at
    if days is None or begin is None or end is None:
        return {}
    zone = billing_zone(project=change.deployment.project, at=at)
    if policies.is_short(start=begin, end=end, days=days, zone=zone):
        return {}
    last = begin + timedelta(days=days)
    message = (
        f"A rule lets nothing run longer than {days} days in all. It runs since "
        f"{_moment(begin, zone)}, so the latest end is {_moment(last, zone)}."
    )
    return {"code": "term", "message": message, "alternatives": [_until(last, zone)]}


def _room_refusal(change: Change, start: datetime, end: datetime, at: datetime) -> dict[str, Any]:
    """Say up to when the capacity that the copies hold is still free after their end."""
    amounts: Counter[int] = Counter()
    for holding in holdings_of(change.resources):
        amounts.update(holding.amounts)
    leaving = ResourceProvider.objects.filter(
        inventories__in=amounts.keys(), state__in=[ProviderState.DRAINING, ProviderState.RETIRED]
    ).first()
    if leaving is not None:
        message = (
            f"{leaving} is “{leaving.get_state_display().lower()}”, so nothing stays on it longer. "
            "Request a new application for the time after this one ends."
        )
        return {"code": "capacity", "message": message}
    last = last_end_that_fits(amounts, start=start, end=end)
    if last >= end:
        return {}
    zone = billing_zone(project=change.deployment.project, at=at)
    message = f"What it holds is promised to others from {_moment(last, zone)} on."
    if last <= start:
        message += " Request a new application for the time after this one ends."
        return {"code": "capacity", "message": message}
    return {
        "code": "capacity",
        "message": f"{message} Extend it up to then, or request a new application.",
        "alternatives": [_until(last, zone)],
    }


def _until(last: datetime, zone: str) -> dict[str, Any]:
    return {"end_at": last.isoformat(), "message": f"It can run until {_moment(last, zone)}."}


def _moment(moment: datetime, zone: str) -> str:
    local = moment.astimezone(zone_named(zone))
    return f"{local.day} {local:%B %Y %H:%M} ({zone})"
