"""Reads about notices: everybody reads their own."""

from django.db.models import QuerySet

from inventory.foundation.errors import NotVisible
from inventory.foundation.models import User
from orchestra.models import Notification


def own_notices(user: User) -> QuerySet[Notification]:
    """Return what the person was told, newest first."""
    return Notification.objects.filter(user=user).select_related("project").order_by("-pk")


def unread(user: User) -> QuerySet[Notification]:
    """Return what the person has not read yet (the number beside the bell)."""
    return Notification.objects.unread().filter(user=user)


def own_notice(*, user: User, pk: int) -> Notification:
    """Return one of the person's notices; NotVisible for those of others."""
    notice = own_notices(user).filter(pk=pk).first()
    if notice is None:
        message = "There is no such notice, or it is somebody else's."
        raise NotVisible(message)
    return notice
