"""Random ledgers: late, moved, resized, repriced, closed; in the end what one rating says."""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import pricing
from billing.choices import PeriodState
from billing.models import BillingPeriod, Invoice, Sku
from billing.selectors import reconcile
from billing.selectors.corrections import difference_of
from billing.selectors.slices import slices_of
from billing.services import (
    NewTier,
    NothingToCorrect,
    change_price,
    close_period,
    correct_period,
    record_usage,
)
from inventory.foundation.models import Project, User
from inventory.foundation.periods import next_month
from inventory.models import Resource, ResourceProvider
from tests.billing.test_tiers import LADDER, graduated
from tests.billing.world import Money, berlin, make_machine, make_reading_meter

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
START = berlin(2026, 1, 12, 9)
AFTER = berlin(2026, 2, 3, 10)
LATER = berlin(2026, 2, 10)
VALIDATOR = Path(__file__).parents[3] / "shared" / "tools" / "focus_1_2.sh"


@dataclass
class Ledger:
    """A random story: what happens while months are closed, and how it ends."""

    money: Money
    project: Project
    host: ResourceProvider
    finance: User
    second: User
    dice: random.Random
    traffic: Sku
    machines: list[Resource] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    now: datetime = START
    month: date = JANUARY

    def machine(self) -> None:
        """Deliver a machine some time in the past, perhaps in a closed month."""
        start = berlin(2026, 1, 1) + timedelta(seconds=self.dice.randrange(80 * 86_400))
        length = timedelta(seconds=self.dice.randrange(1, 80 * 86_400))
        self.machines.append(
            make_machine(
                project=self.project,
                host=self.host,
                name=f"m-{len(self.machines)}",
                start=start,
                end=min(start + length, berlin(2026, 4, 1)),
                disk=self.dice.randrange(1, 3_000),
            )
        )

    def other_times(self) -> None:
        """Let it turn out that a machine started or ended at another time."""
        if not self.machines:
            return
        machine = self.dice.choice(self.machines)
        moved = timedelta(seconds=self.dice.randrange(-20 * 86_400, 20 * 86_400))
        start, ended = machine.delivered_at, machine.ended_at
        assert start is not None
        assert ended is not None
        if self.dice.random() < 0.5:
            start = max(berlin(2026, 1, 1), min(start + moved, ended - timedelta(seconds=1)))
        else:
            ended = min(max(ended + moved, start + timedelta(seconds=1)), berlin(2026, 4, 1))
        machine.delivered_at, machine.ended_at = start, ended
        machine.save()
        machine.allocations.update(active_from=start, active_to=ended)

    def resize(self) -> None:
        """Close an allocation of storage at an instant and open a larger or smaller one."""
        if not self.machines:
            return
        machine = self.dice.choice(self.machines)
        held = machine.allocations.filter(
            resource_class__name="DISK_GB", active_to=machine.ended_at
        ).first()
        if held is None or machine.ended_at - held.active_from < timedelta(seconds=2):
            return
        span = int((machine.ended_at - held.active_from).total_seconds())
        at = held.active_from + timedelta(seconds=self.dice.randrange(1, span))
        held.active_to = at
        held.save()
        held.pk, held.active_from, held.active_to = None, at, machine.ended_at
        held.amount = self.dice.randrange(1, 3_000)
        held._state.adding = True
        held.save()

    def reading(self) -> None:
        """Send a reading in time, late, twice or out of order."""
        if self.sent and self.dice.random() < 0.3:
            event = self.dice.choice(self.sent)
        else:
            span = int((self.now - berlin(2026, 1, 1)).total_seconds())
            start = berlin(2026, 1, 1) + timedelta(seconds=self.dice.randrange(span))
            event = {
                "source": "//router",
                "id": str(len(self.sent)),
                "data": {
                    "meter": "traffic",
                    "project": self.project.pk,
                    "start": start.isoformat(),
                    "end": start.isoformat(),
                    "amount": f"{self.dice.randrange(1, 10**9)}e-6",
                },
            }
            event["data"]["amount"] = str(Decimal(event["data"]["amount"]))
            self.sent.append(event)
        (found,) = record_usage(events=[event], at=self.now)
        assert found.verdict in {"recorded", "late", "duplicate"}, found.message

    def price(self) -> None:
        """Change a price from now on, or correct one in the past."""
        sku = self.dice.choice([self.money.machine, self.money.storage, self.traffic])
        corrects = self.dice.random() < 0.5
        first = self.month if not corrects else JANUARY
        from_at = berlin(first.year, first.month, 1) + timedelta(
            seconds=self.dice.randrange(1, 50 * 86_400)
        )
        until = from_at + timedelta(days=self.dice.randrange(1, 30)) if corrects else None
        lowers = sorted({0, *(self.dice.randrange(1, 900) for _ in range(2))})
        change_price(
            book=self.money.book,
            sku=sku,
            tiers=[
                NewTier(
                    Decimal(lower),
                    Decimal(self.dice.randrange(1, 10**6)).scaleb(-self.dice.randrange(2, 7)),
                    Decimal(self.dice.choice([0, 0, 3])),
                )
                for lower in lowers
            ],
            from_at=from_at,
            until=until,
            at=self.now,
            prepared_by=self.finance,
            released_by=self.second,
            corrects=corrects,
        )

    def close(self) -> None:
        """Close the month that is open, two days after its end."""
        if self.month > MARCH:
            return
        after = next_month(self.month)
        self.now = max(self.now, berlin(after.year, after.month, 3))
        (result,) = close_period(month=self.month, at=self.now, actor=self.finance)
        assert result.error == ""
        self.month = after
        self.now += timedelta(hours=1)

    def correct(self) -> None:
        """Correct every closed month that differs; then none differs any more."""
        for period in BillingPeriod.objects.filter(state=PeriodState.CLOSED).select_related(
            "account__entity", "account__organisation"
        ):
            try:
                correct_period(
                    period=period,
                    reason="As it turned out",
                    at=self.now,
                    prepared_by=self.finance,
                    released_by=self.second,
                )
            except NothingToCorrect:
                continue
            self.now += timedelta(minutes=1)
            assert difference_of(period=period).lines == ()


MOVES = ["machine", "other_times", "resize", "reading", "reading", "price", "close", "correct"]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), moves=st.lists(st.sampled_from(MOVES), min_size=4, max_size=18))
def test_random_ledgers_end_at_what_one_rating_says(
    seed: int,
    moves: list[str],
    project: Project,
    money: Money,
    host: ResourceProvider,
    finance: User,
    second_finance: User,
) -> None:
    with transaction.atomic():
        traffic = make_reading_meter(money)
        for sku in (money.machine, money.storage, traffic):
            graduated(sku, LADDER)
        ledger = Ledger(money, project, host, finance, second_finance, random.Random(seed), traffic)
        for move in ["machine", *moves]:
            getattr(ledger, move)()
        while ledger.month <= MARCH:
            ledger.close()
        ledger.correct()
        close_period(month=ledger.month, at=berlin(2026, 5, 3), actor=finance)

        once = [
            one.cost
            for period in BillingPeriod.objects.select_related("account__entity")
            for one in slices_of(period=period, until=period.end_at).slices
        ]
        billed = Invoice.objects.aggregate(sum=Sum("exact_total"))["sum"] or Decimal(0)
        assert billed == pricing.total(once)
        for month in (JANUARY, FEBRUARY, MARCH, ledger.month):
            for tied in reconcile(month=month):
                assert (tied.difference, tied.problems) == (0, ())
        transaction.set_rollback(True)
