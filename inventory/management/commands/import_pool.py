"""Import a pool's hosts from a CSV file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError
from inventory.foundation.models import Organisation
from inventory.foundation.trail import Trail, on_trail
from inventory.services import import_pool


class Command(BaseCommand):
    """Read hosts and their capacity; all of the file or nothing. Twice is the same as once."""

    help = (
        "Import hosts into a pool from a CSV file: our own (columns name, parent, traits, rack, "
        "sharing and one per kind of capacity, such as VCPU) or the public trace's node list."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--pool", required=True, help="the pool's name; made if it is new")
        parser.add_argument("--organisation", help="short name of who operates a new pool")
        parser.add_argument("--dry-run", action="store_true", help="check and count, write nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import and say what was done; every refusal names its cure."""
        organisation = None
        if options["organisation"]:
            organisation = Organisation.objects.filter(slug=options["organisation"]).first()
            if organisation is None:
                known = ", ".join(
                    Organisation.objects.order_by("slug").values_list("slug", flat=True)
                )
                message = (
                    f"There is no organisation {options['organisation']!r}. "
                    f"Known: {known or 'none yet'}."
                )
                raise CommandError(message)
        with on_trail(Trail(label="import_pool")):
            try:
                report = import_pool(
                    path=options["file"],
                    pool_name=options["pool"],
                    organisation=organisation,
                    at=database_now(),
                    dry_run=options["dry_run"],
                )
            except DomainError as error:
                raise CommandError(error.message) from error
        changed = f"{report.changed} changed, " if report.changed else ""
        done = "Would import into" if options["dry_run"] else "Imported into"
        self.stdout.write(
            f"{done} {report.pool.name}: {report.new} new, {changed}{report.unchanged} unchanged."
        )
