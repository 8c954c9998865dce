"""The shape in which requests, plans and runs are told to and taken from programs."""

from typing import Any, ClassVar

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inventory.foundation.api import StrictSerializer
from orchestra.choices import Decision, DesiredState
from orchestra.models import (
    Approval,
    Attempt,
    Deployment,
    DeploymentResource,
    OfferingVersion,
    Order,
    Plan,
    PolicyVersion,
    Run,
    Step,
)


class ApprovalSerializer(serializers.ModelSerializer[Approval]):
    """One decision, by a person or by a rule."""

    approver: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)
    policy: Any = serializers.StringRelatedField(source="policy_version")

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
    requester: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)
    offering = serializers.CharField(source="offering_version.offering.slug")
    offering_version = serializers.IntegerField(source="offering_version.number")
    pool: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)

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
    runs: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True)

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
    pool: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    owner: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)

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


class DeploymentResourceSerializer(serializers.ModelSerializer[DeploymentResource]):
    """Which resource is which copy of which component."""

    class Meta:
        model = DeploymentResource
        fields: ClassVar = ["component", "index", "resource_id"]


class DeploymentDetailSerializer(DeploymentSerializer):
    """An application with its resources, in the order of its copies."""

    resources = serializers.SerializerMethodField()

    class Meta(DeploymentSerializer.Meta):
        fields: ClassVar = [*DeploymentSerializer.Meta.fields, "resources"]

    @extend_schema_field(DeploymentResourceSerializer(many=True))
    def get_resources(self, found: Deployment) -> Any:
        """Return the links down, in one query."""
        links = found.links.order_by("component", "index", "pk")
        return DeploymentResourceSerializer(links, many=True).data


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


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    """One try of a step that has ended."""

    class Meta:
        model = Attempt
        fields: ClassVar = ["worker", "started_at", "ended_at", "outcome", "error"]


class StepSerializer(serializers.ModelSerializer[Step]):
    """One step of a run, or the undoing of one, with its tries in order."""

    attempts = AttemptSerializer(many=True)

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
            "attempts",
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
        """Return forward steps, then undoing ones, each with its tries; two queries."""
        tries = Prefetch("attempts", queryset=Attempt.objects.order_by("pk"))
        steps = run.steps.order_by("phase", "ordinal").prefetch_related(tries)
        return StepSerializer(steps, many=True).data


class DecisionSerializer(ApprovalSerializer):
    """A decision with the request that it was about."""

    order = serializers.IntegerField(source="plan.order_id")
    name = serializers.CharField(source="plan.order.name")
    project = serializers.IntegerField(source="plan.order.project_id")
    monthly_cost = serializers.DecimalField(
        source="plan.monthly_cost", max_digits=28, decimal_places=10
    )
    currency = serializers.CharField(source="plan.currency")

    class Meta(ApprovalSerializer.Meta):
        fields: ClassVar = [
            "id",
            "order",
            "name",
            "project",
            "plan_sha256",
            "monthly_cost",
            "currency",
            *ApprovalSerializer.Meta.fields,
        ]


class OfferingSerializer(serializers.ModelSerializer[OfferingVersion]):
    """A service with the version that may be ordered now, and from which pools."""

    slug = serializers.CharField(source="offering.slug")
    name = serializers.CharField(source="offering.name")
    category = serializers.CharField(source="offering.category")
    summary = serializers.CharField(source="offering.summary")
    version = serializers.IntegerField(source="number")
    pools = serializers.SerializerMethodField()

    class Meta:
        model = OfferingVersion
        fields: ClassVar = [
            "slug",
            "name",
            "category",
            "summary",
            "version",
            "resource_kind",
            "resources",
            "required_traits",
            "parameters",
            "max_instances",
            "minutes_to_deliver",
            "pools",
            "published_at",
        ]

    def get_pools(self, version: OfferingVersion) -> list[str]:
        """Return the slugs of the pools from which it may be ordered."""
        return [pool.slug for pool in version.orderable]  # type: ignore[attr-defined]


class RuleSerializer(serializers.ModelSerializer[PolicyVersion]):
    """What a rule said, where and when."""

    slug = serializers.CharField(source="policy.slug")
    name = serializers.CharField(source="policy.name")
    organisation = serializers.IntegerField(source="policy.organisation_id", allow_null=True)
    project = serializers.IntegerField(source="policy.project_id", allow_null=True)
    start_at = serializers.DateTimeField(allow_null=True)
    end_at = serializers.DateTimeField(allow_null=True)
    standing = serializers.CharField()
    created_by: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = PolicyVersion
        fields: ClassVar = [
            "id",
            "slug",
            "name",
            "organisation",
            "project",
            "number",
            "rule",
            "start_at",
            "end_at",
            "standing",
            "created_by",
            "created_at",
        ]
