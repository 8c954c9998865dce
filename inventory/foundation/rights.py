"""What the application's database role may do: use the tables, never own them.

Runs after every migrate, as the owner. Rows of an AppendOnlyModel may be added and read only.
"""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections

from inventory.foundation.models import AppendOnlyModel

APPEND_ONLY_TABLES = ("billing_usagerecord",)


def grant_application_rights(using: str, **_kwargs: Any) -> None:
    """Give the application's role what it needs and take away what it must not have.

    Does nothing when one role does both (then only the triggers refuse).
    """
    connection = connections[using]
    role = settings.DATABASE_APPLICATION_ROLE
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, EXISTS (SELECT 1 FROM pg_roles WHERE rolname = %s)", [role]
        )
        current, exists = cursor.fetchone()
        if current == role or not exists:
            return
        name = connection.ops.quote_name(role)
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {name}")
        cursor.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"
        )
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}")
        frozen = [
            model._meta.db_table
            for model in apps.get_models()
            if issubclass(model, AppendOnlyModel)
        ]
        existing = set(connection.introspection.table_names(cursor, include_views=False))
        for table in (*frozen, *APPEND_ONLY_TABLES):
            if table in existing:
                quoted = connection.ops.quote_name(table)
                cursor.execute(f"REVOKE UPDATE, DELETE ON {quoted} FROM {name}")
