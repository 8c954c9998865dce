"""`manage.py work`: take steps without a broker, until stopped or until its parent is gone."""

import os
import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orchestra import engine
from orchestra.bell import silence

REST_SECONDS = 0.02
SWEEP_EVERY_RESTS = 250


class Command(BaseCommand):
    """A worker that looks for itself instead of waiting for the bell."""

    help = (
        "Take steps as a worker does, looking for them instead of waiting for messages. "
        "It ends on SIGTERM, after the step in hand, or when the process that started it is gone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name under which it works."""
        parser.add_argument(
            "--name", default=f"work-{os.getpid()}", help="shown on the health page"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Work until there is a reason to stop."""
        stop = threading.Event()

        def halt(_signal: int, _frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, halt)
        parent, rests = os.getppid(), 0
        with silence():
            while not stop.is_set() and os.getppid() == parent:
                if engine.drain(worker=options["name"]):
                    continue
                stop.wait(REST_SECONDS)
                rests += 1
                if rests % SWEEP_EVERY_RESTS == 0:
                    engine.sweep(worker=options["name"])
