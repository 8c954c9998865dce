"""What all endpoints share: how a token narrows them, how a write is done once, strict input."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.foundation.errors import DomainError, StaleEdit
from inventory.foundation.idempotency import answer_once

IDEMPOTENCY_HEADER = "Idempotency-Key"


class PortalTokenScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document describes the token's header."""

    target_class = "inventory.foundation.authentication.PortalTokens"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        """Return an apiKey header: “Token” and a space come before the secret."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "“Token ” followed by a secret of the page Access tokens.",
        }


class KeyMissing(DomainError):
    """A write without a key could be done twice by a client that tries again."""

    code = "idempotency_key_missing"
    status = 400
    title = "Send a key with every write"


class VersionMissing(DomainError):
    """An edit without the version it started from could overwrite somebody else's."""

    code = "version_missing"
    status = 428
    title = "Say which version you changed"


def within_token(request: Request, rows: QuerySet[Any], *, project: str) -> QuerySet[Any]:
    """Keep the rows of the token's project, where the token is for one; `project` is the path."""
    project_id = getattr(request.auth, "project_id", None)
    return rows if project_id is None else rows.filter(**{f"{project}_id": project_id})


def is_narrow(request: Request) -> bool:
    """Say whether the token is for one project: it tells nothing of what is no project's."""
    return getattr(request.auth, "project_id", None) is not None


class ReadEndpoint[M: Model](viewsets.ReadOnlyModelViewSet[M]):
    """What is only read: `rows` are those that the caller may see; `detail_class` tells more."""

    detail_class: ClassVar[type[serializers.BaseSerializer[Any]] | None] = None

    def rows(self) -> QuerySet[M]:
        """Return the rows that the caller may see, in order."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[M]:
        """Return the visible rows; the document of the API asks nobody."""
        if getattr(self, "swagger_fake_view", False):
            nothing: QuerySet[M] = self.queryset  # type: ignore[assignment, arg-type]
            return nothing
        return self.rows()

    def get_serializer_class(self) -> Any:
        """Tell more of one than of many."""
        if self.action == "retrieve" and self.detail_class is not None:
            return self.detail_class
        return self.serializer_class

    @property
    def caller(self) -> Any:
        """Return who asks."""
        return self.request.user


class StrictSerializer(serializers.Serializer[Any]):
    """Input in which a field that nobody knows is an error, not silently dropped."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse unknown fields by name."""
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(
                    {name: ["There is no such field."] for name in unknown}
                )
        return super().to_internal_value(data)


def write_once(
    request: Request, *, at: datetime, do: Callable[[], tuple[int, dict[str, Any]]]
) -> Response:
    """Do a write under the request's Idempotency-Key, or give the answer it got before.

    `do` returns (HTTP status, JSON). Raises KeyMissing without a key, KeyReused where the key came
    with other content.
    """
    key = request.headers.get(IDEMPOTENCY_HEADER, "")
    if not key:
        message = (
            f"Send the header {IDEMPOTENCY_HEADER} with a text of your own, one for each write."
        )
        raise KeyMissing(message)
    status, body, is_repetition = answer_once(
        user=request.user,  # type: ignore[arg-type]
        key=key,
        scope=f"{request.method} {request.path}"[:200],
        content=request.data if isinstance(request.data, dict) else {"": request.data},
        at=at,
        do=do,
    )
    response = Response(body, status=status)
    if is_repetition:
        response["Idempotency-Replayed"] = "true"
    return response


def version_of(request: Request) -> int:
    """Return the version that an edit started from: the If-Match header, as an ETag was given.

    Raises VersionMissing without one, StaleEdit for one that is not a version.
    """
    text = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if not text:
        message = "Send the header If-Match with the ETag that you read."
        raise VersionMissing(message)
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        message = "If-Match holds no version of this. Read it again and send its ETag."
        raise StaleEdit(message)
    return int(text)
