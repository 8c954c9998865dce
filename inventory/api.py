"""The inventory's endpoints: resources, read only."""

from django.db.models import Prefetch, QuerySet
from rest_framework import viewsets

from inventory.filters import ResourceFilter
from inventory.foundation.api import within_token
from inventory.models import Allocation, Resource
from inventory.selectors import visible_resources
from inventory.serializers import ResourceSerializer


class ResourceEndpoint(viewsets.ReadOnlyModelViewSet[Resource]):
    """What the projects of the caller hold, newest first."""

    queryset = Resource.objects.none()
    serializer_class = ResourceSerializer
    filterset_class = ResourceFilter

    def get_queryset(self) -> QuerySet[Resource]:
        """Return the visible resources with what they hold, in three queries."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        held = Allocation.objects.select_related("resource_class").order_by("id")
        rows = visible_resources(self.request.user)  # type: ignore[arg-type]
        rows = rows.select_related("project", "pool").prefetch_related(
            Prefetch("allocations", queryset=held)
        )
        return within_token(self.request, rows, project="project").order_by("-id")
