"""The endpoints of the change calendar, and of the machinery's state."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.foundation.api import ReadEndpoint, is_narrow, write_once
from inventory.foundation.clock import database_now
from inventory.foundation.errors import NotVisible
from inventory.foundation.permissions import Action, projects_where, require_anywhere
from inventory.foundation.selectors import organisations_known
from inventory.selectors import visible_pools
from orchestra.filters import FreezeFilters, WindowFilters
from orchestra.models import ChangeWindow, Freeze
from orchestra.selectors.calendar import visible_entries
from orchestra.selectors.health import health
from orchestra.serializers import (
    FreezeChange,
    FreezeInput,
    FreezeSerializer,
    HealthSerializer,
    WindowChange,
    WindowInput,
    WindowSerializer,
)
from orchestra.services.calendar import (
    add_freeze,
    add_window,
    edit_entry,
    end_entry,
    remove_entry,
)

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, required=True, description="One a write."
)


class EntryEndpoint(ReadEndpoint[Any]):
    """What freezes and windows share: who sees them, and the services that write them."""

    model: ClassVar[type[Any]]
    add: ClassVar[Callable[..., Any]]
    new_class: ClassVar[type[Any]]
    change_class: ClassVar[type[Any]]

    def rows(self) -> QuerySet[Any]:
        """Return the visible entries, newest first; a token tells what holds for its project."""
        rows = visible_entries(self.model, self.caller).order_by("-pk")
        if is_narrow(self.request):
            project = self.request.auth.project_id  # type: ignore[union-attr]
            rows = rows.filter(Q(project_id=project) | Q(project=None))
        return rows

    def create(self, request: Request) -> Response:
        """Set an entry where the caller decides."""
        wish = self._read(self.new_class)
        at = database_now()

        def do() -> tuple[int, dict[str, Any]]:
            made = type(self).add(**wish | self._place(wish), actor=self.caller, at=at)
            return 201, self._told(made.pk)

        return write_once(request, at=at, do=do)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change what is not over; where it holds stays."""
        entry, changes = self.get_object(), self._read(self.change_class)
        at = database_now()

        def do() -> tuple[int, dict[str, Any]]:
            edit_entry(entry=entry, changes=changes, actor=self.caller, at=at)
            return 200, self._told(entry.pk)

        return write_once(request, at=at, do=do)

    @extend_schema(request=None, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """End it now."""
        entry, at = self.get_object(), database_now()

        def do() -> tuple[int, dict[str, Any]]:
            end_entry(entry=entry, actor=self.caller, at=at)
            return 200, self._told(entry.pk)

        return write_once(request, at=at, do=do)

    @extend_schema(responses={204: None}, parameters=[KEY_HEADER])
    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Take away a window, or a freeze that has not begun."""
        entry, at = self.get_object(), database_now()

        def do() -> tuple[int, dict[str, Any]]:
            remove_entry(entry=entry, actor=self.caller, at=at)
            return 204, {}

        return write_once(request, at=at, do=do)

    def _told(self, pk: int) -> dict[str, Any]:
        return dict(self.serializer_class(self.rows().get(pk=pk)).data)  # type: ignore[misc]

    def _read(self, shape: type[Any]) -> dict[str, Any]:
        serializer = shape(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _place(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Return the pool, project and organisation that were named; NotVisible for others."""
        rows: dict[str, tuple[QuerySet[Any], str]] = {
            "pool": (visible_pools(self.caller), "slug"),
            "project": (projects_where(self.caller, Action.PROJECT_VIEW), "pk"),
            "organisation": (organisations_known(self.caller), "pk"),
        }
        found: dict[str, Any] = {}
        for name, (seen, key) in rows.items():
            found[name] = None
            if wish[name] is not None:
                found[name] = seen.filter(**{key: wish[name]}).first()
                if found[name] is None:
                    message = f"There is no such {name} that you may see."
                    raise NotVisible(message, fields={name: message})
        return found


@extend_schema_view(
    create=extend_schema(
        request=FreezeInput, responses={201: FreezeSerializer}, parameters=[KEY_HEADER]
    ),
    partial_update=extend_schema(
        request=FreezeChange, responses=FreezeSerializer, parameters=[KEY_HEADER]
    ),
)
class FreezeEndpoint(EntryEndpoint):
    """When normal changes do not start."""

    queryset = Freeze.objects.none()
    serializer_class = FreezeSerializer
    filterset_class = FreezeFilters
    model = Freeze
    add = staticmethod(add_freeze)
    new_class = FreezeInput
    change_class = FreezeChange


@extend_schema_view(
    create=extend_schema(
        request=WindowInput, responses={201: WindowSerializer}, parameters=[KEY_HEADER]
    ),
    partial_update=extend_schema(
        request=WindowChange, responses=WindowSerializer, parameters=[KEY_HEADER]
    ),
)
class WindowEndpoint(EntryEndpoint):
    """When normal changes start; where there is a window, only then."""

    queryset = ChangeWindow.objects.none()
    serializer_class = WindowSerializer
    filterset_class = WindowFilters
    model = ChangeWindow
    add = staticmethod(add_window)
    new_class = WindowInput
    change_class = WindowChange


class HealthEndpoint(viewsets.ViewSet):
    """Whether everything that must be at work is at work."""

    @extend_schema(responses=HealthSerializer(many=False), operation_id="health_retrieve")
    def list(self, request: Request) -> Response:
        """Look at database, workers, waiting work, events and rules that must always hold."""
        require_anywhere(request.user, Action.POOL_VIEW)  # type: ignore[arg-type]
        return Response(HealthSerializer(health()).data)
