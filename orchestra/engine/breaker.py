"""The limits of a connection: how many calls at once, and none while it does not answer.

Both are decided under the connection's row lock. Inflight is counted from live leases, never kept.
"""

import random
from datetime import timedelta

from django.db import transaction

from inventory.foundation.clock import database_now
from orchestra.choices import BreakerState
from orchestra.lifecycle import BREAKER_OPENS_AFTER, backoff_seconds
from orchestra.models import Connection
from orchestra.selectors.runs import live_leases, lock_connection


def wait_before(attempt: int) -> timedelta:
    """Return a random wait before the next try."""
    draw = random.random()  # noqa: S311 - spreads load, keeps no secret
    return timedelta(seconds=backoff_seconds(attempt=attempt, draw=draw))


def gate(*, connection_id: int, step_id: int) -> bool | None:
    """Say whether one more call may be made now: None for no, else whether it is a probe.

    Works inside the claim's transaction, whose step is not counted. A probe is the one call that
    finds out whether a failed connection is back.
    """
    link = lock_connection(connection_id)
    busy = live_leases(connection_id=connection_id, but=step_id)
    if link.breaker == BreakerState.CLOSED:
        return False if busy < link.max_inflight else None
    if busy:
        return None
    if link.breaker == BreakerState.OPEN:
        if link.probe_after is not None and link.probe_after > database_now():
            return None
        link.breaker = BreakerState.HALF_OPEN
        link.probes += 1
        link.save(update_fields=["breaker", "probes"])
    return True


def note_answer(*, connection_id: int) -> None:
    """The destination answered, if only to refuse: it is reachable."""
    Connection.objects.filter(pk=connection_id).exclude(
        breaker=BreakerState.CLOSED, failures=0
    ).update(breaker=BreakerState.CLOSED, failures=0, probes=0, opened_at=None, probe_after=None)


@transaction.atomic
def note_failure(*, connection_id: int) -> bool:
    """The destination did not answer sensibly. Return whether it is not to be called for a while.

    Stands alone, before the outcome's transaction: whoever waits for this lock holds a step.
    """
    link = lock_connection(connection_id)
    link.failures += 1
    opens = link.breaker != BreakerState.CLOSED or link.failures >= BREAKER_OPENS_AFTER
    if opens:
        now = database_now()
        link.breaker = BreakerState.OPEN
        link.opened_at = link.opened_at or now
        link.probe_after = now + wait_before(link.failures)
    link.save(update_fields=["failures", "breaker", "opened_at", "probe_after"])
    return opens
