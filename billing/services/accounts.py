"""Who issues, who pays for what and since when, and what may be spent."""

from datetime import datetime

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Max

from billing.choices import PeriodState
from billing.models import (
    BillingAccount,
    BillingPeriod,
    Budget,
    Charge,
    IssuingEntity,
    ProjectBilling,
)
from billing.selectors.accounts import lock_accounts, lock_billings
from billing.selectors.defaults import default_mode
from inventory.foundation.errors import Conflict, InvalidInput, NotVisible
from inventory.foundation.models import Organisation, Project, User
from inventory.foundation.periods import zone_named
from inventory.foundation.permissions import Action, organisations_where, refusal
from inventory.foundation.trail import record_audit


class AlreadyCharged(Conflict):
    """Something that charges depend on cannot change under them."""

    code = "already_charged"
    title = "There are charges already"


def save_entity(*, entity: IssuingEntity, at: datetime, actor: User) -> IssuingEntity:
    """Create or change an issuing entity; with charges, zone and currency stay as they are."""
    require_issuer(actor=actor, entity=entity)
    zone_named(entity.zone)
    with transaction.atomic():
        is_new = entity.pk is None
        if not is_new:
            before = IssuingEntity.objects.select_for_update().get(pk=entity.pk)
            changed = before.zone != entity.zone or before.currency != entity.currency
            if changed and BillingPeriod.objects.filter(account__entity=before).exists():
                message = (
                    f"{before} has billing periods, so its time zone and currency stay. "
                    "Make another issuing entity."
                )
                raise AlreadyCharged(message)
        entity.full_clean()
        entity.save()
        _audit("create.entity" if is_new else "edit.entity", entity, at, actor)
    return entity


def save_account(*, account: BillingAccount, at: datetime, actor: User) -> BillingAccount:
    """Create or change a paying account; with charges, entity and currency stay as they are.

    A new one without a mode starts as the organisation's default says.
    """
    _require(actor, account.organisation)
    require_issuer(actor=actor, entity=account.entity)
    with transaction.atomic():
        is_new = account.pk is None
        if is_new and not account.mode:
            account.mode = default_mode(organisation_id=account.organisation_id, at=at)
        if not is_new:
            before = BillingAccount.objects.select_for_update().get(pk=account.pk)
            _require(actor, before.organisation)
            fixed = ("entity_id", "currency", "code")
            if Charge.objects.filter(account=before).exists() and any(
                getattr(before, name) != getattr(account, name) for name in fixed
            ):
                message = (
                    f"{before} has charges, so its number, issuer and currency stay. "
                    "Make another account and let it pay from a date on."
                )
                raise AlreadyCharged(message)
        account.full_clean()
        account.save()
        _audit("create.account" if is_new else "edit.account", account, at, actor)
    return account


def assign_account(
    *,
    project: Project,
    account: BillingAccount,
    from_at: datetime,
    at: datetime,
    actor: User,
    reason: str = "",
) -> ProjectBilling:
    """Let an account pay for the project from an instant on; who paid before pays up to it.

    Asked again for the same account it changes nothing. Raises AlreadyCharged when the instant lies
    in a month that one of the two has closed.
    """
    _require(actor, account.organisation)
    _require(actor, project.organisation)
    with transaction.atomic():
        billings = lock_billings(project=project)
        old = next(
            (
                billing
                for billing in billings
                if (billing.during.lower is None or billing.during.lower <= from_at)
                and (billing.during.upper is None or from_at < billing.during.upper)
            ),
            None,
        )
        if old is not None and old.account_id == account.pk:
            return old
        before = old.account.code if old else ""
        concerned = {account.pk} | ({old.account_id} if old else set())
        lock_accounts(ids=concerned)
        closed_to = BillingPeriod.objects.filter(
            account__in=concerned, state=PeriodState.CLOSED
        ).aggregate(last=Max("end_at"))["last"]
        if closed_to is not None and from_at < closed_to:
            message = (
                f"Months up to {closed_to:%d %B %Y} are closed. Choose an instant from then on."
            )
            raise AlreadyCharged(message, fields={"from_at": message})
        starts = [one.during.lower for one in billings if one.during.lower]
        until = old.during.upper if old else min((s for s in starts if s > from_at), default=None)
        if old is not None and old.during.lower == from_at:
            old.account = account
            old.save(update_fields=["account"])
            new = old
        else:
            if old is not None:
                old.during = DateTimeTZRange(old.during.lower, from_at)
                old.save(update_fields=["during"])
            new = ProjectBilling.objects.create(
                project=project, account=account, during=DateTimeTZRange(from_at, until)
            )
        record_audit(
            action="assign.account",
            subject=new,
            at=at,
            actor=actor,
            project=project,
            changes={
                "account": [before, account.code],
                "from": [None, from_at.isoformat()],
            },
            reason=reason,
        )
    return new


def save_budget(*, budget: Budget, at: datetime, actor: User) -> Budget:
    """Create a budget, or replace one by its next version: the old one is kept, not current.

    Raises InvalidInput when the project is not paid by the account or the currency is another.
    """
    _require(actor, budget.account.organisation)
    if budget.currency != budget.account.currency:
        message = f"The account pays in {budget.account.currency}; the budget must too."
        raise InvalidInput(message, fields={"currency": message})
    with transaction.atomic():
        before = None
        if budget.pk is not None:
            before = Budget.objects.select_for_update().get(pk=budget.pk)
            Budget.objects.filter(pk=before.pk).update(is_current=False)
            budget.pk = None
            budget._state.adding = True
            budget.version, budget.is_current = before.version + 1, True
        budget.full_clean()
        budget.save()
        record_audit(
            action="edit.budget" if before else "create.budget",
            subject=budget,
            at=at,
            actor=actor,
            project=budget.project,
            organisation=budget.account.organisation,
            changes={"amount": [str(before.amount) if before else "", str(budget.amount)]},
        )
    return budget


def require_issuer(*, actor: User, entity: IssuingEntity) -> None:
    """Refuse who does not manage the money of every organisation that the entity bills.

    Its price lists and its time zone hold for all of them. A role in one project is not enough.
    """
    allowed = organisations_where(actor, Action.MONEY_MANAGE)
    billed = set()
    if entity.pk is not None:
        billed = set(entity.accounts.values_list("organisation_id", flat=True))
    if not allowed or not billed <= allowed:
        raise refusal(Action.MONEY_MANAGE)


def _require(actor: User, organisation: Organisation) -> None:
    """Refuse who may not manage money there; to a stranger it does not even exist."""
    if organisation.pk in organisations_where(actor, Action.MONEY_MANAGE):
        return
    if organisation.pk not in organisations_where(actor, Action.COST_VIEW):
        message = "There is no such account, or you have no role in its organisation."
        raise NotVisible(message)
    raise refusal(Action.MONEY_MANAGE)


def _audit(action: str, subject: IssuingEntity | BillingAccount, at: datetime, actor: User) -> None:
    organisation = subject.organisation if isinstance(subject, BillingAccount) else None
    record_audit(action=action, subject=subject, at=at, actor=actor, organisation=organisation)
