"""What the bell rings for: an id in, one call of the engine."""

import os
import socket

from celery import shared_task
from celery.signals import worker_ready

from orchestra import bell, engine

Sender = object


def worker_name() -> str:
    """Return a name that no other process at work has."""
    return f"{socket.gethostname()}:{os.getpid()}"


@shared_task(name=bell.RING)
def ring(run_id: int) -> int:  # noqa: ARG001 - one bell drains, whichever run it rang for
    """Do all that is ready."""
    return engine.drain(worker=worker_name())


@shared_task(name=bell.SWEEP)
def sweep() -> int:
    """Find what no bell rang for, and do it."""
    return engine.sweep(worker=worker_name()).steps


@worker_ready.connect
def sweep_at_start(**_kwargs: Sender) -> None:
    """A worker that comes up asks for a sweep: others may have died before."""
    bell.ring_sweeper()
