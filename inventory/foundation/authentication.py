"""Access tokens at the API's door: who is at work, when it was last used, how far it reaches.

DRF loads these by name while its own views are loading, so nothing here may import views.
"""

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission

from inventory.foundation.trail import acting_as

USED_EVERY = timedelta(minutes=1)  # so that reads do not write each time


class PortalTokens(TokenAuthentication):
    """Knox's check of a token, with a note of its use and the person on the trail."""

    def authenticate(self, request: Any) -> Any:
        """Return (user, token), or None without a token."""
        try:
            found = super().authenticate(request)
        except UnicodeDecodeError as error:  # Knox reads the header as UTF-8 before anything else
            message = "This is no token."
            raise AuthenticationFailed(message) from error
        if found is None:
            return None
        user, token = found
        acting_as(actor=user)
        rows = type(token)._default_manager.filter(pk=token.pk)
        rows.filter(Q(last_used_at=None) | Q(last_used_at__lt=Now() - USED_EVERY)).update(
            last_used_at=Now()
        )
        return user, token


class TokenReach(BasePermission):
    """A token reads or writes as its scopes say; a signed-in person does what their roles say."""

    message = "This token may only read. Make one with the scope “write”."

    def has_permission(self, request: Any, view: Any) -> bool:  # noqa: ARG002
        """Say whether the token's scopes reach this method."""
        scopes = getattr(request.auth, "scopes", None)
        if scopes is None:
            return True
        return ("read" if request.method in SAFE_METHODS else "write") in scopes
