"""Reads about people's access tokens."""

from django.db.models import QuerySet

from inventory.foundation.errors import NotVisible
from inventory.foundation.models import User
from orchestra.models import ApiToken


def own_tokens(user: User) -> QuerySet[ApiToken]:
    """Return the person's tokens, newest first."""
    return ApiToken.objects.filter(user=user).select_related("project").order_by("-created")


def own_token(*, user: User, token_key: str) -> ApiToken:
    """Return one of the person's tokens by its public beginning; NotVisible if there is none."""
    token = own_tokens(user).filter(token_key=token_key).first()
    if token is None:
        message = "You have no such token. It may have been revoked already."
        raise NotVisible(message)
    return token
