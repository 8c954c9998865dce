"""Where needs would fit: first fit over a snapshot of the pool, with a reason for every refusal.

Words and rules are OpenStack Placement's (unsuffixed group): the amounts of one need come from the
providers of one tree and from the pool's sharing providers, one provider for each class; required
traits must be found on the providers that take part, forbidden ones on none of them. Beyond it:

* Time: an amount must be free at every instant of [start, end).
* Whole devices: GPU_MILLI in thousands may come from several devices of one host, 1000 from each.
* Spare hosts: what the pool's `spare_hosts` largest open hosts have of a class is not sold. Use
  that peaks at different instants is added up, so this rule is on the safe side.

Nothing is written. `services.reserve` plans under the pool's lock, so that the answer holds.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from itertools import product
from typing import Any

from inventory.capacity import amount_text, how_many_fit, sellable, unit_faults
from inventory.choices import RankingPolicy
from inventory.models import Pool, ResourceClass
from inventory.selectors import Host, Node, Snapshot, class_words, pool_snapshot

DEVICE_CLASS = "GPU_MILLI"
WHOLE_DEVICE = 1000


@dataclass(frozen=True)
class Need:
    """What one resource asks for: amounts by class name, and qualities of the providers."""

    amounts: Mapping[str, int]
    required_traits: frozenset[str] = frozenset()
    forbidden_traits: frozenset[str] = frozenset()
    group: str = ""


@dataclass(frozen=True)
class Piece:
    """An amount that one inventory gives."""

    provider_id: int
    inventory_id: int
    resource_class: str
    amount: int
    group: str


@dataclass(frozen=True)
class Candidate:
    """The host that a need lands on, and what each provider gives."""

    root_id: int
    root_name: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Refusal:
    """Why the needs do not all fit.

    `fits` of `wanted` would. `short` is what is missing in all, by class: empty when enough is free
    but nowhere together. `filters` are the reasons with how many hosts each ruled out, in the
    order in which they are asked.
    """

    message: str
    fits: int
    wanted: int
    short: Mapping[str, int]
    filters: tuple[tuple[str, int], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON; filters as a list of {"reason", "hosts"}."""
        return {
            "message": self.message,
            "fits": self.fits,
            "wanted": self.wanted,
            "short": dict(self.short),
            "filters": [{"reason": reason, "hosts": hosts} for reason, hosts in self.filters],
        }


@dataclass(frozen=True)
class Answer:
    """One candidate per need, in order, or none and the refusal: all or nothing."""

    candidates: tuple[Candidate, ...]
    refusal: Refusal | None
    fits: int


def plan_placement(
    *, pool: Pool, needs: Sequence[Need], start: datetime, end: datetime | None
) -> Answer:
    """Place every need, in order, on what is free during all of [start, end).

    The needs share one running picture: N instances never claim the same free unit twice.
    """
    board = _read_board(pool, needs, start, end)
    placed = [board.place(need) for need in needs]
    found = tuple(candidate for candidate in placed if candidate is not None)
    if len(found) == len(needs):
        return Answer(candidates=found, refusal=None, fits=len(found))
    missed = [need for need, candidate in zip(needs, placed, strict=True) if candidate is None]
    refusal = _refusal(board, missed, wanted=len(needs))
    return Answer(candidates=(), refusal=refusal, fits=len(found))


def headroom(
    *,
    pool: Pool,
    need: Need,
    start: datetime,
    end: datetime | None = None,
    at_most: int = 10_000,
) -> int:
    """Return how many more of the need fit during all of [start, end), counted up to `at_most`."""
    return headrooms(pool=pool, needs=[need], start=start, end=end, at_most=at_most)[0]


def headrooms(
    *,
    pool: Pool,
    needs: Sequence[Need],
    start: datetime,
    end: datetime | None = None,
    at_most: int = 10_000,
) -> list[int]:
    """Return the headroom of each need, as if the others did not exist; one reading for all."""
    classes = {name for need in needs for name in need.amounts}
    snapshot = pool_snapshot(pool=pool, classes=classes, start=start, end=end)
    counts = []
    for need in needs:
        board = _Board(pool, snapshot.fresh())
        fits = 0
        while fits < at_most and board.place(need) is not None:
            fits += 1
        counts.append(fits)
    return counts


