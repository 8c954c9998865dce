"""`manage.py embedded`: the embedded PostgreSQL alone, for tests and for the supervisor."""

import os
import signal
import subprocess
import sys
import time
from argparse import REMAINDER
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestra import embedded


class Command(BaseCommand):
    """Start, stop or serve the embedded server, or run a command that needs a database."""

    help = "Handle the embedded PostgreSQL server (used when DATABASE_URL is unset)."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one verb, and for `run` the command line."""
        parser.add_argument("verb", choices=["start", "stop", "serve", "run"])
        parser.add_argument("command", nargs=REMAINDER, help="for `run`: the command line")

    def handle(self, *_args: str, **options: Any) -> None:
        """Do what the verb says; `run` ends with the exit code of its command."""
        var = settings.VAR_DIR
        verb, command = options["verb"], options["command"]
        if (verb == "run") != bool(command):
            message = "`run` needs a command line after it; the other verbs take none."
            raise CommandError(message)
        if not embedded.is_used() and verb != "run":
            message = "DATABASE_URL names another server. Unset it to use the embedded one."
            raise CommandError(message)
        try:
            if verb == "run":
                self._run(command)
            elif verb == "serve":
                self._serve()
            elif verb == "start":
                started = embedded.start(var)
                self.stdout.write("Started." if started else "It runs already.")
            else:
                self.stdout.write("Stopped." if embedded.stop(var) else "It was not running.")
        except embedded.EmbeddedServerError as error:
            raise CommandError(str(error)) from error

    def _serve(self) -> None:
        """Become the server; wait first while another command (a test run) has it."""
        while embedded.server_pid(settings.VAR_DIR) is not None:
            time.sleep(0.2)
        command = embedded.prepare(settings.VAR_DIR)
        os.execv(command[0], command)  # noqa: S606 - our own command

    def _run(self, command: list[str]) -> None:
        """Run the command with a database; the server stops again if it was started for this."""
        var = settings.VAR_DIR
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` has its turn
        started = embedded.is_used() and embedded.start(var)
        try:
            code = subprocess.call(command)  # noqa: S603 - what the caller asked for
        finally:
            if started:
                embedded.stop(var)
        raise SystemExit(code)
