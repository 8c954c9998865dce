"""Where the demo's old applications land: the emptiest host, never more than there is."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from inventory.capacity import peak
from inventory.models import CapacitySpan, Inventory, ResourceProvider

Stay = tuple[datetime, datetime | None, int]


@dataclass(frozen=True)
class Spot:
    """An amount that one inventory gives."""

    inventory: Inventory
    amount: int


@dataclass
class Places:
    """The hosts and arrays of all pools with what was put on them so far."""

    hosts: dict[int, list[ResourceProvider]] = field(default_factory=lambda: defaultdict(list))
    inventories: dict[int, dict[str, Inventory]] = field(default_factory=lambda: defaultdict(dict))
    stays: dict[int, list[Stay]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def read(cls) -> "Places":
        """Read every provider and inventory; nothing is held yet."""
        places = cls()
        for provider in ResourceProvider.objects.order_by("pk"):
            places.hosts[provider.pool_id].append(provider)
        rows = Inventory.objects.select_related("resource_class", "provider").order_by("pk")
        for inventory in rows:
            places.inventories[inventory.provider_id][inventory.resource_class.name] = inventory
        return places

    def put(
        self, *, pool_id: int, amounts: dict[str, int], start: datetime, end: datetime | None
    ) -> tuple[ResourceProvider, dict[str, Spot]]:
        """Hold the amounts over [start, end): storage of an array, all else of one host."""
        local = {name: amount for name, amount in amounts.items() if name != "DISK_GB"}
        host = self._emptiest(pool_id, local, start, end) if local else None
        spots = {}
        for name, amount in amounts.items():
            giver = host if name in local else None
            if giver is None:
                giver = self._emptiest(pool_id, {name: amount}, start, end)
            spots[name] = Spot(self.inventories[giver.pk][name], amount)
            host = host or giver
        for spot in spots.values():
            self.stays[spot.inventory.pk].append((start, end, spot.amount))
        assert host is not None
        return host, spots

    def _emptiest(
        self, pool_id: int, amounts: dict[str, int], start: datetime, end: datetime | None
    ) -> ResourceProvider:
        best: tuple[float, ResourceProvider] | None = None
        for provider in self.hosts[pool_id]:
            shares = []
            for name, amount in amounts.items():
                inventory = self.inventories[provider.pk].get(name)
                if inventory is None:
                    break
                used = peak(self.stays[inventory.pk], start=start, end=end) + amount
                if used > inventory.capacity:
                    break
                shares.append(used / inventory.capacity)
            else:
                if best is None or max(shares) < best[0]:
                    best = (max(shares), provider)
        if best is None:
            message = f"no host of pool {pool_id} has room for {amounts}"
            raise ValueError(message)
        return best[1]

    def write_spans(self) -> None:
        """Replace the first span of every inventory that is used by what is used when."""
        used = [pk for pk, stays in self.stays.items() if stays]
        capacities = dict(Inventory.objects.filter(pk__in=used).values_list("pk", "capacity"))
        CapacitySpan.objects.filter(inventory__in=used).delete()
        CapacitySpan.objects.bulk_create(
            CapacitySpan(
                inventory_id=pk,
                during=DateTimeTZRange(low, high),
                used=amount,
                capacity=capacities[pk],
            )
            for pk in sorted(used)
            for low, high, amount in _steps(self.stays[pk])
        )


def _steps(stays: list[Stay]) -> list[tuple[datetime | None, datetime | None, int]]:
    """Return the use over all of time: neighbours with the same use are one."""
    changes: dict[datetime, int] = defaultdict(int)
    for start, end, amount in stays:
        changes[start] += amount
        if end is not None:
            changes[end] -= amount
    steps: list[tuple[datetime | None, datetime | None, int]] = []
    low: datetime | None = None
    used = 0
    for instant in sorted(changes):
        if changes[instant]:
            steps.append((low, instant, used))
            low = instant
            used += changes[instant]
    return [*steps, (low, None, used)]
