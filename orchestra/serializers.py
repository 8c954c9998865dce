"""The shape in which requests, plans and runs are told to and taken from programs."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.choices import AccountMode
from inventory.foundation.api import StrictSerializer
from orchestra.choices import Decision, DesiredState
from orchestra.models import Approval, Deployment, Notification, Order, Plan, Run, Step


class ApprovalSerializer(serializers.ModelSerializer[Approval]):
    """One decision, by a person or by a rule."""

    approver = serializers.SlugRelatedField(slug_field="username", read_only=True)
    policy = serializers.StringRelatedField(source="policy_version")

    class Meta:
        model = Approval
        fields: ClassVar = ["decision", "approver", "policy", "reason", "decided_at"]


class PlanSerializer(serializers.ModelSerializer[Plan]):
    """What will be done and what it costs; `sha256` covers `document`."""

    approvals = ApprovalSerializer(many=True)

    class Meta:
        model = Plan
        fields: ClassVar = [
            "number",
            "sha256",
            "document",
            "quote",
            "currency",
            "monthly_cost",
            "term_cost",
            "decisions",
            "created_at",
            "valid_until",
            "approvals",
        ]


class OrderSerializer(serializers.ModelSerializer[Order]):
    """A request. Its `version` is the ETag of an edit."""

    number = serializers.CharField(source="__str__")
    project = serializers.IntegerField(source="project_id")
    requester = serializers.SlugRelatedField(slug_field="username", read_only=True)
    offering = serializers.CharField(source="offering_version.offering.slug")
    offering_version = serializers.IntegerField(source="offering_version.number")
    pool = serializers.SlugRelatedField(slug_field="slug", read_only=True)

    class Meta:
        model = Order
        fields: ClassVar = [
            "id",
            "number",
            "kind",
            "state",
            "project",
            "requester",
            "offering",
            "offering_version",
            "pool",
            "deployment_id",
            "alteration",
            "name",
            "application",
            "environment",
            "business_reason",
            "instances",
            "parameters",
            "start_at",
            "end_at",
            "refusal",
            "version",
            "created_at",
            "decided_at",
            "finished_at",
        ]


class OrderDetailSerializer(OrderSerializer):
    """A request with its newest plan and its runs."""

    plan = serializers.SerializerMethodField()
    runs = serializers.PrimaryKeyRelatedField(many=True, read_only=True)

    class Meta(OrderSerializer.Meta):
        fields: ClassVar = [*OrderSerializer.Meta.fields, "plan", "runs"]

    @extend_schema_field(PlanSerializer(allow_null=True))
    def get_plan(self, order: Order) -> Any:
        """Return the newest of the prefetched plans."""
        plans = sorted(order.plans.all(), key=lambda plan: plan.number)
        return PlanSerializer(plans[-1]).data if plans else None


class OrderInput(StrictSerializer):
    """A new request. The service's own checks say what is wrong with a value, by field."""

    project = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    offering = serializers.SlugField(max_length=60)
    pool = serializers.SlugField(max_length=60, required=False, allow_null=True, default=None)
    name = serializers.CharField(max_length=60)
    application = serializers.CharField(max_length=80)
    environment = serializers.CharField(max_length=12)
    business_reason = serializers.CharField(max_length=500)
    instances = serializers.IntegerField(min_value=1, max_value=10_000, default=1)
    parameters = serializers.DictField(default=dict)
    start_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    end_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class OrderChange(StrictSerializer):
    """What an edit may change; what is left out stays."""

    name = serializers.CharField(max_length=60, required=False)
    application = serializers.CharField(max_length=80, required=False)
    environment = serializers.CharField(max_length=12, required=False)
    business_reason = serializers.CharField(max_length=500, required=False)
    instances = serializers.IntegerField(min_value=1, max_value=10_000, required=False)
    parameters = serializers.DictField(required=False)
    start_at = serializers.DateTimeField(required=False, allow_null=True)
    end_at = serializers.DateTimeField(required=False, allow_null=True)


class DeploymentSerializer(serializers.ModelSerializer[Deployment]):
    """A running application, or one that ran. Its `generation` is the ETag of a change."""

    offering = serializers.CharField(source="offering_version.offering.slug")
    offering_version = serializers.IntegerField(source="offering_version.number")
    project = serializers.IntegerField(source="project_id")
    pool = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    owner = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = Deployment
        fields: ClassVar = [
            "id",
            "name",
            "application",
            "environment",
            "state",
            "project",
            "owner",
            "offering",
            "offering_version",
            "pool",
            "instances",
            "parameters",
            "generation",
            "lease_end_at",
            "created_at",
            "retired_at",
        ]


class ResizeInput(StrictSerializer):
    """Another size: the choices that change, and perhaps another service."""

    offering = serializers.SlugField(max_length=60, required=False, allow_null=True, default=None)
    parameters = serializers.DictField(default=dict)
    business_reason = serializers.CharField(max_length=500)


class ExtendInput(StrictSerializer):
    """A later end."""

    end_at = serializers.DateTimeField()
    business_reason = serializers.CharField(max_length=500)


class EndInput(StrictSerializer):
    """An earlier end; none means now."""

    end_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    business_reason = serializers.CharField(max_length=500)


