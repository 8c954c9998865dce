"""The price lists as people read them."""

from datetime import datetime

from django.db.models import Q, QuerySet

from billing.choices import BookStatus
from billing.models import BillingAccount, IssuingEntity, PriceChange, SkuPrice
from billing.selectors.accounts import visible_accounts
from inventory.foundation.models import Membership, User
from inventory.foundation.permissions import Action, organisations_where, projects_where


def visible_prices(*, user: User, at: datetime) -> QuerySet[SkuPrice]:
    """Return the published prices that hold at the instant and may concern the person.

    List prices of the entities that bill the person's organisations and projects; an account's own
    prices only for who may see its statements.
    """
    concerned = BillingAccount.objects.filter(
        Q(project_billings__project__in=projects_where(user, Action.PROJECT_VIEW))
        | Q(organisation__in=Membership.objects.filter(user=user).values("organisation_id"))
        | Q(pk__in=visible_accounts(user).values("pk"))
    )
    return (
        SkuPrice.objects.filter(
            Q(account=None, book__is_default=True, book__entity__in=concerned.values("entity_id"))
            | Q(account__in=visible_accounts(user).values("pk")),
            book__status=BookStatus.PUBLISHED,
            during__contains=at,
            sku__is_active=True,
        )
        .select_related("sku__meter", "book__entity", "account")
        .order_by("sku__service_name", "sku__name", "tier", "pk")
    )


def tiers_beside(*, price: SkuPrice, at: datetime) -> QuerySet[SkuPrice]:
    """Return the price's item's tiers at an instant, in the same list and for the same account."""
    return price_history(price=price).filter(during__contains=at).order_by("tier", "pk")


def price_history(*, price: SkuPrice) -> QuerySet[SkuPrice]:
    """Return all prices of the item in the list, past and to come, the newest first."""
    return (
        SkuPrice.objects.filter(book=price.book_id, sku=price.sku_id, account=price.account_id)
        .exclude(during__isempty=True)
        .select_related("sku__meter", "book__entity", "account")
        .order_by("-during", "tier", "pk")
    )


def managed_issuers(*, user: User) -> list[int]:
    """Return the issuing entities of which the person manages all the money."""
    allowed = organisations_where(user, Action.MONEY_MANAGE)
    if not allowed:
        return []
    foreign = BillingAccount.objects.exclude(organisation_id__in=allowed)
    return list(
        IssuingEntity.objects.exclude(pk__in=foreign.values("entity_id")).values_list(
            "pk", flat=True
        )
    )


def managed_price_changes(*, user: User) -> QuerySet[PriceChange]:
    """Return the prepared and decided changes of the price lists that the person manages."""
    return PriceChange.objects.filter(book__entity__in=managed_issuers(user=user)).select_related(
        "book__entity", "sku__meter", "account", "prepared_by", "released_by"
    )