def _read_board(
    pool: Pool, needs: Sequence[Need], start: datetime, end: datetime | None
) -> "_Board":
    classes = {name for need in needs for name in need.amounts}
    return _Board(pool, pool_snapshot(pool=pool, classes=classes, start=start, end=end))


class _Ask(IntEnum):
    """How much is asked of a host: each level adds a rule; the first that fails is the reason."""

    KIND = 0  # it has the class at all
    TRAITS = 1  # and the properties are right
    UNITS = 2  # and the amount is one that it gives
    FREE = 3  # and as much is free


# One way to take the amount of one class: which nodes give how much of it.
_Share = tuple[tuple[Node, int], ...]


class _Board:
    """The running picture: what is still free while needs are placed one after the other."""

    def __init__(self, pool: Pool, snapshot: Snapshot) -> None:
        self.ranking = RankingPolicy(pool.ranking)
        # A sharing provider is also a host of its own, for needs that want nothing else.
        self.hosts = snapshot.hosts
        self.sharing = snapshot.sharing
        self.unsold = self._unsold(pool.spare_hosts) if pool.spare_hosts else {}
        self._in_question: dict[tuple[Any, ...], list[Host]] = {}

    def _unsold(self, spare_hosts: int) -> dict[str, int]:
        """Return how much of each class may still be sold when hosts are kept spare."""
        capacity: dict[str, Counter[int]] = defaultdict(Counter)
        used: Counter[str] = Counter()
        for host in self.hosts:
            if host.root.is_sharing:
                continue
            for node in host.nodes:
                for name, stock in node.stocks.items():
                    capacity[name][node.root_id] += stock.capacity
                    used[name] += stock.used
        return {
            name: sellable(by_host=by_host.values(), spare_hosts=spare_hosts) - used[name]
            for name, by_host in capacity.items()
        }

    def place(self, need: Need) -> Candidate | None:
        """Take the need's amounts from the first host, in the pool's order, that has them."""
        if not need.amounts or self.eats_spare(need):
            return None
        # What is free only falls: a host that had no room for such a need is done with it.
        hosts = self._in_question.setdefault(_key(need), list(self.hosts))
        for host in self._in_order(hosts, need):
            shares = self.fit(host, need, _Ask.FREE)
            if shares is not None:
                return self._take(host, need, shares)
            hosts.remove(host)
        return None

    def eats_spare(self, need: Need) -> bool:
        """Say whether the need would use what the pool keeps for the loss of hosts."""
        return any(
            name in self.unsold and self.unsold[name] < amount
            for name, amount in need.amounts.items()
        )

    def _in_order(self, hosts: list[Host], need: Need) -> list[Host]:
        if self.ranking is RankingPolicy.FIRST_FIT:
            return list(hosts)
        fullest_first = 1 if self.ranking is RankingPolicy.PACK else -1
        return sorted(
            hosts,
            key=lambda host: (host.root.is_sharing, fullest_first * _free_share(host, need)),
        )

    def fit(self, host: Host, need: Need, ask: _Ask) -> tuple[_Share, ...] | None:
        """Return the shares, one for each of the need's classes, or None where it does not fit.

        At least one comes from the host itself: what its sharing providers give alone is theirs.
        """
        ways = []
        for name, amount in need.amounts.items():
            shares = list(self._shares(host, need, name, amount, ask))
            if not shares:
                return None
            ways.append(shares)
        for chosen in product(*ways):
            nodes = [node for share in chosen for node, _ in share]
            traits = frozenset[str]().union(*(node.traits for node in nodes))
            is_own = any(node.root_id == host.root.provider_id for node in nodes)
            if is_own and (ask < _Ask.TRAITS or need.required_traits <= traits):
                return chosen
        return None

    def _shares(
        self, host: Host, need: Need, name: str, amount: int, ask: _Ask
    ) -> Iterator[_Share]:
        """Yield the ways to take one amount: the first of each kind, the host's own before shared.

        Two ways are of one kind when they bring the same required traits: enough to try.
        """
        seen = set()
        for node in self.givers(host):
            kind = (node.is_sharing, node.traits & need.required_traits)
            if kind not in seen and _gives(node, need, name, amount, ask):
                seen.add(kind)
                yield ((node, amount),)
        if name != DEVICE_CLASS or amount <= WHOLE_DEVICE or amount % WHOLE_DEVICE:
            return
        devices = defaultdict(list)
        for node in host.nodes:
            if _gives(node, need, name, WHOLE_DEVICE, ask):
                devices[node.traits & need.required_traits].append((node, WHOLE_DEVICE))
        count = amount // WHOLE_DEVICE
        for alike in devices.values():
            if len(alike) >= count or ask < _Ask.FREE:
                yield tuple(alike[:count])

    def givers(self, host: Host) -> list[Node]:
        """Return the nodes that may give to a need on the host: its own, then the shared ones."""
        if not host.nodes or host.root.is_sharing:
            return host.nodes
        return [*host.nodes, *self.sharing]

    def _take(self, host: Host, need: Need, shares: tuple[_Share, ...]) -> Candidate:
        pieces = []
        for name, share in zip(need.amounts, shares, strict=True):
            for node, amount in share:
                stock = node.stocks[name]
                stock.free -= amount
                if name in self.unsold and not node.is_sharing:
                    self.unsold[name] -= amount
                pieces.append(Piece(node.provider_id, stock.inventory_id, name, amount, need.group))
        return Candidate(host.root.provider_id, host.root.name, tuple(pieces))


