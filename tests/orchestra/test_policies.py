"""Rules: what passes without a person, and why the rest does not."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing.selectors import budget_state
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import Organisation, Project, User
from orchestra import policies
from orchestra.models import PolicyVersion
from orchestra.policies import Case, Outcome
from orchestra.selectors.policies import rules_in_force
from orchestra.services.policies import change_rule, create_policy
from tests.billing.world import berlin
from tests.cast import NOW
from tests.orchestra.world import RULE, Catalogue, make_rule

SMALL = Case(
    monthly=Decimal("250.00"),
    cost=Decimal("740.00"),
    currency="EUR",
    start=NOW,
    end=NOW + timedelta(days=90),
    budget=None,
    zone="Europe/Berlin",
)


def case_of(catalogue: Catalogue, **changes: Any) -> Case:
    budget = budget_state(project=catalogue.project, at=NOW)
    return replace(SMALL, **({"budget": budget} | changes))


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, []),
        ({"monthly": Decimal("250.0000000001")}, ["over 250.00 EUR a month"]),
        ({"end": NOW + timedelta(days=90, hours=2)}, ["longer than 90 days"]),
        ({"end": None}, ["no end date"]),
        ({"budget": None}, ["no budget is set"]),
        ({"cost": Decimal("3200")}, []),
        ({"cost": Decimal("3200.01")}, ["more than the 3,200.00 EUR left in the budget"]),
        ({"currency": "USD"}, ["priced in USD, the rule is in EUR", "the budget is in EUR"]),
        (
            {"monthly": Decimal(300), "end": None, "budget": None},
            ["over 250.00 EUR a month", "no end date", "no budget is set"],
        ),
        ({"monthly": Decimal(300), "end": None, "budget": None, "gives_back": True}, []),
    ],
)
def test_cheap_short_and_within_budget(
    catalogue: Catalogue, changes: dict[str, Any], reasons: list[str]
) -> None:
    (decision,) = policies.evaluate(
        project=catalogue.project, case=case_of(catalogue, **changes), at=NOW
    )
    assert list(decision.reasons) == reasons
    assert decision.outcome == (Outcome.NEEDS_APPROVAL if reasons else Outcome.BY_RULE)
    assert (decision.policy, decision.version) == ("small-things", 1)
    said = [decision.as_dict()]
    if reasons:
        assert policies.by_rule(said) is None
        assert policies.sentence(said) == f"Needs the approver: {', '.join(reasons)}."
    else:
        assert policies.by_rule(said) == catalogue.rule.pk


def test_a_rule_may_do_without_a_budget(catalogue: Catalogue) -> None:
    rule = PolicyVersion(
        policy=catalogue.rule.policy, number=2, rule=RULE | {"within_budget": False}
    )
    assert policies.apply(rule, SMALL).outcome == Outcome.BY_RULE


def test_ninety_days_over_a_change_of_the_clock_are_ninety_days() -> None:
    for start in (berlin(2026, 1, 12, 9), berlin(2026, 9, 1, 9)):
        end = (start.astimezone(ZoneInfo("Europe/Berlin")) + timedelta(days=90)).astimezone(
            start.tzinfo
        )
        assert end - start != timedelta(days=90)
        for last in (end, start + timedelta(days=90)):
            assert policies.is_short(start=start, end=last, days=90, zone="Europe/Berlin")
        assert not policies.is_short(
            start=start, end=end + timedelta(hours=2), days=90, zone="Europe/Berlin"
        )


def test_without_any_rule_a_person_decides(catalogue: Catalogue) -> None:
    decisions = policies.evaluate(
        project=catalogue.project, case=case_of(catalogue), at=NOW - timedelta(seconds=1)
    )
    said = [decision.as_dict() for decision in decisions]
    assert policies.by_rule(said) is None
    assert "no rule here approves" in policies.sentence(said)


def test_the_nearest_scope_replaces_the_wider_ones(
    catalogue: Catalogue, finance: User, organisation: Organisation, project: Project
) -> None:
    case = case_of(catalogue)
    strict = RULE | {"max_days": 1}
    make_rule(finance, slug="acme", rule=strict, organisation=organisation)
    assert [v.policy.slug for v in rules_in_force(project=project, at=NOW)] == ["acme"]
    ours = make_rule(finance, slug="ours", project=project)
    decisions = policies.evaluate(project=project, case=case, at=NOW)
    assert policies.by_rule([d.as_dict() for d in decisions]) == ours.pk
    # two rules of one scope must both let it pass
    make_rule(finance, slug="theirs", rule=strict, project=project)
    decisions = policies.evaluate(project=project, case=case, at=NOW)
    assert [d.outcome for d in decisions] == [Outcome.BY_RULE, Outcome.NEEDS_APPROVAL]
    said = [d.as_dict() for d in decisions]
    assert policies.by_rule(said) is None
    assert policies.reasons_of(said) == ["longer than 1 day"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"kind": "python"}, "/kind"),
        ({"max_monthly_cost": 250.0}, "/max_monthly_cost"),
        ({"max_monthly_cost": "NaN"}, "/max_monthly_cost"),
        ({"max_monthly_cost": "-1"}, "/max_monthly_cost"),
        ({"max_monthly_cost": "lots"}, "/max_monthly_cost"),
        ({"max_days": 0}, "/max_days"),
        ({"max_days": True}, "/max_days"),
        ({"within_budget": "yes"}, "/within_budget"),
        ({"currency": "euro"}, "/currency"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_bad_rules_are_refused_with_their_place(change: dict[str, Any], path: str) -> None:
    assert path in policies.rule_faults(RULE | change)
    assert policies.rule_faults([]) == {"": "Must be a JSON object."}


def test_a_new_version_ends_the_one_before(
    organisation: Organisation, project: Project, owner: User, stranger: User, auditor: User
) -> None:
    first = create_policy(slug="ours", name="Ours", rule=RULE, project=project, actor=owner, at=NOW)
    later = NOW + timedelta(days=1)
    second = change_rule(policy=first.policy, rule=RULE | {"max_days": 30}, actor=owner, at=later)
    for version in (first, second):
        version.refresh_from_db()
    assert (first.during.upper, second.during.lower, second.number) == (later, later, 2)
    assert rules_in_force(project=project, at=NOW) == [first]
    assert rules_in_force(project=project, at=later) == [second]
    with pytest.raises(InvalidInput):
        change_rule(policy=first.policy, rule={}, actor=owner, at=later)
    with pytest.raises(NotVisible):
        change_rule(policy=first.policy, rule=RULE, actor=stranger, at=later)
    with pytest.raises(Forbidden):
        change_rule(policy=first.policy, rule=RULE, actor=auditor, at=later)
    with pytest.raises(Forbidden, match="administrator"):
        create_policy(slug="all", name="All", rule=RULE, actor=owner, at=NOW)
    with pytest.raises(Forbidden):
        create_policy(
            slug="acme", name="Acme", rule=RULE, organisation=organisation, actor=owner, at=NOW
        )
