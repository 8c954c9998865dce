"""The pages of what is held, and of the limits of it."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from inventory.filters import HeldFilter, QuotaFilter
from inventory.foundation.pages import ListPage
from inventory.models import Allocation, Quota
from inventory.selectors.holdings import visible_allocations, visible_quotas
from inventory.tables import HeldTable, QuotaTable


class Held(ListPage):
    """Who holds how much of what, where and when: also what was given back."""

    title = gettext_lazy("Capacity held")
    subtitle = gettext_lazy("How much of each kind of capacity each resource holds, and when.")
    filterset_class = HeldFilter
    api = "api:held-list"
    table_class = HeldTable
    empty_title = gettext_lazy("Nothing is held yet")
    empty_text = gettext_lazy("Capacity is held from the approval of a request on.")
    empty_icon = "box"

    def rows(self) -> QuerySet[Allocation]:
        """Return the visible amounts."""
        return visible_allocations(self.viewer)


class Quotas(ListPage):
    """The limits that bind the viewer's projects, with what is held of each."""

    title = gettext_lazy("Quotas")
    subtitle = gettext_lazy("The most that projects and organisations may hold at any instant.")
    filterset_class = QuotaFilter
    api = "api:quota-list"
    table_class = QuotaTable
    empty_title = gettext_lazy("No quotas yet")
    empty_text = gettext_lazy("Without a quota the pool's capacity and the budget are the limit.")
    empty_icon = "chart"

    def rows(self) -> QuerySet[Quota]:
        """Return the visible quotas."""
        return visible_quotas(self.viewer)
