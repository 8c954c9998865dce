"""How much a pool has and uses, by kind of capacity and by host."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from inventory.capacity import sellable
from inventory.choices import ProviderState
from inventory.models import CapacitySpan, Pool, ResourceClass, ResourceProvider


@dataclass(frozen=True)
class PoolCapacity:
    """One class of a pool at an instant.

    `physical` is what is built in, `capacity` what may be allocated at all (over-commit included),
    `overhead` what the hosts keep for themselves, `used` what is held, `spare` what the pool keeps
    so that it survives the loss of hosts, `closed` what is free on hosts that take no new work, and
    `free` what can be sold now.
    """

    resource_class: ResourceClass
    physical: int
    capacity: int
    overhead: int
    used: int
    spare: int
    closed: int
    free: int


def pool_capacity(*, pool: Pool, at: datetime) -> list[PoolCapacity]:
    """Return the pool's figures by class, in order of the class's name; retired hosts left out."""
    return pool_capacities(pools=[pool], at=at)[pool.pk]


def pool_capacities(*, pools: Sequence[Pool], at: datetime) -> dict[int, list[PoolCapacity]]:
    """Return each pool's figures by the pool's id, in two queries however many pools there are."""
    rows = _use_at(pools, at).values_list(
        "inventory__provider__pool_id",
        "inventory__resource_class_id",
        Coalesce("inventory__provider__root_id", "inventory__provider_id"),
        "inventory__provider__is_sharing",
        "inventory__provider__state",
        "inventory__provider__root__state",
        "capacity",
        "used",
        "inventory__reserved",
        "inventory__total",
    )
    totals: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    hosts: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for pool_id, class_id, root_id, is_sharing, state, root_state, *figures in rows:
        capacity, used, overhead, physical = figures
        total = totals[pool_id, class_id]
        total["physical"] += physical
        total["capacity"] += capacity
        total["used"] += used
        total["overhead"] += overhead
        is_open = state == ProviderState.OPEN and root_state in (None, ProviderState.OPEN)
        total["free" if is_open else "closed"] += max(capacity - used, 0)
        if is_open and not is_sharing:
            hosts[pool_id, class_id][root_id] += capacity
    classes = ResourceClass.objects.filter(pk__in={class_id for _pool_id, class_id in totals})
    by_name = list(classes.order_by("name"))
    return {
        pool.pk: [
            _figures(pool, resource_class, totals[key], hosts[key].values())
            for resource_class in by_name
            if (key := (pool.pk, resource_class.pk)) in totals
        ]
        for pool in pools
    }


def _figures(
    pool: Pool, resource_class: ResourceClass, total: Counter[str], by_host: Iterable[int]
) -> PoolCapacity:
    capacities = list(by_host)
    spare = sum(capacities) - sellable(by_host=capacities, spare_hosts=pool.spare_hosts)
    return PoolCapacity(
        resource_class=resource_class,
        physical=total["physical"],
        capacity=total["capacity"],
        overhead=total["overhead"],
        used=total["used"],
        spare=spare,
        closed=total["closed"],
        free=max(total["free"] - spare, 0),
    )


@dataclass(frozen=True)
class ClassUse:
    """How much of one class a host has and how much of it is used."""

    resource_class: str
    label: str
    unit: str
    capacity: int
    used: int


@dataclass(frozen=True)
class HostRow:
    """A root provider with its whole tree's use, by class."""

    provider_id: int
    name: str
    state: ProviderState
    is_sharing: bool
    uses: tuple[ClassUse, ...]


def hosts_of(pool: Pool) -> QuerySet[ResourceProvider]:
    """Return the pool's hosts and shared storage: the providers that stand alone."""
    return ResourceProvider.objects.filter(pool=pool, parent=None)


def host_rows(
    *, pool: Pool, at: datetime, hosts: Sequence[ResourceProvider] | None = None
) -> list[HostRow]:
    """Return one row per host (or per given host, as a page of them) with its use at the instant.

    In the order given, or by name.
    """
    chosen = list(hosts_of(pool).order_by("name")) if hosts is None else list(hosts)
    ids = [host.pk for host in chosen]
    uses: dict[int, list[ClassUse]] = defaultdict(list)
    rows = (
        _use_at([pool], at)
        .annotate(host=Coalesce("inventory__provider__root_id", "inventory__provider_id"))
        .filter(host__in=ids)
        .values(
            "host",
            name=F("inventory__resource_class__name"),
            label=F("inventory__resource_class__label"),
            unit=F("inventory__resource_class__unit"),
        )
        .annotate(all_capacity=Sum("capacity"), all_used=Sum("used"))
        .order_by("host", "name")
        .values_list("host", "name", "label", "unit", "all_capacity", "all_used")
    )
    for host_id, *figures in rows:
        uses[host_id].append(ClassUse(*figures))
    return [
        HostRow(
            provider_id=host.pk,
            name=host.name,
            state=ProviderState(host.state),
            is_sharing=host.is_sharing,
            uses=tuple(uses[host.pk]),
        )
        for host in chosen
    ]


def _use_at(pools: Sequence[Pool], at: datetime) -> QuerySet[CapacitySpan]:
    return CapacitySpan.objects.filter(
        inventory__provider__pool__in=pools, during__contains=at
    ).exclude(
        Q(inventory__provider__state=ProviderState.RETIRED)
        | Q(inventory__provider__root__state=ProviderState.RETIRED)
    )