class SubmitInput(StrictSerializer):
    """Which plan is sent."""

    plan_sha256 = serializers.RegexField(r"^[0-9a-f]{64}\Z")


class DecisionInput(SubmitInput):
    """A decision on the plan with that hash."""

    decision = serializers.ChoiceField(choices=Decision.choices)
    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class ReasonInput(StrictSerializer):
    """Why."""

    reason = serializers.CharField(max_length=500)


class SteerInput(StrictSerializer):
    """What is wanted of a run."""

    desired_state = serializers.ChoiceField(choices=DesiredState.choices)


class StepSerializer(serializers.ModelSerializer[Step]):
    """One step of a run, or the undoing of one."""

    class Meta:
        model = Step
        fields: ClassVar = [
            "key",
            "phase",
            "ordinal",
            "action",
            "label",
            "needs",
            "state",
            "attempt",
            "max_attempts",
            "resource_id",
            "external_ref",
            "error",
            "started_at",
            "finished_at",
        ]


class RunSerializer(serializers.ModelSerializer[Run]):
    """A plan being carried out."""

    order = serializers.IntegerField(source="order_id")
    deployment = serializers.IntegerField(source="deployment_id")
    project = serializers.IntegerField(source="order.project_id")

    class Meta:
        model = Run
        fields: ClassVar = [
            "id",
            "order",
            "deployment",
            "project",
            "action",
            "change_kind",
            "state",
            "desired_state",
            "plan_sha256",
            "correlation_id",
            "reason",
            "created_at",
            "started_at",
            "finished_at",
        ]


class LogLineSerializer(serializers.Serializer[Any]):
    """One line of a run's log; `id` is its sequence number."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    level = serializers.CharField()
    step = serializers.CharField(source="step.key", default=None)
    message = serializers.CharField()


class RunDetailSerializer(RunSerializer):
    """A run with its steps in their order."""

    steps = serializers.SerializerMethodField()

    class Meta(RunSerializer.Meta):
        fields: ClassVar = [*RunSerializer.Meta.fields, "steps"]

    @extend_schema_field(StepSerializer(many=True))
    def get_steps(self, run: Run) -> Any:
        """Return forward steps, then undoing ones."""
        steps = run.steps.order_by("phase", "ordinal")
        return StepSerializer(steps, many=True).data


class NoticeSerializer(serializers.ModelSerializer[Notification]):
    """What the person was told."""

    class Meta:
        model = Notification
        fields: ClassVar = [
            "id",
            "kind",
            "text",
            "link",
            "project_id",
            "created_at",
            "read_at",
            "mail_state",
        ]


class ReadAllSerializer(serializers.Serializer[Any]):
    """How many notices were marked as read."""

    read = serializers.IntegerField()


class ConfirmedSerializer(serializers.ModelSerializer[Deployment]):
    """An application that was confirmed, and up to when."""

    class Meta:
        model = Deployment
        fields: ClassVar = ["id", "name", "confirm_by", "confirmed_at"]


class DefaultSerializer(serializers.Serializer[Any]):
    """One value that holds where nobody chooses: `own` is what the place itself says, or null."""

    value = serializers.JSONField()
    own = serializers.JSONField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]


class DefaultsPartSerializer(serializers.Serializer[Any]):
    """One part of a place's defaults; `version` is what a change sends back."""

    version = serializers.IntegerField()
    values = serializers.DictField(child=DefaultSerializer())


class DefaultsSerializer(serializers.Serializer[Any]):
    """All defaults of an organisation (0: everywhere)."""

    organisation = serializers.IntegerField()
    name = serializers.CharField()
    terms = DefaultsPartSerializer()
    capacity = DefaultsPartSerializer()
    accounts = DefaultsPartSerializer()


class DefaultsInput(StrictSerializer):
    """What every change of defaults says: the version that was read, and why."""

    version = serializers.IntegerField(min_value=0)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class TermsInput(DefaultsInput):
    """Terms of applications; null is as the organisation above, what is left out stays."""

    lease_days = serializers.IntegerField(required=False, allow_null=True)
    confirm_months = serializers.IntegerField(required=False, allow_null=True)
    warning_days = serializers.ListField(
        child=serializers.IntegerField(), required=False, allow_null=True, max_length=10
    )
    stop_first = serializers.BooleanField(required=False, allow_null=True, default=None)

    def to_internal_value(self, data: Any) -> Any:
        """Leave out what was left out: a boolean of a form would read as no."""
        values = super().to_internal_value(data)
        if isinstance(data, dict) and "stop_first" not in data:
            values.pop("stop_first", None)
        return values


class CapacityInput(DefaultsInput):
    """Over-commit ratios; null is as the organisation above, what is left out stays."""

    cpu_ratio = serializers.DecimalField(
        max_digits=10, decimal_places=4, required=False, allow_null=True
    )
    memory_ratio = serializers.DecimalField(
        max_digits=10, decimal_places=4, required=False, allow_null=True
    )


class AccountsInput(DefaultsInput):
    """What new accounts start as; null is as the organisation above."""

    mode = serializers.ChoiceField(choices=AccountMode.choices, required=False, allow_null=True)
