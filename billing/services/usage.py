"""Take readings in: each event counts once, however often it is sent."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from django.db import connection, transaction
from django.utils.dateparse import parse_datetime

from billing.choices import Aggregation, MeterSource, PeriodState, UsageOrigin
from billing.models import BillingAccount, BillingPeriod, Meter, ProjectBilling, UsageRecord
from billing.selectors.periods import lock_periods_by_id
from billing.services.rating import ensure_partitions, open_period
from inventory.foundation.errors import InvalidInput
from inventory.foundation.models import Project
from inventory.foundation.periods import month_of
from inventory.models import Resource

MOST_EVENTS = 10_000
LARGEST = Decimal(10) ** 15
OLDEST = timedelta(days=400)  # an older one would open a month that nobody closes any more


class TooManyEvents(InvalidInput):
    """A batch is larger than one transaction should be."""

    code = "too_many_events"


class Verdict(StrEnum):
    """What became of one event of a batch."""

    RECORDED = "recorded"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    INVALID = "invalid"
    LATE = "late"


@dataclass(frozen=True)
class EventVerdict:
    """The answer for one event, in the order of the batch; `message` says what to do about it."""

    source: str
    event_id: str
    verdict: Verdict
    message: str = ""


@dataclass(frozen=True)
class _Reading:
    source: str
    event_id: str
    sha256: str
    meter: Meter
    project_id: int
    resource_id: int | None
    start: datetime
    end: datetime
    amount: Decimal
    dimensions: Mapping[str, Any]


class _Invalid(Exception):
    pass


def record_usage(*, events: Sequence[Mapping[str, Any]], at: datetime) -> list[EventVerdict]:
    """Record a batch of CloudEvents in one transaction; each gets its own verdict.

    An event has `source`, `id` and `data` with `meter` (its name), `project` (its number),
    `resource` (its number, may be left out), `start`, `end` (ISO 8601 with offset), `amount`
    (a whole number or decimal text, never a float) and perhaps `dimensions`. The same source and id
    with the same data is a duplicate, with other data a conflict; neither is recorded. A reading of
    a closed month is recorded as late: it is charged by a correction. The caller has checked that
    the sender may report for the projects. Raises TooManyEvents.
    """
    if len(events) > MOST_EVENTS:
        message = (
            f"A batch holds at most {MOST_EVENTS} events, not {len(events)}. Send it in parts."
        )
        raise TooManyEvents(message)
    verdicts: list[EventVerdict | None] = [None] * len(events)
    readings: dict[int, _Reading] = {}
    known = _Known(events)
    for index, event in enumerate(events):
        try:
            readings[index] = known.reading(event, at)
        except _Invalid as error:
            verdicts[index] = EventVerdict(
                source=str(event.get("source", ""))[:200] if isinstance(event, Mapping) else "",
                event_id=str(event.get("id", ""))[:200] if isinstance(event, Mapping) else "",
                verdict=Verdict.INVALID,
                message=str(error),
            )
    with transaction.atomic():
        closed = _closed(readings)
        fresh, hashes = _claim(list(readings.values()), at)
        new: list[_Reading] = []
        for index, one in readings.items():
            key = (one.source, one.event_id)
            if key in fresh and fresh[key] == one.sha256:
                del fresh[key]
                new.append(one)
                verdicts[index] = (
                    EventVerdict(
                        *key,
                        Verdict.LATE,
                        f"{one.start:%B %Y} is closed for this project. The reading is kept and "
                        "becomes a correction in the open month.",
                    )
                    if index in closed
                    else EventVerdict(*key, Verdict.RECORDED)
                )
            elif hashes[key] == one.sha256:
                verdicts[index] = EventVerdict(*key, Verdict.DUPLICATE, "It was recorded before.")
            else:
                verdicts[index] = EventVerdict(
                    *key,
                    Verdict.CONFLICT,
                    "Another event has this source and id. Give a new reading a new id.",
                )
        _insert(new, at)
    return [verdict for verdict in verdicts if verdict is not None]


def _claim(
    readings: Sequence[_Reading], at: datetime
) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    """Insert the keys that are new; return those, and the hash that each key has now.

    ON CONFLICT waits for whoever is inserting the same key, so two senders never both win.
    """
    unique = {(one.source, one.event_id): one.sha256 for one in reversed(readings)}
    if not unique:
        return {}, {}
    ordered = sorted(unique)
    sources, ids = [key[0] for key in ordered], [key[1] for key in ordered]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO billing_usagekey (source, event_id, payload_sha256, received_at)
            SELECT source, event_id, sha256, %s
            FROM unnest(%s::text[], %s::text[], %s::text[]) AS sent (source, event_id, sha256)
            ON CONFLICT (source, event_id) DO NOTHING
            RETURNING source, event_id
            """,
            [at, sources, ids, [unique[key] for key in ordered]],
        )
        fresh = {(source, event_id): unique[source, event_id] for source, event_id in cursor}
        cursor.execute(
            """
            SELECT known.source, known.event_id, known.payload_sha256
            FROM billing_usagekey known
            JOIN unnest(%s::text[], %s::text[]) AS sent (source, event_id)
                ON sent.source = known.source AND sent.event_id = known.event_id
            """,
            [sources, ids],
        )
        hashes = {(source, event_id): sha256 for source, event_id, sha256 in cursor}
    return fresh, hashes


