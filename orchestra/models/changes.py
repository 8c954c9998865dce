"""When changes may and may not start."""

from typing import ClassVar

from django.contrib.postgres.fields import DateTimeRangeField
from django.db import models
from django.utils.translation import gettext_lazy as _

from inventory.foundation.models import Organisation, Project, User, plain_text
from inventory.models import Pool


class CalendarEntry(models.Model):
    """A stretch of time for one organisation, project or pool; none named means everywhere."""

    name = models.CharField(_("name"), max_length=120, validators=[plain_text])
    reason = models.CharField(_("reason"), max_length=500, validators=[plain_text])
    during = DateTimeRangeField(_("from and to"))
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="+"
    )
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="+")
    pool = models.ForeignKey(Pool, models.PROTECT, null=True, blank=True, related_name="+")
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Freeze(CalendarEntry):
    """Normal changes do not start now."""

    holds_scaling = models.BooleanField(_("scaling waits too"), default=False)

    class Meta:
        verbose_name = _("freeze")
        verbose_name_plural = _("freezes")


class ChangeWindow(CalendarEntry):
    """Where a window is set for a project or pool, normal changes start only inside one."""

    class Meta:
        verbose_name = _("change window")
        verbose_name_plural = _("change windows")
        indexes: ClassVar = [models.Index(fields=["pool", "project"], name="window_scope_idx")]
