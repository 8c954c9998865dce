"""The database's clock, for the doors that hand business time to services as an argument."""

from datetime import datetime

from django.db import connection, models
from django.db.models import Func


def database_now() -> datetime:
    """Return clock_timestamp(): the one clock that portal, workers and scheduler share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    return now


class ClockTime(Func):
    """clock_timestamp() as a value in a statement: the same clock without a question of its own."""

    function = "clock_timestamp"
    template = "%(function)s()"
    arity = 0
    output_field = models.DateTimeField()
