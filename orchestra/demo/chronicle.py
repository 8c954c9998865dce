"""The audit entries, events and log lines of the old times, in the order of time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import models

from inventory.foundation.choices import Via
from inventory.foundation.models import AuditEvent, Event, Project, User
from inventory.foundation.trail import current_trail
from orchestra.models import Run, Step, StepLog

BATCH = 1_000


class Chronicle:
    """Collects what was told, and writes it at the end, oldest first."""

    def __init__(self, *, worker: str) -> None:
        self.worker = worker
        self.audits: list[AuditEvent] = []
        self.events: list[Event] = []
        self.lines: list[StepLog] = []

    def audit(
        self,
        action: str,
        subject: models.Model,
        at: datetime,
        actor: User | None = None,
        *,
        project: Project,
        changes: Mapping[str, Any] | None = None,
        reason: str = "",
        via: Via = Via.COMMAND,
        label: str = "",
    ) -> None:
        """Keep an audit entry, as `record_audit` would write it."""
        trail = current_trail()
        self.audits.append(
            AuditEvent(
                at=at,
                actor=actor,
                actor_label=str(actor) if actor else label or trail.label,
                via=via,
                action=action,
                object_type=subject._meta.label_lower,
                object_id=str(subject.pk),
                object_label=str(subject)[:200],
                project=project,
                organisation=project.organisation,
                changes=dict(changes or {}),
                reason=reason,
                request_id=trail.request_id,
            )
        )

    def event(
        self,
        kind: str,
        subject: models.Model,
        at: datetime,
        *,
        project: Project,
        data: Mapping[str, Any],
        source: str = "/orchestra",
        correlation_id: str = "",
    ) -> None:
        """Keep an event, as `emit_event` would write it."""
        self.events.append(
            Event(
                type=kind,
                source=source,
                subject=f"{subject._meta.model_name}/{subject.pk}",
                time=at,
                project=project,
                data=dict(data),
                correlation_id=correlation_id,
            )
        )

    def log(self, run: Run, at: datetime, message: str, step: Step | None = None) -> None:
        """Keep a line of a run's log, as `tell` would write it."""
        self.lines.append(StepLog(run=run, step=step, at=at, message=message))

    def write(self) -> None:
        """Write everything that was kept."""
        self.audits.sort(key=lambda row: row.at)
        self.events.sort(key=lambda row: row.time)
        self.lines.sort(key=lambda row: row.at)
        AuditEvent.objects.bulk_create(self.audits, batch_size=BATCH)
        Event.objects.bulk_create(self.events, batch_size=BATCH)
        StepLog.objects.bulk_create(self.lines, batch_size=BATCH)
