"""The conductor's fixed lists of words, each with its label and badge tone."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Environment(TextChoices):
    """What an application is for; leases and approvals depend on it."""

    DEVELOPMENT = "development", _("Development")
    TEST = "test", _("Test")
    PRODUCTION = "production", _("Production")


class OfferingStatus(TextChoices):
    """Whether a version of a service may be ordered."""

    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Offered")
    DEPRECATED = "deprecated", _("Withdrawn")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"draft": "info", "published": "good", "deprecated": "muted"}[self.value]


class OrderKind(TextChoices):
    """What an order asks for."""

    CREATE = "create", _("New")
    CHANGE = "change", _("Change")
    SCALE = "scale", _("Scale")
    RETIRE = "retire", _("Give back")


class Alteration(TextChoices):
    """What a change of a running application changes."""

    RESIZE = "resize", _("Resize")
    EXTEND = "extend", _("Extend")
    END = "end", _("End earlier")


class OrderState(TextChoices):
    """engine.md: DRAFT → PLANNED → AWAITING_APPROVAL → APPROVED … → FULFILLED."""

    DRAFT = "draft", _("Draft")
    PLANNED = "planned", _("Planned")
    AWAITING_APPROVAL = "awaiting_approval", _("Waiting for approval")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")
    EXPIRED = "expired", _("Expired")
    FULFILLING = "fulfilling", _("Being delivered")
    FULFILLED = "fulfilled", _("Delivered")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {
            "draft": "muted",
            "planned": "info",
            "awaiting_approval": "warn",
            "approved": "info",
            "rejected": "bad",
            "expired": "muted",
            "fulfilling": "info",
            "fulfilled": "good",
            "failed": "bad",
            "cancelled": "muted",
        }[self.value]


class Decision(TextChoices):
    """An approver's or a rule's answer."""

    APPROVE = "approve", _("Approved")
    REJECT = "reject", _("Rejected")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"approve": "good", "reject": "bad"}[self.value]


class ChangeKind(TextChoices):
    """ITIL 4 change enablement."""

    STANDARD = "standard", _("Pre-approved")
    NORMAL = "normal", _("Needs approval")
    EMERGENCY = "emergency", _("Urgent")


class RunState(TextChoices):
    """SCHEDULED → RUNNING → SUCCEEDED | COMPENSATING → COMPENSATED or CANCELLED."""

    SCHEDULED = "scheduled", _("Waiting to start")
    RUNNING = "running", _("In progress")
    COMPENSATING = "compensating", _("Undoing")
    SUCCEEDED = "succeeded", _("Done")
    COMPENSATED = "compensated", _("Undone")
    CANCELLED = "cancelled", _("Cancelled")
    NEEDS_OPERATOR = "needs_operator", _("Operator needed")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {
            "scheduled": "muted",
            "running": "info",
            "compensating": "warn",
            "succeeded": "good",
            "compensated": "bad",
            "cancelled": "muted",
            "needs_operator": "bad",
        }[self.value]


class DesiredState(TextChoices):
    """What people want of a run that is under way."""

    RUN = "run", _("Go on")
    PAUSE = "pause", _("Pause")
    CANCEL = "cancel", _("Cancel")


class Phase(TextChoices):
    """Whether a step does or undoes."""

    FORWARD = "forward", _("Do")
    UNDO = "undo", _("Undo")


class StepState(TextChoices):
    """BLOCKED → READY → RUNNING → DONE | READY later | UNKNOWN | FAILED | SKIPPED | PARKED."""

    BLOCKED = "blocked", _("Waiting for earlier steps")
    READY = "ready", _("Ready")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    UNKNOWN = "unknown", _("Result not confirmed")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Not needed")
    PARKED = "parked", _("Waiting for a check")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {
            "blocked": "muted",
            "ready": "info",
            "running": "info",
            "done": "good",
            "unknown": "warn",
            "failed": "bad",
            "skipped": "muted",
            "parked": "bad",
        }[self.value]


class AttemptOutcome(TextChoices):
    """How one try of a step ended."""

    DONE = "done", _("Done")
    ADOPTED = "adopted", _("Found done and taken over")
    TRANSIENT = "transient", _("Failed, will be tried again")
    PERMANENT = "permanent", _("Failed")
    UNKNOWN = "unknown", _("Result not confirmed")
    LOST = "lost", _("Worker lost, taken over")
    SKIPPED = "skipped", _("Not offered by the connection")


class DeploymentState(TextChoices):
    """Where an application is in its life."""

    PENDING = "pending", _("Requested")
    LIVE = "live", _("Running")
    RETIRING = "retiring", _("Being given back")
    RETIRED = "retired", _("Given back")
    FAILED = "failed", _("Not delivered")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {
            "pending": "info",
            "live": "good",
            "retiring": "warn",
            "retired": "muted",
            "failed": "bad",
        }[self.value]


class BreakerState(TextChoices):
    """Whether a connection is being called."""

    CLOSED = "closed", _("Working")
    OPEN = "open", _("Not reachable, waiting")
    HALF_OPEN = "half_open", _("Being tried")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"closed": "good", "open": "bad", "half_open": "warn"}[self.value]


class TokenScope(TextChoices):
    """What a program may do with a token; never more than its owner may."""

    READ = "read", _("Read")
    WRITE = "write", _("Read, and place, decide and steer")


class DueKind(TextChoices):
    """What comes to an application at a date."""

    END = "end", _("Ends")
    CONFIRM = "confirm", _("To confirm")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"end": "warn", "confirm": "info"}[self.value]


class NoticeKind(TextChoices):
    """What a notice is about."""

    ENDS_SOON = "ends_soon", _("Ends soon")
    CONFIRM_SOON = "confirm_soon", _("To confirm")
    CONFIRM_OVERDUE = "confirm_overdue", _("Not confirmed")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"ends_soon": "warn", "confirm_soon": "info", "confirm_overdue": "bad"}[self.value]


class MailState(TextChoices):
    """What became of a notice's e-mail. It is claimed before it is handed over: one that a killed
    worker had in its hands stays "sending", because sending it again could send it twice."""

    NONE = "none", _("Not by e-mail")
    WAITING = "waiting", _("Waits to be sent")
    SENDING = "sending", _("Handed over, not confirmed")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Could not be sent")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {
            "none": "muted",
            "waiting": "info",
            "sending": "warn",
            "sent": "good",
            "failed": "bad",
        }[self.value]


class EntryStanding(TextChoices):
    """Whether an entry of the change calendar is ahead, in force or over."""

    AHEAD = "ahead", _("Ahead")
    NOW = "now", _("In force")
    OVER = "over", _("Over")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"ahead": "info", "now": "good", "over": "muted"}[self.value]