def _key(need: Need) -> tuple[Any, ...]:
    return (tuple(need.amounts.items()), need.required_traits, need.forbidden_traits)


def _gives(node: Node, need: Need, name: str, amount: int, ask: _Ask) -> bool:
    """Say whether the node passes the asked rules for the amount of the class."""
    stock = node.stocks.get(name)
    if stock is None or (ask >= _Ask.TRAITS and node.traits & need.forbidden_traits):
        return False
    if ask >= _Ask.FREE and stock.free < amount:
        return False
    return ask < _Ask.UNITS or not unit_faults(
        amount=amount,
        min_unit=stock.min_unit,
        max_unit=stock.max_unit,
        step_size=stock.step_size,
    )


def _free_share(host: Host, need: Need) -> float:
    """Return how empty the host is in the classes asked for: 0 is full, 1 for each is empty."""
    shares = 0.0
    for name in need.amounts:
        stocks = [node.stocks[name] for node in host.nodes if name in node.stocks]
        capacity = sum(stock.capacity for stock in stocks)
        shares += sum(stock.free for stock in stocks) / capacity if capacity else 0
    return shares


# --- why not -----------------------------------------------------------------------------------


def _refusal(board: _Board, missed: Sequence[Need], *, wanted: int) -> Refusal:
    """Explain the needs that were missed: the filters of the first, the shortage of all."""
    words = class_words({name for need in missed for name in need.amounts})
    alike: dict[tuple[Any, ...], list[Need]] = defaultdict(list)
    for need in missed:
        alike[_key(need)].append(need)
    short: Counter[str] = Counter()
    for needs in alike.values():
        short.update(_shortage(board, needs[0], len(needs)))
    filters = Counter(
        reason for host in board.hosts if (reason := _why(board, host, missed[0], words))
    )
    refusal = Refusal(
        message="",
        fits=wanted - len(missed),
        wanted=wanted,
        short=dict(short),
        filters=tuple(sorted(filters.items(), key=lambda item: (-item[1], item[0]))),
    )
    return replace(refusal, message=_message(refusal, len(board.hosts), words))


def _shortage(board: _Board, need: Need, count: int) -> dict[str, int]:
    """Return how much is missing of each class so that `count` more of the need could be placed.

    Counted by class alone, over the hosts whose kinds, properties and units are right.
    """
    hosts = [host for host in board.hosts if board.fit(host, need, _Ask.UNITS) is not None]
    if not hosts:
        return {}
    givers = {node.provider_id: node for host in hosts for node in board.givers(host)}
    short = {}
    for name, amount in need.amounts.items():
        fits = sum(
            how_many_fit(free=node.stocks[name].free, amount=amount)
            for node in givers.values()
            if _gives(node, need, name, amount, _Ask.UNITS)
        )
        if name == DEVICE_CLASS and amount > WHOLE_DEVICE:
            fits += _whole_device_fits(hosts, need, amount)
        if name in board.unsold:
            fits = min(fits, how_many_fit(free=board.unsold[name], amount=amount))
        if fits < count:
            short[name] = (count - fits) * amount
    return short


