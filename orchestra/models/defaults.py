"""How long applications last, and when people hear of their end, where nobody says."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from inventory.foundation.defaults import DefaultsVersion

LONGEST_LEASE_DAYS = 3650
EARLIEST_WARNING_DAYS = 365


class LeaseDefaults(DefaultsVersion):
    """The terms of applications in the organisation's projects.

    Test and development end after `lease_days`; what has no end is confirmed anew every
    `confirm_months`; people are warned `warning_days` before either. `stop_first`: what ends is
    stopped before it is deleted.
    """

    BUILT_IN: ClassVar[Mapping[str, Any]] = {
        "lease_days": 90,
        "confirm_months": 12,
        "warning_days": [30, 7, 1],
        "stop_first": True,
    }

    lease_days = models.PositiveSmallIntegerField(
        _("test and development end after"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_LEASE_DAYS)],
    )
    confirm_months = models.PositiveSmallIntegerField(
        _("what has no end is confirmed every"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(60)],
    )
    warning_days = ArrayField(
        models.PositiveSmallIntegerField(
            validators=[MinValueValidator(1), MaxValueValidator(EARLIEST_WARNING_DAYS)]
        ),
        size=10,
        verbose_name=_("warnings before"),
        null=True,
        blank=True,
    )
    stop_first = models.BooleanField(_("stop before deleting"), null=True, blank=True)

    class Meta(DefaultsVersion.Meta):
        verbose_name = _("default of terms")
        verbose_name_plural = _("defaults of terms")
        constraints: ClassVar = [
            *DefaultsVersion.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(warning_days=None) | models.Q(warning_days__len__gt=0),
                name="leasedefaults_warns",
                violation_error_message=_("Name at least one day, for example 30, 7, 1."),
            ),
        ]
