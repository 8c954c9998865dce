"""Empty a loaded demo, so that it can be loaded again. Only ever a demo."""

import shutil

from django.conf import settings
from django.db import connection, connections

from inventory.foundation.errors import Conflict
from inventory.foundation.models import Organisation, User
from orchestra.demo.people import PASSWORD, PEOPLE

KEPT = {"django_migrations", "django_content_type", "auth_permission"}


class NotADemo(Conflict):
    """What is in the database is not the demo, so nobody empties it."""

    code = "not_a_demo"
    title = "This is not the demo"


def empty_demo() -> None:
    """Remove everything from the database and the simulated machines; nothing can be brought back.

    Only the owner of the tables may do that. An empty database is left as it is. Raises NotADemo
    where the first organisation and people are not the demo's, or somebody changed the public
    password of its administrator: then people work there.
    """
    if not Organisation.objects.exists() and not User.objects.exists():
        return
    _require_demo()
    connection.close()  # what it holds open would be waited for
    owner = connections["owner"].copy()
    tables = sorted(set(owner.introspection.table_names()) - KEPT)
    with owner.cursor() as cursor:
        named = ", ".join(owner.ops.quote_name(table) for table in tables)
        cursor.execute(f"TRUNCATE {named} RESTART IDENTITY CASCADE")
    owner.close()
    shutil.rmtree(settings.VAR_DIR / "simulated", ignore_errors=True)


def _require_demo() -> None:
    first = Organisation.objects.order_by("pk").first()
    people = list(User.objects.order_by("pk").values_list("username", flat=True)[: len(PEOPLE)])
    admin = User.objects.filter(username="admin").first()
    is_demo = (
        first is not None
        and first.slug == "nordwind"
        and people == [person.username for person in PEOPLE]
        and admin is not None
        and admin.check_password(PASSWORD)
    )
    if not is_demo:
        message = (
            "Only the demo may be emptied, and this database holds something else. "
            "Point DATABASE_URL or ORCHESTRA_VAR at the demo."
        )
        raise NotADemo(message)
