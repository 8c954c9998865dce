"""The fixed lists of words of the house of money, each with its label and badge tone."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class AccountKind(TextChoices):
    """What kind of paper an account receives."""

    INTERNAL = "internal", _("Internal: monthly statement")
    INTERCOMPANY = "intercompany", _("Intercompany: invoice")
    EXTERNAL = "external", _("External: invoice with tax")


class AccountMode(TextChoices):
    """Whether the charges are posted or only shown."""

    SHOWBACK = "showback", _("Show only")
    CHARGEBACK = "chargeback", _("Charged")


class Rounding(TextChoices):
    """How a document's amounts are rounded to the minor unit."""

    HALF_UP = "half_up", _("Half up")
    HALF_EVEN = "half_even", _("Half to even")


class MeterSource(TextChoices):
    """Where a meter's quantity comes from."""

    ALLOCATION = "allocation", _("Capacity held over time")
    COUNT = "count", _("Resources of a kind over time")
    STATE = "state", _("Time in a state")
    READING = "reading", _("Readings")


class Aggregation(TextChoices):
    """How readings become a quantity."""

    SUM = "sum", _("Sum")
    COUNT = "count", _("Count")
    MAX = "max", _("Largest")
    LAST = "last", _("Last")
    UNIQUE_COUNT = "unique_count", _("Different values")
    TIME_WEIGHTED = "time_weighted", _("Amount × time")


class PriceModel(TextChoices):
    """How a quantity becomes money (money.md, Rating)."""

    STANDARD = "standard", _("A price per unit")
    GRADUATED = "graduated", _("Each tier at its own price")
    VOLUME = "volume", _("All at the tier reached")
    PACKAGE = "package", _("Per package begun")
    PERCENTAGE = "percentage", _("Per cent of an amount")
    FLAT = "flat", _("Flat fee")
    ONE_TIME = "one_time", _("Once")


class PriceBase(TextChoices):
    """The time that a price is for; nothing for what is not metered over time."""

    HOUR = "hour", _("hour")
    MONTH = "month", _("month")
    NONE = "none", _("unit")


class TierScope(TextChoices):
    """Over what tiers accumulate."""

    ACCOUNT = "account", _("Paying account")
    PROJECT = "project", _("Project")
    RESOURCE = "resource", _("Resource")


class BookStatus(TextChoices):
    """Draft books may change; published ones never do."""

    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("In force")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"draft": "info", "published": "good"}[self.value]


class PreparedState(TextChoices):
    """What one person prepared waits until another releases it, or is taken back."""

    PREPARED = "prepared", _("Waits for release")
    RELEASED = "released", _("Released")
    WITHDRAWN = "withdrawn", _("Taken back")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"prepared": "warn", "released": "good", "withdrawn": "muted"}[self.value]


class UsageOrigin(TextChoices):
    """What a usage record was made from."""

    ALLOCATION = "allocation", _("Capacity held")
    COUNT = "count", _("Resource")
    STATE = "state", _("State")
    READING = "reading", _("Reading")


class ChargeCategory(TextChoices):
    """FOCUS ChargeCategory."""

    USAGE = "Usage", _("Usage")
    PURCHASE = "Purchase", _("Purchase")
    TAX = "Tax", _("Tax")
    CREDIT = "Credit", _("Credit")
    ADJUSTMENT = "Adjustment", _("Adjustment")


class PeriodState(TextChoices):
    """open → closing → closed."""

    OPEN = "open", _("Open")
    CLOSING = "closing", _("Being closed")
    CLOSED = "closed", _("Closed")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {"open": "info", "closing": "warn", "closed": "good"}[self.value]


class InvoiceState(TextChoices):
    """draft → review → issued → disputed → credited; showback ends as issued too."""

    DRAFT = "draft", _("Draft")
    REVIEW = "review", _("In review")
    ISSUED = "issued", _("Issued")
    DISPUTED = "disputed", _("Disputed")
    CREDITED = "credited", _("Credited")

    @property
    def tone(self) -> str:
        """Badge tone on screen."""
        return {
            "draft": "info",
            "review": "warn",
            "issued": "good",
            "disputed": "bad",
            "credited": "muted",
        }[self.value]


class DocumentKind(TextChoices):
    """What the document is called, by the kind of account."""

    STATEMENT = "statement", _("Monthly statement")
    INVOICE = "invoice", _("Invoice")
    CREDIT_NOTE = "credit_note", _("Credit note")


class BudgetAction(TextChoices):
    """What happens to an order that a budget cannot carry."""

    NOTIFY = "notify", _("Tell the owner")
    REQUIRE_APPROVAL = "require_approval", _("Ask for approval")
    BLOCK = "block", _("Refuse")
