"""Claim one step: a single statement takes it, row locks on the connection keep its limits.

Machine time is the database's clock_timestamp() only. Locks are taken in the order step,
connection; nothing that holds a connection's lock ever waits for a step.
"""

import logging
import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType

from django.conf import settings
from django.db import Error, connection, transaction

from inventory.foundation.clock import ClockTime, database_now
from orchestra.choices import AttemptOutcome, RunState, StepState
from orchestra.engine.breaker import gate
from orchestra.engine.story import tell
from orchestra.models import Attempt, Step, WorkerBeat

logger = logging.getLogger(__name__)

CLAIM = """
WITH due AS (
    SELECT step.id, step.state, step.lease_owner, step.started_at, run.state AS run_state
      FROM orchestra_step step
      JOIN orchestra_run run ON run.id = step.run_id
     WHERE step.state IN ('ready', 'running', 'unknown')
       AND (
               step.state IN ('ready', 'unknown')
           AND (step.not_before IS NULL OR step.not_before <= clock_timestamp())
           AND (   (step.phase = 'forward' AND run.state = 'running' AND run.desired_state = 'run')
                OR (step.phase = 'undo' AND run.state = 'compensating'))
           OR step.state = 'running' AND step.lease_until < clock_timestamp()
           )
       AND (step.connection_id IS NULL OR step.connection_id <> ALL (%(full)s))
     ORDER BY run.priority, run.id, step.id
     LIMIT 1
       FOR NO KEY UPDATE OF step SKIP LOCKED
)
UPDATE orchestra_step step
   SET state = 'running',
       fence = step.fence + 1,
       lease_owner = %(worker)s,
       lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
       started_at = clock_timestamp(),
       not_before = NULL
  FROM due
 WHERE step.id = due.id
RETURNING step.id, step.run_id, step.fence, step.started_at, step.connection_id,
          step.intent_at IS NOT NULL, due.run_state,
          due.state = 'running', due.lease_owner, due.started_at
"""


@dataclass(frozen=True)
class Claim:
    """One step in one worker's hands, until its lease ends or a higher fence is given out.

    `has_intent`: an earlier try announced a call and its result was never written. `is_takeover`:
    the worker before was lost. `is_probe`: the first call to a connection that had failed.
    """

    step_id: int
    run_id: int
    fence: int
    worker: str
    claimed_at: datetime
    run_state: RunState
    has_intent: bool
    is_takeover: bool
    is_probe: bool
    connection_id: int | None = None


def claim_next(*, worker: str, full: Collection[int] = ()) -> Claim | None:
    """Take the next step that is due, or whose worker is lost; None when there is none.

    `full` are connections not to be used now; those found full on the way are passed over too.
    """
    passed = set(full)
    while True:
        with transaction.atomic():
            taken = _take(worker=worker, passed=passed)
            if isinstance(taken, Claim) or taken is None:
                return taken
            transaction.set_rollback(True)
            passed.add(taken)


def _take(*, worker: str, passed: set[int]) -> Claim | int | None:
    """Return the claim, or the connection that does not allow it, or None."""
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM,
            {
                "full": list(passed),
                "worker": worker,
                "lease": settings.ORCHESTRA_LEASE_SECONDS,
            },
        )
        row = cursor.fetchone()
    if row is None:
        return None
    (step_id, run_id, fence, claimed_at, connection_id, has_intent, run_state) = row[:7]
    (is_takeover, lost_worker, lost_start) = row[7:]
    is_probe = False
    if connection_id is not None:
        answer = gate(connection_id=connection_id, step_id=step_id)
        if answer is None:
            return int(connection_id)
        is_probe = answer
    if is_takeover:
        _write_lost(step_id, fence - 1, lost_worker, lost_start or claimed_at)
    return Claim(
        step_id=step_id,
        run_id=run_id,
        fence=fence,
        worker=worker,
        claimed_at=claimed_at,
        run_state=RunState(run_state),
        has_intent=has_intent,
        is_takeover=is_takeover,
        is_probe=is_probe,
        connection_id=connection_id,
    )


def _write_lost(step_id: int, fence: int, worker: str, started_at: datetime) -> None:
    step = Step.objects.select_related("run").get(pk=step_id)
    now = database_now()
    Attempt.objects.create(
        step=step,
        fence=fence,
        worker=worker,
        started_at=started_at,
        ended_at=now,
        outcome=AttemptOutcome.LOST,
        error="The worker stopped answering.",
    )
    message = f"{step.label}: the worker stopped answering, another one takes over."
    tell(run=step.run, step=step, message=message, at=now, level="warning")


class Heartbeat:
    """Extend a claim's lease from a second thread for as long as the call takes.

    Short calls never reach the first beat, so they cost no second database connection.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            while not self._stop.wait(settings.ORCHESTRA_HEARTBEAT_SECONDS):
                try:
                    if not extend_lease(self.claim):
                        return
                except Error:
                    logger.warning("the database did not take a heartbeat", exc_info=True)
                    connection.close()
        finally:
            connection.close()


def extend_lease(claim: Claim) -> bool:
    """Move the end of the lease on; False when somebody else has taken over."""
    until = ClockTime() + timedelta(seconds=settings.ORCHESTRA_LEASE_SECONDS)
    mine = Step.objects.filter(pk=claim.step_id, fence=claim.fence, state=StepState.RUNNING)
    return bool(mine.update(lease_until=until))


def show_life(*, name: str, kind: str) -> None:
    """Note that a worker or sweeper was alive just now."""
    WorkerBeat.objects.bulk_create(
        [WorkerBeat(name=name[:120], kind=kind, seen_at=ClockTime())],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["kind", "seen_at"],
    )
