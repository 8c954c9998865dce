"""Running applications."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from inventory.foundation.models import Project, User, plain_text, short_name
from inventory.models import Pool, Resource
from orchestra.choices import DeploymentState, Environment
from orchestra.models.catalogue import OfferingVersion


class Deployment(models.Model):
    """One running application made from an offering; it has instances."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="deployments")
    pool = models.ForeignKey(Pool, models.PROTECT, related_name="deployments")
    offering_version = models.ForeignKey(
        OfferingVersion, models.PROTECT, related_name="deployments"
    )
    name = models.SlugField(_("name"), max_length=60, validators=[short_name])
    application = models.CharField(_("application"), max_length=80, validators=[plain_text])
    environment = models.CharField(max_length=12, choices=Environment)
    owner = models.ForeignKey(User, models.PROTECT, related_name="deployments")
    state = models.CharField(
        max_length=10, choices=DeploymentState, default=DeploymentState.PENDING
    )
    parameters = models.JSONField(default=dict)
    instances = models.PositiveIntegerField(_("copies"))
    generation = models.PositiveIntegerField(default=0)
    lease_end_at = models.DateTimeField(_("ends"), null=True, blank=True)
    # What has no end is confirmed anew up to `confirm_by`; it was last at `confirmed_at`.
    confirm_by = models.DateTimeField(_("to be confirmed by"), null=True, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("application")
        verbose_name_plural = _("applications")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=~Q(state__in=["retired", "failed"]),
                name="deployment_name_unique_while_live",
                violation_error_message=_("This project has an application of that name."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        """Say whether it runs, so that it can be changed or given back."""
        return self.state == DeploymentState.LIVE


class DeploymentResource(models.Model):
    """How orchestra points down: which resource is which copy of which component."""

    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="links")
    component = models.CharField(max_length=60)
    index = models.PositiveIntegerField()
    resource = models.OneToOneField(Resource, models.PROTECT, related_name="deployment_link")

    class Meta:
        verbose_name = _("resource of an application")
        verbose_name_plural = _("resources of applications")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["deployment", "component", "index", "resource"],
                name="deployment_resource_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.component}[{self.index}]"
