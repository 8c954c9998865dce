"""Connections: how the outside world is reached, and whether it answers."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from inventory.foundation.clock import database_now
from inventory.foundation.pages import PortalPage
from inventory.foundation.permissions import Action
from orchestra.choices import BreakerState
from orchestra.selectors.health import connections_seen


class Connections(PortalPage):
    """The connections of the pools that the viewer operates."""

    title = _("Connections")
    subtitle = _("How each pool is reached, and whether it answers.")
    template_name = "orchestra/connections/list.html"
    action = Action.POOL_EDIT
    http_method_names = ["get", "head", "options"]

    def get(self, _request: HttpRequest) -> HttpResponse:
        """Draw the connections."""
        rows: list[Any] = [
            (connection, BreakerState(connection.breaker))
            for connection in connections_seen(self.viewer)
        ]
        return self.page({"rows": rows, "now": database_now()})
