"""Write a month to a file: manage.py export_billing 2026-01 --format focus-1.2 --out DIR."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.exports import focus_1_2
from billing.models import BillingAccount
from inventory.foundation.choices import Via
from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError
from inventory.foundation.periods import parse_month
from inventory.foundation.trail import Trail, on_trail

WRITERS = {focus_1_2.FORMAT: focus_1_2.write}


class Command(BaseCommand):
    """Export a month; an open one is marked as open in its manifest."""

    help = "Write a month's charges to a folder, with a manifest that proves the file."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the month, the format, the folder, and perhaps one account."""
        parser.add_argument("month", help="for example 2026-01")
        parser.add_argument("--format", default=focus_1_2.FORMAT, help=", ".join(WRITERS))
        parser.add_argument("--out", required=True, type=Path, help="a folder that exists")
        parser.add_argument("--account", help="number of the one account to export")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        """Export and say what was written."""
        write = WRITERS.get(options["format"])
        if write is None:
            message = f"There is no format {options['format']!r}. Use {' or '.join(WRITERS)}."
            raise CommandError(message)
        account = None
        if options["account"] is not None:
            account = (
                BillingAccount.objects.select_related("organisation")
                .filter(code=options["account"])
                .first()
            )
            if account is None:
                message = f"There is no account {options['account']!r}. Check --account."
                raise CommandError(message)
        try:
            month = parse_month(options["month"])
            with on_trail(Trail(via=Via.COMMAND, label="export_billing")):
                entry = write(
                    month=month, directory=options["out"], at=database_now(), account=account
                )
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(
            f"{options['out'] / entry.name}: {entry.rows} rows, {entry.status}, "
            f"sha256 {entry.sha256}"
        )
