"""`manage.py sweep`: one sweep by hand, for a broker that is down or a machine without workers."""

import os
import socket
from typing import Any

from django.core.management.base import BaseCommand

from orchestra import engine


class Command(BaseCommand):
    """Do what the sweeper does, once."""

    help = "Undo overdue runs, give back unused reservations, and do every step that is ready."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Sweep and say what was done."""
        report = engine.sweep(worker=f"{socket.gethostname()}:{os.getpid()}")
        self.stdout.write(
            f"{report.steps} steps done, {report.overdue} runs past their deadline, "
            f"{report.expired} reservations given back."
        )
