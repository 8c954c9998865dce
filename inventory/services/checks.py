"""Check a row by its own rules before it is written, so that people get words and no 500."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models

from inventory.foundation.errors import InvalidInput


def save_checked(instance: models.Model) -> None:
    """Run the model's validators and constraints, then save.

    InvalidInput with a message per field; a rule of the whole row stands under "".
    """
    errors: dict[str, list[ValidationError]] = {}

    def gather(check: Callable[..., None], **options: Any) -> None:
        try:
            check(**options)
        except ValidationError as error:
            error.update_error_dict(errors)

    # Django's full_clean(), but for the references at hand.
    gather(instance.clean_fields, exclude=_at_hand(instance))
    gather(instance.clean)
    gather(instance.validate_unique, exclude=set(errors) - {NON_FIELD_ERRORS})
    gather(instance.validate_constraints, exclude=set(errors) - {NON_FIELD_ERRORS})
    if errors:
        raise invalid(ValidationError(errors))
    instance.save()


def _at_hand(instance: models.Model) -> set[str]:
    """Return the references whose row is in memory: that it exists needs no query, and the
    database's own key is the last word."""
    return {
        field.name
        for field in instance._meta.concrete_fields
        if isinstance(field, models.ForeignKey)
        and field.is_cached(instance)
        and getattr(instance, field.attname) is not None
    }


def invalid(error: ValidationError) -> InvalidInput:
    """Turn Django's validation error into the family's."""
    fields = {
        "" if name == NON_FIELD_ERRORS else name: " ".join(messages)
        for name, messages in error.message_dict.items()
    }
    parts = [f"{name}: {text}" if name else text for name, text in fields.items()]
    return InvalidInput(" ".join(parts), fields=fields)


def changes_of(instance: models.Model) -> dict[str, list[Any]]:
    """Return what differs from the stored row, as field: [before, after], both readable.

    Every filled field of a new row counts; computed fields do not.
    """
    stored = type(instance)._base_manager.filter(pk=instance.pk).first() if instance.pk else None
    changes = {}
    for field in instance._meta.concrete_fields:
        if field.generated or field.primary_key or not field.editable:
            continue
        before = getattr(stored, field.attname) if stored is not None else None
        after = getattr(instance, field.attname)
        if before != after and not (stored is None and after in (None, "", {})):
            changes[field.name] = [_plain(before), _plain(after)]
    return changes


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | str | dict) else str(value)
