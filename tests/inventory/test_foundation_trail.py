"""What is told together is written once, in order, or not at all."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from inventory.foundation.models import AuditEvent, Event, Project
from inventory.foundation.trail import emit_event, record_audit, told_together
from tests.cast import NOW


def tell(project: Project, word: str) -> None:
    record_audit(action=f"project.{word}", subject=project, at=NOW, project=project)
    emit_event(type=f"orchestra.project.{word}", subject=project, at=NOW, data={})


def tell_and_fail(project: Project) -> None:
    tell(project, "lost")
    message = "no"
    raise ValueError(message)


def told() -> tuple[list[str], list[str]]:
    """Return the actions and the types of events, as far as they are written, in their order."""
    return (
        [entry.action.partition(".")[2] for entry in AuditEvent.objects.order_by("pk")],
        [event.type.rpartition(".")[2] for event in Event.objects.order_by("pk")],
    )


def test_many_words_take_one_statement_a_kind(project: Project) -> None:
    with transaction.atomic(), told_together():
        for word in ("one", "two", "three"):
            tell(project, word)
        assert told() == ([], [])
        with CaptureQueriesContext(connection) as inner, told_together():
            tell(project, "four")
    words = ["one", "two", "three", "four"]
    assert told() == (words, words)
    assert not inner.captured_queries


def test_two_statements_for_two_kinds(project: Project) -> None:
    with CaptureQueriesContext(connection) as seen, transaction.atomic(), told_together():
        for word in ("one", "two", "three"):
            tell(project, word)
    inserts = [query for query in seen.captured_queries if query["sql"].startswith("INSERT")]
    assert len(inserts) == 2


def test_what_failed_and_was_caught_is_not_told(project: Project) -> None:
    with transaction.atomic(), told_together():
        tell(project, "before")
        with pytest.raises(ValueError, match="no"), transaction.atomic(), told_together():
            tell_and_fail(project)
        tell(project, "after")
    assert told() == (["before", "after"], ["before", "after"])


def test_a_failed_change_tells_nothing(project: Project) -> None:
    with pytest.raises(ValueError, match="no"), transaction.atomic(), told_together():
        tell_and_fail(project)
    assert told() == ([], [])
    with transaction.atomic():
        tell(project, "alone")
    assert told() == (["alone"], ["alone"])


@pytest.mark.django_db(transaction=True)
def test_nothing_is_told_outside_a_transaction(project: Project) -> None:
    with pytest.raises(RuntimeError, match="transaction of the change"):
        tell(project, "lost")
    assert told() == ([], [])
