"""Prices: what is in force now, for whom, and since when."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from billing.filters import PriceFilter
from billing.models import SkuPrice
from billing.selectors.price_lists import visible_prices
from billing.tables import PriceTable
from inventory.foundation.clock import database_now
from inventory.foundation.pages import ListPage


class Prices(ListPage):
    """The prices that hold now for the viewer's organisations."""

    title = _("Prices")
    subtitle = _("The price lists in force. ≈ spreads a price over the hours of this month.")
    filterset_class = PriceFilter
    api = "api:sku-price-list"
    sees = None  # the price lists of one's organisations, whatever one's roles
    table_class = PriceTable
    empty_title = _("No prices yet")
    empty_text = _("Finance publishes a price list: prepared by one person, released by another.")
    empty_icon = "tag"

    def rows(self) -> QuerySet[SkuPrice]:
        """Return the prices in force now."""
        return visible_prices(user=self.viewer, at=database_now())
