"""What was asked, what will be done, and who allowed it."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from inventory.foundation.models import (
    AppendOnlyModel,
    Project,
    User,
    plain_text,
    short_name,
)
from inventory.models import Pool
from orchestra.choices import (
    Alteration,
    ChangeKind,
    Decision,
    Environment,
    OrderKind,
    OrderState,
)
from orchestra.models.catalogue import OfferingVersion
from orchestra.models.deployments import Deployment
from orchestra.models.policies import PolicyVersion


class Order(models.Model):
    """A request for capacity, or for a change or the end of what runs."""

    kind = models.CharField(max_length=8, choices=OrderKind, default=OrderKind.CREATE)
    alteration = models.CharField(
        _("what changes"), max_length=8, choices=Alteration, blank=True, default=""
    )
    state = models.CharField(max_length=20, choices=OrderState, default=OrderState.DRAFT)
    project = models.ForeignKey(Project, models.PROTECT, related_name="orders")
    requester = models.ForeignKey(User, models.PROTECT, related_name="orders")
    offering_version = models.ForeignKey(OfferingVersion, models.PROTECT, related_name="orders")
    pool = models.ForeignKey(Pool, models.PROTECT, related_name="orders")
    deployment = models.ForeignKey(Deployment, models.PROTECT, null=True, related_name="orders")
    name = models.SlugField(_("name"), max_length=60, validators=[short_name])
    application = models.CharField(_("application"), max_length=80, validators=[plain_text])
    environment = models.CharField(_("environment"), max_length=12, choices=Environment)
    business_reason = models.CharField(_("reason"), max_length=500, validators=[plain_text])
    instances = models.PositiveIntegerField(_("copies"), default=1)
    parameters = models.JSONField(_("choices"), default=dict, blank=True)
    change_kind = models.CharField(max_length=10, choices=ChangeKind, default=ChangeKind.NORMAL)
    start_at = models.DateTimeField(_("starts"), null=True, blank=True)
    end_at = models.DateTimeField(_("ends"), null=True, blank=True)
    refusal = models.JSONField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("request")
        verbose_name_plural = _("requests")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(instances__gte=1),
                name="order_instances_positive",
                violation_error_message=_("Ask for at least one copy."),
            ),
            models.CheckConstraint(
                condition=Q(kind=OrderKind.CHANGE, deployment__isnull=False) & ~Q(alteration="")
                | ~Q(kind=OrderKind.CHANGE) & Q(alteration=""),
                name="order_change_says_what",
                violation_error_message=_("A change says what it changes, and of what."),
            ),
            models.CheckConstraint(
                condition=Q(start_at=None) | Q(end_at=None) | Q(end_at__gt=F("start_at")),
                name="order_ends_after_start",
                violation_error_message=_("It must end after it starts."),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "-id"], name="order_state_idx"),
            models.Index(fields=["project", "-id"], name="order_project_idx"),
        ]

    def __str__(self) -> str:
        return f"R-{self.pk:06d}" if self.pk else "R-new"


class Plan(AppendOnlyModel):
    """What will be done, where and for how much. `document` is what `sha256` covers (RFC 8785
    canonical JSON); `placement` stands beside it and is decided again when the run is made."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="plans")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    sha256 = models.CharField(max_length=64)
    placement = models.JSONField(default=list)
    quote = models.JSONField()
    currency = models.CharField(max_length=3)
    monthly_cost = models.DecimalField(max_digits=28, decimal_places=10)
    term_cost = models.DecimalField(max_digits=28, decimal_places=10, null=True)
    max_monthly_cost = models.DecimalField(max_digits=28, decimal_places=10)
    decisions = models.JSONField(default=list)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    valid_until = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "number"], name="plan_number_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.order} plan {self.number}"


class Approval(AppendOnlyModel):
    """A decision with reason and time, bound to one plan; by a person or by a rule, never both."""

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="approvals")
    plan_sha256 = models.CharField(max_length=64)
    requester = models.ForeignKey(User, models.PROTECT, related_name="+")
    approver = models.ForeignKey(User, models.PROTECT, null=True, related_name="approvals")
    policy_version = models.ForeignKey(
        PolicyVersion, models.PROTECT, null=True, related_name="approvals"
    )
    on_behalf_of = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decision = models.CharField(max_length=8, choices=Decision)
    reason = models.CharField(_("reason"), max_length=500, validators=[plain_text])
    decided_at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(approver__isnull=False, policy_version=None)
                | Q(approver=None, policy_version__isnull=False),
                name="approval_person_or_rule",
            ),
            models.CheckConstraint(
                condition=Q(approver=None) | ~Q(approver=F("requester")),
                name="approval_never_ones_own",
                violation_error_message=_("Nobody decides on their own request."),
            ),
            models.CheckConstraint(
                condition=Q(on_behalf_of=None) | ~Q(on_behalf_of=F("requester")),
                name="approval_never_for_requester",
                violation_error_message=_("Nobody decides in the name of the requester."),
            ),
            models.UniqueConstraint(
                fields=["plan", "approver"],
                name="approval_once_a_person",
                violation_error_message=_("You have decided on this plan already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_decision_display()}: {self.plan_id}"
