"""How full a pool and its hosts were over a stretch of time, read from the spans of capacity."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from inventory.models import CapacitySpan, Pool, ResourceClass, ResourceProvider

TENTH = Decimal("0.1")
HELD_AT = """
    SELECT host.pool_id, stock.resource_class_id, moment.number, sum(span.used), sum(span.capacity)
    FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS moment(at, number)
    JOIN inventory_capacityspan AS span ON span.during @> moment.at
    JOIN inventory_inventory AS stock ON stock.id = span.inventory_id
    JOIN inventory_resourceprovider AS host ON host.id = stock.provider_id
    WHERE host.pool_id = ANY(%s)
    GROUP BY 1, 2, 3
"""
Shares = tuple[Decimal | None, ...]


@dataclass(frozen=True)
class ClassOverTime:
    """How much of one class was held on average in each stretch, in per cent of its capacity.

    None where there was no capacity.
    """

    resource_class: ResourceClass
    shares: Shares


@dataclass(frozen=True)
class HostOverTime:
    """How full a host was in each stretch: the share of its fullest class. None: not there."""

    name: str
    shares: Shares


@dataclass(frozen=True)
class PoolHistory:
    """A pool's classes in order of name, and its fullest hosts, the fullest first, of `hosts`."""

    classes: tuple[ClassOverTime, ...]
    fullest: tuple[HostOverTime, ...]
    hosts: int


def pool_history(*, pool: Pool, edges: Sequence[datetime], fullest: int = 0) -> PoolHistory:
    """Return the averages of the stretches between neighbouring edges (instants, in order).

    With `fullest` also that many hosts: those that were fullest on average. Three queries.
    """
    marks = [int(edge.timestamp()) for edge in edges]
    by_class: dict[int, Counter[tuple[int, str]]] = defaultdict(Counter)
    by_host: dict[tuple[int, int], Counter[tuple[int, str]]] = defaultdict(Counter)
    for class_id, host_id, during, capacity, used in _spans(pool, edges[0], edges[-1]):
        start = int(during.lower.timestamp()) if during.lower else marks[0]
        end = int(during.upper.timestamp()) if during.upper else marks[-1]
        tallies = [by_class[class_id]]
        if fullest:
            tallies.append(by_host[host_id, class_id])
        for index in range(max(bisect_right(marks, start) - 1, 0), len(marks) - 1):
            seconds = min(end, marks[index + 1]) - max(start, marks[index])
            if seconds <= 0:
                break
            for tally in tallies:
                tally[index, "capacity"] += capacity * seconds
                tally[index, "used"] += used * seconds
    stretches = len(marks) - 1
    classes = ResourceClass.objects.filter(pk__in=by_class).order_by("name")
    hosts = _hosts(by_host, stretches)
    return PoolHistory(
        classes=tuple(
            ClassOverTime(resource_class=one, shares=_shares(by_class[one.pk], stretches))
            for one in classes
        ),
        fullest=tuple(hosts[:fullest]),
        hosts=len(hosts),
    )


def held_at(
    *, pools: Sequence[Pool], instants: Sequence[datetime]
) -> dict[tuple[int, int], Shares]:
    """Return what was held of each pool's classes at the instants, in per cent of their capacity.

    By pool id and class id; None where there was no capacity. One query, added up by the database:
    a list of large pools must not read every span of theirs.
    """
    with connection.cursor() as cursor:
        cursor.execute(HELD_AT, [list(instants), [pool.pk for pool in pools]])
        rows = cursor.fetchall()
    found: dict[tuple[int, int], list[Decimal | None]] = {}
    for pool_id, class_id, number, used, capacity in rows:
        shares = found.setdefault((pool_id, class_id), [None] * len(instants))
        if capacity:
            shares[number - 1] = (used * 100 / capacity).quantize(TENTH)
    return {key: tuple(shares) for key, shares in found.items()}


def _spans(pool: Pool, start: datetime, end: datetime) -> QuerySet[CapacitySpan, tuple]:  # type: ignore[type-arg]
    return CapacitySpan.objects.filter(
        inventory__provider__pool=pool, during__overlap=(start, end)
    ).values_list(
        "inventory__resource_class_id",
        Coalesce("inventory__provider__root_id", "inventory__provider_id"),
        "during",
        "capacity",
        "used",
    )


def _shares(tally: Mapping[tuple[int, str], int], stretches: int) -> Shares:
    found: list[Decimal | None] = []
    for index in range(stretches):
        capacity = tally.get((index, "capacity"), 0)
        used = Decimal(tally.get((index, "used"), 0))
        found.append((used * 100 / capacity).quantize(TENTH) if capacity else None)
    return tuple(found)


def _hosts(
    by_host: Mapping[tuple[int, int], Mapping[tuple[int, str], int]], stretches: int
) -> list[HostOverTime]:
    """Return all hosts, the fullest first: of each stretch the share of its fullest class."""
    shares: dict[int, list[Shares]] = defaultdict(list)
    for (host_id, _class_id), tally in by_host.items():
        shares[host_id].append(_shares(tally, stretches))
    names = dict(ResourceProvider.objects.filter(pk__in=shares).values_list("pk", "name"))
    hosts = []
    for host_id, rows in shares.items():
        columns = [[one for one in column if one is not None] for column in zip(*rows, strict=True)]
        tightest = tuple(max(column, default=None) for column in columns)
        hosts.append(HostOverTime(name=names[host_id], shares=tightest))
    return sorted(hosts, key=lambda host: (-sum(one or 0 for one in host.shares), host.name))
