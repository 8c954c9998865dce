"""The endpoints of people and organisations, to read: both are kept at the desk and by services."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers, viewsets

from inventory.foundation import selectors
from inventory.foundation.api import ReadEndpoint, is_narrow
from inventory.foundation.filters import PersonFilters
from inventory.foundation.models import Membership, Organisation, User
from inventory.foundation.permissions import Action, require_anywhere
from inventory.foundation.project_lists import MembershipFilters, OrganisationFilters


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


class MembershipSerializer(serializers.ModelSerializer[Membership]):
    """Who belongs to which organisation, since when."""

    username = serializers.CharField(source="user.username")
    organisation = serializers.CharField(source="organisation.slug")

    class Meta:
        model = Membership
        fields: ClassVar = [
            "id",
            "user_id",
            "username",
            "organisation_id",
            "organisation",
            "since",
        ]


class MembershipEndpoint(ReadEndpoint[Membership]):
    """Who belongs to the organisations in which the caller may see people."""

    queryset = Membership.objects.none()
    serializer_class = MembershipSerializer
    filterset_class = MembershipFilters

    def rows(self) -> QuerySet[Membership]:
        """Return the visible memberships, newest first; Forbidden for who may see no people."""
        if is_narrow(self.request):
            return self.queryset
        require_anywhere(self.caller, Action.PEOPLE_VIEW)
        return selectors.visible_memberships(self.caller).order_by("-pk")
