"""The one family of errors that a service may raise at people; the faces turn them into answers."""

from collections.abc import Mapping
from typing import Any, ClassVar


class DomainError(Exception):
    """Something a person asked for cannot be done. The message names the cure, never a bare code.

    `code` is stable and machine-readable, `status` the HTTP status of the answer, `fields` maps a
    field's name to its message, `details` holds anything a program may want.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 422
    title: ClassVar[str] = "This cannot be done"

    def __init__(
        self,
        message: str,
        *,
        fields: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})
        self.details = dict(details or {})


class InvalidInput(DomainError):
    """A value is of the wrong kind, size or form; `fields` says which."""

    code = "invalid"
    status = 400
    title = "Please check what you entered"


class NotVisible(DomainError):
    """There is no such thing, or none that this person may see: the answer is the same."""

    code = "not_found"
    status = 404
    title = "Not found"


class Forbidden(DomainError):
    """The person may see it but not do this; the message names the rule."""

    code = "forbidden"
    status = 403
    title = "Not allowed"


class Conflict(DomainError):
    """Somebody else changed it meanwhile, or its state does not allow this any more."""

    code = "conflict"
    status = 409
    title = "Changed meanwhile"


class StaleEdit(Conflict):
    """The form was opened before somebody else's change."""

    code = "stale_edit"
