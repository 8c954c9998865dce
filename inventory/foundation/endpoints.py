"""The cellar's endpoints: saved views to keep; the audit trail and the events to read."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.foundation import selectors
from inventory.foundation.api import StrictSerializer, within_token, write_once
from inventory.foundation.clock import database_now
from inventory.foundation.errors import NotVisible
from inventory.foundation.filters import AuditFilters, EventFilters, SavedViewFilters
from inventory.foundation.models import AuditEvent, AuditSeal, Event, Organisation, SavedView
from inventory.foundation.permissions import Action, projects_where
from inventory.foundation.services import saved_views as services

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, required=True, description="One a write."
)


class SavedViewSerializer(serializers.ModelSerializer[SavedView]):
    """A list's address under a name; `is_pinned` and `is_default` are the caller's own choice."""

    is_pinned = serializers.BooleanField()
    is_default = serializers.BooleanField()
    user = serializers.CharField(source="user.username")

    class Meta:
        model = SavedView
        fields: ClassVar = [
            "id",
            "name",
            "path",
            "query",
            "address",
            "user",
            "project_id",
            "organisation_id",
            "is_pinned",
            "is_default",
            "created_at",
        ]


class SavedViewChange(StrictSerializer):
    """What may be changed of a view: the first four by its maker, the last two by each for
    themselves."""

    name = serializers.CharField(max_length=80, required=False)
    query = serializers.CharField(max_length=4_000, required=False, allow_blank=True)
    project_id = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    organisation_id = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    is_pinned = serializers.BooleanField(required=False)
    is_default = serializers.BooleanField(required=False)


class SavedViewInput(SavedViewChange):
    """A new view."""

    name = serializers.CharField(max_length=80)
    path = serializers.CharField(max_length=200)


class SavedViewEndpoint(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[SavedView]
):
    """Saved views: one's own and those shared with one."""

    queryset = SavedView.objects.none()
    serializer_class = SavedViewSerializer
    filterset_class = SavedViewFilters

    def get_queryset(self) -> QuerySet[SavedView]:
        """Return the visible views, by name."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.visible_views(self.request.user).order_by("name", "id")  # type: ignore[arg-type]

    @extend_schema(
        request=SavedViewInput, responses={201: SavedViewSerializer}, parameters=[KEY_HEADER]
    )
    def create(self, request: Request) -> Response:
        """Keep a list's address under a name."""
        wish = self._read(SavedViewInput, request)
        wish.setdefault("query", "")
        at = database_now()

        def do() -> tuple[int, dict[str, Any]]:
            view = services.save_view(user=request.user, at=at, **wish)  # type: ignore[arg-type]
            return 201, self._told(view.pk)

        return write_once(request, at=at, do=do)

    @extend_schema(request=SavedViewChange, responses=SavedViewSerializer, parameters=[KEY_HEADER])
    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change a view of one's own; pin any view that one sees."""
        view = self.get_object()
        changes = self._read(SavedViewChange, request)
        choices = {name: changes.pop(name) for name in services.CHOICE_FIELDS if name in changes}
        at = database_now()

        def do() -> tuple[int, dict[str, Any]]:
            if changes:
                services.edit_view(
                    view=view,
                    actor=request.user,  # type: ignore[arg-type]
                    changes=changes,
                    choices=choices,
                    at=at,
                )
            else:
                services.choose_view(view=view, actor=request.user, choices=choices, at=at)  # type: ignore[arg-type]
            return 200, self._told(view.pk)

        return write_once(request, at=at, do=do)

    @extend_schema(responses={204: None}, parameters=[KEY_HEADER])
    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Delete a view of one's own, or as owner of what it is shared with."""
        view = self.get_object()
        at = database_now()

        def do() -> tuple[int, dict[str, Any]]:
            services.delete_view(view=view, actor=request.user, at=at)  # type: ignore[arg-type]
            return 204, {}

        return write_once(request, at=at, do=do)

    def _told(self, pk: int) -> dict[str, Any]:
        return dict(SavedViewSerializer(self.get_queryset().get(pk=pk)).data)

    def _read(self, shape: type[Any], request: Request) -> dict[str, Any]:
        """Return what was sent, with the project and organisation that its numbers name."""
        serializer = shape(data=request.data)
        serializer.is_valid(raise_exception=True)
        wish = dict(serializer.validated_data)
        user = request.user
        joined = selectors.organisations_joined(user)  # type: ignore[arg-type]
        reach: dict[str, QuerySet[Any]] = {
            "project": projects_where(user, Action.PROJECT_VIEW),  # type: ignore[arg-type]
            "organisation": Organisation.objects.filter(pk__in=joined),
        }
        for name, rows in reach.items():
            if f"{name}_id" not in wish:
                continue
            pk = wish.pop(f"{name}_id")
            wish[name] = None if pk is None else rows.filter(pk=min(pk, 2**63 - 1)).first()
            if pk is not None and wish[name] is None:
                message = f"There is no such {name}, or you do not belong to it."
                raise NotVisible(message, fields={f"{name}_id": message})
        return wish


class SealSerializer(serializers.ModelSerializer[AuditSeal]):
    """The number and hash that an entry was given after it was committed."""

    class Meta:
        model = AuditSeal
        fields: ClassVar = ["number", "sha256"]


class AuditSerializer(serializers.ModelSerializer[AuditEvent]):
    """One entry of the audit trail; `seal` is null until it has been sealed."""

    seal = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields: ClassVar = [
            "id",
            "at",
            "actor_label",
            "via",
            "action",
            "object_type",
            "object_id",
            "object_label",
            "project_id",
            "organisation_id",
            "changes",
            "reason",
            "request_id",
            "seal",
        ]

    @extend_schema_field(SealSerializer(allow_null=True))
    def get_seal(self, entry: AuditEvent) -> Any:
        """Return the entry's seal, which was read with it."""
        seal = getattr(entry, "seal", None)
        return None if seal is None else SealSerializer(seal).data


class AuditEndpoint(viewsets.ReadOnlyModelViewSet[AuditEvent]):
    """The audit trail of the projects and organisations that the caller may audit, newest first."""

    queryset = AuditEvent.objects.none()
    serializer_class = AuditSerializer
    filterset_class = AuditFilters

    def get_queryset(self) -> QuerySet[AuditEvent]:
        """Return the visible entries."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        rows = selectors.visible_audit(self.request.user)  # type: ignore[arg-type]
        return within_token(self.request, rows, project="project").order_by("-id")


class EventSerializer(serializers.ModelSerializer[Event]):
    """An event as other systems are told it, with the names of CloudEvents."""

    id = serializers.UUIDField(source="event_id")
    number = serializers.IntegerField(source="pk")

    class Meta:
        model = Event
        fields: ClassVar = [
            "id",
            "number",
            "type",
            "source",
            "subject",
            "time",
            "project_id",
            "data",
            "correlation_id",
            "causation_id",
            "traceparent",
        ]


class EventEndpoint(viewsets.ReadOnlyModelViewSet[Event]):
    """What other systems are told about the projects that the caller may audit, newest first."""

    queryset = Event.objects.none()
    serializer_class = EventSerializer
    filterset_class = EventFilters

    def get_queryset(self) -> QuerySet[Event]:
        """Return the visible events."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        rows = selectors.visible_events(self.request.user)  # type: ignore[arg-type]
        return within_token(self.request, rows, project="project").order_by("-id")
