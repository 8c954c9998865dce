"""Changing a price: its history and tiers, the change that is prepared, and its release."""

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.choices import PreparedState, PriceModel
from billing.filters import PriceChangeFilter
from billing.forms import DecideForm, PriceChangeForm
from billing.models import PriceChange, SkuPrice
from billing.pricing import Tier, plain
from billing.selectors.price_effects import effect_of, last_month_charged
from billing.selectors.price_lists import (
    managed_issuers,
    managed_price_changes,
    price_history,
    tiers_beside,
    visible_prices,
)
from billing.services import (
    prepare_price_change,
    release_price_change,
    tiers_from,
    tiers_of,
    withdraw_price_change,
)
from billing.tables import PriceChangeTable, price_for, tier_text
from inventory.foundation.clock import database_now
from inventory.foundation.forms import PortalForm
from inventory.foundation.pages import DetailPage, FormPage, ListPage, find
from inventory.foundation.periods import month_of
from inventory.foundation.permissions import Action, refusal

SPARE_TIERS = 3


class PricePage(DetailPage):
    """One item's price: its tiers now, what held before, and what is to come."""

    template_name = "billing/prices/detail.html"

    def rows(self) -> QuerySet[SkuPrice]:
        """Return the prices in force that the viewer may see."""
        return visible_prices(user=self.viewer, at=database_now())

    def context(self) -> dict[str, Any]:
        """Return the tiers and the history; who manages it may go on to change it."""
        price: SkuPrice = self.object
        manages = price.book.entity_id in managed_issuers(user=self.viewer)
        return {
            "per": price_for(price),
            "is_graduated": price.sku.model == PriceModel.GRADUATED,
            "scope": price.sku.get_tier_scope_display(),
            "tiers": [
                (row, tier_text(row)) for row in tiers_beside(price=price, at=database_now())
            ],
            "history": [(row, tier_text(row)) for row in price_history(price=price)],
            "manages": manages,
            "waiting": managed_price_changes(user=self.viewer).filter(
                sku=price.sku, book=price.book, account=price.account, state=PreparedState.PREPARED
            )
            if manages
            else (),
        }


class ChangePrice(FormPage):
    """Prepare another price of an item, from an instant on."""

    title = _("Change a price")
    template_name = "billing/prices/change.html"
    form_class = PriceChangeForm
    submit = _("Prepare the change")
    done = _("The change is prepared. Somebody else releases it.")
    action = Action.MONEY_MANAGE

    def load(self) -> None:
        """Find the price in force; only who manages the issuer's money may go on."""
        self.now = database_now()
        self.price: SkuPrice = find(
            visible_prices(user=self.viewer, at=self.now), pk=self.kwargs["pk"]
        )
        if self.price.book.entity_id not in managed_issuers(user=self.viewer):
            raise refusal(Action.MONEY_MANAGE)
        self.tiers = list(tiers_beside(price=self.price, at=self.now))
        self.back = reverse("billing:price", args=[self.price.pk])

    def form_arguments(self) -> dict[str, Any]:
        """Give a graduated price some rows more than it has tiers."""
        by_tier = self.price.sku.model == PriceModel.GRADUATED
        return {"by_tier": by_tier, "rows": len(self.tiers) + SPARE_TIERS if by_tier else 1}

    def initial(self) -> dict[str, Any]:
        """Start from the tiers in force."""
        found: dict[str, Any] = {}
        for row, tier in enumerate(self.tiers):
            found[f"lower_{row}"] = plain(tier.tier.lower or Decimal(0))
            found[f"price_{row}"] = plain(tier.unit_price)
            found[f"fee_{row}"] = plain(tier.flat_fee) if tier.flat_fee else None
        return found

    def context(self) -> dict[str, Any]:
        """Return what is changed."""
        return {
            "price": self.price,
            "per": price_for(self.price),
            "tiers": [(row, tier_text(row)) for row in self.tiers],
            "is_graduated": self.price.sku.model == PriceModel.GRADUATED,
            "scope": self.price.sku.get_tier_scope_display(),
        }

    def act(self, form: PortalForm) -> str:
        """Prepare it."""
        assert isinstance(form, PriceChangeForm)
        sent = form.cleaned_data
        change = prepare_price_change(
            book=self.price.book,
            sku=self.price.sku,
            account=self.price.account,
            tiers=tiers_from(form.tiers()),
            from_at=sent["from_at"],
            until=sent["until"],
            reason=sent["reason"],
            corrects=sent["corrects"],
            at=database_now(),
            actor=self.viewer,
        )
        return reverse("billing:price-change", args=[change.pk])


class PriceChanges(ListPage):
    """What was prepared, released or taken back."""

    title = _("Changes of prices")
    subtitle = _("One person prepares another price, somebody else releases it.")
    filterset_class = PriceChangeFilter
    table_class = PriceChangeTable
    action = Action.MONEY_MANAGE
    empty_title = _("No change of a price yet")
    empty_text = _("Open a price and change it from an instant on.")
    empty_icon = "tag"

    def rows(self) -> QuerySet[PriceChange]:
        """Return the changes of the lists that the viewer manages."""
        return managed_price_changes(user=self.viewer)


class PriceChangePage(FormPage):
    """One change: the tiers, what it would have made of the last month, and its release."""

    title = _("Change of a price")
    template_name = "billing/prices/decide.html"
    form_class = DecideForm
    action = Action.MONEY_MANAGE

    def load(self) -> None:
        """Find it among the changes that the viewer manages."""
        self.change: PriceChange = find(
            managed_price_changes(user=self.viewer), pk=self.kwargs["pk"]
        )
        self.back = reverse("billing:price-changes")

    def context(self) -> dict[str, Any]:
        """Return the change and its effect on the last month that the item was charged in."""
        change, sku = self.change, self.change.sku
        tiers = tiers_of(change)
        this_month = month_of(database_now(), change.book.entity.zone)
        month = last_month_charged(sku=sku, before=this_month)
        uppers = [*(tier.lower for tier in tiers[1:]), None]
        effects = (
            effect_of(
                book=change.book,
                sku=sku,
                account=change.account,
                tiers=[
                    Tier(tier.lower, upper, tier.unit_price, tier.flat_fee)
                    for tier, upper in zip(tiers, uppers, strict=True)
                ],
                month=month,
            )
            if month
            else []
        )
        return {
            "change": change,
            "state": PreparedState(change.state),
            "tiers": list(zip(tiers, uppers, strict=True)),
            "month": month,
            "effects": effects,
            "total": sum(effect.difference for effect in effects),
            "is_open": change.state == PreparedState.PREPARED,
            "is_own": change.prepared_by_id == self.viewer.pk,
        }

    def act(self, form: PortalForm) -> str:
        """Release it or take it back."""
        at, actor = database_now(), self.viewer
        if form.cleaned_data["decision"] == "release":
            release_price_change(change=self.change, at=at, actor=actor)
        else:
            withdraw_price_change(change=self.change, at=at, actor=actor)
        return reverse("billing:price-change", args=[self.change.pk])
