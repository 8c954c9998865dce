"""What the scheduler asks of the house of money."""

from celery import shared_task

from billing.services import rate_open_periods
from inventory.foundation.choices import Via
from inventory.foundation.clock import database_now
from inventory.foundation.trail import Trail, on_trail


@shared_task(name="billing.rate_open_periods")
def rate_open_periods_now() -> None:
    """Price every open month anew, up to the present instant."""
    with on_trail(Trail(via=Via.LOOP, label="rating")):
        rate_open_periods(at=database_now())
