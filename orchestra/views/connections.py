"""Connections: how the outside world is reached, and whether it answers."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.foundation.pages import DetailPage, ListPage
from inventory.foundation.permissions import Action
from orchestra.choices import AttemptOutcome, BreakerState
from orchestra.filters import ConnectionFilters
from orchestra.models import Connection
from orchestra.selectors.health import connections_seen, failed_calls
from orchestra.tables import ConnectionTable

SHOWN = 20


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


class ConnectionPage(DetailPage):
    """One connection: what it directs, how busy it is, and the calls that failed of late."""

    template_name = "orchestra/connections/detail.html"
    action = Action.POOL_EDIT

    def rows(self) -> QuerySet[Connection]:
        """Return the connections with their calls under way."""
        return connections_seen(self.viewer)

    def context(self) -> dict[str, Any]:
        """Return its state and the newest failures among runs that the viewer sees."""
        return {
            "breaker": BreakerState(self.object.breaker),
            "failed": [
                (one, AttemptOutcome(one.outcome))
                for one in failed_calls(connection=self.object, user=self.viewer)[:SHOWN]
            ],
        }
