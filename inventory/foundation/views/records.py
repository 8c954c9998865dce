"""What happened: the audit trail, and the events told to other systems."""

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.foundation import selectors
from inventory.foundation.filters import AuditFilters, EventFilters
from inventory.foundation.models import AuditEvent, Event
from inventory.foundation.pages import DetailPage, ListPage
from inventory.foundation.permissions import Action
from inventory.foundation.tables import AuditTable, EventTable


class AuditList(ListPage):
    """Who changed what, through which door."""

    title = _("Audit trail")
    subtitle = _("Who changed what, when and through which door. Entries cannot be changed.")
    action = Action.AUDIT_VIEW
    filterset_class = AuditFilters
    api = "api:audit-list"
    table_class = AuditTable
    empty_title = _("Nothing has been changed yet")
    empty_icon = "shield"

    def rows(self) -> QuerySet[AuditEvent]:
        """Return the visible entries."""
        return selectors.visible_audit(self.viewer)


class AuditPage(DetailPage):
    """One audit entry with its field changes."""

    title = _("Audit entry")
    template_name = "foundation/audit/detail.html"
    action = Action.AUDIT_VIEW

    def rows(self) -> QuerySet[AuditEvent]:
        """Return the visible entries."""
        return selectors.visible_audit(self.viewer).select_related("seal")


class EventList(ListPage):
    """What other systems are told."""

    title = _("Events")
    subtitle = _("What other systems are told, as CloudEvents, in order.")
    action = Action.AUDIT_VIEW
    filterset_class = EventFilters
    api = "api:event-list"
    table_class = EventTable
    empty_title = _("No events yet")
    empty_icon = "bell"

    def rows(self) -> QuerySet[Event]:
        """Return the visible events."""
        return selectors.visible_events(self.viewer)


class EventPage(DetailPage):
    """One event with its data."""

    title = _("Event")
    template_name = "foundation/events/detail.html"
    action = Action.AUDIT_VIEW

    def rows(self) -> QuerySet[Event]:
        """Return the visible events."""
        return selectors.visible_events(self.viewer)
