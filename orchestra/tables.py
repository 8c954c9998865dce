"""The columns of the lists of requests, approvals, applications and progress."""

from typing import Any

from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from inventory.foundation.tables import (
    BadgeColumn,
    LinkColumn,
    MoneyColumn,
    PortalTable,
    QuantityColumn,
    TextColumn,
    WhenColumn,
    YesColumn,
)
from inventory.foundation.templatetags.portal import when
from orchestra.choices import (
    BreakerState,
    Decision,
    DeploymentState,
    EntryStanding,
    Environment,
    OrderKind,
    OrderState,
    RunState,
)
from orchestra.models import Order
from orchestra.policies import rule_words


class ChoiceColumn(TextColumn):
    """A value of a choices class, as its label."""

    def __init__(self, *args: Any, choices: Any, **kwargs: Any) -> None:
        self.choices = choices
        super().__init__(*args, **kwargs)

    def render(self, value: Any) -> str:
        """Return the label, whether the value or its label came in."""
        return str(dict(self.choices.choices).get(value, value))


class NumberColumn(LinkColumn):
    """The number that people read, R-000012, leading to the row's page."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, accessor="pk", order_by="pk", **kwargs)

    def render(self, record: Any) -> SafeString:
        """Draw the link with the number as its text (django-tables2 hands over what is named)."""
        address = reverse(self.to, args=[record.pk])
        return format_html('<a class="row-link row-number" href="{}">{}</a>', address, record)

    def value(self, **kwargs: Any) -> str:
        """Return the number for the CSV file."""
        return str(kwargs["record"])


class WhatColumn(TextColumn):
    """What a request is about: "Linux M × 3", "Give back: Linux M × 3"."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        service = "offering_version__offering__name"
        super().__init__(*args, accessor=service, order_by=service, **kwargs)

    def render(self, record: Any) -> str:
        """Draw it."""
        return what(record)

    def value(self, **kwargs: Any) -> str:
        """Return it for the CSV file."""
        return what(kwargs["record"])


def what(order: Order) -> str:
    """Return what a request is about, in a few words."""
    word = order.get_alteration_display() or order.get_kind_display()
    kind = "" if order.kind == OrderKind.CREATE else f"{word}: "
    return f"{kind}{order.offering_version.offering.name} × {order.instances}"


class OrderTable(PortalTable):
    """Requests, newest first."""

    caption = _("Requests")
    number = NumberColumn(to="orchestra:request", verbose_name=_("Request"))
    name = TextColumn(verbose_name=_("Name"))
    service = WhatColumn(verbose_name=_("Service"), hide_narrow=True)
    project = TextColumn(accessor="project__name", verbose_name=_("Project"), hide_narrow=True)
    requester = TextColumn(
        order_by="requester__display_name", verbose_name=_("Asked by"), hide_narrow=True
    )
    state = BadgeColumn(choices=OrderState, verbose_name=_("State"))
    created_at = WhenColumn(verbose_name=_("Asked"), style="ago", hide_narrow=True)

    class Meta(PortalTable.Meta):
        order_by = ("-number",)


class InboxTable(PortalTable):
    """What waits for the viewer's decision, oldest first."""

    caption = _("Waiting for your decision")
    number = NumberColumn(to="orchestra:approval", verbose_name=_("Request"))
    name = TextColumn(verbose_name=_("Name"))
    service = WhatColumn(verbose_name=_("Service"), hide_narrow=True)
    project = TextColumn(accessor="project__name", verbose_name=_("Project"), hide_narrow=True)
    requester = TextColumn(order_by="requester__display_name", verbose_name=_("Asked by"))
    plan_monthly = MoneyColumn(currency="plan_currency", verbose_name=_("A month"))
    end_at = WhenColumn(verbose_name=_("Ends"), style="day", hide_narrow=True)
    created_at = WhenColumn(verbose_name=_("Waits since"), style="ago")

    class Meta(PortalTable.Meta):
        order_by = ("created_at",)


class DeploymentTable(PortalTable):
    """Applications, newest first."""

    caption = _("Applications")
    name = LinkColumn(to="orchestra:application", verbose_name=_("Name"))
    application = TextColumn(verbose_name=_("Belongs to"), hide_narrow=True)
    service = TextColumn(
        accessor="offering_version__offering__name", verbose_name=_("Service"), hide_narrow=True
    )
    project = TextColumn(accessor="project__name", verbose_name=_("Project"))
    environment = ChoiceColumn(choices=Environment, verbose_name=_("Environment"), hide_narrow=True)
    copies = QuantityColumn(verbose_name=_("Copies"), adds_up=True)
    lease_end_at = WhenColumn(verbose_name=_("Ends"), style="day")
    state = BadgeColumn(choices=DeploymentState, verbose_name=_("State"))

    class Meta(PortalTable.Meta):
        order_by = ("name",)


