"""Every test runs as the application's database role, against tables that the owner made."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connections
from pytest_django import Settings

pytest_plugins = ["tests.cast"]


def pytest_configure() -> None:
    """Name static files plainly: hashed names exist only after a collectstatic."""
    plain = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES["staticfiles"]["BACKEND"] = plain


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Let the owner make the test database (see `django_db_setup` for who then uses it)."""
    owner = connections.databases["owner"]
    for alias in ("default", "owner"):
        chosen = connections[alias].settings_dict
        chosen["USER"], chosen["PASSWORD"] = owner["USER"], owner["PASSWORD"]
        chosen["CONN_MAX_AGE"] = 0


def flush_as_owner(sql_list: list[str]) -> None:
    """Empty the tables over a second connection that stays the owner (it logged in as that).

    CASCADE for the token table of knox: swapped for ours, so Django does not list it, but it is
    there and refers to people.
    """
    owner = connections["default"].copy()
    owner.settings_dict["OPTIONS"].pop("assume_role")
    try:
        with owner.cursor() as cursor:
            for sql in sql_list:
                cursor.execute(sql.replace(";", " CASCADE;") if "TRUNCATE" in sql else sql)
    finally:
        owner.close()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> Iterator[None]:
    """From here on `default` acts as the application's role; `owner` still owns the tables."""
    connection = connections["default"]
    connection.close()
    connection.settings_dict["OPTIONS"]["assume_role"] = settings.DATABASE_APPLICATION_ROLE
    # Tests with real transactions end with a TRUNCATE, which only the owner may do. Not a fixture
    # of the single test: that would be gone before the database's own teardown.
    connection.ops.execute_sql_flush = flush_as_owner
    yield
    del connection.ops.execute_sql_flush
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        connection.close()
        connection.settings_dict["OPTIONS"].pop("assume_role")


@pytest.fixture(autouse=True)
def cheap_passwords(settings: Settings) -> None:
    """Hash passwords fast: a test makes half a dozen people, and none of them is attacked."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
