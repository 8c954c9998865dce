"""The tables are the code's, and the application's role may use them and no more."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.utils import ProgrammingError

pytestmark = pytest.mark.django_db


def test_the_migrations_are_complete() -> None:
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def test_the_tests_run_as_the_application() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False, False, False)


def test_the_application_owns_nothing() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE pg_get_userbyid(relowner) = current_user)"
            " FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        )
        relations, owned = cursor.fetchone()
    assert relations > 100
    assert owned == 0


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE foundation_auditevent",
        "ALTER TABLE billing_charge DISABLE TRIGGER ALL",
        "ALTER TABLE inventory_allocation DROP COLUMN amount",
        "DROP TABLE orchestra_order CASCADE",
        "CREATE TABLE mine (id integer)",
        "CREATE TRIGGER mine BEFORE INSERT ON orchestra_order"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "UPDATE foundation_auditevent SET action = ''",
        "DELETE FROM billing_usagerecord",
        "SET session_replication_role = replica",
    ],
)
def test_the_database_refuses_what_the_application_must_not_do(statement: str) -> None:
    with (
        pytest.raises(ProgrammingError, match=r"must be owner|permission denied"),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_rights_reach_every_table() -> None:
    """A table without SELECT is one that a migration made after the rights were given."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT has_table_privilege(oid, 'SELECT, INSERT')"
        )
        assert cursor.fetchall() == []
