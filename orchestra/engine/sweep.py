"""The sweeper makes every lost message harmless. It may run anywhere, any number of times."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from inventory.foundation.choices import Via
from inventory.foundation.clock import ClockTime, database_now
from inventory.foundation.trail import Trail, on_trail
from inventory.services import expire_reservations
from orchestra.choices import DesiredState, RunState
from orchestra.engine.claim import show_life
from orchestra.engine.compensate import begin_compensation
from orchestra.engine.story import business_time
from orchestra.engine.work import drain
from orchestra.models import WorkerBeat
from orchestra.selectors.runs import lock_run, overdue_runs

SIGNS_KEPT = timedelta(days=1)


@dataclass(frozen=True)
class SweepReport:
    """What one sweep did: runs past their deadline, reservations given back, steps taken."""

    overdue: int
    expired: int
    steps: int


def sweep(*, worker: str) -> SweepReport:
    """Undo what is overdue, give back unused reservations, then do all that is ready.

    Expired leases and the probes of a failed connection are among what is ready.
    """
    with on_trail(Trail(via=Via.WORKER, label=f"sweeper {worker}"[:120])):
        show_life(name="sweeper", kind="sweeper")
        WorkerBeat.objects.filter(seen_at__lt=ClockTime() - SIGNS_KEPT).delete()
        overdue = sum(_undo_overdue(run_id) for run_id in overdue_runs())
        expired = expire_reservations(at=database_now())
    return SweepReport(overdue=overdue, expired=expired, steps=drain(worker=worker))


@transaction.atomic
def _undo_overdue(run_id: int) -> bool:
    run = lock_run(run_id)
    is_late = run.deadline_at is not None and run.deadline_at < database_now()
    if run.state != RunState.RUNNING or run.desired_state != DesiredState.RUN or not is_late:
        return False
    reason = "It took longer than it may."
    begin_compensation(run=run, at=business_time(run), reason=reason)
    return True
