"""What the cellar's verbs share: rights in an organisation, a model's own checks, plain values."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from inventory.foundation.errors import InvalidInput, NotVisible
from inventory.foundation.models import Organisation, User
from inventory.foundation.permissions import Action, organisations_where, refusal
from inventory.foundation.selectors import members_of


def require_organisation(actor: User, action: Action, organisation: Organisation) -> None:
    """Raise NotVisible for a stranger to the organisation, Forbidden for who lacks the role."""
    if organisation.pk in organisations_where(actor, action):
        return
    is_known = members_of(organisation).filter(pk=actor.pk).exists()
    if not is_known and organisation.pk not in organisations_where(actor, Action.PROJECT_VIEW):
        message = "There is no such organisation, or you do not belong to it."
        raise NotVisible(message)
    raise refusal(action)


def people_faults(organisation: Organisation, **people: User) -> dict[str, str]:
    """Return a fault by field for each who is no active person of the organisation."""
    known = members_of(organisation)
    return {
        field: f"Choose an active person who belongs to {organisation}."
        for field, person in people.items()
        if not isinstance(person, User) or not known.filter(pk=person.pk).exists()
    }


def refuse_unknown(changes: Mapping[str, Any], known: tuple[str, ...], noun: str) -> None:
    """Raise InvalidInput that names each field which may not be changed."""
    unknown = sorted(str(name) for name in changes if name not in known)
    if unknown:
        message = f"A {noun} has no field {', '.join(unknown)} that may be changed."
        raise InvalidInput(message, fields=dict.fromkeys(unknown, "There is no such field."))


def clean(instance: Model, only: set[str] | None = None) -> None:
    """Run the model's own checks and say by field what is wrong."""
    exclude = None
    if only is not None:
        exclude = {field.name for field in instance._meta.fields} - only
    try:
        instance.full_clean(exclude=exclude)
    except ValidationError as error:
        faults = {
            ("" if field == "__all__" else field): " ".join(messages)
            for field, messages in error.message_dict.items()
        }
        raise InvalidInput(next(iter(faults.values())), fields=faults) from error


def plain(value: Any) -> Any:
    """Return a value as an audit entry keeps it."""
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
