"""Who pays for what, and since when."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from billing.models import BillingAccount, ProjectBilling
from inventory.foundation.models import Project, User
from inventory.foundation.permissions import Action, organisations_where, projects_where


@dataclass(frozen=True)
class PaidStretch:
    """A project that an account pays for over [start, end)."""

    project_id: int
    start: datetime
    end: datetime


def account_of(*, project: Project, at: datetime) -> BillingAccount | None:
    """Return the account that pays for the project at that instant, with its entity; or None."""
    billing = (
        ProjectBilling.objects.filter(project=project, during__contains=at)
        .select_related("account__entity")
        .first()
    )
    return billing.account if billing else None


def paid_stretches(*, account: BillingAccount, start: datetime, end: datetime) -> list[PaidStretch]:
    """Return the account's projects within [start, end), clipped to it, by project and time."""
    rows = ProjectBilling.objects.filter(account=account, during__overlap=(start, end)).values_list(
        "project_id", "during"
    )
    stretches = [
        PaidStretch(
            project_id=project_id,
            start=max(start, during.lower or start),
            end=min(end, during.upper or end),
        )
        for project_id, during in rows
    ]
    return sorted(stretches, key=lambda stretch: (stretch.project_id, stretch.start))


def by_window(
    stretches: Iterable[PaidStretch],
) -> list[tuple[datetime, datetime, list[int]]]:
    """Group stretches that share start and end, so that each window is read once."""
    windows: dict[tuple[datetime, datetime], list[int]] = {}
    for stretch in stretches:
        windows.setdefault((stretch.start, stretch.end), []).append(stretch.project_id)
    return [(start, end, projects) for (start, end), projects in sorted(windows.items())]


def visible_accounts(user: User) -> QuerySet[BillingAccount]:
    """Return the accounts whose statements the person may see.

    Those of the organisations where they may, and those that pay only for projects in which they
    may: a project's owner sees its statement, but not one that names other people's projects too.
    """
    theirs = projects_where(user, Action.STATEMENT_VIEW)
    foreign = ProjectBilling.objects.exclude(project__in=theirs)
    return BillingAccount.objects.filter(
        Q(organisation_id__in=organisations_where(user, Action.STATEMENT_VIEW))
        | (
            Q(id__in=ProjectBilling.objects.filter(project__in=theirs).values("account_id"))
            & ~Q(id__in=foreign.values("account_id"))
        )
    ).select_related("entity", "organisation")


def lock_billings(*, project: Project) -> list[ProjectBilling]:
    """Lock who pays for the project over time, in primary-key order."""
    return list(
        ProjectBilling.objects.filter(project=project)
        .select_related("account")
        .order_by("pk")
        .select_for_update(of=("self",))
    )


def lock_accounts(*, ids: Collection[int]) -> list[BillingAccount]:
    """Lock accounts in primary-key order, so that none closes a month while what it pays changes.

    Charges and periods may be added meanwhile (NO KEY).
    """
    return list(
        BillingAccount.objects.filter(pk__in=ids)
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )
