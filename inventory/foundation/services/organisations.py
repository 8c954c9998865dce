"""The verbs of organisations: an installation's first one."""

from datetime import datetime

from django.db import transaction

from inventory.foundation.errors import Conflict
from inventory.foundation.models import Organisation
from inventory.foundation.services.checks import clean
from inventory.foundation.trail import record_audit


class NotTheFirst(Conflict):
    """There is an organisation already; another one is opened by an administrator."""

    code = "not_the_first"


@transaction.atomic
def found_organisation(*, slug: str, name: str, at: datetime) -> Organisation:
    """Make the first organisation of an empty installation, from the command line.

    Raises NotTheFirst when there is one, InvalidInput by field.
    """
    if Organisation.objects.exists():
        message = "There is an organisation already. An administrator opens further ones."
        raise NotTheFirst(message)
    organisation = Organisation(name=name, slug=slug)
    clean(organisation)
    organisation.save(force_insert=True)
    record_audit(
        action="organisation.create", subject=organisation, at=at, organisation=organisation
    )
    return organisation
