"""What projects have cost in the running month."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import F, Max, OuterRef, QuerySet, Subquery, Sum

from billing.models import Charge, ProjectBilling
from billing.selectors.accounts import visible_accounts
from inventory.foundation.models import Project, User
from inventory.foundation.permissions import Action, projects_where


@dataclass(frozen=True)
class ProjectSpend:
    """Exact sum of a project's charges of one billing month; `as_of` ends the last of them."""

    project_id: int
    currency: str
    amount: Decimal
    as_of: datetime


def month_to_date(*, project_ids: Collection[int], at: datetime) -> list[ProjectSpend]:
    """Return what each project was charged in the billing month of the instant, by currency."""
    rows = (
        Charge.objects.filter(
            project__in=project_ids, period__start_at__lte=at, period__end_at__gt=at
        )
        .order_by("project_id", "currency")
        .values("project_id", "currency")
        .annotate(amount=Sum("billed_cost"), as_of=Max("charge_end"))
    )
    return [ProjectSpend(**row) for row in rows]


@dataclass(frozen=True)
class MonthSpend:
    """What a project was charged in one billing month, in one currency."""

    month: date
    currency: str
    amount: Decimal


def monthly_spend(*, project: Project, months: int) -> list[MonthSpend]:
    """Return what the project was charged in its last billing months, the newest first."""
    rows = (
        Charge.objects.filter(project=project)
        .order_by("-period__month", "currency")
        .values("period__month", "currency")
        .annotate(amount=Sum("billed_cost"))[:months]
    )
    return [MonthSpend(row["period__month"], row["currency"], row["amount"]) for row in rows]


def account_history(project: Project) -> list[ProjectBilling]:
    """Return which accounts paid, pay and will pay for the project, the latest first."""
    return list(
        ProjectBilling.objects.filter(project=project)
        .select_related("account__organisation")
        .order_by(F("during__startswith").desc(nulls_last=True))
    )


def projects_and_payers(*, user: User, at: datetime) -> QuerySet[Project]:
    """Return the projects whose costs the person may see, with `payer` and `paid_since` at `at`.

    `payer_seen` is the account's number where the person may see it, else None.
    """
    seen = visible_accounts(user).values("pk")
    now = ProjectBilling.objects.filter(project=OuterRef("pk"), during__contains=at)
    return (
        projects_where(user, Action.COST_VIEW)
        .select_related("organisation", "owner")
        .annotate(
            payer=Subquery(now.values("account__name")[:1]),
            payer_seen=Subquery(now.filter(account__in=seen).values("account_id")[:1]),
            payer_code=Subquery(now.values("account__code")[:1]),
            paid_since=Subquery(now.values("during__startswith")[:1]),
        )
    )
