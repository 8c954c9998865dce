"""What would fit instead: the nearest other pool, the nearest later start, a smaller size."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from inventory.foundation.models import Project
from inventory.foundation.periods import zone_named
from inventory.foundation.selectors import ancestry
from inventory.models import Pool
from inventory.placement import Need, plan_placement
from orchestra.models import OfferingVersion
from orchestra.selectors.catalogue import instants_of_change, pools_of, smaller_sizes


def alternatives(
    *,
    project: Project,
    version: OfferingVersion,
    pool: Pool,
    needs: Sequence[Need],
    start: datetime,
    end: datetime | None,
    zone: str,
) -> list[dict[str, Any]]:
    """Return where and when all the needs would fit, each as JSON with a `message` for people.

    `pool` names another pool of the service, `start_at` a later start in the same pool, for the
    same length of time, and `offering` the largest smaller service of its category that fits.
    """
    count = f"all {len(needs)}" if len(needs) > 1 else "it"
    found: list[dict[str, Any]] = []
    line = ancestry(project.organisation_id)
    for other in pools_of(version).exclude(pk=pool.pk).filter(organisation_id__in=line):
        if _fits(other, needs, start, end):
            found.append({"pool": other.slug, "message": f"{other} has room for {count} now."})
            break
    later = first_start(pool=pool, needs=needs, start=start, end=end)
    if later is not None:
        local = later.astimezone(zone_named(zone))
        moment = f"{local.day} {local:%B %Y %H:%M} ({zone})"
        message = f"{pool} has room for {count} from {moment}."
        found.append({"start_at": later.isoformat(), "message": message})
    for size in smaller_sizes(version=version, pool=pool):
        as_size = [replace(need, amounts={**need.amounts, **size.resources}) for need in needs]
        if _fits(pool, as_size, start, end):
            message = f"{pool} has room for {count} as {size.offering}."
            found.append({"offering": size.offering.slug, "message": message})
            break
    return found


def first_start(
    *, pool: Pool, needs: Sequence[Need], start: datetime, end: datetime | None
) -> datetime | None:
    """Return a later start at which all the needs fit for the same length of time, or None.

    The instants at which something is given back are halved until the first that fits is found:
    where bookings come and go between, an earlier one may be missed, but what is returned fits.
    """
    length = end - start if end is not None else None

    def fits(instant: datetime) -> bool:
        return _fits(pool, needs, instant, instant + length if length is not None else None)

    instants = instants_of_change(pool=pool, after=start)
    if not instants or not fits(instants[-1]):
        return None
    return instants[bisect_left(instants, True, key=fits)]


def _fits(pool: Pool, needs: Sequence[Need], start: datetime, end: datetime | None) -> bool:
    return plan_placement(pool=pool, needs=needs, start=start, end=end).refusal is None