def _whole_device_fits(hosts: Sequence[Host], need: Need, amount: int) -> int:
    """Return how many times the amount can be put together from whole devices of one host."""
    return sum(
        sum(_gives(node, need, DEVICE_CLASS, WHOLE_DEVICE, _Ask.FREE) for node in host.nodes)
        * WHOLE_DEVICE
        // amount
        for host in hosts
    )


def _why(board: _Board, host: Host, need: Need, words: Mapping[str, ResourceClass]) -> str | None:
    """Return the first rule that rules the host out for the need; None when it would fit."""
    if not host.nodes:
        return "closed to new work"
    for ask in _Ask:
        if board.fit(host, need, ask) is None:
            break
    else:
        return "kept free as spare" if board.eats_spare(need) else None
    lacking = next(
        (
            _label(words, name)
            for name, amount in need.amounts.items()
            if not any(_gives(node, need, name, amount, ask) for node in board.givers(host))
        ),
        "capacity with these properties",
    )
    if ask is _Ask.KIND:
        return f"without {lacking}" if not host.root.is_sharing else "shared, not a host"
    if ask is _Ask.TRAITS:
        asked = [*sorted(need.required_traits), *(f"no {t}" for t in sorted(need.forbidden_traits))]
        return f"without the properties asked for ({', '.join(asked)})"
    if ask is _Ask.UNITS:
        return f"do not give {lacking} in this amount"
    return f"with too little {lacking} free"


def _label(words: Mapping[str, ResourceClass], name: str) -> str:
    """Return the class's label as it stands inside a sentence ("memory", but "GPU")."""
    if name not in words:
        return name
    label = words[name].label
    return label.lower() if label[1:].islower() else label


def _figure(words: Mapping[str, ResourceClass], name: str, amount: int) -> str:
    """Return "1,088 GiB of memory", "2 GPU", "4 vCPU"."""
    label = _label(words, name)
    unit = words[name].unit if name in words else ""
    figure = amount_text(amount=amount, unit="" if unit.lower() in label.lower() else unit)
    return f"{figure} {label}" if figure[-1].isdigit() else f"{figure} of {label}"


def _message(refusal: Refusal, hosts: int, words: Mapping[str, ResourceClass]) -> str:
    """Return the refusal in plain words, the cure at its end."""
    said = [
        f"{refusal.fits:,} of {refusal.wanted:,} fit."
        if refusal.wanted > 1
        else "There is no room for this."
    ]
    if refusal.short:
        missing = [_figure(words, name, amount) for name, amount in refusal.short.items()]
        said.append(f"Short {' and '.join(missing)}.")
    if refusal.filters:
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in refusal.filters)
        said.append(f"Of {hosts:,} {'host' if hosts == 1 else 'hosts'}: {reasons}.")
    else:
        said.append("The pool has no hosts.")
    said.append("Ask for fewer or smaller, for another pool, or for a later start.")
    return " ".join(said)


# --- resize in place ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Holding:
    """What a resource holds where it is: its name, its host, and amounts by inventory."""

    name: str
    root_id: int
    amounts: Mapping[int, int]


@dataclass(frozen=True)
class Refit:
    """One candidate for each holding, in order, or none and why not."""

    candidates: tuple[Candidate, ...]
    refusal: Refusal | None


def plan_resize(
    *,
    pool: Pool,
    holdings: Sequence[Holding],
    need: Need,
    start: datetime,
    end: datetime | None,
) -> Refit:
    """Give each holding the need's amounts on the host it is on, over [start, end).

    Until a change has ended every copy keeps the larger of what it holds and what it will hold, so
    the growth of all must be free beside all that is held. What is held already always fits again,
    also on a host that is closed to new work or was shrunk below its use.
    """
    snapshot = pool_snapshot(pool=pool, classes=need.amounts.keys(), start=start, end=end)
    snapshot.reopen({inventory_id for holding in holdings for inventory_id in holding.amounts})
    board = _Board(pool, snapshot)
    found: list[Candidate] = []
    for holding in holdings:
        candidate = _refit(board, holding, need)
        if candidate is None:
            return Refit((), _no_refit(board, holding, need, (len(found), len(holdings))))
        found.append(candidate)
    return Refit(tuple(found), None)


