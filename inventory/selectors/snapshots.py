"""What placement plans on: a pool's providers and what is free on them over an interval.

A pool's layout (hosts, devices, properties, sizes) changes seldom and is kept by this process; one
query says whether it still holds. What is used changes all the time and is read every time.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import F, Max, Min
from django.db.models.query import QuerySet

from inventory.choices import ProviderState
from inventory.models import CapacitySpan, Inventory, Pool, ResourceClass, ResourceProvider

MOST_LAYOUTS = 32

# Primary key, class, capacity, least, most and step of a unit.
_Shelf = tuple[int, str, int, int, int, int]


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


class _Picture:
    """What one snapshot has beside the layout: the classes asked for, and what is in use."""

    __slots__ = ("classes", "uses")

    def __init__(self, classes: Collection[str], uses: Mapping[int, tuple[int, int, int]]) -> None:
        self.classes = frozenset(classes)
        self.uses = uses

    def stocks(self, shelves: Collection[_Shelf]) -> dict[str, Stock]:
        """Return the stocks of the classes; an inventory that nobody uses has all free."""
        found = {}
        for inventory_id, name, whole, *units in shelves:
            if name in self.classes:
                capacity, used, free = self.uses.get(inventory_id, (whole, 0, whole))
                found[name] = Stock(inventory_id, name, capacity, used, free, *units)
        return found


class Node:
    """One provider of the snapshot with its traits and its inventories by class.

    It is the snapshot's own: placement takes from its stocks.
    """

    __slots__ = (
        "_fixed",
        "_picture",
        "_stocks",
        "is_open",
        "is_sharing",
        "name",
        "provider_id",
        "root_id",
        "traits",
    )

    def __init__(self, fixed: "_Fixed", picture: _Picture) -> None:
        self.provider_id = fixed.provider_id
        self.name = fixed.name
        self.root_id = fixed.root_id
        self.is_sharing = fixed.is_sharing
        self.is_open = fixed.is_open
        self.traits = fixed.traits
        self._fixed = fixed
        self._picture = picture
        self._stocks: dict[str, Stock] | None = None

    @property
    def stocks(self) -> dict[str, Stock]:
        """Return the inventories of the classes asked for, by class."""
        if self._stocks is None:
            self._stocks = self._picture.stocks(self._fixed.shelves)
        return self._stocks


@dataclass(slots=True, frozen=True)
class _Fixed:
    """One provider as the layout has it."""

    provider_id: int
    name: str
    root_id: int
    is_sharing: bool
    is_open: bool
    traits: frozenset[str]
    shelves: tuple[_Shelf, ...]


@dataclass(slots=True, frozen=True)
class _Tree:
    """A host as the layout has it: its root, and its nodes that do and do not take new work."""

    root: _Fixed
    opened: tuple[_Fixed, ...]
    closed: tuple[_Fixed, ...]
    shares: bool


@dataclass(slots=True, frozen=True)
class _Layout:
    """A pool's hosts, the capacity of each inventory, and which ever have another one."""

    mark: tuple[int | None, ...]
    trees: tuple[_Tree, ...]
    whole: dict[int, int]
    uneven: tuple[int, ...]


class Host:
    """A tree of the snapshot: its root, and those of its nodes that take new work.

    They are made when first looked at, because of a large pool most hosts are never looked at.
    """

    __slots__ = ("_nodes", "_picture", "_tree", "root")

    def __init__(self, tree: _Tree, picture: _Picture) -> None:
        self.root = tree.root
        self._tree = tree
        self._picture = picture
        self._nodes: list[Node] | None = None

    @property
    def nodes(self) -> list[Node]:
        """Return the nodes that take new work, in primary-key order, the root among them."""
        if self._nodes is None:
            self._nodes = [Node(fixed, self._picture) for fixed in self._tree.opened]
        return self._nodes

    def reopen(self, held: Collection[int]) -> None:
        """Open those closed nodes that hold one of the inventories, with nothing free on them."""
        for fixed in self._tree.closed:
            if any(shelf[0] in held for shelf in fixed.shelves):
                node = Node(fixed, self._picture)
                for stock in node.stocks.values():
                    stock.free = 0
                self.nodes.append(node)
        self.nodes.sort(key=lambda node: node.provider_id)


class Snapshot:
    """A pool's hosts, those that only share last, and the open nodes that share with them all."""

    def __init__(self, layout: _Layout, picture: _Picture) -> None:
        self._layout = layout
        self._picture = picture
        self.hosts = [Host(tree, picture) for tree in layout.trees]

    @property
    def sharing(self) -> list[Node]:
        """Return the open nodes whose stocks serve every host of the pool."""
        return [
            node
            for host in self.hosts
            if host._tree.shares
            for node in host.nodes
            if node.is_sharing
        ]

    def fresh(self) -> "Snapshot":
        """Return the same with nothing taken from it."""
        return Snapshot(self._layout, self._picture)

    def reopen(self, held: Collection[int]) -> None:
        """Let what is held stay where it is, also where new work is not taken any more."""
        for host in self.hosts:
            if host._tree.closed:
                host.reopen(held)


_layouts: dict[tuple[str, int], _Layout] = {}


