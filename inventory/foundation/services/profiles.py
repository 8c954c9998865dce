"""A person's own profile."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from inventory.foundation.errors import InvalidInput
from inventory.foundation.models import User
from inventory.foundation.periods import zone_named
from inventory.foundation.services.checks import clean, refuse_unknown
from inventory.foundation.trail import record_audit

PROFILE_FIELDS = ("display_name", "time_zone", "theme", "page_size", "density")


@transaction.atomic
def update_profile(*, user: User, changes: Mapping[str, Any], at: datetime) -> User:
    """Change one's own name, time zone, theme, rows a page or density.

    Raises InvalidInput by field.
    """
    refuse_unknown(changes, PROFILE_FIELDS, "profile")
    user = User.objects.select_for_update().get(pk=user.pk)
    before = {field: getattr(user, field) for field in changes}
    for field, value in changes.items():
        setattr(user, field, value)
    if "time_zone" in changes:
        try:
            zone_named(str(user.time_zone))
        except InvalidInput as error:
            raise InvalidInput(error.message, fields={"time_zone": error.message}) from error
    clean(user, only=set(changes))
    differences = {
        field: [before[field], getattr(user, field)]
        for field in changes
        if before[field] != getattr(user, field)
    }
    if differences:
        user.save(update_fields=list(differences))
        record_audit(action="profile.edit", subject=user, at=at, actor=user, changes=differences)
    return user
