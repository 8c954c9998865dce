"""The shape in which projects, requests for them, hand-overs and roles are told and taken.

People are named by their sign-in names, organisations and projects by number.
"""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inventory.foundation.api import StrictSerializer
from inventory.foundation.choices import Role, TransferKind
from inventory.foundation.models import Project, ProjectRequest, ProjectTransfer, RoleGrant


class PersonField(serializers.SlugRelatedField[Any]):
    """A person, told by the sign-in name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="username", read_only=True, **kwargs)


class ProjectSerializer(serializers.ModelSerializer[Project]):
    """A project and who answers for it."""

    organisation = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    owner = PersonField()
    deputy = PersonField()

    class Meta:
        model = Project
        fields: ClassVar = [
            "id",
            "organisation",
            "organisation_id",
            "name",
            "slug",
            "description",
            "owner",
            "deputy",
            "cost_centre",
            "status",
            "end_date",
            "created_at",
            "closed_at",
            "version",
        ]


class ProjectChange(StrictSerializer):
    """What may be changed of a project."""

    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(max_length=2_000, required=False, allow_blank=True)
    cost_centre = serializers.CharField(max_length=40, required=False)
    end_date = serializers.DateField(required=False, allow_null=True)


class ProjectInput(StrictSerializer):
    """A new project."""

    organisation_id = serializers.IntegerField(min_value=1)
    name = serializers.CharField(max_length=120)
    slug = serializers.CharField(max_length=60)
    description = serializers.CharField(max_length=2_000, allow_blank=True, default="")
    owner = serializers.CharField(max_length=150)
    deputy = serializers.CharField(max_length=150)
    cost_centre = serializers.CharField(max_length=40)
    end_date = serializers.DateField(allow_null=True, default=None)


class ProjectRequestInput(ProjectInput):
    """A request for a project: also what is wished for it."""

    description = serializers.CharField(max_length=2_000)
    wished_budget = serializers.CharField(max_length=200, allow_blank=True, default="")
    wished_quota = serializers.CharField(max_length=500, allow_blank=True, default="")


class ProjectRequestSerializer(serializers.ModelSerializer[ProjectRequest]):
    """A request for a project, and what became of it."""

    organisation = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    requester = PersonField()
    owner = PersonField()
    deputy = PersonField()
    decided_by = PersonField()

    class Meta:
        model = ProjectRequest
        fields: ClassVar = [
            "id",
            "organisation",
            "organisation_id",
            "requester",
            "name",
            "slug",
            "description",
            "owner",
            "deputy",
            "cost_centre",
            "end_date",
            "wished_budget",
            "wished_quota",
            "state",
            "project_id",
            "decided_by",
            "answer",
            "changed",
            "created_at",
            "decided_at",
        ]


class ApprovalInput(StrictSerializer):
    """An approval: perhaps with a word, and with what it changes of the request."""

    answer = serializers.CharField(max_length=500, allow_blank=True, default="")
    name = serializers.CharField(max_length=120, required=False)
    slug = serializers.CharField(max_length=60, required=False)
    description = serializers.CharField(max_length=2_000, required=False)
    owner = serializers.CharField(max_length=150, required=False)
    deputy = serializers.CharField(max_length=150, required=False)
    cost_centre = serializers.CharField(max_length=40, required=False)
    end_date = serializers.DateField(required=False, allow_null=True)


class AnswerInput(StrictSerializer):
    """An answer; a refusal needs one."""

    answer = serializers.CharField(max_length=500, allow_blank=True, default="")


class WhyInput(StrictSerializer):
    """Why."""

    reason = serializers.CharField(max_length=500)


class CloseInput(WhyInput):
    """Closing: the project's name again, and why."""

    confirm_name = serializers.CharField(max_length=120)


class TransferSerializer(serializers.ModelSerializer[ProjectTransfer]):
    """A hand-over, and what became of it."""

    user = PersonField()
    deputy = PersonField()
    asked_by = PersonField()
    decided_by = PersonField()

    class Meta:
        model = ProjectTransfer
        fields: ClassVar = [
            "id",
            "project_id",
            "kind",
            "user",
            "deputy",
            "organisation_id",
            "before",
            "state",
            "asked_by",
            "reason",
            "effective_at",
            "decided_by",
            "answer",
            "created_at",
            "decided_at",
        ]


class TransferInput(WhyInput):
    """A hand-over to a person or, with organisation and deputy, to another organisation."""

    project_id = serializers.IntegerField(min_value=1)
    kind = serializers.ChoiceField(choices=TransferKind.choices)
    user = serializers.CharField(max_length=150)
    deputy = serializers.CharField(max_length=150, required=False)
    organisation_id = serializers.IntegerField(min_value=1, required=False)
    effective_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Want organisation and deputy for a move, and only for a move."""
        only_moves = ("organisation_id", "deputy", "effective_at")
        is_move = attrs["kind"] == TransferKind.ORGANISATION
        wrong = {
            name: ["This is needed." if is_move else "Only a move to an organisation takes this."]
            for name in only_moves[: 2 if is_move else 3]
            if (name in attrs) != is_move
        }
        if wrong:
            raise serializers.ValidationError(wrong)
        return attrs


class RoleSerializer(serializers.ModelSerializer[RoleGrant]):
    """A role of a person or a group; `has_ended` says that it has run out."""

    user = PersonField()
    group = serializers.SlugRelatedField(slug_field="name", read_only=True)
    granted_by = PersonField()
    has_ended = serializers.SerializerMethodField()

    class Meta:
        model = RoleGrant
        fields: ClassVar = [
            "id",
            "user",
            "group",
            "role",
            "scope",
            "project_id",
            "organisation_id",
            "granted_by",
            "granted_at",
            "expires_at",
            "has_ended",
        ]

    @extend_schema_field(serializers.BooleanField())
    def get_has_ended(self, role: RoleGrant) -> bool:
        """Return what the selector found by the database's clock."""
        return bool(role.has_ended)  # type: ignore[attr-defined]


class RoleChange(StrictSerializer):
    """What may be changed of a role."""

    role = serializers.ChoiceField(choices=Role.choices)
    expires_at = serializers.DateTimeField(allow_null=True, default=None)
    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class RoleInput(RoleChange):
    """A new role in one project or one organisation, for one person or one group."""

    project_id = serializers.IntegerField(min_value=1, required=False)
    organisation_id = serializers.IntegerField(min_value=1, required=False)
    user = serializers.CharField(max_length=150, required=False)
    group = serializers.CharField(max_length=150, required=False)
