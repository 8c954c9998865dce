"""What may be ordered without asking: the rules in force, applied to one case.

One rule kind is built in, "auto_approve": cheap, short and within budget needs no approver. The
rules of the nearest scope count (project, organisation, those above, everywhere), and where there
are several of them all must let the case pass. Without any rule everything needs an approver.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from billing.selectors import BudgetState
from inventory.foundation.models import Project
from inventory.foundation.periods import zone_named
from orchestra.models import PolicyVersion
from orchestra.selectors.policies import rules_in_force

AUTO_APPROVE = "auto_approve"
RULE_KEYS = {
    "kind",
    "max_monthly_cost",
    "currency",
    "max_days",
    "within_budget",
    "max_total_days",
}

# What a place starts from that has no rule yet: cheap, short and within budget.
FIRST_RULE: Mapping[str, Any] = {
    "kind": AUTO_APPROVE,
    "max_monthly_cost": "250.00",
    "currency": "EUR",
    "max_days": 90,
    "within_budget": True,
}


def rule_words(rule: Mapping[str, Any]) -> str:
    """Write what a rule approves in one line."""
    words = _("up to %(cost)s %(currency)s a month, up to %(days)s days") % {
        "cost": rule["max_monthly_cost"],
        "currency": rule.get("currency", "EUR"),
        "days": rule["max_days"],
    }
    return words + (_(", within the budget") if rule["within_budget"] else "")


class Outcome(StrEnum):
    """What a rule says of a case."""

    BY_RULE = "approve_by_rule"
    NEEDS_APPROVAL = "needs_approval"


@dataclass(frozen=True)
class Case:
    """What is to be decided. `cost` is that of the whole term or, without an end, of a month.

    `gives_back` is true where nothing new is held: then it is short and costs nothing.
    """

    monthly: Decimal
    cost: Decimal
    currency: str
    start: datetime
    end: datetime | None
    budget: BudgetState | None
    zone: str = "UTC"
    gives_back: bool = False


@dataclass(frozen=True)
class Decision:
    """What one rule said, and why: `reasons` are the limits that the case does not keep."""

    policy_version_id: int | None
    policy: str
    version: int
    outcome: Outcome
    reasons: tuple[str, ...]
    inputs: Mapping[str, str | None]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON, as a plan keeps it."""
        return {
            "policy_version_id": self.policy_version_id,
            "policy": self.policy,
            "version": self.version,
            "outcome": str(self.outcome),
            "reasons": list(self.reasons),
            "inputs": dict(self.inputs),
        }

    def said(self) -> dict[str, Any]:
        """Return what the plan's hash covers: the rule and its answer, without passing figures."""
        return {
            "policy": self.policy,
            "version": self.version,
            "outcome": str(self.outcome),
            "reasons": list(self.reasons),
        }


def rule_faults(rule: object) -> dict[str, str]:
    """Say what is wrong with a rule's document: JSON Pointer -> message, empty if nothing."""
    if not isinstance(rule, dict):
        return {"": "Must be a JSON object."}
    faults = {f"/{key}": "There is no such key." for key in rule.keys() - RULE_KEYS}
    if rule.get("kind") != AUTO_APPROVE:
        faults["/kind"] = f'Must be "{AUTO_APPROVE}".'
    try:
        cost = Decimal(rule["max_monthly_cost"])
        if not isinstance(rule["max_monthly_cost"], str) or not cost.is_finite() or cost < 0:
            raise InvalidOperation
    except (KeyError, TypeError, ValueError, InvalidOperation):
        faults["/max_monthly_cost"] = 'Must be an amount as text, for example "250.00".'
    days = rule.get("max_days")
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 3650:
        faults["/max_days"] = "Must be 1 to 3650."
    total = rule.get("max_total_days", 1)
    if not isinstance(total, int) or isinstance(total, bool) or not 1 <= total <= 36_500:
        faults["/max_total_days"] = "Must be 1 to 36500, or left out."
    if not isinstance(rule.get("within_budget"), bool):
        faults["/within_budget"] = "Must be true or false."
    currency = rule.get("currency", "EUR")
    if not isinstance(currency, str) or len(currency) != 3 or not currency.isupper():
        faults["/currency"] = "Must be a three-letter code such as EUR."
    return faults


