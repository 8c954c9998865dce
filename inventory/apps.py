"""Django's name for this house."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    """Register the house under its label."""

    name = "inventory"
    label = "inventory"
