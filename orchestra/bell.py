"""The bell: a message says only "look at run 42", after the commit, by the task's name.

A lost message is harmless, because the sweeper looks every five seconds anyway. So an unreachable
broker is logged and forgotten. Nothing else in the house sends messages.
"""

import logging

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

RING = "orchestra.ring"
SWEEP = "orchestra.sweep"
BROKER_RETRIES = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}


def ring(run_id: int, *, times: int = 1) -> None:
    """Wake `times` workers for a run once this transaction is committed."""

    def send() -> None:
        for _ in range(times):
            _send(RING, [run_id])

    transaction.on_commit(send)


def ring_sweeper() -> None:
    """Ask a worker for one sweep now."""
    _send(SWEEP, [])


def _send(task: str, arguments: list[int]) -> None:
    try:
        current_app.send_task(
            task, args=arguments, ignore_result=True, retry_policy=BROKER_RETRIES, expires=60
        )
    except Exception:
        # Whatever the broker's client raises, the rows are safe and the sweeper will find them.
        logger.warning("the bell %s did not ring; the sweeper will find the work", task)