class ReadColumn(TextColumn):
    """When a notice was read; for one that was not, the button that says so."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, empty_values=(), **kwargs)

    def render(self, record: Any, table: Any) -> SafeString:
        """Draw it."""
        if record.read_at is not None:
            return when(record.read_at, "ago")
        return format_html(
            '<form method="post" action="{}"><input type="hidden" name="csrfmiddlewaretoken"'
            ' value="{}"><button class="btn btn-sm" type="submit">{}'
            '<span class="visually-hidden">: {}</span></button></form>',
            reverse("orchestra:notice-read", args=[record.pk]),
            get_token(table.request),
            _("Mark as read"),
            record.text,
        )

    def value(self, **kwargs: Any) -> Any:
        """Return the time for the CSV file."""
        return kwargs["record"].read_at


class NoticeLinkColumn(TextColumn):
    """A notice's text, leading to what it is about."""

    def render(self, value: Any, record: Any) -> SafeString | str:
        """Draw it."""
        if not record.link:
            return str(value)
        return format_html('<a class="row-link" href="{}">{}</a>', record.link, value)


class NoticeTable(PortalTable):
    """What a person was told, newest first."""

    caption = _("Notices")
    text = NoticeLinkColumn(verbose_name=_("Notice"), orderable=False)
    kind = BadgeColumn(verbose_name=_("About"), hide_narrow=True)
    project = TextColumn(accessor="project__name", verbose_name=_("Project"), hide_narrow=True)
    created_at = WhenColumn(verbose_name=_("Told"), style="ago", hide_narrow=True)
    mail_state = BadgeColumn(verbose_name=_("E-mail"), hide_narrow=True)
    read_at = ReadColumn(verbose_name=_("Read"))

    class Meta(PortalTable.Meta):
        order_by = ("-created_at",)


class RunTable(PortalTable):
    """Progress of requests, newest first."""

    caption = _("Progress")
    number = LinkColumn(
        to="orchestra:run", accessor="pk", order_by="pk", verbose_name=_("Progress")
    )
    deployment = TextColumn(
        accessor="deployment__name", order_by="deployment__name", verbose_name=_("Application")
    )
    project = TextColumn(
        accessor="order__project__name", verbose_name=_("Project"), hide_narrow=True
    )
    action = ChoiceColumn(choices=OrderKind, verbose_name=_("Kind"))
    requested_by = TextColumn(
        order_by="requested_by__display_name", verbose_name=_("Asked by"), hide_narrow=True
    )
    created_at = WhenColumn(verbose_name=_("Started"), style="ago")
    finished_at = WhenColumn(verbose_name=_("Ended"), style="ago", hide_narrow=True)
    state = BadgeColumn(choices=RunState, verbose_name=_("State"))

    class Meta(PortalTable.Meta):
        order_by = ("-number",)


class PoolLinksColumn(TextColumn):
    """The pools that a connection directs, each a link."""

    def render(self, value: Any) -> SafeString:
        """Draw the links."""
        return format_html_join(
            ", ",
            '<a href="{}">{}</a>',
            ((reverse("inventory:pool", args=[link.pool.slug]), link.pool) for link in value),
        )

    def value(self, **kwargs: Any) -> str:
        """Return the names for the file."""
        return ", ".join(str(link.pool) for link in kwargs["value"])


class ConnectionTable(PortalTable):
    """How the outside world is reached."""

    caption = _("Connections")
    label = LinkColumn(to="orchestra:connection", verbose_name=_("Connection"))
    kind = TextColumn(verbose_name=_("Kind"), hide_narrow=True)
    shown_links = PoolLinksColumn(verbose_name=_("Directs"), orderable=False)
    inflight = QuantityColumn(verbose_name=_("Calls under way"), adds_up=True)
    max_inflight = QuantityColumn(verbose_name=_("At most"), hide_narrow=True)
    failures = QuantityColumn(verbose_name=_("Failures in a row"))
    breaker = BadgeColumn(choices=BreakerState, verbose_name=_("State"))
    probe_after = WhenColumn(verbose_name=_("Tried again"), style="ago", visible=False)

    class Meta(PortalTable.Meta):
        order_by = ("label",)


