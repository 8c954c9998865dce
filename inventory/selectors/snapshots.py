"""What placement plans on: a pool's providers and what is free on them over an interval."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Max, Min

from inventory.choices import ProviderState
from inventory.models import Inventory, Pool, ResourceClass, ResourceProvider


@dataclass(slots=True)
class Stock:
    """One inventory as placement sees it: `free` and `used` over the whole asked interval."""

    inventory_id: int
    resource_class: str
    capacity: int
    used: int
    free: int
    min_unit: int
    max_unit: int
    step_size: int


@dataclass(slots=True)
class Node:
    """One provider of the snapshot with its traits and its inventories by class."""

    provider_id: int
    name: str
    root_id: int
    is_sharing: bool
    is_open: bool
    traits: frozenset[str]
    stocks: dict[str, Stock]


def pool_snapshot(
    *, pool: Pool, classes: Collection[str], start: datetime, end: datetime | None
) -> list[Node]:
    """Return every provider of the pool that is not retired, in primary-key order.

    Only inventories of the classes are read. `free` is the least that is free at any instant of
    [start, end), `used` the most that is used, `capacity` the least there is.
    """
    traits: dict[int, set[str]] = defaultdict(set)
    for provider_id, trait in ResourceProvider.traits.through.objects.filter(
        resourceprovider__pool=pool
    ).values_list("resourceprovider_id", "trait__name"):
        traits[provider_id].add(trait)
    stocks: dict[int, dict[str, Stock]] = defaultdict(dict)
    for row in _stock_rows(pool, classes, start, end):
        stock = Stock(*row[1:])
        stocks[row[0]][stock.resource_class] = stock
    providers = list(
        ResourceProvider.objects.filter(pool=pool)
        .order_by("pk")
        .values_list("id", "name", "parent_id", "root_id", "is_sharing", "state")
    )
    closed = _closed({pk: (parent_id, state) for pk, _, parent_id, _, _, state in providers})
    return [
        Node(
            provider_id=pk,
            name=name,
            root_id=root_id or pk,
            is_sharing=is_sharing,
            is_open=pk not in closed,
            traits=frozenset(traits.get(pk, ())),
            stocks=stocks.get(pk, {}),
        )
        for pk, name, _, root_id, is_sharing, state in providers
        if state != ProviderState.RETIRED
    ]


def _closed(tree: dict[int, tuple[int | None, str]]) -> set[int]:
    """Return the providers that take no new work, themselves or through one above them."""
    closed = {pk for pk, (_, state) in tree.items() if state != ProviderState.OPEN}
    for pk, (parent_id, _) in tree.items():
        while parent_id is not None:
            if parent_id in closed:
                closed.add(pk)
                break
            parent_id = tree[parent_id][0]
    return closed


def _stock_rows(
    pool: Pool, classes: Collection[str], start: datetime, end: datetime | None
) -> Iterable[tuple[Any, ...]]:
    return (
        Inventory.objects.filter(
            provider__pool=pool,
            resource_class__name__in=classes,
            spans__during__overlap=(start, end),
        )
        .order_by("pk")
        .values("pk")
        .annotate(
            least_capacity=Min("spans__capacity"),
            most_used=Max("spans__used"),
            least_free=Min(F("spans__capacity") - F("spans__used")),
        )
        .values_list(
            "provider_id",
            "pk",
            "resource_class__name",
            "least_capacity",
            "most_used",
            "least_free",
            "min_unit",
            "max_unit",
            "step_size",
        )
    )


def class_words(names: Collection[str]) -> dict[str, ResourceClass]:
    """Return the kinds of capacity by name, for their labels and units."""
    return {known.name: known for known in ResourceClass.objects.filter(name__in=names)}
