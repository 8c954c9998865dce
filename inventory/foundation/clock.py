"""The database's clock, for the doors that hand business time to services as an argument."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return clock_timestamp(): the one clock that portal, workers and scheduler share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    return now
