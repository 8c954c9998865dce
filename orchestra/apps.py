"""Django's name for this house."""

from django.apps import AppConfig


class OrchestraConfig(AppConfig):
    """Register the house under its label."""

    name = "orchestra"
    label = "orchestra"
