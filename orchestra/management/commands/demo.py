"""`manage.py demo`: load the demo into an empty database, or say who may sign in to it."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError
from orchestra.demo import PASSWORD, PEOPLE, STRANGER, empty_demo, load_demo
from orchestra.demo.calendar import demo_day


class Command(BaseCommand):
    """Load the demo, the same for the same day."""

    help = (
        "Load a believable year into an empty database: a company with 45 projects, 41 paying "
        "accounts, five pools, twelve closed months and an open one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the day that the demo stands on."""
        parser.add_argument("--as-of", metavar="YYYY-MM-DD", help="the demo's day (yesterday)")
        parser.add_argument(
            "--reset",
            action="store_true",
            help="first remove everything from a database that holds the demo",
        )
        parser.add_argument("--logins", action="store_true", help="only print who may sign in")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Load, or print the logins."""
        if options["logins"]:
            self._print_logins()
            return
        try:
            as_of = self._day(options["as_of"])
            if options["reset"]:
                empty_demo()
            report = load_demo(as_of=as_of)
        except DomainError as error:
            raise CommandError(error.message) from error
        months = report.closed_months
        self.stdout.write(
            f"Demo: {report.projects} projects, {report.accounts} paying accounts, "
            f"{report.orders} requests, {report.applications} applications, "
            f"{report.statements} statements; {months[0]:%Y-%m} to {months[-1]:%Y-%m} are closed, "
            f"the last with {report.charged:,.2f} EUR."
        )

    def _print_logins(self) -> None:
        self.stdout.write(f"Sign in with the password {PASSWORD} as")
        for person in (*PEOPLE, STRANGER):
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
