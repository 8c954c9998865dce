"""Import a pool's hosts from a CSV file: everything or nothing, and twice is the same as once.

What is in the pool already is changed where the file says otherwise; what the file does not name is
left alone, and traits are only added. The files' columns are described in `hostlists`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction

from inventory.choices import AggregateKind
from inventory.foundation.models import Organisation, User
from inventory.foundation.rows import Fault
from inventory.foundation.trail import record_audit
from inventory.models import Aggregate, Inventory, Pool, ResourceProvider, Trait
from inventory.placement import DEVICE_CLASS
from inventory.selectors import capacity_ratios, lock_pool, lock_providers
from inventory.services.classes import named_class, named_trait
from inventory.services.hostlists import ImportRefused, Line, read_lines
from inventory.services.inventories import set_inventory
from inventory.services.pools import create_pool, require_pool
from inventory.services.spans import capacities_of, open_spans


@dataclass(frozen=True)
class ImportReport:
    """What an import did, in providers (hosts and devices)."""

    pool: Pool
    new: int
    changed: int
    unchanged: int


@dataclass(frozen=True)
class Pick:
    """Which hosts of a file are meant: every `every`-th of those asked for, at most `limit`.

    Devices come with their host. Storage and networks that serve all hosts are always meant.
    """

    gpu_only: bool = False
    every: int = 1
    limit: int | None = None

    def of(self, lines: Sequence[Line]) -> list[Line]:
        """Return the lines that are meant, in the file's order."""
        by_name = {line.name: line for line in lines}
        root_of = {line.name: _root(line, by_name) for line in lines}
        with_gpu = {root_of[line.name] for line in lines if DEVICE_CLASS in line.figures}
        hosts = [
            line.name
            for line in lines
            if root_of[line.name] == line.name
            and not line.is_sharing
            and (not self.gpu_only or line.name in with_gpu)
        ]
        chosen = set(hosts[:: self.every][: self.limit])
        chosen |= {line.name for line in lines if line.is_sharing}
        chosen |= set(root_of.values()) - by_name.keys()  # hosts that the pool has already
        return [line for line in lines if root_of[line.name] in chosen]


ALL_HOSTS = Pick()


@transaction.atomic
def import_pool(
    *,
    path: Path,
    pool_name: str,
    at: datetime,
    organisation: Organisation | None = None,
    actor: User | None = None,
    dry_run: bool = False,
    pick: Pick = ALL_HOSTS,
) -> ImportReport:
    """Bring the pool to what the file says, in one transaction; `dry_run` takes all back again.

    `pick` leaves out hosts of the file that are not wanted; all of the file is checked even so.
    The pool is made when it is new; `organisation` then says who operates it. Raises ImportRefused
    with every fault of the file; Forbidden or NotVisible for an actor who may not change the pool.
    """
    pool = Pool.objects.filter(name=pool_name).first()
    if pool is not None and actor is not None:
        require_pool(actor=actor, pool=pool)
    names = ResourceProvider.objects.filter(pool__name=pool_name).values_list("name", flat=True)
    lines = pick.of(read_lines(path=path, known=set(names)))
    if not lines:
        message = f"No host of {path.name} is left by what you asked for. Ask for more of them."
        raise ImportRefused(message)
    if pool is None:
        if organisation is None:
            message = (
                f"There is no pool {pool_name!r} yet. Name who operates it (--organisation SLUG)."
            )
            raise ImportRefused(message)
        pool = create_pool(organisation=organisation, name=pool_name, at=at, actor=actor)
    pool = lock_pool(pool.pk)
    report = _bring(pool, lines, at, actor)
    if report.new or report.changed:
        record_audit(
            action="pool.import",
            subject=pool,
            at=at,
            actor=actor,
            organisation=pool.organisation,
            changes={"new": [0, report.new], "changed": [0, report.changed]},
            reason=f"from {path.name}",
        )
    if dry_run:
        transaction.set_rollback(True)
    return report


def _root(line: Line, by_name: Mapping[str, Line]) -> str:
    """Return the name of the host that a line's provider is in, perhaps one outside the file."""
    while line.parent in by_name:
        line = by_name[line.parent]
    return line.parent or line.name


def _bring(pool: Pool, lines: Sequence[Line], at: datetime, actor: User | None) -> ImportReport:
    existing = {
        provider.name: provider
        for provider in ResourceProvider.objects.filter(pool=pool).prefetch_related(
            "traits", "inventories__resource_class"
        )
    }
    _check_against(existing, lines)
    fresh = [line for line in lines if line.name not in existing]
    differing = {
        line.name: line
        for line in lines
        if line.name in existing and _differs(existing[line.name], line)
    }
    _add(pool, fresh, existing, at)
    lock_providers({existing[name].pk for name in differing})
    for name, line in differing.items():
        _change(existing[name], line, at, actor)
    _connect_traits(lines, existing)
    _connect_racks(lines, existing)
    return ImportReport(
        pool=pool,
        new=len(fresh),
        changed=len(differing),
        unchanged=len(lines) - len(fresh) - len(differing),
    )


