"""Check a row by its own rules before it is written, so that people get words and no 500."""

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models

from inventory.foundation.errors import InvalidInput


def save_checked(instance: models.Model) -> None:
    """Run the model's validators and constraints, then save.

    InvalidInput with a message per field; a rule of the whole row stands under "".
    """
    try:
        instance.full_clean()
    except ValidationError as error:
        raise invalid(error) from error
    instance.save()


def invalid(error: ValidationError) -> InvalidInput:
    """Turn Django's validation error into the family's."""
    fields = {
        "" if name == NON_FIELD_ERRORS else name: " ".join(messages)
        for name, messages in error.message_dict.items()
    }
    parts = [f"{name}: {text}" if name else text for name, text in fields.items()]
    return InvalidInput(" ".join(parts), fields=fields)
