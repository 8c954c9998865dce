"""`manage.py down`: stop what `up` started, and what a killed start left behind."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from orchestra.management import programs


class Command(BaseCommand):
    """Stop portal, worker, scheduler and the embedded database of this folder."""

    help = "Stop what `up` started."
    requires_system_checks = ()

    def handle(self, *_args: str, **_options: Any) -> None:
        """Stop; nothing to stop is no error."""
        stopped = programs.stop_supervisor(settings.VAR_DIR)
        left = programs.clear_leftovers(settings.VAR_DIR)
        self.stdout.write(
            "Orchestra is stopped." if stopped or left else "Orchestra was not running."
        )