def _check_against(existing: Mapping[str, ResourceProvider], lines: Sequence[Line]) -> None:
    """Refuse hosts that would have to move or to change their kind."""
    names = {provider.pk: name for name, provider in existing.items()}
    faults = []
    for line in lines:
        known = existing.get(line.name)
        if known is None:
            continue
        stands_in = names[known.parent_id] if known.parent_id else ""
        if line.parent != stands_in:
            message = f"{line.name} is in {stands_in or 'no other host'} and cannot be moved"
            faults.append(Fault(line.number, "parent", message))
        if line.is_sharing != known.is_sharing:
            message = f"{line.name} is {'' if known.is_sharing else 'not '}shared; that is fixed"
            faults.append(Fault(line.number, "sharing", message))
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        message = f"The file does not go with the pool; nothing was imported:\n{listed}"
        raise ImportRefused(message, faults)


def _differs(provider: ResourceProvider, line: Line) -> bool:
    known = {
        each.resource_class.name: (each.total, each.reserved, each.allocation_ratio)
        for each in provider.inventories.all()
    }
    asked = {
        name: (
            each.total,
            each.reserved,
            known[name][2] if each.ratio is None and name in known else each.ratio,
        )
        for name, each in line.figures.items()
    }
    missing_traits = line.traits - {trait.name for trait in provider.traits.all()}
    return bool(missing_traits) or any(known.get(name) != each for name, each in asked.items())


def _change(provider: ResourceProvider, line: Line, at: datetime, actor: User | None) -> None:
    known = {each.resource_class.name: each for each in provider.inventories.all()}
    for name, figures in line.figures.items():
        inventory = known.get(name)
        set_inventory(
            provider=provider,
            resource_class=named_class(name=name),
            total=figures.total,
            reserved=figures.reserved,
            allocation_ratio=figures.ratio,
            min_unit=inventory.min_unit if inventory else 1,
            max_unit=inventory.max_unit if inventory else figures.max_unit,
            step_size=inventory.step_size if inventory else 1,
            at=at,
            actor=actor,
        )


def _add(
    pool: Pool, lines: Sequence[Line], existing: dict[str, ResourceProvider], at: datetime
) -> None:
    """Insert the new providers, parents before children, with inventories and first spans."""
    waiting = list(lines)
    while waiting:
        ready = [line for line in waiting if not line.parent or line.parent in existing]
        waiting = [line for line in waiting if line.parent and line.parent not in existing]
        made = ResourceProvider.objects.bulk_create(
            [_provider(pool, line, existing) for line in ready], batch_size=2000
        )
        existing.update((provider.name, provider) for provider in made)
    classes = {
        name: named_class(name=name) for name in sorted({n for line in lines for n in line.figures})
    }
    ratios = capacity_ratios(organisation_id=pool.organisation_id, at=at)
    inventories = Inventory.objects.bulk_create(
        [
            Inventory(
                provider=existing[line.name],
                resource_class=classes[name],
                total=figures.total,
                reserved=figures.reserved,
                allocation_ratio=ratios.of(name) if figures.ratio is None else figures.ratio,
                max_unit=figures.max_unit,
            )
            for line in lines
            for name, figures in line.figures.items()
        ],
        batch_size=2000,
    )
    open_spans(capacities_of([inventory.pk for inventory in inventories]))


def _provider(pool: Pool, line: Line, existing: Mapping[str, ResourceProvider]) -> ResourceProvider:
    parent = existing[line.parent] if line.parent else None
    return ResourceProvider(
        pool=pool,
        name=line.name,
        parent=parent,
        root_id=(parent.root_id or parent.pk) if parent else None,
        is_sharing=line.is_sharing,
    )


def _connect_traits(lines: Iterable[Line], existing: Mapping[str, ResourceProvider]) -> None:
    traits: dict[str, Trait] = {}
    links = []
    for line in lines:
        for name in sorted(line.traits):
            if name not in traits:
                traits[name] = named_trait(name=name)
            links.append((existing[line.name].pk, traits[name].pk))
    through = ResourceProvider.traits.through
    through.objects.bulk_create(
        [through(resourceprovider_id=one, trait_id=other) for one, other in links],
        ignore_conflicts=True,
        batch_size=5000,
    )


def _connect_racks(lines: Iterable[Line], existing: Mapping[str, ResourceProvider]) -> None:
    members: dict[str, list[ResourceProvider]] = defaultdict(list)
    for line in lines:
        if line.rack:
            members[line.rack].append(existing[line.name])
    for rack in sorted(members):
        group, _ = Aggregate.objects.get_or_create(kind=AggregateKind.RACK, name=rack)
        group.providers.add(*members[rack])
