"""What the tests of the conductor's pages share: filling in the form of a request."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.test import Client
from django.utils import timezone

from inventory.foundation.models import User
from orchestra.models import Order
from tests.orchestra.world import Catalogue


def signed_in(user: User) -> Client:
    """Return a browser in which the person is signed in."""
    client = Client()
    client.force_login(user)
    return client


def typed(catalogue: Catalogue, **changes: Any) -> dict[str, Any]:
    """Return what a person types for a small request: by rule approved, 30 days from now."""
    end = timezone.now() + timedelta(days=30)
    fields = {
        "project": catalogue.project.pk,
        "name": "web",
        "application": "shop",
        "environment": "test",
        "business_reason": "Try the new checkout",
        "instances": "1",
        "start_at": "",
        "end_at": end.strftime("%Y-%m-%dT%H:%M"),
        "parameters.disk": "50",
        "parameters.image": "debian-13",
        "parameters.note": "",
        "idempotency_key": uuid4().hex,
    }
    return fields | changes


def send_form(client: Client, catalogue: Catalogue, **changes: Any) -> Any:
    """Send the form of a new request."""
    address = f"/catalogue/{catalogue.offering.slug}/request/"
    return client.post(address, typed(catalogue, **changes))


def asked(client: Client, catalogue: Catalogue, **changes: Any) -> Order:
    """Place a request through the page and return it."""
    response = send_form(client, catalogue, **changes)
    assert response.status_code == 302, response.content.decode()
    return Order.objects.get(pk=int(response["Location"].rstrip("/").rsplit("/", 1)[1]))


def large(**changes: Any) -> dict[str, Any]:
    """Return the changes that make a request need an approver: three copies are over 250.00."""
    return {"instances": "3", "name": "big"} | changes


def sha_of(order: Order) -> str:
    """Return the hash of a request's latest plan."""
    plan = order.plans.order_by("-number").first()
    assert plan is not None, order.refusal
    return plan.sha256
