"""`manage.py demo`: load the demo into an empty database, or say who may sign in to it."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError
from orchestra.demo import PASSWORD, PEOPLE, load_demo
from orchestra.demo.load import demo_day


class Command(BaseCommand):
    """Load the demo, the same for the same day."""

    help = "Load one organisation, three projects, a pool and three months into an empty database."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the day that the demo stands on."""
        parser.add_argument("--as-of", metavar="YYYY-MM-DD", help="the demo's day (yesterday)")
        parser.add_argument("--logins", action="store_true", help="only print who may sign in")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Load, or print the logins."""
        if options["logins"]:
            self._print_logins()
            return
        try:
            report = load_demo(as_of=self._day(options["as_of"]))
        except DomainError as error:
            raise CommandError(error.message) from error
        months = " and ".join(f"{month:%Y-%m}" for month in report.closed_months)
        self.stdout.write(
            f"Demo: {report.orders} requests, {report.applications} applications; "
            f"{months} are closed."
        )

    def _print_logins(self) -> None:
        self.stdout.write(f"Sign in with the password {PASSWORD} as")
        for person in PEOPLE:
            self.stdout.write(f"  {person.username:<8} {person.name}: {person.part}")
        self.stdout.write(f"  {'admin':<8} everything, and the console at /admin/")

    def _day(self, text: str | None) -> date:
        if text is None:
            return demo_day(database_now())
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            message = f"{text!r} is not a day. Write it as YYYY-MM-DD, for example 2026-03-14."
            raise CommandError(message) from error
