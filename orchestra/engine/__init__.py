"""The engine: claim a step, take it, write its outcome, undo (engine.md).

The row is the job, the queue is only the bell. Kill anything at any time: every run finishes by
itself, exactly once, with nothing left behind.
"""

from orchestra.engine.sweep import SweepReport, sweep
from orchestra.engine.work import drain

__all__ = ["SweepReport", "drain", "sweep"]