def _payers(readings: Mapping[int, _Reading]) -> dict[int, BillingAccount]:
    """Return which account pays for each reading, by its place in the batch."""
    billings: dict[int, list[ProjectBilling]] = {}
    for billing in ProjectBilling.objects.filter(
        project__in={one.project_id for one in readings.values()}
    ).select_related("account__entity"):
        billings.setdefault(billing.project_id, []).append(billing)
    return {
        index: billing.account
        for index, one in readings.items()
        for billing in billings.get(one.project_id, ())
        if (billing.during.lower is None or billing.during.lower <= one.start)
        and (billing.during.upper is None or one.start < billing.during.upper)
    }


def _closed(readings: Mapping[int, _Reading]) -> set[int]:
    """Return the readings whose month is closed; open the other months and hold them open."""
    payers = _payers(readings)
    due = {
        (account.pk, month_of(readings[index].start, account.entity.zone)): account
        for index, account in payers.items()
    }
    periods = {
        key: open_period(account=account, month=key[1]) for key, account in sorted(due.items())
    }
    lock_periods_by_id(ids=[period.pk for period in periods.values()])
    closed = set(
        BillingPeriod.objects.filter(
            pk__in=[period.pk for period in periods.values()], state=PeriodState.CLOSED
        ).values_list("account_id", "month")
    )
    return {
        index
        for index, account in payers.items()
        if (account.pk, month_of(readings[index].start, account.entity.zone)) in closed
    }


def _insert(readings: Sequence[_Reading], at: datetime) -> None:
    if not readings:
        return
    ensure_partitions(
        start=min(one.start for one in readings), end=max(one.start for one in readings)
    )
    UsageRecord.objects.bulk_create(
        (
            UsageRecord(
                meter=one.meter,
                project_id=one.project_id,
                resource_id=one.resource_id,
                origin=UsageOrigin.READING,
                origin_id=one.event_id,
                usage_start=one.start,
                usage_end=one.end,
                amount=one.amount,
                quantity=one.amount,
                dimensions=dict(one.dimensions),
                recorded_at=at,
            )
            for one in readings
        ),
        batch_size=1_000,
    )