def evaluate(*, project: Project, case: Case, at: datetime) -> tuple[Decision, ...]:
    """Apply the rules in force for the project at `at`; never empty."""
    versions = rules_in_force(project=project, at=at)
    if not versions:
        reason = "no rule here approves without a person"
        return (Decision(None, "", 0, Outcome.NEEDS_APPROVAL, (reason,), _inputs(case)),)
    return tuple(apply(version, case) for version in versions)


def longest_term(*, project: Project, at: datetime) -> int | None:
    """Return the most days that anything may run in all, extensions included; None: no limit.

    It is the smallest "max_total_days" of the rules in force; no approver can pass it.
    """
    versions = rules_in_force(project=project, at=at)
    limits = [one.rule["max_total_days"] for one in versions if "max_total_days" in one.rule]
    return min(limits, default=None)


def apply(version: PolicyVersion, case: Case) -> Decision:
    """Apply one rule to one case."""
    rule = version.rule
    reasons = [] if case.gives_back else _reasons(rule, case)
    return Decision(
        policy_version_id=version.pk,
        policy=version.policy.slug,
        version=version.number,
        outcome=Outcome.NEEDS_APPROVAL if reasons else Outcome.BY_RULE,
        reasons=tuple(reasons),
        inputs=_inputs(case),
    )


def by_rule(decisions: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the rule (PolicyVersion id) under which a plan's decisions approve it, or None.

    `decisions` are as `as_dict` wrote them.
    """
    if not decisions or any(item["outcome"] != Outcome.BY_RULE for item in decisions):
        return None
    return int(decisions[0]["policy_version_id"])


def reasons_of(decisions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return why a person must decide, each reason once; `decisions` as `as_dict` wrote them."""
    return list(dict.fromkeys(reason for item in decisions for reason in item["reasons"]))


def sentence(decisions: Sequence[Mapping[str, Any]]) -> str:
    """Return the answer in one sentence for people."""
    if by_rule(decisions) is not None:
        return "Approved by rule: cheap, short and within budget."
    return f"Needs the approver: {', '.join(reasons_of(decisions))}."


def is_short(*, start: datetime, end: datetime, days: int, zone: str) -> bool:
    """Say whether a term is at most so many days, by hours elapsed or by the clock on the wall:
    ninety days over a change of the clock are ninety days."""
    most = timedelta(days=days)
    wall = end.astimezone(zone_named(zone)).replace(tzinfo=None) - start.astimezone(
        zone_named(zone)
    ).replace(tzinfo=None)
    return min(wall, end - start) <= most


def _reasons(rule: Mapping[str, Any], case: Case) -> list[str]:
    reasons = []
    limit = Decimal(rule["max_monthly_cost"])
    currency = rule.get("currency", "EUR")
    if case.currency != currency:
        reasons.append(f"priced in {case.currency}, the rule is in {currency}")
    elif case.monthly > limit:
        reasons.append(f"over {limit:,.2f} {currency} a month")
    days = rule["max_days"]
    if case.end is None:
        reasons.append("no end date")
    elif not is_short(start=case.start, end=case.end, days=days, zone=case.zone):
        reasons.append(f"longer than {days} day{'s' if days > 1 else ''}")
    if rule["within_budget"]:
        reason = budget_reason(budget=case.budget, cost=case.cost, currency=case.currency)
        reasons += [reason] if reason else []
    return reasons


def budget_reason(*, budget: BudgetState | None, cost: Decimal, currency: str) -> str:
    """Return why the budget does not carry a cost, or an empty text."""
    if budget is None:
        return "no budget is set"
    if budget.currency != currency:
        return f"the budget is in {budget.currency}"
    if cost > budget.free:
        return f"more than the {budget.free:,.2f} {currency} left in the budget"
    return ""


def _inputs(case: Case) -> dict[str, str | None]:
    return {
        "monthly": f"{case.monthly:f}",
        "cost": f"{case.cost:f}",
        "currency": case.currency,
        "start": case.start.isoformat(),
        "end": case.end.isoformat() if case.end else None,
        "budget_free": f"{case.budget.free:f}" if case.budget else None,
    }
