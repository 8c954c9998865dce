"""What the scheduler asks for."""

from django.conf import settings

from inventory.foundation.clock import database_now
from inventory.foundation.models import AuditEvent, User
from orchestra.choices import OrderState
from orchestra.tasks import expire_orders
from tests.orchestra.world import Catalogue, place, waiting


def test_requests_that_nobody_decided_on_expire(catalogue: Catalogue, member: User) -> None:
    long_ago = waiting(catalogue, member)
    fresh = place(catalogue, member, name="fresh", at=database_now(), end_at=None)

    assert expire_orders() == 1

    long_ago.refresh_from_db()
    fresh.refresh_from_db()
    assert long_ago.state == OrderState.EXPIRED
    assert fresh.state != OrderState.EXPIRED
    entry = AuditEvent.objects.get(action="order.expire")
    assert (entry.via, entry.actor_label, entry.actor) == ("loop", "expiry", None)


def test_the_scheduler_asks_for_it_every_five_minutes() -> None:
    (entry,) = (
        entry
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
        if entry["task"] == expire_orders.name
    )
    assert entry["schedule"] == 300
