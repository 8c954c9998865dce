"""What the catalogue's cards say of each service: price from, room left, and who must agree.

Reads only; it stands here because it asks the rules and the planner.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from billing.selectors import NoAccount, NoPrice, Quote, QuoteLine, quote
from inventory.foundation.models import Project
from inventory.foundation.selectors import ancestry
from inventory.models import Pool
from inventory.placement import Need, headrooms
from orchestra import policies
from orchestra.blueprints import amounts_of
from orchestra.models import OfferingVersion
from orchestra.selectors.budgets import budget_state
from orchestra.selectors.defaults import lease_rules
from orchestra.selectors.policies import rules_in_force
from orchestra.services.plans import need_of

COUNT_UP_TO = 500  # beyond it a card says "500 or more"


@dataclass(frozen=True)
class Card:
    """One service as the catalogue shows it to one project.

    `monthly` is the smallest choice's price for a whole month, None where it has none or nobody
    pays; `fits` is how many more of it there is room for now, at most COUNT_UP_TO a pool;
    `approved_by_rule` is None where that cannot be told.
    """

    version: OfferingVersion
    monthly: Decimal | None
    currency: str
    fits: int
    is_counted_out: bool
    approved_by_rule: bool | None


def cards(*, project: Project, versions: Sequence[OfferingVersion], at: datetime) -> list[Card]:
    """Return the cards of `catalogue` versions (with their `orderable` pools), in their order.

    The number of queries grows with the pools, not with the services.
    """
    smallest = {version.pk: smallest_amounts(version) for version in versions}
    lease = timedelta(days=lease_rules(organisation_id=project.organisation_id, at=at).lease_days)
    quotes = _quotes(project, versions, smallest, at, at + lease)
    fits = _room(project, versions, smallest, at)
    rules = rules_in_force(project=project, at=at)
    budget = budget_state(project=project, at=at) if quotes else None
    found = []
    for version in versions:
        quoted = quotes.get(version.pk)
        approved = None
        if quoted is not None:
            case = policies.Case(
                monthly=quoted.monthly,
                cost=quoted.term,
                currency=quoted.quote.currency,
                start=at,
                end=at + lease,
                budget=budget,
                zone=quoted.quote.account.entity.zone,
            )
            decisions = [policies.apply(rule, case).as_dict() for rule in rules]
            approved = policies.by_rule(decisions) is not None
        room, is_counted_out = fits[version.pk]
        found.append(
            Card(
                version=version,
                monthly=quoted.monthly if quoted else None,
                currency=quoted.quote.currency if quoted else "",
                fits=room,
                is_counted_out=is_counted_out,
                approved_by_rule=approved,
            )
        )
    return found


def smallest_amounts(version: OfferingVersion) -> dict[str, int]:
    """Return what one copy holds with the smallest choices: class name -> amount."""
    least = {
        name: schema["minimum"]
        for name, schema in version.parameters.get("properties", {}).items()
        if "x-resource-class" in schema
    }
    return amounts_of(version, least)


def _quotes(
    project: Project,
    versions: Sequence[OfferingVersion],
    smallest: Mapping[int, Mapping[str, int]],
    at: datetime,
    end: datetime,
) -> dict[int, "_Share"]:
    """Price all services in as few quotes as there are services of one kind."""
    waiting = [version for version in versions if smallest[version.pk]]
    found: dict[int, _Share] = {}
    while waiting:
        batch = {version.resource_kind: version for version in reversed(waiting)}
        taken = {version.pk for version in batch.values()}
        waiting = [version for version in waiting if version.pk not in taken]
        quoted = _quote(project, batch, smallest, at, end)
        for kind, version in batch.items():
            if quoted is not None and any(line.kind == kind for line in quoted.lines):
                lines = [line for line in quoted.lines if line.kind == kind]
                found[version.pk] = _Share(
                    quote=quoted,
                    monthly=sum((line.monthly for line in lines), Decimal(0)),
                    term=sum((line.term or Decimal(0) for line in lines), Decimal(0)),
                )
    return found


@dataclass(frozen=True)
class _Share:
    """One service's part of a quote for several."""

    quote: Quote
    monthly: Decimal
    term: Decimal


def _quote(
    project: Project,
    batch: Mapping[str, OfferingVersion],
    smallest: Mapping[int, Mapping[str, int]],
    at: datetime,
    end: datetime,
) -> Quote | None:
    """Quote one copy of each; a service without a price is left out, not the others with it."""
    kinds = dict(batch)
    while kinds:
        lines = [
            QuoteLine(
                kind=kind,
                amounts=smallest[version.pk],
                count=1,
                traits=frozenset(version.required_traits),
            )
            for kind, version in kinds.items()
        ]
        try:
            return quote(project=project, lines=lines, start=at, end=end)
        except NoAccount:
            return None
        except NoPrice as error:
            if kinds.pop(error.details.get("kind", ""), None) is None:
                return None
    return None


def _room(
    project: Project,
    versions: Sequence[OfferingVersion],
    smallest: Mapping[int, Mapping[str, int]],
    at: datetime,
) -> dict[int, tuple[int, bool]]:
    """Return how many more of each fit in all its pools, and whether counting was cut short."""
    line = ancestry(project.organisation_id)
    by_pool: dict[Pool, list[OfferingVersion]] = {}
    for version in versions:
        for pool in version.orderable:  # type: ignore[attr-defined]
            if pool.organisation_id in line:
                by_pool.setdefault(pool, []).append(version)
    room = {version.pk: (0, False) for version in versions}
    for pool, wanted in by_pool.items():
        needs: list[Need] = [need_of(version, smallest[version.pk]) for version in wanted]
        counts = headrooms(pool=pool, needs=needs, start=at, at_most=COUNT_UP_TO)
        for version, count in zip(wanted, counts, strict=True):
            before, cut = room[version.pk]
            room[version.pk] = (before + count, cut or count >= COUNT_UP_TO)
    return room
