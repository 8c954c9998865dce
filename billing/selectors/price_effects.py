"""What another price would have made of a month that was charged: before it is released."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Max, Sum

from billing import pricing
from billing.choices import PriceModel, TierScope
from billing.models import BillingAccount, Charge, PriceBook, Sku


@dataclass(frozen=True)
class PriceEffect:
    """An account's month at the price that was charged, and at the other one. Exact."""

    account: str
    quantity: Decimal
    unit: str
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        """What the account would have paid more; below zero: less."""
        return self.after - self.before


def last_month_charged(*, sku: Sku, before: date) -> date | None:
    """Return the last month before the given one in which the item was charged."""
    found: date | None = Charge.objects.filter(
        sku=sku, correction=None, period__month__lt=before
    ).aggregate(last=Max("period__month"))["last"]
    return found


def effect_of(
    *,
    book: PriceBook,
    sku: Sku,
    account: BillingAccount | None,
    tiers: Sequence[pricing.Tier],
    month: date,
) -> list[PriceEffect]:
    """Return what the tiers would have made of a month, by account; one query.

    Of the accounts of the list's issuer that paid by it: those with a price of their own are left
    out unless the price is for one of them. Corrections of the month are left out.
    """
    if not tiers:
        return []
    charges = Charge.objects.filter(
        sku=sku, period__month=month, correction=None, account__entity=book.entity_id
    )
    charges = charges.filter(sku_price__account=account)
    rows = (
        charges.order_by()
        .values_list(
            "account__name", "project_id", "resource_id", "pricing_unit", "labels__tier__is_fee"
        )
        .annotate(quantity=Sum("pricing_quantity"), cost=Sum("billed_cost"))
    )
    used: dict[tuple[str, int], Decimal] = {}
    costs: dict[str, Decimal] = {}
    for name, project_id, resource_id, _unit, is_fee, quantity, cost in rows:
        costs[name] = costs.get(name, Decimal(0)) + cost
        if not is_fee:
            scope = {
                TierScope.PROJECT.value: project_id,
                TierScope.RESOURCE.value: resource_id or -project_id,
            }.get(sku.tier_scope, 0)
            used[name, scope] = used.get((name, scope), Decimal(0)) + quantity
    return [
        PriceEffect(
            account=name,
            quantity=pricing.total([used[key] for key in used if key[0] == name]),
            unit=sku.pricing_unit,
            before=before,
            after=pricing.total(
                [_cost(sku, tiers, used[key]) for key in sorted(used) if key[0] == name]
            ),
        )
        for name, before in sorted(costs.items())
    ]


def _cost(sku: Sku, tiers: Sequence[pricing.Tier], quantity: Decimal) -> Decimal:
    model = PriceModel.GRADUATED if sku.model == PriceModel.GRADUATED else PriceModel.STANDARD
    lines = pricing.price_lines(model=model, tiers=tiers, quantity=quantity)
    return pricing.total([line.cost for line in lines])
