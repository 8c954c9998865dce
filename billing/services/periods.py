"""Close a month: freeze what was used, write the document, number it, and lock the period."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing import pricing
from billing.choices import AccountKind, DocumentKind, InvoiceState, PeriodState
from billing.models import (
    BillingAccount,
    BillingPeriod,
    Charge,
    Invoice,
    InvoiceLine,
    InvoiceSeries,
)
from billing.selectors.accounts import lock_accounts
from billing.selectors.periods import lock_period, lock_series, open_before
from billing.selectors.statements import line_groups, printed_amounts
from billing.services.rating import freeze_usage, open_months, open_period, rate_locked
from inventory.foundation.errors import Conflict, DomainError, NotVisible
from inventory.foundation.models import User
from inventory.foundation.periods import month_bounds, zone_named
from inventory.foundation.permissions import Action, organisations_where, refusal
from inventory.foundation.trail import emit_event, record_audit

logger = logging.getLogger(__name__)

PREFIXES = {
    DocumentKind.STATEMENT: "ST",
    DocumentKind.INVOICE: "IN",
    DocumentKind.CREDIT_NOTE: "CN",
}


class PeriodOpen(Conflict):
    """The month is not over yet, or an earlier one is still open."""

    code = "period_open"
    title = "This month cannot be closed yet"


class CannotClose(Conflict):
    """Something in the month has to be put right first; the message names it."""

    code = "cannot_close"
    title = "This month cannot be closed"


class NothingToClose(NotVisible):
    """No account has anything to do with that month."""

    code = "nothing_to_close"
    title = "There is nothing to close"


@dataclass(frozen=True)
class CloseResult:
    """What became of one account: its document (None when there was nothing to charge) or why not.

    `was_closed` says that the month was closed before, so that nothing was done this time.
    """

    account: BillingAccount
    invoice: Invoice | None
    error: str = ""
    was_closed: bool = False


def close_period(
    *, month: date, at: datetime, actor: User | None, account: BillingAccount | None = None
) -> list[CloseResult]:
    """Close the month of one account, or of every account, each in a transaction of its own.

    Asked twice it returns the same documents. An account that cannot be closed is named in its
    result and stops nobody else. `actor` needs the right to manage money in the organisation of
    each account; None is the system itself, which only the command line may be. Raises PeriodOpen
    when the month is not over, NothingToClose, Forbidden.
    """
    first = month.replace(day=1)
    accounts = _accounts(first, account)
    if not accounts:
        message = (
            f"No account has anything to close in {first:%B %Y}. "
            "Check the month and who pays for the projects."
        )
        raise NothingToClose(message)
    if actor is not None:
        allowed = organisations_where(actor, Action.MONEY_MANAGE)
        if any(one.organisation_id not in allowed for one in accounts):
            raise refusal(Action.MONEY_MANAGE)
    _refuse_before_end(accounts, first, at)
    return [_close_or_say_why(one, first, at, actor) for one in accounts]


def issue_invoice(*, invoice: Invoice, at: datetime, actor: User | None) -> Invoice:
    """Give a draft the next number of its series and freeze it; asked twice, the same document.

    The counter's row stays locked to the end of the transaction: no gap, no number given twice.
    """
    account = invoice.account
    with transaction.atomic():
        fresh = Invoice.objects.select_for_update().get(pk=invoice.pk)
        if fresh.issued_at is not None:
            return fresh
        series = lock_series(pk=_series(account, fresh.kind).pk)
        series.last_number += 1
        series.save(update_fields=["last_number"])
        fresh.series, fresh.sequence = series, series.last_number
        fresh.number = f"{series.prefix}{series.last_number:06d}"
        fresh.state, fresh.issued_at = InvoiceState.ISSUED, at
        fresh.save()
        record_audit(
            action="issue.invoice",
            subject=fresh,
            at=at,
            actor=actor,
            organisation=account.organisation,
            changes={"number": ["", fresh.number], "total": ["", str(fresh.total)]},
        )
        emit_event(
            type="orchestra.invoice.issued",
            subject=fresh,
            at=at,
            data={
                "number": fresh.number,
                "account": account.code,
                "month": f"{fresh.period.month:%Y-%m}",
                "total": str(fresh.total),
                "currency": fresh.currency,
            },
        )
    return fresh


def _accounts(month: date, account: BillingAccount | None) -> list[BillingAccount]:
    """Return who takes part: who pays for a project in the month or has a period of it."""
    if account is not None:
        return [account]
    candidates = BillingAccount.objects.select_related("entity", "organisation")
    found = []
    for one in candidates.order_by("code"):
        start, end = month_bounds(month, one.entity.zone)
        if (
            one.project_billings.filter(during__overlap=(start, end)).exists()
            or one.periods.filter(month=month).exists()
        ):
            found.append(one)
    return found


def _refuse_before_end(accounts: Sequence[BillingAccount], month: date, at: datetime) -> None:
    for account in accounts:
        zone = account.entity.zone
        _, end = month_bounds(month, zone)
        if at < end:
            local = end.astimezone(zone_named(zone))
            message = (
                f"The period {month:%Y-%m} is open until {local:%d %B %Y %H:%M} ({zone}). "
                "Close it after that, or name an earlier month."
            )
            raise PeriodOpen(message)


def _close_or_say_why(
    account: BillingAccount, month: date, at: datetime, actor: User | None
) -> CloseResult:
    try:
        # Kept when the close itself is undone: the period's row says why.
        for due in {*open_months(account=account, at=at), month}:
            open_period(account=account, month=due)
        return _close(account, month, at, actor)
    except DomainError as error:
        reason = error.message
    except Exception:
        logger.exception("closing %s %s failed", account.code, month)
        reason = (
            "The close failed and nothing was changed. Its cause is in the log; ask an operator."
        )
    BillingPeriod.objects.filter(account=account, month=month).exclude(
        state=PeriodState.CLOSED
    ).update(failure=reason[:500])
    return CloseResult(account=account, invoice=None, error=reason)


@transaction.atomic
def _close(account: BillingAccount, month: date, at: datetime, actor: User | None) -> CloseResult:
    lock_accounts(ids={account.pk})
    period = lock_period(account=account, month=month)
    if period.state == PeriodState.CLOSED:
        return CloseResult(account=account, invoice=_document_of(period), was_closed=True)
    earlier = open_before(account=account, month=month)
    if earlier is not None:
        message = (
            f"{account} cannot close {month:%Y-%m}: {earlier.month:%Y-%m} is still open. "
            "Close the earlier month first."
        )
        raise PeriodOpen(message)
    rated = rate_locked(period=period, at=at)
    if rated.failures:
        message = f"{account} cannot close {month:%Y-%m}: {' '.join(rated.failures)}"
        raise CannotClose(message)
    freeze_usage(slices=rated.slices, at=at)
    invoice = _write_document(period, at)
    if invoice is not None and account.entity.auto_issue:
        invoice = issue_invoice(invoice=invoice, at=at, actor=actor)
    period.state, period.closed_at, period.closed_by = PeriodState.CLOSED, at, actor
    period.save(update_fields=["state", "closed_at", "closed_by"])
    record_audit(
        action="close.period",
        subject=period,
        at=at,
        actor=actor,
        organisation=account.organisation,
        changes={"state": [PeriodState.OPEN.value, PeriodState.CLOSED.value]},
    )
    emit_event(
        type="orchestra.period.closed",
        subject=period,
        at=at,
        data={
            "account": account.code,
            "month": f"{month:%Y-%m}",
            "rating_run": period.rating_run,
            "document": invoice.number if invoice else None,
        },
    )
    return CloseResult(account=account, invoice=invoice)


def _document_of(period: BillingPeriod) -> Invoice | None:
    return period.invoices.filter(corrects=None).first()


def _write_document(period: BillingPeriod, at: datetime) -> Invoice | None:
    """Write the draft with its lines, and name it on the charges; None when nothing was charged."""
    account = period.account
    charges = Charge.objects.filter(period=period)
    groups = line_groups(charges=charges)
    if not groups:
        return None
    exact_total = pricing.total([group["exact"] for group in groups])
    total = pricing.round_money(exact_total, rounding=account.entity.rounding)
    invoice = Invoice.objects.create(
        account=account,
        period=period,
        kind=(
            DocumentKind.STATEMENT if account.kind == AccountKind.INTERNAL else DocumentKind.INVOICE
        ),
        currency=account.currency,
        exact_total=exact_total,
        total=total,
        snapshot=_snapshot(period, groups),
        created_at=at,
    )
    amounts = printed_amounts(total=total, groups=groups)
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice,
            position=index + 1,
            cost_centre=group["cost_centre"],
            project_name=group["labels__project"],
            sku_name=group["labels__sku_name"],
            description=_line_text(group)[:200],
            quantity=group["quantity"] or Decimal(0),
            unit=group["pricing_unit"],
            exact_amount=group["exact"],
            amount=amounts[index],
            corrects_month=group["correction__period__month"],
        )
        for index, group in enumerate(groups)
    )
    charges.update(invoice=invoice)
    return invoice


def _line_text(group: dict[str, Any]) -> str:
    text = f"{group['labels__sku_name']} · {group['labels__project']}"
    month = group["correction__period__month"]
    return f"{text} · correction of {month:%B %Y}" if month else text


def _snapshot(period: BillingPeriod, groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    account = period.account
    entity = account.entity
    return {
        "account": {"code": account.code, "name": account.name, "kind": account.kind},
        "organisation": account.organisation.name,
        "entity": {
            "name": entity.name,
            "zone": entity.zone,
            "rounding": entity.rounding,
            "legal": entity.legal,
        },
        "period": {
            "month": f"{period.month:%Y-%m}",
            "start_at": period.start_at.isoformat(),
            "end_at": period.end_at.isoformat(),
            "rating_run": period.rating_run,
        },
        "projects": sorted({group["labels__project"] for group in groups}),
        "cost_centres": sorted({group["cost_centre"] for group in groups}),
    }


def _series(account: BillingAccount, kind: str) -> InvoiceSeries:
    prefix = f"{PREFIXES[DocumentKind(kind)]}{account.entity_id}-"
    series, _ = InvoiceSeries.objects.get_or_create(
        entity=account.entity, kind=kind, defaults={"prefix": prefix}
    )
    return series
