"""What the tests of changes share: an application that runs, and the changes asked of it."""

from datetime import datetime, timedelta
from typing import Any

from inventory.choices import AllocationState
from inventory.foundation.models import User
from inventory.models import Allocation, CapacitySpan
from orchestra.engine import drain
from orchestra.models import Deployment, Order
from orchestra.services.orders import (
    request_end,
    request_extension,
    request_resize,
    submit_order,
)
from tests.cast import NOW

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
END = NOW + 30 * DAY


def send(order: Order, actor: User, *, at: datetime = NOW) -> Order:
    """Send a request with its latest plan and let the engine do what follows, at that instant."""
    plan = order.plans.order_by("-number").first()
    assert plan is not None, order.refusal
    submit_order(order=order, actor=actor, plan_sha256=plan.sha256, at=at, effective_at=at)
    return carried_out(order)


def carried_out(order: Order) -> Order:
    drain(worker="test:1")
    order.refresh_from_db()
    return order


def resized(web: Deployment, member: User, *, at: datetime = NOW, **more: Any) -> Order:
    wish: dict[str, Any] = {"parameters": {"disk": 100}, "business_reason": "Full"} | more
    return request_resize(deployment=web, requester=member, at=at, **wish)


def longer(web: Deployment, member: User, end: datetime, *, at: datetime = NOW) -> Order:
    return request_extension(
        deployment=web, requester=member, end_at=end, business_reason="Needed", at=at
    )


def earlier(web: Deployment, member: User, end: datetime | None, *, at: datetime = NOW) -> Order:
    return request_end(
        deployment=web,
        requester=member,
        end_at=end,
        business_reason="Done",
        at=at,
        effective_at=at,
    )


def disk_of(web: Deployment) -> list[int]:
    return list(
        Allocation.objects.filter(
            resource__deployment_link__deployment=web,
            resource_class__name="DISK_GB",
            state=AllocationState.ACTIVE,
        )
        .order_by("resource_id")
        .values_list("amount", flat=True)
    )


def used_disk(at: datetime) -> int:
    spans = CapacitySpan.objects.filter(
        inventory__resource_class__name="DISK_GB", during__contains=at
    )
    return sum(span.used for span in spans)
