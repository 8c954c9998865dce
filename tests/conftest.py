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


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> Iterator[None]:
    """From here on `default` acts as the application's role; `owner` still owns the tables."""
    connection = connections["default"]
    connection.close()
    connection.settings_dict["OPTIONS"]["assume_role"] = settings.DATABASE_APPLICATION_ROLE
    yield
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        connection.close()
        connection.settings_dict["OPTIONS"].pop("assume_role")


@pytest.fixture(autouse=True)
def flush_as_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests with real transactions end with a TRUNCATE, which only the owner may do."""
    operations = connections["default"].ops

    def as_owner(sql_list: list[str]) -> None:
        with connections["owner"].cursor() as cursor:
            for sql in sql_list:
                cursor.execute(sql)

    monkeypatch.setattr(operations, "execute_sql_flush", as_owner)


@pytest.fixture(autouse=True)
def cheap_passwords(settings: Settings) -> None:
    """Hash passwords fast: a test makes half a dozen people, and none of them is attacked."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
