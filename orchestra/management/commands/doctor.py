"""`manage.py doctor`: say in one line each what is well and what stands in the way."""

from typing import Any

from django.core.management.base import BaseCommand

from orchestra.management import checks


class Command(BaseCommand):
    """Read, report, change nothing; exit with 1 when something needs a hand."""

    help = "Check everything that a start needs and what runs."
    requires_system_checks = ()

    def handle(self, *_args: str, **_options: Any) -> None:
        """Print the findings."""
        findings = [*checks.before_start(), *checks.of_tables(), *checks.after_start()]
        for finding in findings:
            word = self.style.SUCCESS("OK     ") if finding.is_well else self.style.ERROR("PROBLEM")
            self.stdout.write(f"{word} {finding.subject}: {finding.message}")
        if not all(finding.is_well for finding in findings):
            raise SystemExit(1)
