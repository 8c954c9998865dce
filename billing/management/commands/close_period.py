"""Close a month of one account, or of all: manage.py close_period 2026-01."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.models import BillingAccount
from billing.services import close_period
from inventory.foundation.choices import Via
from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError
from inventory.foundation.models import User
from inventory.foundation.periods import parse_month
from inventory.foundation.trail import Trail, on_trail


class Command(BaseCommand):
    """Close a month; asked again it names the same documents and closes what failed before."""

    help = "Close a month: rate it, freeze it, and issue its statements and invoices."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the month, and perhaps one account and the person who closes."""
        parser.add_argument("month", help="for example 2026-01")
        parser.add_argument("--account", help="number of the one account to close")
        parser.add_argument(
            "--as", dest="username", help="who closes (needs the role finance); else the system"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        """Close and say what became of each account; fail if one could not be closed."""
        try:
            month = parse_month(options["month"])
            account = _account(options["account"])
            actor = _person(options["username"])
            with on_trail(Trail(via=Via.COMMAND, actor=actor, label="close_period")):
                results = close_period(month=month, at=database_now(), actor=actor, account=account)
        except DomainError as error:
            raise CommandError(error.message) from error
        for result in results:
            if result.error:
                continue
            document = result.invoice
            what = (
                f"{document.number} {document.total} {document.currency}"
                if document
                else ("nothing to charge")
            )
            again = " (was closed before)" if result.was_closed else ""
            self.stdout.write(f"{result.account.code}: {what}{again}")
        failed = [result for result in results if result.error]
        if failed:
            reasons = " ".join(f"{result.account.code}: {result.error}" for result in failed)
            message = f"{len(failed)} of {len(results)} accounts are still open. {reasons}"
            raise CommandError(message)


def _account(code: str | None) -> BillingAccount | None:
    if code is None:
        return None
    found = (
        BillingAccount.objects.select_related("entity", "organisation").filter(code=code).first()
    )
    if found is None:
        known = ", ".join(
            BillingAccount.objects.order_by("code").values_list("code", flat=True)[:5]
        )
        message = f"There is no account {code!r}. Known are: {known or 'none'}."
        raise CommandError(message)
    return found


def _person(username: str | None) -> User | None:
    if username is None:
        return None
    person = User.objects.filter(username=username, is_active=True).first()
    if person is None:
        message = f"There is nobody with the user name {username!r}. Check --as."
        raise CommandError(message)
    return person
