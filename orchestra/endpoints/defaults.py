"""The endpoints of notices, terms and defaults. The same services as the pages."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import AccountDefaults
from billing.services import set_account_defaults
from inventory.foundation.api import within_token, write_once
from inventory.foundation.clock import database_now
from inventory.foundation.defaults import (
    DefaultsVersion,
    current_number,
    require_place,
    values_in_force,
    visible_places,
)
from inventory.foundation.errors import NotVisible
from inventory.foundation.models import Organisation
from inventory.foundation.pages import MAX_ID
from inventory.foundation.permissions import Action
from inventory.models import CapacityDefaults
from inventory.services import set_capacity_defaults
from orchestra.filters import NoticeFilters
from orchestra.models import Deployment, LeaseDefaults, Notification
from orchestra.selectors.deployments import visible_deployments
from orchestra.selectors.notices import own_notices
from orchestra.serializers import (
    AccountsInput,
    CapacityInput,
    ConfirmedSerializer,
    DefaultsSerializer,
    NoticeSerializer,
    ReadAllSerializer,
    TermsInput,
)
from orchestra.services.defaults import set_lease_defaults
from orchestra.services.leases import confirm_deployment
from orchestra.services.notices import mark_read

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, required=True, description="One a write."
)
PLACE = OpenApiParameter(
    "id", int, OpenApiParameter.PATH, description="An organisation's number; 0 is everywhere."
)
PARTS: dict[str, type[DefaultsVersion]] = {
    "terms": LeaseDefaults,
    "capacity": CapacityDefaults,
    "accounts": AccountDefaults,
}


class NoticeEndpoint(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Notification]
):
    """What the person was told."""

    queryset = Notification.objects.none()
    serializer_class = NoticeSerializer
    filterset_class = NoticeFilters

    def get_queryset(self) -> QuerySet[Notification]:
        """Return the person's own notices, newest first."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        rows = own_notices(self.request.user)  # type: ignore[arg-type]
        return within_token(self.request, rows, project="project")

    @extend_schema(request=None, responses=NoticeSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Mark a notice as read."""
        notice, at = self.get_object(), database_now()

        def do() -> tuple[int, dict[str, Any]]:
            mark_read(user=request.user, notices=[notice.pk], at=at)  # type: ignore[arg-type]
            notice.refresh_from_db()
            return 200, dict(NoticeSerializer(notice).data)

        return write_once(request, at=at, do=do)

    @extend_schema(
        operation_id="notices_read_all",
        request=None,
        responses=ReadAllSerializer,
        parameters=[KEY_HEADER],
    )
    @action(detail=False, methods=["post"], url_path="read", filterset_class=None)
    def read_all(self, request: Request) -> Response:
        """Mark all notices as read."""
        at = database_now()
        rows = self.get_queryset().values_list("pk", flat=True)

        def do() -> tuple[int, dict[str, Any]]:
            return 200, {"read": mark_read(user=request.user, notices=rows, at=at)}  # type: ignore[arg-type]

        return write_once(request, at=at, do=do)


class TermEndpoint(viewsets.GenericViewSet[Deployment]):
    """The terms of applications."""

    queryset = Deployment.objects.none()
    serializer_class = ConfirmedSerializer

    def get_queryset(self) -> QuerySet[Deployment]:
        """Return the visible applications."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        rows = visible_deployments(self.request.user)  # type: ignore[arg-type]
        return within_token(self.request, rows, project="project")

    @extend_schema(request=None, responses=ConfirmedSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Say that an application without an end is still needed, for another year."""
        found, at = self.get_object(), database_now()

        def do() -> tuple[int, dict[str, Any]]:
            confirmed = confirm_deployment(deployment=found, actor=request.user, at=at)  # type: ignore[arg-type]
            return 200, dict(ConfirmedSerializer(confirmed).data)

        return write_once(request, at=at, do=do)


class DefaultsEndpoint(viewsets.GenericViewSet[Organisation]):
    """What holds where nobody chooses otherwise, by organisation."""

    queryset = Organisation.objects.none()
    serializer_class = DefaultsSerializer
    pagination_class = None
    filter_backends = ()

    @extend_schema(responses=DefaultsSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Return the defaults of every organisation whose defaults the person may see."""
        places = visible_places(request.user)  # type: ignore[arg-type]
        at = database_now()
        return Response([told(place, at) for place in places])

    @extend_schema(responses=DefaultsSerializer, parameters=[PLACE])
    def retrieve(self, request: Request, pk: str) -> Response:
        """Return the defaults of one organisation; 0 is everywhere, for an administrator."""
        return Response(told(self._place(request, pk), database_now()))

    @extend_schema(request=TermsInput, responses=DefaultsSerializer, parameters=[PLACE, KEY_HEADER])
    @action(detail=True, methods=["patch"])
    def terms(self, request: Request, pk: str) -> Response:
        """Set how long applications last."""
        return self._set(request, pk, TermsInput, set_lease_defaults)

    @extend_schema(
        request=CapacityInput, responses=DefaultsSerializer, parameters=[PLACE, KEY_HEADER]
    )
    @action(detail=True, methods=["patch"])
    def capacity(self, request: Request, pk: str) -> Response:
        """Set how far new capacity is over-committed."""
        return self._set(request, pk, CapacityInput, set_capacity_defaults)

    @extend_schema(
        request=AccountsInput, responses=DefaultsSerializer, parameters=[PLACE, KEY_HEADER]
    )
    @action(detail=True, methods=["patch"])
    def accounts(self, request: Request, pk: str) -> Response:
        """Set what new paying accounts start as."""
        return self._set(request, pk, AccountsInput, set_account_defaults)

    def _set(
        self, request: Request, pk: str, shape: type[Any], save: Callable[..., Any]
    ) -> Response:
        place = self._place(request, pk)
        serializer = shape(data=request.data)
        serializer.is_valid(raise_exception=True)
        values, at = dict(serializer.validated_data), database_now()
        number, reason = values.pop("version"), values.pop("reason")

        def do() -> tuple[int, dict[str, Any]]:
            save(
                organisation=place,
                number=number,
                values=values,
                actor=request.user,
                at=at,
                reason=reason,
            )
            return 200, told(place, at)

        return write_once(request, at=at, do=do)

    def _place(self, request: Request, pk: str) -> Organisation | None:
        number = int(pk) if pk.isascii() and pk.isdecimal() and len(pk) < 20 else -1
        if number == 0:
            require_place(actor=request.user, action=Action.DEFAULTS_VIEW, organisation=None)  # type: ignore[arg-type]
            return None
        places = visible_places(request.user)  # type: ignore[arg-type]
        found = places.filter(pk=min(number, MAX_ID)).first()
        if found is None:
            message = "There is no such organisation, or you have no role in it."
            raise NotVisible(message)
        return found


def told(place: Organisation | None, at: datetime) -> dict[str, Any]:
    """Return a place's defaults as JSON."""
    pk = place.pk if place is not None else None
    body: dict[str, Any] = {"organisation": pk or 0, "name": str(place or "everywhere")}
    for name, kind in PARTS.items():
        values = values_in_force(kind, organisation_id=pk, at=at)
        body[name] = {
            "version": current_number(kind, organisation_id=pk, at=at),
            "values": {
                one.name: {
                    "value": plain(one.value),
                    "own": plain(one.own),
                    "source": "built in"
                    if one.source is None
                    else str(one.source.organisation or "everywhere"),
                }
                for one in values.values()
            },
        }
    return body


def plain(value: Any) -> Any:
    """Return a value as JSON; a ratio is text, so that it stays exact."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
