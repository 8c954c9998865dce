"""The conductor's endpoints: requests and runs. The same services as the pages."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.foundation.api import version_of, within_token, write_once
from inventory.foundation.choices import TransferKind
from inventory.foundation.clock import database_now
from inventory.foundation.errors import NotVisible
from inventory.foundation.models import Project
from inventory.foundation.permissions import Action, projects_where
from inventory.foundation.project_endpoints import ProjectEndpoint, TransferEndpoint
from inventory.foundation.project_serializers import (
    AnswerInput,
    CloseInput,
    ProjectSerializer,
    TransferSerializer,
)
from inventory.foundation.services import accept_transfer
from inventory.models import Pool
from inventory.selectors import visible_pools
from orchestra.filters import DeploymentFilters, OrderFilters, RunFilters
from orchestra.models import Deployment, Offering, Order, Run
from orchestra.selectors.catalogue import offered
from orchestra.selectors.deployments import visible_deployments
from orchestra.selectors.orders import order_detail, visible_orders
from orchestra.selectors.runs import visible_runs
from orchestra.serializers import (
    DecisionInput,
    DeploymentDetailSerializer,
    DeploymentSerializer,
    EndInput,
    ExtendInput,
    LogLineSerializer,
    OrderChange,
    OrderDetailSerializer,
    OrderInput,
    OrderSerializer,
    ReasonInput,
    ResizeInput,
    RunDetailSerializer,
    RunSerializer,
    SteerInput,
    SubmitInput,
)
from orchestra.services.approvals import decide, submit_order
from orchestra.services.changes import request_end, request_extension, request_resize
from orchestra.services.orders import cancel_order, edit_order, place_order
from orchestra.services.projects import accept_move, close_project
from orchestra.services.runs import steer_run

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, required=True, description="One a write."
)
MATCH_HEADER = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, required=True, description="The ETag that was read."
)
LOG_LINES = 500


def with_etag(response: Response) -> Response:
    """Say which version of a request was told: an edit sends it back as If-Match."""
    response["ETag"] = f'"{response.data["version"]}"'
    return response


class OrderEndpoint(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Order]
):
    """Requests for capacity: place, change, send, decide, cancel."""

    queryset = Order.objects.none()
    serializer_class = OrderSerializer
    filterset_class = OrderFilters

    def get_queryset(self) -> QuerySet[Order]:
        """Return the visible requests, newest first."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        rows = visible_orders(self.request.user)  # type: ignore[arg-type]
        return within_token(self.request, rows, project="project")

    @extend_schema(responses=OrderDetailSerializer)
    def retrieve(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """Return one request with its plan; its ETag is what an edit sends as If-Match."""
        order = self.get_object()
        return with_etag(Response(self._told(request, order)))

    @extend_schema(
        request=OrderInput, responses={201: OrderDetailSerializer}, parameters=[KEY_HEADER]
    )
    def create(self, request: Request) -> Response:
        """Place a request and plan it; nothing is sent for approval yet."""
        wish = self._read(OrderInput, request)
        at = database_now()

        def do() -> tuple[int, dict[str, Any]]:
            order = place_order(
                requester=request.user,  # type: ignore[arg-type]
                at=at,
                **wish
                | {
                    "project": self._project(request, wish["project"]),
                    "offering": offered(user=request.user, slug=wish["offering"]).offering,  # type: ignore[arg-type]
                    "pool": self._pool(request, wish["pool"]),
                },
            )
            return 201, self._told(request, order)

        return with_etag(write_once(request, at=at, do=do))

    @extend_schema(
        request=OrderChange,
        responses=OrderDetailSerializer,
        parameters=[KEY_HEADER, MATCH_HEADER],
    )
    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change a request and plan it again; a decision that was asked for is void."""
        order, changes = self.get_object(), self._read(OrderChange, request)
        return self._answer(
            request,
            lambda at: edit_order(
                order=order,
                actor=request.user,  # type: ignore[arg-type]
                version=version_of(request),
                changes=changes,
                at=at,
            ),
        )

    @extend_schema(request=SubmitInput, responses=OrderDetailSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def submit(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Send the plan with that hash: approved by rule, or waiting for an approver."""
        order, body = self.get_object(), self._read(SubmitInput, request)
        return self._answer(
            request,
            lambda at: submit_order(order=order, actor=request.user, at=at, **body),  # type: ignore[arg-type]
        )

    @extend_schema(request=DecisionInput, responses=OrderDetailSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Approve or reject the plan with that hash; never one's own request."""
        order, body = self.get_object(), self._read(DecisionInput, request)
        return self._answer(
            request,
            lambda at: decide(order=order, approver=request.user, at=at, **body),  # type: ignore[arg-type]
        )

    @extend_schema(request=ReasonInput, responses=OrderDetailSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Give a request up; what was begun is undone."""
        order, body = self.get_object(), self._read(ReasonInput, request)
        return self._answer(
            request,
            lambda at: cancel_order(order=order, actor=request.user, at=at, **body),  # type: ignore[arg-type]
        )

    def _answer(self, request: Request, act: Any) -> Response:
        at = database_now()
        pk = int(self.kwargs["pk"])

        def do() -> tuple[int, dict[str, Any]]:
            act(at)
            return 200, self._told(request, Order(pk=pk))

        return with_etag(write_once(request, at=at, do=do))

    def _told(self, request: Request, order: Order) -> dict[str, Any]:
        detail = order_detail(user=request.user, order_id=order.pk)  # type: ignore[arg-type]
        return dict(OrderDetailSerializer(detail).data)

    def _read(self, shape: type[Any], request: Request) -> dict[str, Any]:
        serializer = shape(data=request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _project(self, request: Request, pk: int) -> Project:
        rows = projects_where(request.user, Action.PROJECT_VIEW)  # type: ignore[arg-type]
        token_project = getattr(request.auth, "project_id", None)
        found = rows.filter(pk=pk).first() if token_project in (None, pk) else None
        if found is None:
            message = "There is no such project, or you have no role in it. Ask its owner."
            raise NotVisible(message, fields={"project": message})
        return found

    def _pool(self, request: Request, slug: str | None) -> Pool | None:
        if slug is None:
            return None
        found = visible_pools(request.user).filter(slug=slug).first()  # type: ignore[arg-type]
        if found is None:
            message = "There is no such pool, or it is not offered to you."
            raise NotVisible(message, fields={"pool": message})
        return found


class DeploymentEndpoint(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Deployment]
):
    """Running applications: resize, extend and end them. Each answers with the request for it."""

    queryset = Deployment.objects.none()
    serializer_class = DeploymentSerializer
    filterset_class = DeploymentFilters

    def get_queryset(self) -> QuerySet[Deployment]:
        """Return the visible applications, newest first."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        rows = visible_deployments(self.request.user)  # type: ignore[arg-type]
        return within_token(self.request, rows, project="project")

    @extend_schema(responses=DeploymentDetailSerializer)
    def retrieve(self, _request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """Return one application with its resources; a change sends its ETag as If-Match."""
        found = self.get_object()
        response = Response(DeploymentDetailSerializer(found).data)
        response["ETag"] = f'"{found.generation}"'
        return response

    @extend_schema(
        request=ResizeInput,
        responses={201: OrderDetailSerializer},
        parameters=[KEY_HEADER, MATCH_HEADER],
    )
    @action(detail=True, methods=["post"])
    def resize(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Ask for another size and plan it; nothing is sent for approval yet."""
        slug = (request.data.get("offering") if isinstance(request.data, dict) else None) or ""

        def ask(found: Deployment, at: datetime, wish: dict[str, Any]) -> Order:
            wish["offering"] = self._offering(request, str(slug)) if slug else None
            return request_resize(
                deployment=found,
                requester=request.user,  # type: ignore[arg-type]
                version=version_of(request),
                at=at,
                **wish,
            )

        return self._ask(request, ResizeInput, ask)

    @extend_schema(
        request=ExtendInput,
        responses={201: OrderDetailSerializer},
        parameters=[KEY_HEADER, MATCH_HEADER],
    )
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Ask for a later end and plan it; nothing is sent for approval yet."""
        return self._ask(
            request,
            ExtendInput,
            lambda found, at, wish: request_extension(
                deployment=found,
                requester=request.user,  # type: ignore[arg-type]
                version=version_of(request),
                at=at,
                **wish,
            ),
        )

    @extend_schema(
        request=EndInput,
        responses={201: OrderDetailSerializer},
        parameters=[KEY_HEADER, MATCH_HEADER],
    )
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """End it at a date or, without one, now. It is sent at once: it costs nothing."""
        return self._ask(
            request,
            EndInput,
            lambda found, at, wish: request_end(
                deployment=found,
                requester=request.user,  # type: ignore[arg-type]
                version=version_of(request),
                at=at,
                **wish,
            ),
        )

    def _ask(
        self,
        request: Request,
        shape: type[Any],
        ask: Callable[[Deployment, datetime, dict[str, Any]], Order],
    ) -> Response:
        found, at = self.get_object(), database_now()
        serializer = shape(data=request.data)
        serializer.is_valid(raise_exception=True)

        def do() -> tuple[int, dict[str, Any]]:
            order = ask(found, at, dict(serializer.validated_data))
            detail = order_detail(user=request.user, order_id=order.pk)  # type: ignore[arg-type]
            return 201, dict(OrderDetailSerializer(detail).data)

        return with_etag(write_once(request, at=at, do=do))

    def _offering(self, request: Request, slug: str) -> Offering:
        return offered(user=request.user, slug=slug).offering  # type: ignore[arg-type]


class RunEndpoint(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Run]):
    """Plans being carried out, with their steps and logs."""

    queryset = Run.objects.none()
    serializer_class = RunSerializer
    filterset_class = RunFilters

    def get_queryset(self) -> QuerySet[Run]:
        """Return the visible runs, newest first."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        rows = visible_runs(self.request.user)  # type: ignore[arg-type]
        return within_token(self.request, rows, project="order__project")

    @extend_schema(responses=RunDetailSerializer)
    def retrieve(self, _request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """Return one run with its steps."""
        return Response(RunDetailSerializer(self.get_object()).data)

    @extend_schema(
        responses=LogLineSerializer(many=True),
        parameters=[OpenApiParameter("after", int, description="Lines after this number.")],
        filters=False,
    )
    @action(detail=True, pagination_class=None)
    def log(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Return up to 500 lines of the log after a sequence number."""
        text = request.query_params.get("after", "0")
        after = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
        lines = self.get_object().log.select_related("step").filter(id__gt=after)
        return Response(LogLineSerializer(lines.order_by("id")[:LOG_LINES], many=True).data)

    @extend_schema(request=SteerInput, responses=RunDetailSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def steer(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Pause a run, let it go on, or cancel it."""
        run = self.get_object()
        serializer = SteerInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        at = database_now()

        def do() -> tuple[int, dict[str, Any]]:
            steered = steer_run(
                run=run,
                desired=serializer.validated_data["desired_state"],
                actor=request.user,  # type: ignore[arg-type]
                at=at,
            )
            return 200, dict(RunDetailSerializer(steered).data)

        return write_once(request, at=at, do=do)


class ClosableProjectEndpoint(ProjectEndpoint):
    """Projects, with what needs to know what one holds: closing it."""

    @extend_schema(request=CloseInput, responses=ProjectSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Close a project that holds nothing; a 409 names in `details` what is in the way."""
        project, body = self.get_object(), self.read(CloseInput)
        return self.tagged(
            self.write(lambda at: close_project(project=project, actor=self.caller, at=at, **body))
        )


class AcceptableTransferEndpoint(TransferEndpoint):
    """Hand-overs, with what needs to know what a project holds: taking it over."""

    @extend_schema(request=AnswerInput, responses=TransferSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Agree to take the project over."""
        transfer, body = self.get_object(), self.read(AnswerInput)
        is_move = transfer.kind == TransferKind.ORGANISATION
        act = accept_move if is_move else accept_transfer
        return self.write(lambda at: act(transfer=transfer, actor=self.caller, at=at, **body))
