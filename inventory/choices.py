"""The inventory's fixed lists of words, each with its label and badge tone."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ProviderState(TextChoices):
    """Whether a provider takes new work."""

    OPEN = "open", _("Open")
    CORDONED = "cordoned", _("Closed to new")
    DRAINING = "draining", _("Being emptied")
    RETIRED = "retired", _("Retired")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"open": "good", "cordoned": "warn", "draining": "warn", "retired": "muted"}[
            self.value
        ]


class RankingPolicy(TextChoices):
    """The order in which a pool's candidates are tried."""

    FIRST_FIT = "first_fit", _("First that fits")
    PACK = "pack", _("Fill hosts up")
    SPREAD = "spread", _("Spread over hosts")


class AggregateKind(TextChoices):
    """What the members of an aggregate share."""

    RACK = "rack", _("Rack")
    ZONE = "zone", _("Zone")
    POWER = "power", _("Power feed")
    CUSTOM = "custom", _("Group")


class ResourceStatus(TextChoices):
    """Where a resource is in its life; ResourceState keeps when."""

    PLANNED = "planned", _("Planned")
    CREATING = "creating", _("Being made")
    RUNNING = "running", _("Running")
    STOPPED = "stopped", _("Stopped")
    DELETING = "deleting", _("Being removed")
    LEFTOVER = "leftover", _("Left over")
    GONE = "gone", _("Gone")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {
            "planned": "info",
            "creating": "info",
            "running": "good",
            "stopped": "warn",
            "deleting": "info",
            "leftover": "bad",
            "gone": "muted",
        }[self.value]


class AllocationState(TextChoices):
    """The moves of an allocation: reserve, activate, release."""

    RESERVED = "reserved", _("Reserved")
    ACTIVE = "active", _("In use")
    RELEASED = "released", _("Given back")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"reserved": "info", "active": "good", "released": "muted"}[self.value]
