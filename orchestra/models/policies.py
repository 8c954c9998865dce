"""What may be ordered without asking, and what not."""

from typing import ClassVar

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.utils.translation import gettext_lazy as _

from inventory.foundation.models import Organisation, Project, User, plain_text, short_name


class Policy(models.Model):
    """A named rule; what it says stands in its versions."""

    slug = models.SlugField(max_length=60, unique=True, validators=[short_name])
    name = models.CharField(max_length=120, validators=[plain_text])
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="+"
    )
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("policy")
        verbose_name_plural = _("policies")

    def __str__(self) -> str:
        return self.name


class PolicyVersion(models.Model):
    """What a policy says over one stretch of time.

    `rule` names a kind and its parameters, for example {"kind": "auto_approve",
    "max_monthly_cost": "250.00", "max_days": 90, "within_budget": true}.
    """

    policy = models.ForeignKey(Policy, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    rule = models.JSONField()
    during = DateTimeRangeField(_("in force"))
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("version of a policy")
        verbose_name_plural = _("versions of policies")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["policy", "number"], name="policy_version_unique"),
            ExclusionConstraint(
                name="policy_version_no_overlap",
                expressions=[
                    ("policy", RangeOperators.EQUAL),
                    ("during", RangeOperators.OVERLAPS),
                ],
                violation_error_message=_("Another version is in force at that time."),
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="rule_is_frozen",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("policy", "number", "rule"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy} {self.number}"
