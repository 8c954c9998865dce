"""What the routes of the change calendar are asked with in the permission matrix."""

from datetime import datetime, timedelta
from typing import Any

from inventory.foundation.models import User
from inventory.models import Pool
from orchestra.models import Approval, ChangeWindow, Connection, Freeze, PolicyVersion
from orchestra.selectors.catalogue import catalogue


def make_calendar_doors(*, pool: Pool, member: User, at: datetime) -> None:
    """Let a freeze and a window of the pool have begun."""
    begun: dict[str, Any] = {
        "reason": "Inventory",
        "during": (at - timedelta(days=1), at + timedelta(days=9)),
        "pool": pool,
        "created_by": member,
    }
    Freeze.objects.create(name="Stock-taking", **begun)
    ChangeWindow.objects.create(name="Nights", **begun)


def calendar_addresses(*, pool: Pool, member: User) -> dict[str, dict[str, Any]]:
    """Return the numbers in the addresses, by route."""
    freeze = {"pk": Freeze.objects.get(name="Stock-taking").pk}
    window = {"pk": ChangeWindow.objects.get(name="Nights").pk}
    service = {"slug": catalogue(member)[0].offering.slug}
    rule = PolicyVersion.objects.get(policy__slug="shops")
    decided = Approval.objects.filter(plan__order__name="live")[0]
    verbs = ("", "-edit", "-end", "-remove")
    return (
        {f"orchestra:freeze{verb}": freeze for verb in verbs}
        | {f"orchestra:window{verb}": window for verb in verbs}
        | {
            "api:freeze-detail": freeze,
            "api:freeze-end": freeze,
            "api:change-window-detail": window,
            "api:change-window-end": window,
            "api:offering-detail": service,
            "api:rule-detail": {"pk": rule.pk},
            "api:decision-detail": {"pk": decided.pk},
            "orchestra:connection": {"pk": Connection.objects.get(pool_links__pool=pool).pk},
        }
    )


def calendar_contents(*, pool: Pool, key: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return what the writes send, by route."""
    said = {"name": "Move", "reason": "The room is moved", "start_at": "2030-01-01T08:00"}
    told = {"name": "Move", "reason": "The room is moved", "pool": pool.slug}
    new = said | {"place": f"pool-{pool.pk}"} | key
    return {
        "orchestra:freeze-new": new,
        "orchestra:window-new": new,
        "orchestra:freeze-edit": said,
        "orchestra:window-edit": said,
        "api:freeze-list": told,
        "api:change-window-list": told,
        "api:freeze-detail": {"name": "Longer"},
        "api:change-window-detail": {"name": "Longer"},
    }
