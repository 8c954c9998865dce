"""What the endpoints of money share: who sees which rows, and what a token of one project sees."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import viewsets
from rest_framework.request import Request

from inventory.foundation.api import within_token
from inventory.foundation.errors import NotVisible


def refuse_project_token(request: Request) -> None:
    """A token for one project reaches nothing that belongs to an account or a price list."""
    if getattr(request.auth, "project_id", None) is not None:
        message = "This token is for one project. Use one without a project."
        raise NotVisible(message)


class ReadEndpoint(viewsets.ReadOnlyModelViewSet[Any]):
    """Rows to read, the newest first. `project` names the relation that a project's token keeps to;
    without one such a token sees nothing here.
    """

    project: ClassVar[str] = ""

    def visible(self) -> QuerySet[Any]:
        """Return the rows that the caller may see (a selector's answer)."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        """Return them, within the token."""
        if getattr(self, "swagger_fake_view", False):
            fake: QuerySet[Any] = self.queryset  # type: ignore[assignment, arg-type]
            return fake
        if self.project:
            rows = within_token(self.request, self.visible(), project=self.project)
        else:
            refuse_project_token(self.request)
            rows = self.visible()
        return rows.order_by("-id")
