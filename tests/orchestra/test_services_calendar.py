"""Freezes and windows: who may set them where, what is refused, what is on record."""

from datetime import timedelta
from typing import Any

import pytest

from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import AuditEvent, User
from orchestra.models import ChangeWindow, Freeze
from orchestra.services.calendar import (
    HasBegun,
    HasEnded,
    add_freeze,
    add_window,
    edit_entry,
    end_entry,
    remove_entry,
)
from tests.cast import NOW
from tests.orchestra.world import Catalogue

DAY = timedelta(days=1)


def freeze(actor: User, **changes: Any) -> Freeze:
    """Set a freeze for tomorrow, with changes."""
    inputs = {
        "name": "Closing",
        "reason": "Books are closed",
        "start_at": NOW + DAY,
        "end_at": NOW + 2 * DAY,
        "at": NOW,
    }
    return add_freeze(actor=actor, **inputs | changes)


def test_each_scope_has_its_own_keeper(
    catalogue: Catalogue, owner: User, operator: User, member: User, stranger: User
) -> None:
    organisation = catalogue.project.organisation
    assert freeze(owner, project=catalogue.project).created_by == owner
    assert freeze(operator, pool=catalogue.pool).pool == catalogue.pool
    root = User.objects.create_superuser("root", "root@example.org", "let-me-in-2026")
    assert freeze(root).during.lower == NOW + DAY

    for actor, scope, error in (
        (member, {"project": catalogue.project}, Forbidden),
        (stranger, {"project": catalogue.project}, NotVisible),
        (owner, {"pool": catalogue.pool}, Forbidden),
        (owner, {"organisation": organisation}, Forbidden),
        (operator, {}, Forbidden),
        (root, {"project": catalogue.project, "pool": catalogue.pool}, InvalidInput),
    ):
        with pytest.raises(error):
            freeze(actor, **scope)
    assert Freeze.objects.count() == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"end_at": NOW + DAY}, "during"),
        ({"end_at": NOW}, "during"),
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"reason": "x" * 501}, "reason"),
        ({"name": "a\x00b"}, "name"),
    ],
)
def test_a_wrong_field_is_named(
    changes: dict[str, Any], field: str, catalogue: Catalogue, operator: User
) -> None:
    with pytest.raises(InvalidInput) as caught:
        freeze(operator, pool=catalogue.pool, **changes)
    assert list(caught.value.fields) == [field]
    assert not Freeze.objects.exists()


def test_it_is_changed_ended_and_then_stays(catalogue: Catalogue, operator: User) -> None:
    entry = freeze(operator, pool=catalogue.pool, end_at=None)
    entry = edit_entry(
        entry=entry, changes={"start_at": NOW - DAY, "name": "Now"}, actor=operator, at=NOW
    )
    assert (entry.during.lower, entry.during.upper) == (NOW - DAY, None)
    with pytest.raises(HasBegun):
        remove_entry(entry=entry, actor=operator, at=NOW)
    with pytest.raises(InvalidInput, match="no field pool"):
        edit_entry(entry=entry, changes={"pool": None}, actor=operator, at=NOW)
    entry = end_entry(entry=entry, actor=operator, at=NOW)
    for late in (NOW, NOW + DAY):
        with pytest.raises(HasEnded):
            edit_entry(entry=entry, changes={"name": "Late"}, actor=operator, at=late)
    changes = list(AuditEvent.objects.order_by("pk").values_list("action", "changes"))[-2:]
    assert [action for action, _ in changes] == ["freeze.edit", "freeze.edit"]
    assert changes[1][1] == {"end_at": [None, NOW.isoformat()]}


def test_a_window_is_taken_away_at_any_time(
    catalogue: Catalogue, operator: User, owner: User
) -> None:
    window = add_window(
        name="Nights",
        reason="Quiet",
        start_at=NOW - DAY,
        end_at=NOW + DAY,
        pool=catalogue.pool,
        actor=operator,
        at=NOW,
    )
    with pytest.raises(Forbidden):
        remove_entry(entry=window, actor=owner, at=NOW)
    with pytest.raises(InvalidInput, match="holds_scaling"):
        edit_entry(entry=window, changes={"holds_scaling": True}, actor=operator, at=NOW)
    remove_entry(entry=window, actor=operator, at=NOW)
    assert not ChangeWindow.objects.exists()
    entry = AuditEvent.objects.get(action="window.remove")
    assert (entry.object_label, entry.organisation) == ("Nights", catalogue.pool.organisation)
