"""The demo's days: everything lies before or after the morning that it stands on."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from inventory.foundation.periods import day_start, month_bounds, previous_month, zone_named

ZONE = "Europe/Berlin"
BUSINESS_DAY = timedelta(hours=9)
CLOSED_MONTHS = 12


@dataclass(frozen=True)
class Calendar:
    """The instants of a demo that stands on the morning of `as_of`, in Berlin's time."""

    as_of: date

    @property
    def now(self) -> datetime:
        """The instant that the demo stands on."""
        return self.moment(self.as_of, 9)

    def month(self, back: int) -> date:
        """Return the first day of the month so many months before the open one."""
        month = self.as_of.replace(day=1)
        for _ in range(back):
            month = previous_month(month)
        return month

    def bounds(self, back: int) -> tuple[datetime, datetime]:
        """Return the half-open instants of that month."""
        return month_bounds(self.month(back), ZONE)

    def at(self, back: int, day: int, hour: int) -> datetime:
        """Return an hour of a day of that month; day 0 is its first."""
        return self.moment(self.month(back) + timedelta(days=day), hour)

    @property
    def start(self) -> datetime:
        """The beginning of the first of the closed months."""
        return self.bounds(CLOSED_MONTHS)[0]

    @property
    def winter(self) -> datetime:
        """The next 12 January, 09:00: when the request of the story would start."""
        return self.moment(self._next(1, 12), 9)

    @property
    def thaw(self) -> datetime:
        """The beginning of the 4 March after that: when the peak season's machines end."""
        return self.moment(date(self.winter.year, 3, 4), 0)

    @property
    def last_winter(self) -> datetime:
        """12 January, 09:00 of the last January that is closed."""
        year = self.as_of.year if self.as_of.month > 1 else self.as_of.year - 1
        return self.moment(date(year, 1, 12), 9)

    def _next(self, month: int, day: int) -> date:
        found = self.as_of.replace(month=month, day=day)
        return found if found > self.as_of else found.replace(year=found.year + 1)

    def next_day(self, month: int, day: int, hour: int) -> datetime:
        """Return the hour of the next such day of a year."""
        return self.moment(self._next(month, day), hour)

    @staticmethod
    def moment(day: date, hour: int) -> datetime:
        """Return the instant of an hour on the wall; hours that the clock skips do not occur."""
        local = datetime.combine(day, datetime.min.time(), zone_named(ZONE)).replace(hour=hour)
        return local.astimezone(zone_named("UTC"))


def demo_day(now: datetime) -> date:
    """Return the day that the demo stands on when none is named: yesterday in the demo's zone.

    So nothing in it lies in the future, whatever the hour.
    """
    return (now.astimezone(zone_named(ZONE)) - timedelta(days=1)).date()


def first_instant(day: date) -> datetime:
    """Return the instant at which a day begins in the demo's zone."""
    return day_start(day, ZONE)
