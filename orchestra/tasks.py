"""What the bell rings for, and what the scheduler asks: one call of the engine or a service."""

import os
import socket

from celery import shared_task
from celery.signals import worker_ready

from inventory.foundation.choices import Via
from inventory.foundation.clock import database_now
from inventory.foundation.trail import Trail, on_trail
from orchestra import bell, deliveries, engine
from orchestra.services import deployments, leases, orders, projects

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


@shared_task(name="orchestra.expire_orders")
def expire_orders() -> int:
    """Close the requests that nobody decided on in time."""
    with on_trail(Trail(via=Via.LOOP, label="expiry")):
        return orders.expire_orders(at=database_now())


@shared_task(name="orchestra.retire_ended")
def retire_ended() -> int:
    """Give back what has reached its agreed end."""
    with on_trail(Trail(via=Via.LOOP, label="end of term")):
        return deployments.retire_ended(at=database_now())


@shared_task(name="orchestra.warn_of_ends")
def warn_of_ends() -> int:
    """Tell people of the ends and confirmations that come near."""
    with on_trail(Trail(via=Via.LOOP, label="warnings")):
        return leases.warn_of_ends(at=database_now())


@shared_task(name=bell.MAIL)
def send_mails() -> int:
    """Send the e-mails that wait."""
    return deliveries.send_mails(at=database_now())


@shared_task(name="orchestra.carry_out_moves")
def carry_out_moves() -> int:
    """Let projects belong to another organisation from the instant that was agreed."""
    with on_trail(Trail(via=Via.LOOP, label="moves")):
        return projects.carry_out_moves(at=database_now())


@worker_ready.connect
def sweep_at_start(**_kwargs: Sender) -> None:
    """A worker that comes up asks for a sweep: others may have died before."""
    bell.ring_sweeper()
