"""Where the demo may be loaded and emptied: only ever a demo, and then all of it.

Not in `test_demo.py`: that holds its demo in a transaction, which this would wait for.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from inventory.foundation.models import AuditEvent, Organisation, Project, User
from orchestra.demo import PASSWORD, empty_demo
from orchestra.demo.people import make_company
from orchestra.demo.reset import NotADemo
from tests.conftest import flush_as_owner


@pytest.fixture(scope="module", autouse=True)
def flush_whole() -> Iterator[None]:
    """Empty the tables as for `default` after a test that may use the owner's connection too."""
    owner: Any = connections["owner"].ops
    owner.execute_sql_flush = flush_as_owner
    yield
    del owner.execute_sql_flush


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_only_a_demo_is_emptied(tmp_path: Path, settings: Any) -> None:
    settings.VAR_DIR = tmp_path
    (tmp_path / "simulated").mkdir()
    empty_demo()  # nothing is there, so nothing is refused
    make_company(at=datetime(2026, 1, 1, tzinfo=UTC))
    admin = User.objects.get(username="admin")
    admin.set_password("people work here")
    admin.save()
    with pytest.raises(NotADemo, match="Only the demo may be emptied"):
        empty_demo()
    assert Project.objects.count() == 46

    admin.set_password(PASSWORD)
    admin.save()
    empty_demo()
    assert not Project.objects.exists()
    assert not User.objects.exists()
    assert not AuditEvent.objects.exists()
    assert not (tmp_path / "simulated").exists()


def test_it_goes_into_an_empty_database_only(organisation: Organisation) -> None:
    with pytest.raises(CommandError, match="The demo needs an empty database") as refusal:
        call_command("demo", as_of="2026-03-14")
    assert "\n" not in str(refusal.value)
    assert Organisation.objects.get() == organisation
