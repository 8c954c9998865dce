"""Look for differences in a closed month and correct it: manage.py correct_period 2026-01."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import pricing
from billing.choices import PeriodState, PreparedState
from billing.models import BillingPeriod, Correction
from billing.selectors.corrections import difference_of
from billing.services import NothingToCorrect, prepare_correction, release_correction
from inventory.foundation.choices import Via
from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError
from inventory.foundation.models import User
from inventory.foundation.periods import parse_month
from inventory.foundation.trail import Trail, on_trail


class Command(BaseCommand):
    """Without a name it only looks: each account's difference, and why one cannot be counted."""

    help = "Compare a closed month with what is known now; prepare or release its correction."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the month, perhaps an account, and who prepares or releases."""
        parser.add_argument("month", help="for example 2026-01")
        parser.add_argument("--account", help="number of the one account to look at")
        parser.add_argument("--prepare-as", help="user name of who prepares (role finance)")
        parser.add_argument("--release-as", help="user name of who releases, somebody else")
        parser.add_argument("--reason", default="", help="needed to prepare")
        parser.add_argument("--lines", action="store_true", help="print each line that differs")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        """Look, prepare or release, account by account."""
        try:
            month = parse_month(options["month"])
        except DomainError as error:
            raise CommandError(error.message) from error
        periods = BillingPeriod.objects.filter(month=month, state=PeriodState.CLOSED)
        if options["account"]:
            periods = periods.filter(account__code=options["account"])
        found = list(
            periods.select_related("account__entity", "account__organisation").order_by(
                "account__code"
            )
        )
        if not found:
            message = f"No account has closed {month:%Y-%m}. Check the month and --account."
            raise CommandError(message)
        if options["prepare_as"] and not options["reason"]:
            message = "Say why with --reason."
            raise CommandError(message)
        failed = 0
        for period in found:
            try:
                self._one(period, options)
            except NothingToCorrect:
                self.stdout.write(f"{period.account.code}: no difference")
            except DomainError as error:
                failed += 1
                self.stderr.write(f"{period.account.code}: {error.message}")
        if failed:
            message = f"{failed} of {len(found)} accounts could not be corrected."
            raise CommandError(message)

    def _one(self, period: BillingPeriod, options: dict[str, Any]) -> None:
        at, code = database_now(), period.account.code
        if not options["prepare_as"] and not options["release_as"]:
            self._look(period, lines=options["lines"])
            return
        if options["prepare_as"]:
            actor = _person(options["prepare_as"])
            with on_trail(Trail(via=Via.COMMAND, actor=actor, label="correct_period")):
                made = prepare_correction(
                    period=period, reason=options["reason"], at=at, actor=actor
                )
            difference = pricing.plain(made.after - made.before)
            self.stdout.write(f"{code}: prepared, {made.lines} lines, {difference}")
        if options["release_as"]:
            actor = _person(options["release_as"])
            waiting = Correction.objects.filter(
                period=period, state=PreparedState.PREPARED
            ).select_related("period__account__organisation")
            for correction in waiting:
                with on_trail(Trail(via=Via.COMMAND, actor=actor, label="correct_period")):
                    done = release_correction(correction=correction, at=at, actor=actor)
                into = done.into.month if done.into else period.month
                self.stdout.write(f"{code}: released into {into:%Y-%m}")

    def _look(self, period: BillingPeriod, *, lines: bool) -> None:
        code, found = period.account.code, difference_of(period=period)
        for failure in found.failures:
            self.stderr.write(f"{code}: {failure}")
        if not found.lines:
            self.stdout.write(f"{code}: no difference")
            return
        self.stdout.write(
            f"{code}: {len(found.lines)} lines, billed {pricing.plain(found.before)}, "
            f"is right {pricing.plain(found.after)}, difference {pricing.plain(found.cost)}"
        )
        for line in found.lines if lines else ():
            self.stdout.write(
                f"  {line.description}: {pricing.plain(line.before)} -> "
                f"{pricing.plain(line.after)} {line.unit}, {pricing.plain(line.cost)}"
            )


def _person(username: str) -> User:
    person = User.objects.filter(username=username, is_active=True).first()
    if person is None:
        message = f"There is nobody with the user name {username!r}."
        raise CommandError(message)
    return person
