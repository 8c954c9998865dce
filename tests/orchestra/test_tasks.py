"""What the scheduler asks for."""

from datetime import timedelta

import time_machine
from django.conf import settings

from inventory.foundation.clock import database_now
from inventory.foundation.models import AuditEvent, User
from orchestra import engine
from orchestra.choices import DeploymentState, OrderKind, OrderState
from orchestra.models import Order
from orchestra.selectors.runs import invariants
from orchestra.services import deployments
from orchestra.tasks import expire_orders, retire_ended
from tests.orchestra.world import Catalogue, place, submit, waiting


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


def test_what_reaches_its_agreed_end_is_given_back(catalogue: Catalogue, member: User) -> None:
    now = database_now()
    ending = submit(
        place(catalogue, member, name="ending", at=now, end_at=now + timedelta(days=5)),
        member,
        at=now,
    )
    lasting = submit(
        place(catalogue, member, name="lasting", at=now, end_at=now + timedelta(days=50)),
        member,
        at=now,
    )
    engine.drain(worker="test")
    User.objects.filter(pk=catalogue.project.owner_id).update(is_active=False)
    with time_machine.travel(now + timedelta(days=6)):
        assert retire_ended() == 0  # the database's clock counts, not this machine's
    assert deployments.retire_ended(at=now + timedelta(days=5)) == 1
    assert deployments.retire_ended(at=now + timedelta(days=5)) == 0
    engine.drain(worker="test")

    for order, state in ((ending, DeploymentState.RETIRED), (lasting, DeploymentState.LIVE)):
        order.deployment.refresh_from_db()
        assert order.deployment.state == state
    asked = Order.objects.get(kind=OrderKind.RETIRE)
    assert asked.requester == catalogue.project.deputy  # the owner has left
    assert asked.business_reason == "Its agreed end is reached."
    assert not invariants()


def test_the_scheduler_asks_for_it_every_five_minutes() -> None:
    (entry,) = (
        entry
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
        if entry["task"] == expire_orders.name
    )
    assert entry["schedule"] == 300
