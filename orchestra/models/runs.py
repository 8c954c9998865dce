"""The execution of a plan: the row is the job, the queue is only the bell (engine.md)."""

import uuid
from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from inventory.foundation.models import AppendOnlyModel, User
from inventory.models import Resource
from orchestra.choices import (
    AttemptOutcome,
    ChangeKind,
    DesiredState,
    OrderKind,
    Phase,
    RunState,
    StepState,
)
from orchestra.models.connections import Connection
from orchestra.models.deployments import Deployment
from orchestra.models.orders import Order, Plan


class Run(models.Model):
    """One plan being carried out. `snapshot` and `plan_sha256` never change."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="runs")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="runs")
    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="runs")
    deployment_generation = models.PositiveIntegerField(default=0)
    action = models.CharField(max_length=8, choices=OrderKind)
    change_kind = models.CharField(max_length=10, choices=ChangeKind)
    state = models.CharField(max_length=16, choices=RunState, default=RunState.SCHEDULED)
    desired_state = models.CharField(max_length=8, choices=DesiredState, default=DesiredState.RUN)
    on_failure = models.CharField(max_length=12, default="compensate")
    plan_sha256 = models.CharField(max_length=64)
    snapshot = models.JSONField()
    correlation_id = models.UUIDField(default=uuid.uuid4, unique=True)
    priority = models.SmallIntegerField(default=0)
    effective_at = models.DateTimeField(
        null=True, help_text=_("Business time of a replay or import; empty: the database's.")
    )
    deadline_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    requested_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(on_failure__in=["compensate", "hold"]), name="run_on_failure_known"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["state", "priority", "id"], name="run_state_idx")]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="plan_is_fixed",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("plan", "plan_sha256", "snapshot"),
            ),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}"


class Step(models.Model):
    """One action of a run, or the undoing of one. Leases and timers are database time."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="steps")
    key = models.CharField(max_length=120)
    phase = models.CharField(max_length=8, choices=Phase, default=Phase.FORWARD)
    ordinal = models.PositiveIntegerField()
    component = models.CharField(max_length=60, blank=True)
    index = models.PositiveIntegerField(default=0)
    action = models.CharField(max_length=40)
    action_version = models.PositiveSmallIntegerField(default=1)
    label = models.CharField(max_length=120)
    needs = ArrayField(models.CharField(max_length=120), default=list)
    state = models.CharField(max_length=8, choices=StepState, default=StepState.BLOCKED)
    pending_deps = models.PositiveIntegerField(default=0)
    resource = models.ForeignKey(Resource, models.PROTECT, null=True, related_name="steps")
    connection = models.ForeignKey(Connection, models.PROTECT, null=True, related_name="steps")
    inputs = models.JSONField(default=dict)
    outcome = models.JSONField(default=dict)
    external_ref = models.CharField(max_length=200, blank=True)
    idempotency_key = models.CharField(max_length=160, unique=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=5)
    not_before = models.DateTimeField(null=True)
    lease_owner = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveBigIntegerField(default=0)
    intent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "key", "phase"], name="step_unique"),
            models.CheckConstraint(
                condition=Q(state=StepState.RUNNING, lease_until__isnull=False)
                | (~Q(state=StepState.RUNNING) & Q(lease_until=None)),
                name="step_lease_while_running",
            ),
        ]
        indexes: ClassVar = [
            # The claim's own: as good as all steps have ended, and it must not pass by them.
            models.Index(
                fields=["run", "id"],
                condition=Q(state__in=["ready", "running", "unknown"]),
                name="step_moving_idx",
            ),
            models.Index(
                fields=["lease_until"], condition=Q(state="running"), name="step_lease_idx"
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Attempt(AppendOnlyModel):
    """One try of a step, written when it ended or when its worker was found lost."""

    step = models.ForeignKey(Step, models.PROTECT, related_name="attempts")
    fence = models.PositiveBigIntegerField()
    worker = models.CharField(max_length=120)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=AttemptOutcome)
    error = models.CharField(max_length=500, blank=True)

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("try")
        verbose_name_plural = _("tries")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["step", "fence"], name="attempt_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.step_id}/{self.fence}"


class Effect(AppendOnlyModel):
    """An effect on our own rows that happened with a step's outcome: once for each kind."""

    step = models.ForeignKey(Step, models.PROTECT, related_name="effects")
    phase = models.CharField(max_length=8, choices=Phase)
    kind = models.CharField(max_length=40)
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("effect")
        verbose_name_plural = _("effects")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["step", "phase", "kind"], name="effect_once"),
        ]

    def __str__(self) -> str:
        return f"{self.step_id}: {self.kind}"


class StepLog(AppendOnlyModel):
    """One line of a step's log, numbered within its run."""

    run = models.ForeignKey(Run, models.PROTECT, related_name="log")
    step = models.ForeignKey(Step, models.PROTECT, null=True, related_name="log")
    at = models.DateTimeField()
    level = models.CharField(max_length=8, default="info")
    message = models.CharField(max_length=1000)

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("log line")
        verbose_name_plural = _("log lines")
        indexes: ClassVar = [models.Index(fields=["run", "id"], name="steplog_run_idx")]

    def __str__(self) -> str:
        return self.message
