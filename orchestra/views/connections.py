"""Connections: how the outside world is reached, and whether it answers."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.foundation.pages import ListPage
from inventory.foundation.permissions import Action
from orchestra.filters import ConnectionFilters
from orchestra.models import Connection
from orchestra.selectors.health import connections_seen
from orchestra.tables import ConnectionTable


class Connections(ListPage):
    """The connections of the pools that the viewer operates."""

    title = _("Connections")
    subtitle = _("How each pool is reached, and whether it answers.")
    action = Action.POOL_EDIT
    filterset_class = ConnectionFilters
    table_class = ConnectionTable
    empty_title = _("No connections yet")
    empty_text = _("A connection tells how a pool is reached. Without one it takes no requests.")
    empty_icon = "plug"

    def rows(self) -> QuerySet[Connection]:
        """Return the connections with their calls under way."""
        return connections_seen(self.viewer)
