"""The bell: a message says only "look at run 42", after the commit, by the task's name.

A lost message is harmless, because the sweeper looks every five seconds anyway. So an unreachable
broker is logged and forgotten. Nothing else in the house sends messages.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

RING = "orchestra.ring"
SWEEP = "orchestra.sweep"
MAIL = "orchestra.send_mails"
FORGOTTEN_AFTER_SECONDS = 60
BROKER_RETRIES = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}

_is_silent: ContextVar[bool] = ContextVar("is_silent", default=False)


@contextmanager
def silence() -> Iterator[None]:
    """Ring no bell until the block ends: for who takes the steps of its own runs itself."""
    token = _is_silent.set(True)
    try:
        yield
    finally:
        _is_silent.reset(token)


def ring(run_id: int, *, times: int = 1, delay: timedelta = timedelta(0)) -> None:
    """Wake `times` workers for a run once this transaction is committed.

    `delay` (at most a minute) is for a step that is to be tried again then.
    """
    if _is_silent.get():
        return

    def send() -> None:
        for _ in range(times):
            _send(RING, [run_id], delay)

    transaction.on_commit(send)


def ring_sweeper() -> None:
    """Ask a worker for one sweep now."""
    _send(SWEEP, [], timedelta(0))


def ring_mail() -> None:
    """Ask a worker, once this transaction is committed, to send the e-mails that wait."""
    transaction.on_commit(lambda: _send(MAIL, [], timedelta(0)))


def _send(task: str, arguments: list[int], delay: timedelta) -> None:
    seconds = delay.total_seconds()
    try:
        current_app.send_task(
            task,
            args=arguments,
            countdown=seconds or None,
            expires=seconds + FORGOTTEN_AFTER_SECONDS,
            ignore_result=True,
            retry_policy=BROKER_RETRIES,
        )
    except Exception:
        # Whatever the broker's client raises, the rows are safe and the sweeper will find them.
        logger.warning("the bell %s did not ring; the sweeper will find the work", task)