def _refit(board: _Board, holding: Holding, need: Need) -> Candidate | None:
    """Place one holding anew and leave on the board what its growth takes."""
    host = _host_of(board, holding)
    if host is None:
        return None
    stocks = {one.inventory_id: one for node in board.givers(host) for one in node.stocks.values()}
    before = {pk: stock.free for pk, stock in stocks.items()}
    for pk, amount in holding.amounts.items():
        if pk in stocks:
            stocks[pk].free = max(before[pk], 0) + amount
    shares = _same_places(board, host, holding, need) or board.fit(host, need, _Ask.FREE)
    for pk, free in before.items():
        stocks[pk].free = free
    if shares is None:
        return None
    pieces = []
    growth: Counter[str] = Counter()
    for name, share in zip(need.amounts, shares, strict=True):
        for node, amount in share:
            stock = node.stocks[name]
            more = max(amount - holding.amounts.get(stock.inventory_id, 0), 0)
            stock.free -= more
            growth[name] += 0 if node.is_sharing else more
            pieces.append(Piece(node.provider_id, stock.inventory_id, name, amount, need.group))
    if any(more and board.unsold.get(name, more) < more for name, more in growth.items()):
        return None
    for name in growth.keys() & board.unsold.keys():
        board.unsold[name] -= growth[name]
    return Candidate(host.root.provider_id, host.root.name, tuple(pieces))


def _same_places(
    board: _Board, host: Host, holding: Holding, need: Need
) -> tuple[_Share, ...] | None:
    """Return the shares that stay in the inventories held now; None where one must change."""
    shares: list[_Share] = []
    for name, amount in need.amounts.items():
        mine = tuple(
            (node, holding.amounts[node.stocks[name].inventory_id])
            for node in board.givers(host)
            if name in node.stocks and node.stocks[name].inventory_id in holding.amounts
        )
        if sum(given for _, given in mine) == amount:
            shares.append(mine)
        elif len(mine) == 1 and _gives(mine[0][0], need, name, amount, _Ask.FREE):
            shares.append(((mine[0][0], amount),))
        else:
            return None
    traits = frozenset[str]().union(*(node.traits for share in shares for node, _ in share))
    return tuple(shares) if need.required_traits <= traits else None


def _host_of(board: _Board, holding: Holding) -> Host | None:
    return next((host for host in board.hosts if host.root.provider_id == holding.root_id), None)


def _at_most(board: _Board, holding: Holding, need: Need) -> dict[str, int]:
    """Return the largest lawful amount of each short class that the holding could have."""
    host = _host_of(board, holding)
    most: dict[str, int] = {}
    for name, amount in need.amounts.items():
        best = 0
        for node in board.givers(host) if host else []:
            if name not in node.stocks:
                continue
            stock = node.stocks[name]
            own = holding.amounts.get(stock.inventory_id, 0)
            free = max(stock.free, 0)
            if name in board.unsold:
                free = min(free, max(board.unsold[name], 0))
            reach = min(free + own, stock.max_unit) // stock.step_size * stock.step_size
            best = max(best, reach if reach >= stock.min_unit else 0)
        if best < amount:
            most[name] = best
    return most


def _no_refit(board: _Board, holding: Holding, need: Need, count: tuple[int, int]) -> Refusal:
    most = _at_most(board, holding, need)
    words = class_words(need.amounts.keys())
    host = _host_of(board, holding)
    where = host.root.name if host else "a host that is not there any more"
    if most:
        figures = [
            f"{_figure(words, name, amount)} where {_figure(words, name, need.amounts[name])} "
            f"{'is' if need.amounts[name] == 1 else 'are'} asked for"
            for name, amount in most.items()
        ]
        reason = f"which can give it at most {' and '.join(figures)}"
    else:
        reason = "which does not give these amounts together"
    message = (
        f"{holding.name} stays on {where}, {reason}. Ask for at most that, or request a new "
        "application elsewhere and give this one back."
    )
    short = {name: need.amounts[name] - amount for name, amount in most.items()}
    return Refusal(message=message, fits=count[0], wanted=count[1], short=short, filters=())
