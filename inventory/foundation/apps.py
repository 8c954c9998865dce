"""Django's name for the cellar."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class FoundationConfig(AppConfig):
    """Register the cellar under the label `foundation`."""

    name = "inventory.foundation"
    label = "foundation"

    def ready(self) -> None:
        """Give the application's database role its rights after each migrate."""
        from inventory.foundation.rights import (  # noqa: PLC0415 - models are not ready before
            grant_application_rights,
        )

        post_migrate.connect(grant_application_rights, sender=self)
