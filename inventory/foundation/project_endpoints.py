"""The endpoints of projects, of requests for them, of hand-overs and of roles.

The same services as the pages. Closing a project and taking one over need to know what it holds:
those two actions are the conductor's (`orchestra/api.py`).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.foundation import project_serializers as shapes
from inventory.foundation import selectors, services
from inventory.foundation.api import version_of, within_token, write_once
from inventory.foundation.choices import TransferKind
from inventory.foundation.clock import database_now
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.filters import ProjectFilters
from inventory.foundation.models import (
    Organisation,
    Project,
    ProjectRequest,
    ProjectTransfer,
    RoleGrant,
    User,
)
from inventory.foundation.project_lists import ProjectRequestFilters, RoleFilters, TransferFilters

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, required=True, description="One a write."
)
MATCH_HEADER = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, required=True, description="The ETag that was read."
)
MAX_ID = 2**63 - 1


class OtherProjectsToken(Forbidden):
    """A token for one project says nothing about others, nor about organisations."""

    code = "token_for_one_project"


def named_person(name: str, field: str) -> User:
    """Return the active person of that sign-in name; whether they belong the service asks."""
    found = User.objects.filter(username=name, is_active=True).first()
    if found is None:
        message = "Choose an active person who belongs to the organisation."
        raise InvalidInput(message, fields={field: message})
    return found


def named_row[M: Model](rows: QuerySet[M], pk: int, field: str, noun: str) -> M:
    """Return the row of that number among those that the caller may name."""
    found = rows.filter(pk=min(pk, MAX_ID)).first()
    if found is None:
        message = f"There is no such {noun}, or you have nothing to do with it."
        raise NotVisible(message, fields={field: message})
    return found


class WritingEndpoint[M: Model](
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[M]
):
    """What these endpoints share: read the body, act once, tell the row as it is then."""

    model: type[M]

    def visible(self, user: User) -> QuerySet[M]:
        """Return the rows that the person may see, in the order of the list."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[M]:
        """Return the visible rows, within the token's project."""
        if getattr(self, "swagger_fake_view", False):
            return self.model._default_manager.none()
        rows = self.visible(self.caller)
        if self.token_project is None:
            return rows
        return within_token(self.request, rows, project="project")

    @property
    def caller(self) -> User:
        """Return who calls."""
        return self.request.user  # type: ignore[return-value]

    @property
    def token_project(self) -> int | None:
        """Return the number of the one project that the token is for, if it is for one."""
        return getattr(self.request.auth, "project_id", None)

    def read(self, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """Return what was sent, in this shape."""
        serializer = shape(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def write(self, act: Callable[[datetime], Any], *, status: int = 200) -> Response:
        """Act once under the caller's key; answer with the row that came of it."""
        at = database_now()

        def do() -> tuple[int, dict[str, Any]]:
            row = act(at)
            if row is None:
                return 204, {}
            return status, self.told(row.pk)

        return write_once(self.request, at=at, do=do)

    def told(self, pk: int) -> dict[str, Any]:
        """Return a row as it is told, read anew."""
        assert self.serializer_class is not None
        found = self.model._default_manager.filter(pk=pk).first()
        row = self.visible(self.caller).filter(pk=pk).first() or found
        return dict(self.serializer_class(row).data)

    def project(self, pk: int) -> Project:
        """Return a visible project by its number, within the token's."""
        rows = selectors.visible_projects(self.caller)
        if self.token_project is not None:
            rows = rows.filter(pk=self.token_project)
        return named_row(rows, pk, "project_id", "project")

    def organisation(self, pk: int) -> Organisation:
        """Return an organisation that the caller knows; a token for one project names none."""
        if self.token_project is not None:
            message = "This token is for one project. Use one for all of yours."
            raise OtherProjectsToken(message)
        rows = selectors.organisations_known(self.caller)
        return named_row(rows, pk, "organisation_id", "organisation")


class ProjectEndpoint(WritingEndpoint[Project]):
    """Projects: list, open, change, open again. Closed ones are in the list by `?archive=with`."""

    model = Project
    queryset = Project.objects.none()
    serializer_class = shapes.ProjectSerializer
    filterset_class = ProjectFilters

    def visible(self, user: User) -> QuerySet[Project]:
        """Return the visible projects."""
        return selectors.visible_projects(user)

    def get_queryset(self) -> QuerySet[Project]:
        """Return the visible projects, or the token's only one."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        rows = self.visible(self.caller)
        return rows if self.token_project is None else rows.filter(pk=self.token_project)

    def filter_queryset(self, queryset: QuerySet[Project]) -> QuerySet[Project]:
        """Narrow lists only: a closed project is still found by its number."""
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    @extend_schema(responses=shapes.ProjectSerializer)
    def retrieve(self, _request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """Return one project; its ETag is what an edit sends as If-Match."""
        return self.tagged(Response(self.told(self.get_object().pk)))

    @extend_schema(
        request=shapes.ProjectInput,
        responses={201: shapes.ProjectSerializer},
        parameters=[KEY_HEADER],
    )
    def create(self, _request: Request) -> Response:
        """Open a project; who may not requests one."""
        wish = self.read(shapes.ProjectInput)
        wish["organisation"] = self.organisation(wish.pop("organisation_id"))
        for name in ("owner", "deputy"):
            wish[name] = named_person(wish[name], name)
        return self.tagged(
            self.write(
                lambda at: services.create_project(**wish, actor=self.caller, at=at), status=201
            )
        )

    @extend_schema(
        request=shapes.ProjectChange,
        responses=shapes.ProjectSerializer,
        parameters=[KEY_HEADER, MATCH_HEADER],
    )
    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change name, purpose, cost centre or end."""
        project, changes = self.get_object(), self.read(shapes.ProjectChange)
        return self.tagged(
            self.write(
                lambda at: services.edit_project(
                    project=project,
                    actor=self.caller,
                    version=version_of(request),
                    changes=changes,
                    at=at,
                )
            )
        )

    @extend_schema(
        request=shapes.WhyInput, responses=shapes.ProjectSerializer, parameters=[KEY_HEADER]
    )
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Let a closed project order again."""
        project, body = self.get_object(), self.read(shapes.WhyInput)
        return self.tagged(
            self.write(
                lambda at: services.reopen_project(
                    project=project, actor=self.caller, at=at, **body
                )
            )
        )

    def tagged(self, response: Response) -> Response:
        """Say which version was told."""
        response["ETag"] = f'"{response.data["version"]}"'
        return response


class ProjectRequestEndpoint(WritingEndpoint[ProjectRequest]):
    """Requests for projects: ask, approve, reject, withdraw."""

    model = ProjectRequest
    queryset = ProjectRequest.objects.none()
    serializer_class = shapes.ProjectRequestSerializer
    filterset_class = ProjectRequestFilters

    def visible(self, user: User) -> QuerySet[ProjectRequest]:
        """Return the visible requests, newest first."""
        return selectors.visible_project_requests(user).order_by("-pk")

    @extend_schema(
        request=shapes.ProjectRequestInput,
        responses={201: shapes.ProjectRequestSerializer},
        parameters=[KEY_HEADER],
    )
    def create(self, _request: Request) -> Response:
        """Ask for a project."""
        wish = self.read(shapes.ProjectRequestInput)
        wish["organisation"] = self.organisation(wish.pop("organisation_id"))
        for name in ("owner", "deputy"):
            wish[name] = named_person(wish[name], name)
        return self.write(
            lambda at: services.request_project(**wish, actor=self.caller, at=at), status=201
        )

    @extend_schema(
        request=shapes.ApprovalInput,
        responses=shapes.ProjectRequestSerializer,
        parameters=[KEY_HEADER],
    )
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Open the project, as asked or as changed here; never on one's own request."""
        asked, changes = self.get_object(), self.read(shapes.ApprovalInput)
        answer = changes.pop("answer")
        for name in {"owner", "deputy"} & set(changes):
            changes[name] = named_person(changes[name], name)

        def act(at: datetime) -> ProjectRequest:
            services.approve_project_request(
                asked=asked, actor=self.caller, answer=answer, changes=changes, at=at
            )
            return asked

        return self.write(act)

    @extend_schema(
        request=shapes.AnswerInput,
        responses=shapes.ProjectRequestSerializer,
        parameters=[KEY_HEADER],
    )
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Refuse with a reason."""
        asked, body = self.get_object(), self.read(shapes.AnswerInput)
        return self.write(
            lambda at: services.reject_project_request(
                asked=asked, actor=self.caller, at=at, **body
            )
        )

    @extend_schema(request=None, responses=shapes.ProjectRequestSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Take one's own request back."""
        asked = self.get_object()
        return self.write(
            lambda at: services.withdraw_project_request(asked=asked, actor=self.caller, at=at)
        )


class TransferEndpoint(WritingEndpoint[ProjectTransfer]):
    """Hand-overs: ask, decline, withdraw."""

    model = ProjectTransfer
    queryset = ProjectTransfer.objects.none()
    serializer_class = shapes.TransferSerializer
    filterset_class = TransferFilters

    def visible(self, user: User) -> QuerySet[ProjectTransfer]:
        """Return the visible hand-overs, newest first."""
        return selectors.visible_transfers(user).order_by("-pk")

    @extend_schema(
        request=shapes.TransferInput,
        responses={201: shapes.TransferSerializer},
        parameters=[KEY_HEADER],
    )
    def create(self, _request: Request) -> Response:
        """Ask somebody, or another organisation, to take a project over."""
        wish = self.read(shapes.TransferInput)
        wish["project"] = self.project(wish.pop("project_id"))
        wish["user"] = named_person(wish["user"], "user")
        if wish["kind"] != TransferKind.ORGANISATION:
            return self.write(
                lambda at: services.hand_over(**wish, actor=self.caller, at=at), status=201
            )
        del wish["kind"]
        wish["deputy"] = named_person(wish["deputy"], "deputy")
        wish["organisation"] = self.organisation(wish.pop("organisation_id"))
        return self.write(
            lambda at: services.ask_move(**wish, actor=self.caller, at=at), status=201
        )

    @extend_schema(
        request=shapes.AnswerInput, responses=shapes.TransferSerializer, parameters=[KEY_HEADER]
    )
    @action(detail=True, methods=["post"])
    def decline(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Refuse with a reason."""
        transfer, body = self.get_object(), self.read(shapes.AnswerInput)
        return self.write(
            lambda at: services.decline_transfer(
                transfer=transfer, actor=self.caller, at=at, **body
            )
        )

    @extend_schema(request=None, responses=shapes.TransferSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Take it back."""
        transfer = self.get_object()
        return self.write(
            lambda at: services.withdraw_transfer(transfer=transfer, actor=self.caller, at=at)
        )


class RoleEndpoint(WritingEndpoint[RoleGrant]):
    """Roles: give, change, take away. `?standing=ended` are those that have run out."""

    model = RoleGrant
    queryset = RoleGrant.objects.none()
    serializer_class = shapes.RoleSerializer
    filterset_class = RoleFilters

    def visible(self, user: User) -> QuerySet[RoleGrant]:
        """Return the visible roles, newest first."""
        return selectors.visible_roles(user).order_by("-pk")

    @extend_schema(
        request=shapes.RoleInput, responses={201: shapes.RoleSerializer}, parameters=[KEY_HEADER]
    )
    def create(self, _request: Request) -> Response:
        """Give a person or a group a role in one project or one organisation."""
        wish = self.read(shapes.RoleInput)
        if "project_id" in wish:
            wish["project"] = self.project(wish.pop("project_id"))
        if "organisation_id" in wish:
            wish["organisation"] = self.organisation(wish.pop("organisation_id"))
        if "user" in wish:
            wish["user"] = named_person(wish["user"], "user")
        if "group" in wish:
            wish["group"] = Group.objects.filter(name=wish["group"]).first() or Group(pk=0)
        return self.write(
            lambda at: services.grant_role(**wish, actor=self.caller, at=at), status=201
        )

    @extend_schema(
        request=shapes.RoleChange, responses=shapes.RoleSerializer, parameters=[KEY_HEADER]
    )
    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Make it another role, or let it end at another time."""
        grant, body = self.get_object(), self.read(shapes.RoleChange)
        return self.write(
            lambda at: services.change_role(grant=grant, actor=self.caller, at=at, **body)
        )

    @extend_schema(request=shapes.WhyInput, responses={204: None}, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Take it away, and say why."""
        grant, body = self.get_object(), self.read(shapes.WhyInput)
        return self.write(
            lambda at: services.revoke_role(grant=grant, actor=self.caller, at=at, **body)
        )
