"""Health: whether everything that must be at work is at work."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from inventory.foundation.pages import PortalPage
from inventory.foundation.permissions import Action
from orchestra.charts import throughput_figure
from orchestra.selectors.health import QUIET, health
from orchestra.selectors.runs import visible_runs
from orchestra.selectors.throughput import throughput


class HealthPage(PortalPage):
    """The state of the machinery, for those who look after pools."""

    title = _("Health")
    subtitle = _("Database, workers, waiting work, events and rules that must always hold.")
    template_name = "orchestra/health/detail.html"
    action = Action.POOL_VIEW
    http_method_names = ["get", "head", "options"]

    def get(self, _request: HttpRequest) -> HttpResponse:
        """Look and tell."""
        found = health()
        waits_long = found.oldest_ready_at is not None and found.at - found.oldest_ready_at > QUIET
        names = {
            "health": found,
            "is_worked": any(beat.is_alive for beat in found.beats),
            "waits_long": waits_long,
            "figure": throughput_figure(
                found=throughput(runs=visible_runs(self.viewer), at=found.at)
            ),
        }
        return self.page(names)
