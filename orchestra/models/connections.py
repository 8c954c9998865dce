"""How orchestra reaches the outside world, and who is at work."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from inventory.foundation.models import plain_text, short_name
from inventory.models import Pool
from orchestra.choices import BreakerState


class Connection(models.Model):
    """One configured adapter: its kind, its limit of calls in flight, its breaker."""

    name = models.SlugField(max_length=60, unique=True, validators=[short_name])
    label = models.CharField(max_length=120, validators=[plain_text])
    kind = models.CharField(_("kind"), max_length=40, help_text=_("Key of ORCHESTRA_PROVIDERS."))
    options = models.JSONField(default=dict, blank=True)
    max_inflight = models.PositiveSmallIntegerField(_("calls at once"), default=8)
    breaker = models.CharField(max_length=10, choices=BreakerState, default=BreakerState.CLOSED)
    failures = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True, blank=True)
    probe_after = models.DateTimeField(null=True, blank=True)
    probes = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(max_inflight__gte=1),
                name="connection_inflight_positive",
                violation_error_message=_("At least one call at once."),
            ),
        ]

    def __str__(self) -> str:
        return self.label


class PoolConnection(models.Model):
    """Which connection directs a pool."""

    pool = models.OneToOneField(Pool, models.PROTECT, related_name="connection_link")
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="pool_links")

    class Meta:
        verbose_name = _("connection of a pool")
        verbose_name_plural = _("connections of pools")

    def __str__(self) -> str:
        return f"{self.pool} → {self.connection}"


class WorkerBeat(models.Model):
    """A worker or scheduler that was alive at `seen_at` (database time)."""

    name = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=20)
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = _("sign of life")
        verbose_name_plural = _("signs of life")

    def __str__(self) -> str:
        return self.name
