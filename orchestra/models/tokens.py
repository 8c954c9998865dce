"""Keys for the API."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken

from inventory.foundation.models import Project, plain_text


class ApiToken(AbstractAuthToken):
    """A person's key for programs: named, limited, expiring, shown once."""

    name = models.CharField(max_length=80, validators=[plain_text])
    scopes = models.JSONField(default=list)
    project = models.ForeignKey(Project, models.CASCADE, null=True, blank=True, related_name="+")
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return self.name
