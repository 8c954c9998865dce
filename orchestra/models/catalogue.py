"""What may be ordered."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from inventory.foundation.models import Both, plain_text, short_name
from inventory.models import Pool
from orchestra.choices import OfferingStatus


class Offering(models.Model):
    """A service of the catalogue; what it holds stands in its versions."""

    slug = models.SlugField(_("short name"), max_length=60, unique=True, validators=[short_name])
    name = models.CharField(_("name"), max_length=120, validators=[plain_text])
    category = models.CharField(_("category"), max_length=60, validators=[plain_text])
    summary = models.CharField(_("summary"), max_length=300, validators=[plain_text])

    class Meta:
        verbose_name = _("service")
        verbose_name_plural = _("services")

    def __str__(self) -> str:
        return self.name


class OfferingVersion(models.Model):
    """One version of a service; published ones do not change.

    `resources` maps class names to the amount of one instance, for example
    {"VCPU": 4, "MEMORY_MB": 16384}. `parameters` is a JSON Schema (2020-12) of what the requester
    chooses; a property with "x-resource-class" (and "x-factor") adds to the amounts.
    """

    offering = models.ForeignKey(Offering, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("version"))
    status = models.CharField(max_length=10, choices=OfferingStatus, default=OfferingStatus.DRAFT)
    resource_kind = models.CharField(
        _("kind"), max_length=80, help_text=_("What its resources are called on the bill.")
    )
    resources = models.JSONField(_("capacity of one"))
    required_traits = models.JSONField(_("needed properties"), default=list, blank=True)
    parameters = models.JSONField(_("choices"), default=dict, blank=True)
    max_instances = models.PositiveSmallIntegerField(default=50)
    pools = models.ManyToManyField(Pool, related_name="offering_versions")
    minutes_to_deliver = models.PositiveIntegerField(_("usual minutes to deliver"), default=5)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("version of a service")
        verbose_name_plural = _("versions of services")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["offering", "number"], name="offering_version_unique"),
            models.UniqueConstraint(
                fields=["offering"],
                condition=Q(status=OfferingStatus.PUBLISHED),
                name="offering_one_published",
                violation_error_message=_("Another version is offered; withdraw it first."),
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="published_is_frozen",
                operation=pgtrigger.Update,
                condition=Both(
                    ~pgtrigger.Q(old__status="draft"), pgtrigger.AnyChange(exclude=["status"])
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.offering} {self.number}"
