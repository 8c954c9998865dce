"""What leaves the company's network: a graduated price, daily readings, late ones, corrections.

It is counted since the last closed month. What the second site's probe had to say of that month
came after its close: it becomes corrections in the open month, so the promised sum stays.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from billing.choices import Aggregation, MeterSource, PriceBase, PriceModel
from billing.models import BillingPeriod, Meter, PriceBook, Sku
from billing.services import (
    NewTier,
    prepare_correction,
    prepare_price_change,
    record_usage,
    release_correction,
    release_price_change,
    save_meter,
    save_sku,
)
from billing.services.usage import Verdict
from orchestra.demo.calendar import Calendar
from orchestra.demo.people import Company

SITE_1, SITE_2 = "probe.frankfurt", "probe.berlin"
# GiB that leave a project on an ordinary day.
DAILY = {"search": 430, "tracking": 150, "stores": 65, "loyalty": 35}
LATE_DAYS = range(23, 26)  # of the closed month; every month has them
# Whose late readings are corrected, whose correction waits for its release; the rest is noticed.
CORRECTED, PREPARED = "stores", "tracking"
TIERS = (
    NewTier(lower=Decimal(0), unit_price=Decimal("0.05")),
    NewTier(lower=Decimal(1_000), unit_price=Decimal("0.04")),
    NewTier(lower=Decimal(10_000), unit_price=Decimal("0.03")),
)

Event = tuple[datetime, Callable[[datetime], None]]


def make_traffic_price(
    *, company: Company, book: PriceBook, calendar: Calendar, at: datetime
) -> None:
    """Put outgoing traffic into the price list, in three tiers, from the last closed month on."""
    fiona, frank = company.people["fiona"], company.people["frank"]
    meter = Meter(
        name="traffic",
        label="Outgoing traffic",
        source=MeterSource.READING,
        aggregation=Aggregation.SUM,
        unit="GiB",
    )
    sku = Sku(
        code="traffic-out",
        name="Outgoing traffic",
        meter=save_meter(meter=meter, at=at, actor=fiona),
        base=PriceBase.NONE,
        model=PriceModel.GRADUATED,
        service_category="Networking",
        service_subcategory="Network Infrastructure",
        service_name="Network",
        pricing_unit="GiB",
    )
    starts = calendar.bounds(1)[0]
    change = prepare_price_change(
        book=book,
        sku=save_sku(sku=sku, at=at, actor=fiona),
        tiers=TIERS,
        from_at=starts,
        reason="What leaves the network is counted from now on; who sends much pays less for it.",
        at=starts - timedelta(days=18),
        actor=fiona,
    )
    release_price_change(change=change, at=starts - timedelta(days=17), actor=frank)


@dataclass(frozen=True)
class Counters:
    """The two probes, and what finance makes of the readings that came too late."""

    company: Company
    calendar: Calendar
    closed_at: datetime

    def events(self) -> Iterator[Event]:
        """Return what happens, in order of time; nothing lies after now."""
        number = 0
        while (at := self.calendar.at(0, number + 1, 5)) < self.calendar.now:
            yield at, partial(self.read, number)
            number += 1
        yield self._soon(days=1, minutes=90), self.read_late
        yield self._soon(days=2, minutes=60), self.prepare
        yield self._soon(days=2, minutes=40), self.release

    def read(self, number: int, at: datetime) -> None:
        """Take in what the first site's probe counted on a day of the open month."""
        self._record(SITE_1, list(DAILY), back=0, days=[number], at=at)

    def read_late(self, at: datetime) -> None:
        """Take in what the second site's probe had kept while its line was down."""
        projects = [CORRECTED, PREPARED, "loyalty"]
        self._record(SITE_2, projects, back=1, days=list(LATE_DAYS), at=at)

    def prepare(self, at: datetime) -> None:
        """Prepare the corrections of two accounts."""
        for code in (CORRECTED, PREPARED):
            prepare_correction(
                period=self._period(code),
                reason="Three days of the Berlin probe came after the close.",
                at=at,
                actor=self.company.people["fiona"],
            )

    def release(self, at: datetime) -> None:
        """Release one of them."""
        correction = self._period(CORRECTED).corrections.get()
        release_correction(correction=correction, at=at, actor=self.company.people["frank"])

    def _record(
        self, source: str, projects: list[str], *, back: int, days: list[int], at: datetime
    ) -> None:
        events = []
        for day in days:
            start, end = self.calendar.at(back, day, 0), self.calendar.at(back, day + 1, 0)
            for slug in projects:
                project = self.company.projects[slug]
                data = {
                    "meter": "traffic",
                    "project": project.pk,
                    "start": start.isoformat(),
                    "end": end.isoformat(),
                    "amount": f"{DAILY[slug] + 7 * (day * 5 % 11)}.{day % 4 * 25:02}",
                }
                name = f"{slug}-{start:%Y%m%d%H}"
                events.append({"source": source, "id": name, "data": data})
        expected = Verdict.LATE if back else Verdict.RECORDED
        for answer in record_usage(events=events, at=at):
            if answer.verdict != expected:
                message = f"{answer.event_id} is {answer.verdict}: {answer.message}"
                raise RuntimeError(message)

    def _period(self, code: str) -> BillingPeriod:
        return BillingPeriod.objects.get(account__code=code, month=self.calendar.month(1))

    def _soon(self, *, days: int, minutes: int) -> datetime:
        """Return an instant so long after the close, at the latest so long before now."""
        now = self.calendar.now
        return min(self.closed_at + timedelta(days=days), now - timedelta(minutes=minutes))
