"""Set the trail and the viewer's time zone for each request, and answer domain errors on pages."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from inventory.foundation.choices import Via
from inventory.foundation.errors import DomainError
from inventory.foundation.periods import zone_named
from inventory.foundation.permissions import reads_kept
from inventory.foundation.problems import problem_response
from inventory.foundation.trail import Trail, acting_as, door_of, on_trail

Handler = Callable[[HttpRequest], HttpResponse]
READS = frozenset({"GET", "HEAD", "OPTIONS"})
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")


class RequestContextMiddleware:
    """Give each request an id (the caller's, if it is a sane one) and a trail.

    A request that only reads asks once who holds which role; one that writes asks each time.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer under a trail; the id goes back in X-Request-ID."""
        given = request.headers.get("X-Request-ID", "")
        request_id = given if REQUEST_ID.match(given) else uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        trail = Trail(via=door_of(request.path), request_id=request_id, label="anonymous")
        with on_trail(trail), reads_kept() if request.method in READS else nullcontext():
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Turn a service's refusal into a page (or a problem document for programs)."""
        if not isinstance(error, DomainError):
            return None
        if door_of(request.path) is Via.API:
            return problem_response(error=error, instance=request.path)
        context = {"error": error, "status": error.status}
        return render(request, "errors/refused.html", context, status=error.status)


class ViewerMiddleware:
    """Show times in the viewer's zone and name them on the trail."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer in the viewer's time zone."""
        if not request.user.is_authenticated:
            return self.get_response(request)
        acting_as(actor=request.user)
        with timezone.override(zone_named(request.user.time_zone)):
            return self.get_response(request)
