"""What the tests of the API share: programs with tokens, and how they speak."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.test import Client

from inventory.foundation.clock import database_now
from inventory.foundation.models import Project, User
from orchestra.services.tokens import create_token
from tests.orchestra.world import Catalogue

ORDERS = "/api/v1/orders/"
PROBLEM = "application/problem+json"


def program(
    user: User, *, scopes: Sequence[str] = ("read", "write"), project: Project | None = None
) -> Client:
    """Return a program that acts for the person with a token of a day."""
    at = database_now()
    _token, secret = create_token(
        user=user,
        name="program",
        scopes=scopes,
        project=project,
        expires_at=at + timedelta(days=1),
        at=at,
    )
    return Client(headers={"Authorization": f"Token {secret}"})


def send(
    client: Client,
    address: str,
    body: Any,
    *,
    key: str | None = None,
    method: str = "post",
    **more: Any,
) -> Any:
    """Send JSON (or a text as it is) under an idempotency key of its own, or the given one.

    `more` are further headers, an underscore for each dash.
    """
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    headers["Idempotency-Key"] = uuid4().hex if key is None else key
    return getattr(client, method)(address, body, content_type="application/json", headers=headers)


def asked_for(catalogue: Catalogue, **changes: Any) -> dict[str, Any]:
    """Return the JSON of a small request: by rule approved, 30 days from now."""
    end: datetime = database_now() + timedelta(days=30)
    body = {
        "project": catalogue.project.pk,
        "offering": catalogue.offering.slug,
        "name": "web",
        "application": "shop",
        "environment": "test",
        "business_reason": "Try the new checkout",
        "instances": 1,
        "parameters": {"disk": 50},
        "end_at": end.isoformat(),
    }
    return body | changes


def assert_problem(response: Any, status: int, code: str = "") -> dict[str, Any]:
    """Check that an answer is a problem document with the status (and code); return it."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == PROBLEM
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["type"] == f"urn:orchestra:problem:{document['code']}"
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == response["X-Request-ID"]
    assert not code or document["code"] == code
    assert "Traceback" not in response.text
    return document
