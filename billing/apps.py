"""Django's name for this house."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Register the house under its label."""

    name = "billing"
    label = "billing"
