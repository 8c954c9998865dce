"""What was used: immutable quantities, and the keys that decide duplicates."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.choices import (
    UsageOrigin,
)
from billing.models.fields import QuantityField
from billing.models.prices import Meter
from inventory.foundation.models import (
    AppendOnlyModel,
    Project,
)
from inventory.models import Resource


class UsageKey(AppendOnlyModel):
    """Decides duplicates of pushed readings: one row per (source, id)."""

    source = models.CharField(max_length=200)
    event_id = models.CharField(max_length=200)
    payload_sha256 = models.CharField(max_length=64)
    received_at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("usage key")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "event_id"], name="usage_key_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"


class UsageRecord(models.Model):
    """One immutable quantity of one meter. Partitioned by month of `usage_start`; nothing points
    here by foreign key. Migration 0002 makes the real table: its primary key is (id, usage_start).
    """

    meter = models.ForeignKey(Meter, models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, models.PROTECT, related_name="+")
    resource = models.ForeignKey(Resource, models.PROTECT, null=True, related_name="+")
    origin = models.CharField(max_length=12, choices=UsageOrigin)
    origin_id = models.CharField(max_length=200, help_text=_("Allocation, state or event id."))
    usage_start = models.DateTimeField()
    usage_end = models.DateTimeField()
    amount = QuantityField(help_text=_("The level held, or the reading."))
    quantity = QuantityField(help_text=_("In unit-seconds for time-weighted meters."))
    dimensions = models.JSONField(default=dict)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        managed = False
        db_table = "billing_usagerecord"

    def __str__(self) -> str:
        return f"{self.meter_id}: {self.quantity}"
