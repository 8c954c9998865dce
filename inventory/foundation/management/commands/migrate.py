"""`migrate` runs as the owner of the tables, unless told otherwise."""

from django.core.management.base import CommandParser
from django.core.management.commands.migrate import Command as MigrateCommand


class Command(MigrateCommand):
    """Django's command with another default database."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Make `owner` the default of --database."""
        super().add_arguments(parser)
        parser.set_defaults(database="owner")
