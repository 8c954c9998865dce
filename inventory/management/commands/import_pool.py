"""Import a pool's hosts from a CSV file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inventory.foundation.arguments import whole_number
from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError
from inventory.foundation.models import Organisation
from inventory.foundation.services import found_organisation
from inventory.foundation.trail import Trail, on_trail
from inventory.services import Pick, import_pool


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
        parser.add_argument(
            "--organisation",
            metavar="SLUG",
            help="short name of who operates a new pool; the first one is made",
        )
        parser.add_argument("--gpu-only", action="store_true", help="only hosts that have GPUs")
        parser.add_argument(
            "--every",
            type=whole_number,
            default=1,
            metavar="K",
            help="only every K-th of those hosts",
        )
        parser.add_argument("--limit", type=whole_number, metavar="N", help="at most N hosts")
        parser.add_argument("--dry-run", action="store_true", help="check and count, write nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import and say what was done; every refusal names its cure."""
        with on_trail(Trail(label="import_pool")):
            try:
                organisation = self._organisation(options["organisation"])
                report = import_pool(
                    path=options["file"],
                    pool_name=options["pool"],
                    organisation=organisation,
                    at=database_now(),
                    dry_run=options["dry_run"],
                    pick=Pick(options["gpu_only"], options["every"], options["limit"]),
                )
            except DomainError as error:
                raise CommandError(error.message) from error
        changed = f"{report.changed} changed, " if report.changed else ""
        done = "Would import into" if options["dry_run"] else "Imported into"
        self.stdout.write(
            f"{done} {report.pool.name}: {report.new} new, {changed}{report.unchanged} unchanged."
        )

    def _organisation(self, slug: str | None) -> Organisation | None:
        """Return the named organisation, or the only one.

        An installation without any gets the named one as its first.
        """
        if slug is None:
            organisations = list(Organisation.objects.all()[:2])
            return organisations[0] if len(organisations) == 1 else None
        organisation = Organisation.objects.filter(slug=slug).first()
        if organisation is not None:
            return organisation
        known = ", ".join(Organisation.objects.order_by("slug").values_list("slug", flat=True))
        if known:
            message = f"There is no organisation {slug!r}. Known: {known}."
            raise CommandError(message)
        return found_organisation(slug=slug, name=slug.capitalize(), at=database_now())
