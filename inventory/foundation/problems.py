"""Errors for programs: RFC 9457 problem documents, one shape for every endpoint."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as rest_exception_handler

from inventory.foundation.errors import DomainError
from inventory.foundation.trail import current_trail

CONTENT_TYPE = "application/problem+json"
TITLES = {
    400: "Please check what you sent",
    401: "Sign in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Changed meanwhile",
    415: "Unsupported media type",
    429: "Too many requests",
    500: "Our fault",
}


def problem(
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    instance: str = "",
    fields: dict[str, Any] | None = None,
    details: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a problem document as a dict; `fields` maps a field to its messages."""
    document: dict[str, Any] = {
        "type": f"urn:orchestra:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": current_trail().request_id,
    }
    if instance:
        document["instance"] = instance
    if fields:
        document["errors"] = fields
    if details:
        document["details"] = details
    return document


def of_domain_error(error: DomainError, *, instance: str = "") -> dict[str, Any]:
    """Return the problem document of a service's refusal."""
    return problem(
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.message,
        instance=instance,
        fields={name: [message] for name, message in error.fields.items()},
        details=error.details,
    )


def problem_response(*, error: DomainError, instance: str) -> JsonResponse:
    """Return a service's refusal as a plain Django answer."""
    document = of_domain_error(error, instance=instance)
    return JsonResponse(document, status=error.status, content_type=CONTENT_TYPE)


def plain_problem(*, status: int, code: str, detail: str, instance: str) -> JsonResponse:
    """Return a problem that no service raised (an unknown address, a crash) as a plain answer."""
    document = problem(
        status=status, code=code, title=TITLES[status], detail=detail, instance=instance
    )
    return JsonResponse(document, status=status, content_type=CONTENT_TYPE)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer every error of the API as a problem document (the REST_FRAMEWORK setting)."""
    path = context["request"].path
    if isinstance(error, DomainError):
        document = of_domain_error(error, instance=path)
        return Response(document, status=error.status, content_type=CONTENT_TYPE)
    response = rest_exception_handler(error, context)
    if response is None:
        return None
    fields: dict[str, Any] | None = None
    if isinstance(error, exceptions.ValidationError):
        code = "invalid"
        detail = "Some fields are not right; see errors."
        fields = error.detail if isinstance(error.detail, dict) else {"": error.detail}
    elif isinstance(error, exceptions.APIException):
        code = str(error.default_code)
        detail = str(error.detail)
    elif isinstance(error, Http404):
        code, detail = "not_found", "There is nothing at this address that you may see."
    elif isinstance(error, PermissionDenied):
        code, detail = "forbidden", str(error) or "You may not do this."
    else:
        code, detail = "error", str(error)
    response.data = problem(
        status=response.status_code,
        code=code,
        title=TITLES.get(response.status_code, "Error"),
        detail=detail,
        instance=path,
        fields=fields,
    )
    response.content_type = CONTENT_TYPE
    return response
