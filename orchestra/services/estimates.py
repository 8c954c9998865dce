"""The price tag that thinks: what a request would cost, take and need, before it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.selectors import BudgetState, Quote
from inventory.foundation.models import Project, User
from inventory.foundation.permissions import Action, require
from inventory.models import Pool
from inventory.placement import headroom
from orchestra import policies
from orchestra.blueprints import preview_names
from orchestra.models import Offering, Order
from orchestra.selectors.orders import deciders
from orchestra.services.order_checks import Wish, read_wish
from orchestra.services.plans import (
    QuotaChange,
    assess,
    billing_zone,
    first_that_fits,
    need_of,
)

COUNTED_UP_TO = 1_000


@dataclass(frozen=True)
class Estimate:
    """What follows from a form as it stands; nothing is held by it.

    `faults` says by field what is missing or wrong. The rest is filled in as soon as service,
    choices and number are understood. `fits` is how many copies have room now (counted up to
    1,000), `refusal` why they do not all (empty if they do), `approvers` who may decide.
    """

    faults: Mapping[str, str]
    names: str = ""
    pool: Pool | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    zone: str = "UTC"
    minutes_to_deliver: int | None = None
    quote: Quote | None = None
    cost: Decimal | None = None
    budget: BudgetState | None = None
    budget_after: Decimal | None = None
    quotas: tuple[QuotaChange, ...] = ()
    fits: int | None = None
    refusal: Mapping[str, Any] | None = None
    needs_approval: bool | None = None
    reasons: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    sentence: str = ""


def estimate(
    *,
    requester: User,
    project: Project,
    offering: Offering | None,
    pool: Pool | None = None,
    name: object = "",
    application: object = "",
    environment: object = "",
    business_reason: object = "",
    instances: object = None,
    parameters: object = None,
    start_at: object = None,
    end_at: object = None,
    at: datetime,
    order: Order | None = None,
) -> Estimate:
    """Answer a form while it is being filled in. Reads only; never raises for what is missing.

    `order` is the request that the form changes, if it is about one.

    Raises NotVisible or Forbidden for who may not place requests in the project.
    """
    require(requester, Action.ORDER_PLACE, project)
    zone = billing_zone(project=project, at=at)
    wish = Wish(
        offering=offering,
        pool=pool,
        name=name,
        application=application,
        environment=environment,
        business_reason=business_reason,
        instances=instances,
        parameters=parameters,
        start_at=start_at,
        end_at=end_at,
    )
    reading = read_wish(wish, project=project, zone=zone, at=at, order=order)
    values = reading.values
    names = ""
    if "name" in values and "instances" in values:
        names = preview_names(values["name"], values["instances"])
    if not reading.can_be_priced():
        return Estimate(faults=reading.faults, names=names, zone=zone)
    version = reading.version
    assert version is not None
    begin = max(values["start_at"] or at, at)
    need = need_of(version, reading.amounts)
    chosen = first_that_fits(
        pools=reading.pools,
        need=need,
        instances=values["instances"],
        start=begin,
        end=values["end_at"],
    )
    found = assess(
        project=project,
        version=version,
        pool=chosen,
        instances=values["instances"],
        parameters=values["parameters"],
        start_at=values["start_at"],
        end_at=values["end_at"],
        at=at,
    )
    said = [decision.as_dict() for decision in found.decisions]
    needs_approval = policies.by_rule(said) is None if said else None
    people = deciders(project=project, requester=requester, at=at) if needs_approval else ()
    after = None
    if found.budget is not None and found.quote is not None and found.cost is not None:
        same = found.budget.currency == found.quote.currency
        after = found.budget.free - found.cost if same else None
    return Estimate(
        faults=reading.faults,
        names=names,
        pool=chosen,
        start_at=values["start_at"],
        end_at=values["end_at"],
        zone=zone,
        minutes_to_deliver=version.minutes_to_deliver,
        quote=found.quote,
        cost=found.cost,
        budget=found.budget,
        budget_after=after,
        quotas=found.quotas,
        fits=headroom(
            pool=chosen, need=need, start=begin, end=values["end_at"], at_most=COUNTED_UP_TO
        ),
        refusal=found.refusal,
        needs_approval=needs_approval,
        reasons=tuple(policies.reasons_of(said)),
        approvers=tuple(str(person) for person in people),
        sentence=policies.sentence(said) if said else "",
    )
