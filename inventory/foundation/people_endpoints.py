"""The endpoints of people and organisations, to read: both are kept at the desk and by services."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers, viewsets

from inventory.foundation import selectors
from inventory.foundation.api import is_narrow
from inventory.foundation.filters import PersonFilters
from inventory.foundation.models import Organisation, User
from inventory.foundation.permissions import Action, require_anywhere
from inventory.foundation.project_lists import OrganisationFilters


class OrganisationSerializer(serializers.ModelSerializer[Organisation]):
    """An organisation and what stands above it."""

    class Meta:
        model = Organisation
        fields: ClassVar = ["id", "name", "slug", "parent_id"]


class PersonSerializer(serializers.ModelSerializer[User]):
    """A person and the roles that they hold somewhere."""

    roles = serializers.CharField(source="role_words", allow_null=True)

    class Meta:
        model = User
        fields: ClassVar = ["id", "username", "display_name", "email", "is_active", "roles"]


class OrganisationEndpoint(viewsets.ReadOnlyModelViewSet[Organisation]):
    """The organisations that the caller belongs to or holds a role in."""

    queryset = Organisation.objects.none()
    serializer_class = OrganisationSerializer
    filterset_class = OrganisationFilters

    def get_queryset(self) -> QuerySet[Organisation]:
        """Return the known organisations, by name."""
        if getattr(self, "swagger_fake_view", False) or is_narrow(self.request):
            return self.queryset
        return selectors.organisations_known(self.request.user)  # type: ignore[arg-type]


class PersonEndpoint(viewsets.ReadOnlyModelViewSet[User]):
    """The people of the organisations in which the caller may see people."""

    queryset = User.objects.none()
    serializer_class = PersonSerializer
    filterset_class = PersonFilters

    def get_queryset(self) -> QuerySet[User]:
        """Return the visible people, by number; Forbidden for who may see none."""
        if getattr(self, "swagger_fake_view", False) or is_narrow(self.request):
            return self.queryset
        user: Any = self.request.user
        require_anywhere(user, Action.PEOPLE_VIEW)
        return selectors.visible_people(user).order_by("pk")
