"""Corrections of a closed month: only differences, in the open month, by two people."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction

from billing import pricing
from billing.choices import PeriodState, PreparedState
from billing.models import BillingAccount, BillingPeriod, Charge, Correction
from billing.selectors.accounts import lock_accounts
from billing.selectors.corrections import (
    ChangedLine,
    Difference,
    difference_of,
    lock_correction,
    month_to_correct_into,
)
from billing.selectors.periods import lock_period
from billing.services.price_changes import AlreadyDecided
from billing.services.prices import TwoPeople
from billing.services.rating import BATCH, charges_of, open_period
from inventory.foundation.errors import Conflict, NotVisible
from inventory.foundation.models import User
from inventory.foundation.periods import next_month
from inventory.foundation.permissions import Action, organisations_where, refusal
from inventory.foundation.trail import emit_event, record_audit

LINES = UUID("5f1b8f0e-6d3a-5f0b-9d7e-0c4f4f2c7a14")


class NothingToCorrect(Conflict):
    """The month is right as it was billed, corrections included."""

    code = "nothing_to_correct"
    title = "There is nothing to correct"


class CannotCorrect(Conflict):
    """The month cannot be rated anew; the message names what has to be put right first."""

    code = "cannot_correct"
    title = "This month cannot be corrected"


class DifferenceChanged(Conflict):
    """The difference is another one than the one that was prepared."""

    code = "difference_changed"
    title = "The difference has changed"


def prepare_correction(
    *, period: BillingPeriod, reason: str, at: datetime, actor: User
) -> Correction:
    """Note the difference of a closed month for somebody else to release; nothing is billed yet.

    Raises NothingToCorrect, CannotCorrect, Conflict when one waits already, Forbidden.
    """
    _require(actor, period)
    with transaction.atomic():
        period = BillingPeriod.objects.select_related(
            "account__entity", "account__organisation"
        ).get(pk=period.pk)
        found = _difference(period)
        if Correction.objects.filter(period=period, state=PreparedState.PREPARED).exists():
            message = f"A correction of {period} waits for its release. Release it or take it back."
            raise Conflict(message)
        correction = Correction(
            period=period,
            reason=reason,
            before=found.before,
            after=found.after,
            lines=len(found.lines),
            sha256=found.sha256,
            prepared_by=actor,
            prepared_at=at,
        )
        correction.full_clean(exclude={"into", "released_by", "released_at", "before", "after"})
        correction.save()
        _audit("prepare.correction", correction, at, actor)
    return correction


def release_correction(*, correction: Correction, at: datetime, actor: User) -> Correction:
    """Write the difference as charges into the account's open month; the closed one stays.

    Recomputed first: it must be the difference that was prepared. Raises TwoPeople,
    DifferenceChanged, AlreadyDecided, Forbidden.
    """
    _require(actor, correction.period)
    with transaction.atomic():
        account = correction.period.account
        lock_accounts(ids={account.pk})
        fresh = lock_correction(pk=correction.pk)
        _refuse_decided(fresh)
        if fresh.prepared_by_id == actor.pk:
            message = (
                "You prepared this correction. Somebody else with the role finance releases it."
            )
            raise TwoPeople(message)
        found = _difference(fresh.period)
        if found.sha256 != fresh.sha256:
            message = (
                f"What is known of {fresh.period} changed since this was prepared. "
                "Take it back and prepare it again."
            )
            raise DifferenceChanged(message)
        into = _open_month(account, fresh.period)
        fresh.into, fresh.state = into, PreparedState.RELEASED
        fresh.released_by, fresh.released_at = actor, at
        fresh.save()
        Charge.objects.bulk_create(_charges(fresh, into, found.lines), batch_size=BATCH)
        _audit("release.correction", fresh, at, actor)
        emit_event(
            type="orchestra.correction.released",
            subject=fresh,
            at=at,
            data={
                "account": account.code,
                "month": f"{fresh.period.month:%Y-%m}",
                "into": f"{into.month:%Y-%m}",
                "before": pricing.plain(fresh.before),
                "after": pricing.plain(fresh.after),
                "lines": fresh.lines,
            },
        )
    return fresh


def withdraw_correction(*, correction: Correction, at: datetime, actor: User) -> None:
    """Take a prepared correction back; it stays in the list. Raises AlreadyDecided, Forbidden."""
    _require(actor, correction.period)
    with transaction.atomic():
        fresh = lock_correction(pk=correction.pk)
        _refuse_decided(fresh)
        fresh.state = PreparedState.WITHDRAWN
        fresh.save(update_fields=["state"])
        _audit("withdraw.correction", fresh, at, actor)


def correct_period(
    *, period: BillingPeriod, reason: str, at: datetime, prepared_by: User, released_by: User
) -> Correction:
    """Prepare and release in one go, where both people are there. Raises as the two do."""
    with transaction.atomic():
        correction = prepare_correction(period=period, reason=reason, at=at, actor=prepared_by)
        return release_correction(correction=correction, at=at, actor=released_by)


def _difference(period: BillingPeriod) -> Difference:
    if period.state != PeriodState.CLOSED:
        message = f"{period} is open: it is counted anew by itself and needs no correction."
        raise CannotCorrect(message)
    found = difference_of(period=period)
    if found.failures:
        message = f"{period} cannot be counted anew: {' '.join(found.failures)}"
        raise CannotCorrect(message)
    if not found.lines:
        message = f"{period} is right as it was billed: there is no difference."
        raise NothingToCorrect(message)
    return found


def _open_month(account: BillingAccount, closed: BillingPeriod) -> BillingPeriod:
    """Lock the first month that is not closed; open the one after the last close where needed."""
    into = month_to_correct_into(account=account)
    if into is None:
        last = account.periods.order_by("-month").first() or closed
        into = open_period(account=account, month=next_month(last.month))
    return lock_period(account=account, month=into.month)


def _charges(
    correction: Correction, into: BillingPeriod, lines: Sequence[ChangedLine]
) -> Iterator[Charge]:
    """Make the rows: the names of the charge that they correct, or of now for what is new."""
    period = correction.period
    slices = [line.one for line in lines if line.charge is None and line.one is not None]
    fresh = dict(zip(map(id, slices), charges_of(period=period, slices=slices), strict=True))
    for line in lines:
        source = line.charge if line.charge is not None else fresh[id(line.one)]
        quantity, cost = line.quantity, line.cost
        list_cost = pricing.multiply(line.list_unit_price, quantity)
        yield Charge(
            line_id=uuid5(LINES, f"{line.identity}|{correction.pk}"),
            account_id=period.account_id,
            period=into,
            project_id=source.project_id,
            resource_id=source.resource_id,
            sku_id=source.sku_id,
            sku_price_id=source.sku_price_id,
            correction=correction,
            correction_of=line.related,
            rating_run=into.rating_run,
            category=source.category,
            origin=source.origin,
            origin_id=source.origin_id,
            charge_start=source.charge_start,
            charge_end=source.charge_end,
            consumed_quantity=line.consumed,
            consumed_unit=source.consumed_unit,
            pricing_quantity=quantity,
            pricing_unit=source.pricing_unit,
            list_unit_price=line.list_unit_price,
            contracted_unit_price=line.unit_price,
            list_cost=list_cost,
            contracted_cost=cost,
            billed_cost=cost,
            effective_cost=cost,
            currency=source.currency,
            cost_centre=source.cost_centre,
            description=source.description,
            labels=source.labels
            | {
                "correction": {
                    "line": str(line.identity),
                    "month": f"{period.month:%Y-%m}",
                    "before": pricing.plain(line.before),
                    "after": pricing.plain(line.after),
                }
            },
        )


def _require(actor: User, period: BillingPeriod) -> None:
    """Refuse who does not manage the money there; to a stranger it does not even exist."""
    organisation = period.account.organisation_id
    if organisation in organisations_where(actor, Action.MONEY_MANAGE):
        return
    if organisation not in organisations_where(actor, Action.STATEMENT_VIEW):
        message = "There is no such month, or you have no role in its organisation."
        raise NotVisible(message)
    raise refusal(Action.MONEY_MANAGE)


def _refuse_decided(correction: Correction) -> None:
    if correction.state != PreparedState.PREPARED:
        message = f"This correction is {PreparedState(correction.state).label.lower()} already."
        raise AlreadyDecided(message)


def _audit(action: str, correction: Correction, at: datetime, actor: User) -> None:
    record_audit(
        action=action,
        subject=correction,
        at=at,
        actor=actor,
        organisation=correction.period.account.organisation,
        changes={
            "month": ["", str(correction.period)],
            "amount": [pricing.plain(correction.before), pricing.plain(correction.after)],
            "reason": ["", correction.reason],
        },
    )
