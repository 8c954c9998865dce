"""Quotas: the most of a class that a project or an organisation may hold at any instant."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from inventory.capacity import amount_text
from inventory.foundation.errors import Conflict, InvalidInput
from inventory.foundation.models import Organisation, Project, User
from inventory.foundation.permissions import Action, organisations_where, refusal
from inventory.foundation.trail import record_audit
from inventory.models import Quota, ResourceClass
from inventory.selectors import lock_quotas, quota_peak
from inventory.services.checks import save_checked


class QuotaExceeded(Conflict):
    """The holder would hold more than its quota; `details` has class, limit, used and asked."""

    code = "quota_exceeded"
    title = "More than the quota"


@transaction.atomic
def set_quota(
    *,
    resource_class: ResourceClass,
    limit: int,
    at: datetime,
    project: Project | None = None,
    organisation: Organisation | None = None,
    actor: User | None = None,
) -> Quota:
    """Set the limit of one project or of one organisation (with all below it).

    A limit below what is held is lawful: it refuses only what comes on top. InvalidInput for a
    negative limit or not exactly one holder; Forbidden for who does not run pools there. `actor`
    is None for the system itself.
    """
    if (project is None) == (organisation is None):
        message = "A quota is for one project or one organisation. Name exactly one."
        raise InvalidInput(message, fields={"project": message})
    _require(actor, project, organisation)
    quota = Quota.objects.select_for_update().filter(
        project=project, organisation=organisation, resource_class=resource_class
    ).first() or Quota(
        project=project, organisation=organisation, resource_class=resource_class, limit=-1
    )
    before = quota.limit if quota.pk else None
    quota.limit = limit
    if before == limit:
        return quota
    save_checked(quota)
    record_audit(
        action="quota.set",
        subject=quota,
        at=at,
        actor=actor,
        project=project,
        organisation=organisation,
        changes={"limit": [before, limit]},
    )
    return quota


@transaction.atomic
def remove_quota(*, quota: Quota, at: datetime, actor: User | None = None) -> None:
    """Lift the limit."""
    _require(actor, quota.project, quota.organisation)
    record_audit(
        action="quota.remove",
        subject=quota,
        at=at,
        actor=actor,
        project=quota.project,
        organisation=quota.organisation,
        changes={"limit": [quota.limit, None]},
    )
    quota.delete()


def check_quotas(
    *, project: Project, asked: Mapping[str, int], start: datetime, end: datetime | None
) -> None:
    """Lock the quotas that bind the project and refuse what would break one.

    `asked` is class name to amount. What counts is the most held at any instant of [start, end).
    Stays locked until the caller's transaction ends, so two orders cannot both take the last unit.
    """
    for quota in lock_quotas(project):
        resource_class = quota.resource_class
        amount = asked.get(resource_class.name, 0)
        if not amount:
            continue
        used = quota_peak(quota=quota, start=start, end=end)
        if used + amount > quota.limit:
            raise _exceeded(quota, used, amount)


def _require(
    actor: User | None, project: Project | None, organisation: Organisation | None
) -> None:
    """Quotas are set by who runs the pools of the holder's organisation."""
    holder_id = project.organisation_id if project else organisation and organisation.pk
    if actor is not None and holder_id not in organisations_where(actor, Action.POOL_EDIT):
        raise refusal(Action.POOL_EDIT)


def _exceeded(quota: Quota, used: int, asked: int) -> QuotaExceeded:
    def text(amount: int) -> str:
        return amount_text(amount=amount, unit=quota.resource_class.unit)

    holder = quota.project or quota.organisation
    message = (
        f"{holder} may hold {text(quota.limit)} of {quota.resource_class.label} and holds "
        f"{text(used)}; this asks for {text(asked)} more. Ask for less, give something back, or "
        f"ask an operator to raise the quota."
    )
    return QuotaExceeded(
        message,
        details={
            "resource_class": quota.resource_class.name,
            "holder": str(holder),
            "limit": quota.limit,
            "used": used,
            "asked": asked,
        },
    )
