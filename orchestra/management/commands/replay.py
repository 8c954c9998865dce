"""`manage.py replay`: drive the requests of a recorded trace into a pool."""

import json
import sys
import time
from argparse import ArgumentTypeError
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inventory.foundation.arguments import whole_number
from inventory.foundation.errors import DomainError
from inventory.models import Pool
from orchestra.replay import Progress, Report, read_trace, replay, report_of
from orchestra.replay.drive import NotReplayed
from orchestra.replay.stage import stage_of

SAY_EVERY_SECONDS = 10


class Command(BaseCommand):
    """Replay a trace; it can be stopped and started again without doubling anything."""

    help = (
        "Drive the requests of a trace through order, plan, approval by rule, run, delivery and "
        "charge, at the times that it records. The last line is one JSON object."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the trace, the pool and the day on which it begins."""
        parser.add_argument("file", type=Path, help="CSV with one request a line")
        parser.add_argument("--pool", required=True, metavar="NAME", help="a pool with hosts in it")
        parser.add_argument(
            "--start",
            type=day,
            default=day("2026-01-01"),
            metavar="YYYY-MM-DD",
            help="the trace's first day, in UTC (2026-01-01)",
        )
        parser.add_argument(
            "--limit", type=whole_number, metavar="N", help="only the first N requests"
        )
        parser.add_argument("--json", action="store_true", help="print nothing but the last line")
        parser.add_argument(
            "--report", action="store_true", help="replay nothing, only read what is there"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Replay and print the figures; every refusal names its cure."""
        self.is_quiet = bool(options["json"])
        self.began = self.said = time.monotonic()
        try:
            report = self._report(options)
        except DomainError as error:
            raise CommandError(error.message) from error
        if not self.is_quiet:
            self._print_table(report)
        self.stdout.write(json.dumps(report.as_dict()))

    def _report(self, options: dict[str, Any]) -> Report:
        pool = self._pool(options["pool"])
        if options["report"]:
            stage = stage_of(pool)
            if stage is None:
                message = f"Nothing was replayed into {pool} yet. Leave out --report."
                raise NotReplayed(message)
            return report_of(stage)
        requests = read_trace(path=options["file"], limit=options["limit"])
        stage = replay(requests=requests, pool=pool, start=options["start"], tell=self._say)
        return report_of(stage)

    def _pool(self, name: str) -> Pool:
        pool = Pool.objects.select_related("organisation").filter(name=name).first()
        if pool is not None:
            return pool
        known = ", ".join(Pool.objects.order_by("name").values_list("name", flat=True)[:10])
        message = (
            f"There is no pool {name!r}. Known: {known or 'none yet'}. "
            f"Make it first: manage.py import_pool HOSTS.csv --pool {name!r}"
        )
        raise NotReplayed(message)

    def _say(self, progress: Progress) -> None:
        now = time.monotonic()
        if self.is_quiet or now - self.said < SAY_EVERY_SECONDS:
            return
        self.said = now
        share = progress.done / progress.events
        left = (now - self.began) * (1 - share) / share
        self.stderr.write(
            f"{progress.at:%Y-%m-%d %H:%M}  {progress.done:,} of {progress.events:,} events, "
            f"about {left / 60:.0f} min left"
        )
        sys.stderr.flush()

    def _print_table(self, report: Report) -> None:
        for name, value in report.as_dict().items():
            said = (
                ", ".join(f"{key}: {each:,}" for key, each in value.items())
                if isinstance(value, dict)
                else value
            )
            self.stdout.write(f"{name:<14} {said}")
        self.stdout.write(f"{'seconds':<14} {time.monotonic() - self.began:.0f}")


def day(text: str) -> datetime:
    """Read a day as its first instant in UTC."""
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is not a day. Write it as YYYY-MM-DD, for example 2026-01-01"
        raise ArgumentTypeError(message) from error
    return datetime(found.year, found.month, found.day, tzinfo=UTC)