def pool_snapshot(
    *, pool: Pool, classes: Collection[str], start: datetime, end: datetime | None
) -> Snapshot:
    """Return the pool's hosts that are not retired, in primary-key order.

    Only inventories of the classes are read. `free` is the least that is free at any instant of
    [start, end), `used` the most that is used, `capacity` the least there is.
    """
    layout = _layout_of(pool)
    return Snapshot(layout, _Picture(classes, _uses(layout, start, end)))


def _layout_of(pool: Pool) -> _Layout:
    """Return the pool's layout: the kept one while nothing of it has changed.

    Each change gives a provider a number that was never given before (even where it is taken
    back), so the same sum, count and last number mean the same layout.
    """
    key = (str(connection.settings_dict["NAME"]), pool.pk)
    mark = _mark(pool)
    known = _layouts.get(key)
    if known is None or known.mark != mark:
        known = _read_layout(pool, mark)
        while len(_layouts) >= MOST_LAYOUTS:
            _layouts.pop(next(iter(_layouts)), None)
        _layouts[key] = known
    return known


def forget_layouts() -> None:
    """Forget what is kept, as a process that has just begun."""
    _layouts.clear()


def _mark(pool: Pool) -> tuple[int | None, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), max(layout), sum(layout)::bigint, max(id)"
            " FROM inventory_resourceprovider WHERE pool_id = %s",
            [pool.pk],
        )
        return tuple(cursor.fetchone())


def _read_layout(pool: Pool, mark: tuple[int | None, ...]) -> _Layout:
    traits: dict[int, set[str]] = defaultdict(set)
    for provider_id, trait in ResourceProvider.traits.through.objects.filter(
        resourceprovider__pool=pool
    ).values_list("resourceprovider_id", "trait__name"):
        traits[provider_id].add(trait)
    shelves: dict[int, list[_Shelf]] = defaultdict(list)
    for provider_id, *shelf in (
        Inventory.objects.filter(provider__pool=pool)
        .order_by("pk")
        .values_list(
            "provider_id",
            "pk",
            "resource_class__name",
            "capacity",
            "min_unit",
            "max_unit",
            "step_size",
        )
    ):
        shelves[provider_id].append(tuple(shelf))
    providers = list(
        ResourceProvider.objects.filter(pool=pool)
        .order_by("pk")
        .values_list("id", "name", "parent_id", "root_id", "is_sharing", "state")
    )
    closed = _closed({pk: (parent_id, state) for pk, _, parent_id, _, _, state in providers})
    uneven = (
        CapacitySpan.objects.filter(inventory__provider__pool=pool)
        .exclude(capacity=F("inventory__capacity"))
        .values_list("inventory_id", flat=True)
        .distinct()
    )
    fixed = [
        _Fixed(
            provider_id=pk,
            name=name,
            root_id=root_id or pk,
            is_sharing=is_sharing,
            is_open=pk not in closed,
            traits=frozenset(traits.get(pk, ())),
            shelves=tuple(shelves.get(pk, ())),
        )
        for pk, name, _, root_id, is_sharing, state in providers
        if state != ProviderState.RETIRED
    ]
    return _Layout(
        mark=mark,
        trees=_trees(fixed),
        whole={shelf[0]: shelf[2] for found in shelves.values() for shelf in found},
        uneven=tuple(uneven),
    )


def _trees(providers: Collection[_Fixed]) -> tuple[_Tree, ...]:
    """Put the providers together as hosts, those that only share last."""
    members: dict[int, list[_Fixed]] = defaultdict(list)
    for one in providers:
        members[one.root_id].append(one)
    trees = [
        _Tree(
            root=root,
            opened=tuple(one for one in members[root.provider_id] if one.is_open),
            closed=tuple(one for one in members[root.provider_id] if not one.is_open),
            shares=any(one.is_sharing for one in members[root.provider_id]),
        )
        for root in providers
        if root.provider_id == root.root_id
    ]
    return tuple(sorted(trees, key=lambda tree: tree.root.is_sharing))


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


def _uses(
    layout: _Layout, start: datetime, end: datetime | None
) -> dict[int, tuple[int, int, int]]:
    """Return (least capacity, most used, least free) by inventory, where not all is free."""
    spans = CapacitySpan.objects.filter(during__overlap=(start, end))
    uses = {}
    # Of all pools: little is in use at any instant, and so the index alone answers.
    for pk, capacity, used, free in _least(spans.filter(used__gt=0)):
        if pk in layout.whole:
            whole = layout.whole[pk]
            uses[pk] = (min(capacity, whole), used, min(free, whole))
    if layout.uneven:
        # Their unused spans count too: the capacity may be another in each.
        for pk, *figures in _least(spans.filter(inventory_id__in=layout.uneven)):
            uses[pk] = (figures[0], figures[1], figures[2])
    return uses


def _least(spans: QuerySet[CapacitySpan]) -> QuerySet[CapacitySpan, tuple[int, ...]]:
    return (
        spans.order_by()
        .values("inventory_id")
        .annotate(
            least_capacity=Min("capacity"),
            most_used=Max("used"),
            least_free=Min(F("capacity") - F("used")),
        )
        .values_list("inventory_id", "least_capacity", "most_used", "least_free")
    )


def class_words(names: Collection[str]) -> dict[str, ResourceClass]:
    """Return the kinds of capacity by name, for their labels and units."""
    return {known.name: known for known in ResourceClass.objects.filter(name__in=names)}
