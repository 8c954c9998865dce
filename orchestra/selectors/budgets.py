"""What is left of a budget, with the changes that were approved and are not done yet."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal

from billing import selectors as billing
from inventory.foundation.models import Project
from orchestra.choices import OrderKind
from orchestra.lifecycle import OPEN_RUNS
from orchestra.models import Run


def budget_state(*, project: Project, at: datetime) -> billing.BudgetState | None:
    """Return the budget that binds the project at the instant, None when there is none.

    What was allowed to grow or to last longer is committed from the decision on: billing alone
    sees it only once it is delivered, and two changes in between would both be paid from the same
    rest. While such a change is half done a part of it counts twice; never is one not counted.
    """
    return billing.budget_state(project=project, at=at, promised=promised_by_changes)


def promised_by_changes() -> dict[tuple[int, str], Decimal]:
    """Return what approved changes that are not over will cost, by project id and currency.

    Few are under way at any time. One that costs less gives back only when it is done.
    """
    costs: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    rows = Run.objects.filter(action=OrderKind.CHANGE, state__in=OPEN_RUNS)
    for project_id, currency, monthly, term in rows.values_list(
        "order__project_id", "plan__currency", "plan__monthly_cost", "plan__term_cost"
    ):
        cost = monthly if term is None else term
        if cost > 0:
            costs[project_id, currency] += cost
    return dict(costs)
