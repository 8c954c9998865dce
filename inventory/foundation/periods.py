"""Every month and day boundary there is: half-open instants in UTC, from one function."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from inventory.foundation.errors import InvalidInput

MONTH = re.compile(r"(?P<year>[0-9]{4})-(?P<month>0[1-9]|1[0-2])\Z")


def zone_named(name: str) -> ZoneInfo:
    """Return the time zone; InvalidInput when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        message = f"There is no time zone {name!r}. Use a name such as Europe/Berlin."
        raise InvalidInput(message, fields={"zone": message}) from error


def parse_month(text: str) -> date:
    """Turn "YYYY-MM" into the first day of that month; InvalidInput says how to write it."""
    match = MONTH.match(text)
    if not match or int(match["year"]) < 1900:
        message = f"{text!r} is not a month. Write it as YYYY-MM, for example 2026-05."
        raise InvalidInput(message, fields={"month": message})
    return date(int(match["year"]), int(match["month"]), 1)


def next_month(month: date) -> date:
    """Return the first day of the month after."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def previous_month(month: date) -> date:
    """Return the first day of the month before."""
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


def day_start(day: date, zone: str) -> datetime:
    """Return the instant (UTC) at which a day begins in the zone."""
    return datetime.combine(day, time(), zone_named(zone)).astimezone(UTC)


def month_bounds(month: date, zone: str) -> tuple[datetime, datetime]:
    """Return the half-open instants [start, end) of the month that holds the day, in UTC."""
    first = month.replace(day=1)
    return day_start(first, zone), day_start(next_month(first), zone)


def month_of(instant: datetime, zone: str) -> date:
    """Return the first day of the month in which the instant lies in the zone."""
    return instant.astimezone(zone_named(zone)).date().replace(day=1)


def months_between(start: datetime, end: datetime, zone: str) -> list[date]:
    """Return the first days of all months that [start, end) touches in the zone, in order."""
    months = []
    month = month_of(start, zone)
    while month_bounds(month, zone)[0] < end:
        months.append(month)
        month = next_month(month)
    return months


def days_before(instant: datetime, days: int, zone: str) -> datetime:
    """Return the instant (UTC) so many days before, at the same time on the zone's clock.

    Across a change of the clock a day has 23 or 25 hours.
    """
    return (instant.astimezone(zone_named(zone)) - timedelta(days=days)).astimezone(UTC)


def days_after(instant: datetime, days: int, zone: str) -> datetime:
    """Return the instant (UTC) so many days after, at the same time on the zone's clock."""
    return days_before(instant, -days, zone)


def months_after(instant: datetime, months: int, zone: str) -> datetime:
    """Return the instant (UTC) so many months after, at the same time on the zone's clock.

    A day that the month does not have is its last: a year after 29 February is 28 February.
    """
    local = instant.astimezone(zone_named(zone))
    years, month = divmod(local.month - 1 + months, 12)
    first = local.replace(year=local.year + years, month=month + 1, day=1)
    last = (next_month(first.date()) - timedelta(days=1)).day
    return first.replace(day=min(local.day, last)).astimezone(UTC)