class PlaceColumn(TextColumn):
    """Where something holds; nothing named is everywhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, empty_values=(), verbose_name=_("Holds for"), **kwargs)

    def render(self, value: str | None) -> str:
        """Write the name."""
        return value or str(_("everywhere"))

    def value(self, **kwargs: Any) -> str:
        """Write it into the file."""
        return kwargs["value"] or str(_("everywhere"))


class StandingColumn(BadgeColumn):
    """Whether an entry is ahead, in force or over: no field of a model, so it has words here."""

    def __init__(self) -> None:
        super().__init__(choices=EntryStanding, verbose_name=_("Standing"))

    def value(self, **kwargs: Any) -> str:
        """Write the word into the file."""
        return str(EntryStanding(kwargs["value"]).label)


class EntryTable(PortalTable):
    """What freezes and change windows show alike; each names its own page."""

    name: Any
    place = PlaceColumn()
    start_at = WhenColumn(verbose_name=_("From"))
    end_at = WhenColumn(verbose_name=_("To"))
    reason = TextColumn(verbose_name=_("Reason"), hide_narrow=True)
    created_by = TextColumn(
        verbose_name=_("Set by"), order_by=("created_by__display_name",), visible=False
    )
    standing = StandingColumn()

    class Meta(PortalTable.Meta):
        order_by = ("-end_at",)


class FreezeTable(EntryTable):
    """Freezes: what has no end first, then the latest."""

    caption = _("Freezes")
    name = LinkColumn(to="orchestra:freeze", verbose_name=_("Freeze"))
    holds_scaling = YesColumn(verbose_name=_("Scaling waits too"), hide_narrow=True)

    class Meta(EntryTable.Meta):
        sequence = ("name", "...", "standing")


class WindowTable(EntryTable):
    """Change windows: what has no end first, then the latest."""

    caption = _("Change windows")
    name = LinkColumn(to="orchestra:window", verbose_name=_("Change window"))

    class Meta(EntryTable.Meta):
        sequence = ("name", "...")


class SaysColumn(TextColumn):
    """What a rule lets pass, in words; the file has the same."""

    def render(self, value: Any) -> str:
        """Write the words."""
        return rule_words(value)

    def value(self, **kwargs: Any) -> str:
        """Write them into the file."""
        return rule_words(kwargs["value"])


class RuleTable(PortalTable):
    """What rules said, the latest first."""

    caption = _("Rules")
    policy = TextColumn(order_by=("policy__name",), verbose_name=_("Rule"))
    number = QuantityColumn(verbose_name=_("Version"), hide_narrow=True)
    place = PlaceColumn()
    says = SaysColumn(accessor="rule", orderable=False, verbose_name=_("Lets pass"))
    start_at = WhenColumn(verbose_name=_("From"), style="day", hide_narrow=True)
    end_at = WhenColumn(verbose_name=_("To"), style="day", hide_narrow=True)
    created_by = TextColumn(
        verbose_name=_("Set by"), order_by=("created_by__display_name",), hide_narrow=True
    )
    standing = StandingColumn()

    class Meta(PortalTable.Meta):
        order_by = ("-start_at",)


class DecisionTable(PortalTable):
    """Who or which rule decided what, the latest first."""

    caption = _("Decisions")
    order = LinkColumn(
        to="orchestra:request",
        accessor="plan__order",
        pick=lambda record: record.plan.order_id,
        order_by=("plan__order_id",),
        verbose_name=_("Request"),
    )
    name = TextColumn(accessor="plan__order__name", verbose_name=_("Name"), hide_narrow=True)
    project = TextColumn(
        accessor="plan__order__project__name", verbose_name=_("Project"), hide_narrow=True
    )
    decision = ChoiceColumn(choices=Decision, verbose_name=_("Decision"))
    decider = TextColumn(verbose_name=_("Decided by"))
    reason = TextColumn(verbose_name=_("Reason"), hide_narrow=True)
    monthly = MoneyColumn(
        accessor="plan__monthly_cost",
        currency="plan__currency",
        adds_up=False,
        verbose_name=_("A month"),
    )
    decided_at = WhenColumn(verbose_name=_("Decided"))

    class Meta(PortalTable.Meta):
        order_by = ("-decided_at",)


class ServiceTable(PortalTable):
    """The services of the catalogue, as a file."""

    caption = _("Services")
    name = TextColumn(accessor="offering__name", verbose_name=_("Service"))
    slug = TextColumn(accessor="offering__slug", verbose_name=_("Short name"))
    category = TextColumn(accessor="offering__category", verbose_name=_("Category"))
    summary = TextColumn(accessor="offering__summary", verbose_name=_("Summary"))
    number = QuantityColumn(verbose_name=_("Version"))
    resource_kind = TextColumn(verbose_name=_("On the bill"))
    resources = TextColumn(orderable=False, verbose_name=_("Capacity of one"))
    minutes_to_deliver = QuantityColumn(verbose_name=_("Usual minutes to deliver"))
    orderable = TextColumn(orderable=False, verbose_name=_("From pools"))
    published_at = WhenColumn(verbose_name=_("Offered since"))

    def value_resources(self, value: dict[str, int]) -> str:
        """Write each kind with its amount."""
        return "; ".join(f"{name}: {amount}" for name, amount in sorted(value.items()))

    def value_orderable(self, value: Any) -> str:
        """Write the pools' names."""
        return ", ".join(pool.name for pool in value)
