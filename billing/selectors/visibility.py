"""What of the house's nouns a person may see: one answer for pages, files and programs."""

from datetime import datetime

from django.db.models import Case, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Concat

from billing.choices import Aggregation
from billing.models import (
    BillingAccount,
    BillingExport,
    BillingPeriod,
    Budget,
    InvoiceLine,
    IssuingEntity,
    Meter,
    PriceBook,
    ProjectBilling,
    Sku,
    UsageRecord,
)
from billing.selectors.accounts import visible_accounts
from billing.selectors.charges import visible_invoices
from billing.selectors.price_lists import managed_issuers, visible_prices
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, organisations_where, projects_where


def visible_usage(user: User) -> QuerySet[UsageRecord]:
    """Return the usage of the projects whose costs the person may see.

    `quantity_unit` is the unit of `quantity`: what is held over time counts in unit-seconds.
    """
    over_time = When(
        meter__aggregation=Aggregation.TIME_WEIGHTED,
        then=Concat("meter__unit", Value("-seconds")),
    )
    return (
        UsageRecord.objects.filter(project__in=projects_where(user, Action.COST_VIEW))
        .select_related("meter", "project", "resource")
        .annotate(quantity_unit=Case(over_time, default=F("meter__unit")))
    )


def visible_issuers(user: User) -> QuerySet[IssuingEntity]:
    """Return who issues to the accounts that the person sees, and whose money they manage."""
    return IssuingEntity.objects.filter(
        Q(pk__in=visible_accounts(user).values("entity_id")) | Q(pk__in=managed_issuers(user=user))
    )


def visible_billings(user: User) -> QuerySet[ProjectBilling]:
    """Return which accounts pay for the projects whose costs the person may see, over time."""
    return ProjectBilling.objects.filter(
        project__in=projects_where(user, Action.COST_VIEW)
    ).select_related("project", "account")


def visible_budgets(user: User) -> QuerySet[Budget]:
    """Return the budgets of the person's projects and accounts, those that were replaced too."""
    return Budget.objects.filter(
        Q(project__in=projects_where(user, Action.COST_VIEW))
        | Q(project=None, account__in=visible_accounts(user).values("pk"))
    ).select_related("account", "project")


def visible_skus(*, user: User, at: datetime) -> QuerySet[Sku]:
    """Return the items that have a price for the person now; all, for who manages prices."""
    if managed_issuers(user=user):
        return Sku.objects.select_related("meter")
    priced = visible_prices(user=user, at=at).order_by().values("sku_id")
    return Sku.objects.filter(pk__in=priced).select_related("meter")


def visible_meters(*, user: User, at: datetime) -> QuerySet[Meter]:
    """Return what is counted for these items; all, for who manages prices."""
    if managed_issuers(user=user):
        return Meter.objects.select_related("resource_class")
    items = visible_skus(user=user, at=at)
    return Meter.objects.filter(pk__in=items.values("meter_id")).select_related("resource_class")


def visible_books(*, user: User, at: datetime) -> QuerySet[PriceBook]:
    """Return the price lists that hold a price for the person now, and those that they manage."""
    priced = visible_prices(user=user, at=at).order_by().values("book_id")
    return PriceBook.objects.filter(
        Q(pk__in=priced) | Q(entity__in=managed_issuers(user=user))
    ).select_related("entity", "prepared_by", "released_by")


def managed_periods(user: User) -> QuerySet[BillingPeriod]:
    """Return the periods of the accounts whose money the person manages."""
    return BillingPeriod.objects.filter(
        account__organisation_id__in=organisations_where(user, Action.MONEY_MANAGE)
    ).select_related("account__entity", "closed_by")


def managed_months(user: User) -> QuerySet[BillingPeriod]:
    """Return these periods with `total`, the exact sum of their charges."""
    return managed_periods(user).annotate(total=Sum("charges__billed_cost"))


def visible_lines(user: User) -> QuerySet[InvoiceLine]:
    """Return the lines of the statements that the person may see."""
    return InvoiceLine.objects.filter(
        invoice__in=visible_invoices(user).values("pk")
    ).select_related("invoice__account", "invoice__period")


def visible_exports(user: User) -> QuerySet[BillingExport]:
    """Return the files that the person wrote; all, for who manages the money of every account.

    A file may name several accounts and its row does not say which, so nobody else sees it.
    """
    rows = BillingExport.objects.select_related("created_by")
    allowed = organisations_where(user, Action.MONEY_MANAGE)
    if allowed and not BillingAccount.objects.exclude(organisation_id__in=allowed).exists():
        return rows
    return rows.filter(created_by=user)