class _Known:
    """The meters, projects and resources that a batch names, read once."""

    def __init__(self, events: Sequence[Any]) -> None:
        data = [
            event["data"]
            for event in events
            if isinstance(event, Mapping) and isinstance(event.get("data"), Mapping)
        ]
        self.meters = {meter.name: meter for meter in Meter.objects.all()}
        self.projects = set(
            Project.objects.filter(pk__in=_numbers(data, "project")).values_list("id", flat=True)
        )
        self.resources = dict(
            Resource.objects.filter(pk__in=_numbers(data, "resource")).values_list(
                "id", "project_id"
            )
        )

    def reading(self, event: Any, at: datetime) -> _Reading:
        """Check one event; _Invalid says in words what is wrong with it."""
        if not isinstance(event, Mapping) or not isinstance(event.get("data"), Mapping):
            message = "An event is an object with source, id and data."
            raise _Invalid(message)
        data = event["data"]
        source, event_id = _text(event, "source"), _text(event, "id")
        meter = self._meter(data)
        start, end = _instant(data, "start"), _instant(data, "end")
        if end < start:
            message = "end lies before start."
            raise _Invalid(message)
        if start < at - OLDEST:
            message = f"start lies more than {OLDEST.days} days back. Check the sender's clock."
            raise _Invalid(message)
        if start > at:
            message = "start lies in the future. Check the sender's clock."
            raise _Invalid(message)
        project_id, resource_id = self._holder(data)
        dimensions = data.get("dimensions", {})
        if not isinstance(dimensions, Mapping):
            message = "dimensions is an object of names and values."
            raise _Invalid(message)
        return _Reading(
            source=source,
            event_id=event_id,
            sha256=_sha256(data),
            meter=meter,
            project_id=project_id,
            resource_id=resource_id,
            start=start,
            end=end,
            amount=_amount(data),
            dimensions=dimensions,
        )

    def _meter(self, data: Mapping[str, Any]) -> Meter:
        meter = self.meters.get(str(data.get("meter")))
        if meter is None or meter.source != MeterSource.READING:
            names = sorted(
                one.name for one in self.meters.values() if one.source == MeterSource.READING
            )
            message = f"There is no meter {data.get('meter')!r} for readings. Known: {names[:5]}."
            raise _Invalid(message)
        if meter.aggregation != Aggregation.SUM:
            message = f"Readings of {meter.name} cannot be rated: its aggregation is not the sum."
            raise _Invalid(message)
        return meter

    def _holder(self, data: Mapping[str, Any]) -> tuple[int, int | None]:
        project_id, resource_id = _number(data, "project"), _number(data, "resource")
        if project_id is None or project_id not in self.projects:
            message = f"There is no project {data.get('project')!r}."
            raise _Invalid(message)
        wanted = data.get("resource") is not None
        if wanted and (resource_id is None or self.resources.get(resource_id) != project_id):
            message = f"The project has no resource {data.get('resource')!r}."
            raise _Invalid(message)
        return project_id, resource_id


def _numbers(data: Sequence[Mapping[str, Any]], name: str) -> set[int]:
    numbers = {_number(one, name) for one in data}
    return {number for number in numbers if number is not None}


def _number(data: Mapping[str, Any], name: str) -> int | None:
    """Return a primary key, None for anything that cannot be one."""
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        return None
    return value


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 200 or "\x00" in value:
        message = f"{name} is a text of 1 to 200 characters."
        raise _Invalid(message)
    return value


def _instant(data: Mapping[str, Any], name: str) -> datetime:
    value = data.get(name)
    try:
        instant = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        message = f"{name} is an instant with offset, for example 2026-01-12T09:00:00Z."
        raise _Invalid(message)
    return instant.astimezone(UTC)


def _amount(data: Mapping[str, Any]) -> Decimal:
    value = data.get("amount")
    message = "amount is a whole number or decimal text from 0, with at most 12 decimals."
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise _Invalid(message)
    try:
        amount = Decimal(value)
    except InvalidOperation as error:
        raise _Invalid(message) from error
    exponent = amount.as_tuple().exponent
    if not amount.is_finite() or not 0 <= amount < LARGEST or not isinstance(exponent, int):
        raise _Invalid(message)
    if exponent < -12:
        raise _Invalid(message)
    return amount


def _sha256(data: Mapping[str, Any]) -> str:
    """Hash what the event says; the same for the same data in another order."""
    try:
        text = json.dumps(
            data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
        )
    except (TypeError, ValueError) as error:
        message = "data is JSON without NUL, NaN or infinity."
        raise _Invalid(message) from error
    if "\\u0000" in text:
        message = "data is JSON without NUL, NaN or infinity."
        raise _Invalid(message)
    return hashlib.sha256(text.encode()).hexdigest()
