"""The cellar's pages, by noun; the error pages stand here for the site's settings."""

from inventory.foundation.views.doors import (
    bad_request,
    csrf_failure,
    page_not_found,
    permission_denied,
    server_error,
)

__all__ = [
    "bad_request",
    "csrf_failure",
    "page_not_found",
    "permission_denied",
    "server_error",
]
