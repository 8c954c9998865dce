"""The cellar's fixed lists of words, each with its label (and badge tone where it has one)."""

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    """What a principal may do within a scope; the matrix in `permissions.py` says what follows."""

    MEMBER = "member", _("Member")
    OWNER = "owner", _("Owner")
    APPROVER = "approver", _("Approver")
    OPERATOR = "operator", _("Operator")
    FINANCE = "finance", _("Finance")
    AUDITOR = "auditor", _("Auditor")


class Scope(TextChoices):
    """Where a role holds."""

    ORGANISATION = "organisation", _("Organisation")
    PROJECT = "project", _("Project")
    POOL = "pool", _("Pool")


class ProjectStatus(TextChoices):
    """Whether a project may order."""

    ACTIVE = "active", _("Active")
    CLOSED = "closed", _("Closed")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"active": "good", "closed": "muted"}[self.value]


class WishState(TextChoices):
    """Where a request for a project, or for handing one over, is."""

    WAITING = "waiting", _("Waiting for an answer")
    AGREED = "agreed", _("Agreed, takes effect later")
    DONE = "done", _("Done")
    REJECTED = "rejected", _("Rejected")
    WITHDRAWN = "withdrawn", _("Withdrawn")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {
            "waiting": "warn",
            "agreed": "info",
            "done": "good",
            "rejected": "bad",
            "withdrawn": "muted",
        }[self.value]


class TransferKind(TextChoices):
    """What of a project is handed over."""

    OWNER = "owner", _("New owner")
    DEPUTY = "deputy", _("New deputy")
    ORGANISATION = "organisation", _("Other organisation")


class Via(TextChoices):
    """The door through which a write came."""

    PAGE = "page", _("Page")
    API = "api", _("API")
    ADMIN = "admin", _("Admin")
    COMMAND = "command", _("Command line")
    WORKER = "worker", _("Worker")
    RULE = "rule", _("Rule")
    LOOP = "loop", _("Control loop")


class Theme(TextChoices):
    """Which colours a person sees."""

    AUTO = "auto", _("As the device")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class PageSize(IntegerChoices):
    """How many rows of a list a page shows."""

    TWENTY_FIVE = 25, "25"
    FIFTY = 50, "50"
    HUNDRED = 100, "100"


class Density(TextChoices):
    """How close together the rows of a list stand."""

    COMFORTABLE = "comfortable", _("Comfortable")
    COMPACT = "compact", _("Compact")
