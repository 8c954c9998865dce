"""What is counted and at which price, to read."""

from django.db.models import QuerySet

from billing.api.base import ReadEndpoint
from billing.filters import BookFilter, MeterFilter, PriceFilter, SkuFilter
from billing.models import Meter, PriceBook, SkuPrice
from billing.models import Sku as PriceItem
from billing.selectors.price_lists import visible_prices
from billing.selectors.visibility import visible_books, visible_meters, visible_skus
from billing.serializers import (
    MeterSerializer,
    PriceBookSerializer,
    SkuPriceSerializer,
    SkuSerializer,
)
from inventory.foundation.clock import database_now


class MeterEndpoint(ReadEndpoint):
    """What is counted for the items that have a price for the caller."""

    queryset = Meter.objects.none()
    serializer_class = MeterSerializer
    filterset_class = MeterFilter

    def visible(self) -> QuerySet[Meter]:
        """Return the visible meters."""
        return visible_meters(user=self.request.user, at=database_now())  # type: ignore[arg-type]


class SkuEndpoint(ReadEndpoint):
    """The items that have a price for the caller now."""

    queryset = PriceItem.objects.none()
    serializer_class = SkuSerializer
    filterset_class = SkuFilter

    def visible(self) -> QuerySet[PriceItem]:
        """Return the visible items with their properties, in two queries."""
        rows = visible_skus(user=self.request.user, at=database_now())  # type: ignore[arg-type]
        return rows.prefetch_related("traits")


class PriceBookEndpoint(ReadEndpoint):
    """The price lists that hold a price for the caller now."""

    queryset = PriceBook.objects.none()
    serializer_class = PriceBookSerializer
    filterset_class = BookFilter

    def visible(self) -> QuerySet[PriceBook]:
        """Return the visible lists."""
        return visible_books(user=self.request.user, at=database_now())  # type: ignore[arg-type]


class PriceEndpoint(ReadEndpoint):
    """The prices in force that may concern the caller, one row a tier."""

    queryset = SkuPrice.objects.none()
    serializer_class = SkuPriceSerializer
    filterset_class = PriceFilter

    def visible(self) -> QuerySet[SkuPrice]:
        """Return the visible prices."""
        return visible_prices(user=self.request.user, at=database_now())  # type: ignore[arg-type]
