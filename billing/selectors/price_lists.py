"""The price lists as people read them."""

from datetime import datetime

from django.db.models import Q, QuerySet

from billing.choices import BookStatus
from billing.models import BillingAccount, SkuPrice
from billing.selectors.accounts import visible_accounts
from inventory.foundation.models import Membership, User
from inventory.foundation.permissions import Action, projects_where


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
