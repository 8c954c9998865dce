"""What happened lately, and since when something waits: from the audit trail and the outbox."""

from datetime import datetime

from django.db.models import Model, Q, QuerySet

from inventory.foundation.models import AuditEvent, Event, Project, User
from inventory.foundation.permissions import Action, projects_where
from orchestra.models import Order


def history_of(subject: Model) -> QuerySet[AuditEvent]:
    """Return who changed the thing, oldest first."""
    return (
        AuditEvent.objects.filter(object_type=subject._meta.label_lower, object_id=str(subject.pk))
        .select_related("actor")
        .order_by("pk")
    )


def project_history(project: Project) -> QuerySet[AuditEvent]:
    """Return what happened to the project and to what belongs to it, newest first."""
    return AuditEvent.objects.filter(project=project).select_related("actor").order_by("-pk")


def waiting_since(order: Order) -> datetime | None:
    """Return when a request was last sent to its approvers; None if it never was."""
    return (
        history_of(order)
        .filter(action="order.submit")
        .order_by("-pk")
        .values_list("at", flat=True)
        .first()
    )


def latest_changes(user: User) -> QuerySet[Event]:
    """Return what requests and progress did in the projects that the person sees, newest first."""
    return (
        Event.objects.filter(
            Q(type__startswith="orchestra.order.") | Q(type__startswith="orchestra.run."),
            project__in=projects_where(user, Action.PROJECT_VIEW),
        )
        .select_related("project")
        .order_by("-pk")
    )
