"""What exists in the pools, how much of it, and who holds it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GistIndex
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Floor, Greatest
from django.utils.translation import gettext_lazy as _

from inventory.choices import (
    AggregateKind,
    AllocationState,
    ProviderState,
    RankingPolicy,
    ResourceStatus,
)
from inventory.foundation.defaults import DefaultsVersion
from inventory.foundation.models import (
    Organisation,
    Project,
    plain_text,
    short_name,
)

LARGEST = 2**31 - 1
RATIO = [MinValueValidator(Decimal("0.0001")), MaxValueValidator(Decimal(100))]
capital_name = RegexValidator(
    r"^[A-Z][A-Z0-9_]*\Z", _("Use capital letters, digits and underscores, a letter first.")
)


class Pool(models.Model):
    """Providers that are managed and reported together; `organisation` operates them."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="pools")
    name = models.CharField(_("name"), max_length=120, unique=True, validators=[plain_text])
    slug = models.SlugField(_("short name"), max_length=60, unique=True, validators=[short_name])
    description = models.TextField(_("description"), max_length=2000, blank=True)
    region = models.CharField(_("region"), max_length=60, blank=True, validators=[plain_text])
    zone = models.CharField(_("zone"), max_length=60, blank=True, validators=[plain_text])
    ranking = models.CharField(
        _("placement"), max_length=20, choices=RankingPolicy, default=RankingPolicy.FIRST_FIT
    )
    spare_hosts = models.PositiveSmallIntegerField(
        _("spare hosts"), default=0, help_text=_("Kept free, so that this many may be lost.")
    )
    cleaning_gap = models.DurationField(_("gap between two holders"), null=True, blank=True)
    is_open = models.BooleanField(_("takes orders"), default=True)

    class Meta:
        verbose_name = _("pool")
        verbose_name_plural = _("pools")

    def __str__(self) -> str:
        return self.name


class ResourceClass(models.Model):
    """A countable kind of capacity: VCPU, MEMORY_MB, DISK_GB, GPU_MILLI, LICENSE_SEAT, …"""

    name = models.CharField(max_length=60, unique=True, validators=[capital_name])
    label = models.CharField(_("label"), max_length=60, validators=[plain_text])
    unit = models.CharField(_("unit"), max_length=20, validators=[plain_text])
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("kind of capacity")
        verbose_name_plural = _("kinds of capacity")

    def __str__(self) -> str:
        return self.label


class Trait(models.Model):
    """A quality of a provider that is not countable: SSD, AVX2, GPU_A100, …"""

    name = models.CharField(max_length=80, unique=True, validators=[capital_name])
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("property")
        verbose_name_plural = _("properties")

    def __str__(self) -> str:
        return self.name


class ResourceProvider(models.Model):
    """A host, array, network or device. It may nest: host, NUMA node, GPU.

    `root` is empty for a root itself. `generation` counts changes of inventories and allocations,
    so that a writer with an old picture is refused. `layout` is the number of the last change of
    everything but what is held: the database sets it from a sequence (migration 0004), also when
    an inventory or a property of the provider changes, so that a picture of a pool may be kept.
    """

    pool = models.ForeignKey(Pool, models.PROTECT, related_name="providers")
    name = models.CharField(_("name"), max_length=120, validators=[plain_text])
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children"
    )
    root = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="descendants", editable=False
    )
    is_sharing = models.BooleanField(
        _("shared"), default=False, help_text=_("Serves every host of its pool or aggregate.")
    )
    state = models.CharField(
        _("state"), max_length=10, choices=ProviderState, default=ProviderState.OPEN
    )
    generation = models.PositiveBigIntegerField(default=0, editable=False)
    layout = models.BigIntegerField(default=0, editable=False)
    traits = models.ManyToManyField(Trait, blank=True, related_name="providers")
    external_ref = models.CharField(max_length=200, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    warranty_end_date = models.DateField(null=True, blank=True)
    support_end_date = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name = _("host, storage or device")
        verbose_name_plural = _("hosts, storage and devices")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["pool", "name"],
                name="provider_name_unique",
                violation_error_message=_("This pool has a host or device of that name."),
            ),
            models.CheckConstraint(
                condition=Q(parent=None, root=None) | Q(parent__isnull=False, root__isnull=False),
                name="provider_root_goes_with_parent",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Aggregate(models.Model):
    """Providers that share something: a rack, a zone, a power feed."""

    kind = models.CharField(max_length=10, choices=AggregateKind, default=AggregateKind.CUSTOM)
    name = models.CharField(max_length=120, validators=[plain_text])
    providers = models.ManyToManyField(ResourceProvider, blank=True, related_name="aggregates")

    class Meta:
        verbose_name = _("group of hosts")
        verbose_name_plural = _("groups of hosts")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "name"], name="aggregate_unique"),
        ]

    def __str__(self) -> str:
        return self.name


def _within(field: str, low: int) -> Q:
    return Q(**{f"{field}__gte": low, f"{field}__lte": LARGEST})


class Inventory(models.Model):
    """How much of one class a provider has: capacity = floor((total - reserved) × ratio)."""

    provider = models.ForeignKey(ResourceProvider, models.PROTECT, related_name="inventories")
    resource_class = models.ForeignKey(ResourceClass, models.PROTECT, related_name="inventories")
    total = models.BigIntegerField(_("total"))
    reserved = models.BigIntegerField(_("host overhead"), default=0)
    min_unit = models.BigIntegerField(_("smallest amount"), default=1)
    max_unit = models.BigIntegerField(_("largest amount"), default=LARGEST)
    step_size = models.BigIntegerField(_("step"), default=1)
    allocation_ratio = models.DecimalField(
        _("over-commit ratio"), max_digits=10, decimal_places=4, default=Decimal(1)
    )
    capacity = models.GeneratedField(
        expression=Floor((F("total") - F("reserved")) * F("allocation_ratio")),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )

    class Meta:
        verbose_name = _("capacity of a host")
        verbose_name_plural = _("capacities of hosts")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["provider", "resource_class"],
                name="inventory_unique",
                violation_error_message=_("The host has this kind of capacity already."),
            ),
            models.CheckConstraint(
                condition=_within("total", 1),
                name="inventory_total_range",
                violation_error_message=_("Total must be 1 to 2,147,483,647."),
            ),
            models.CheckConstraint(
                condition=_within("reserved", 0) & Q(reserved__lte=F("total")),
                name="inventory_reserved_range",
                violation_error_message=_("Host overhead must be 0 up to the total."),
            ),
            models.CheckConstraint(
                condition=_within("min_unit", 1)
                & _within("max_unit", 1)
                & _within("step_size", 1)
                & Q(min_unit__lte=F("max_unit")),
                name="inventory_unit_range",
                violation_error_message=_(
                    "Smallest, largest and step must be at least 1, smallest not over largest."
                ),
            ),
            models.CheckConstraint(
                condition=Q(allocation_ratio__gt=0),
                name="inventory_ratio_positive",
                violation_error_message=_("The over-commit ratio must be more than 0."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}: {self.resource_class}"


class CapacitySpan(models.Model):
    """How much of an inventory is used over one stretch of time (placement.md, point 1).

    Spans of one inventory never overlap. A claim changes only `used`, so the check refuses any
    claim beyond capacity at any instant; only the shrink verb may raise `shortfall`.
    """

    inventory = models.ForeignKey(Inventory, models.PROTECT, related_name="spans")
    during = DateTimeRangeField()
    used = models.BigIntegerField(default=0)
    capacity = models.BigIntegerField()
    shortfall = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("use of capacity over time")
        verbose_name_plural = _("use of capacity over time")
        constraints: ClassVar = [
            ExclusionConstraint(
                name="span_no_overlap",
                expressions=[
                    ("inventory", RangeOperators.EQUAL),
                    ("during", RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                condition=Q(used__gte=0) & Q(used__lte=F("capacity") + F("shortfall")),
                name="span_never_over_allocated",
                violation_error_message=_("This is more than what is free."),
            ),
            models.CheckConstraint(
                condition=Q(shortfall=Greatest(F("used") - F("capacity"), 0)),
                name="span_shortfall_exact",
            ),
        ]
        indexes: ClassVar = [
            GistIndex(fields=["during"], condition=Q(used__gt=0), name="span_in_use_idx")
        ]

    def __str__(self) -> str:
        return f"{self.inventory_id}: {self.used}/{self.capacity}"


class ResourceQuerySet(models.QuerySet["Resource"]):
    """Business words for resources."""

    def live(self) -> "ResourceQuerySet":
        """Everything that a provider holds or is about to hold: not gone."""
        return self.exclude(status=ResourceStatus.GONE)


class Resource(models.Model):
    """The thing that a project holds and pays for (Placement: consumer)."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="resources")
    pool = models.ForeignKey(Pool, models.PROTECT, related_name="resources")
    provider = models.ForeignKey(
        ResourceProvider, models.PROTECT, null=True, blank=True, related_name="resources"
    )
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="parts")
    kind = models.CharField(_("kind"), max_length=80)
    name = models.CharField(_("name"), max_length=120, validators=[plain_text])
    status = models.CharField(
        _("state"), max_length=10, choices=ResourceStatus, default=ResourceStatus.PLANNED
    )
    external_ref = models.CharField(max_length=200, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    environment = models.CharField(_("environment"), max_length=20, blank=True)
    application = models.CharField(_("application"), max_length=80, blank=True)
    generation = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    lease_end_at = models.DateTimeField(_("ends"), null=True, blank=True)

    objects = ResourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("resource")
        verbose_name_plural = _("resources")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=~Q(status=ResourceStatus.GONE),
                name="resource_name_unique_while_live",
                violation_error_message=_("This project has a resource of that name."),
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None)
                | Q(delivered_at=None)
                | Q(ended_at__gte=F("delivered_at")),
                name="resource_ends_after_delivery",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["kind", "delivered_at"], name="resource_kind_idx")
        ]

    def __str__(self) -> str:
        return self.name


class ResourceState(models.Model):
    """In which state a resource was, and when; running time is metered from here."""

    resource = models.ForeignKey(Resource, models.PROTECT, related_name="states")
    state = models.CharField(max_length=10, choices=ResourceStatus)
    during = DateTimeRangeField()

    class Meta:
        verbose_name = _("state over time")
        verbose_name_plural = _("states over time")
        constraints: ClassVar = [
            ExclusionConstraint(
                name="resource_state_no_overlap",
                expressions=[
                    ("resource", RangeOperators.EQUAL),
                    ("during", RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource_id}: {self.state}"


class FormerKind(models.Model):
    """What a resource was called on the bill before it was changed into another service.

    Without a row it always was what `Resource.kind` says.
    """

    resource = models.ForeignKey(Resource, models.PROTECT, related_name="former_kinds")
    kind = models.CharField(_("kind"), max_length=80)
    during = DateTimeRangeField()

    class Meta:
        verbose_name = _("former kind")
        verbose_name_plural = _("former kinds")
        constraints: ClassVar = [
            ExclusionConstraint(
                name="former_kind_no_overlap",
                expressions=[
                    ("resource", RangeOperators.EQUAL),
                    ("during", RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource_id}: {self.kind}"


class Allocation(models.Model):
    """An amount of a class that a resource holds.

    `[held_from, held_to)` is when the capacity is taken, counted in CapacitySpan.
    `[active_from, active_to)` is when it is delivered, and metered: the open meter of money.md.
    """

    resource = models.ForeignKey(Resource, models.PROTECT, related_name="allocations")
    inventory = models.ForeignKey(Inventory, models.PROTECT, related_name="allocations")
    provider = models.ForeignKey(ResourceProvider, models.PROTECT, related_name="allocations")
    resource_class = models.ForeignKey(ResourceClass, models.PROTECT, related_name="allocations")
    group = models.CharField(max_length=64, blank=True)
    amount = models.BigIntegerField(_("amount"))
    state = models.CharField(
        max_length=10, choices=AllocationState, default=AllocationState.RESERVED
    )
    held_from = models.DateTimeField()
    held_to = models.DateTimeField(null=True)
    active_from = models.DateTimeField(null=True)
    active_to = models.DateTimeField(null=True)
    reserved_until = models.DateTimeField(
        null=True, help_text=_("An unused reservation is given back then.")
    )

    class Meta:
        verbose_name = _("capacity held")
        verbose_name_plural = _("capacity held")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(amount__gte=1),
                name="allocation_amount_positive",
                violation_error_message=_("An amount must be at least 1."),
            ),
            models.CheckConstraint(
                condition=Q(held_to=None) | Q(held_to__gte=F("held_from")),
                name="allocation_held_in_order",
            ),
            models.CheckConstraint(
                condition=Q(active_to=None)
                | (Q(active_from__isnull=False) & Q(active_to__gte=F("active_from"))),
                name="allocation_active_in_order",
            ),
            models.CheckConstraint(
                condition=Q(state=AllocationState.RESERVED, active_from=None, active_to=None)
                | Q(state=AllocationState.ACTIVE, active_from__isnull=False)
                | Q(state=AllocationState.RELEASED, held_to__isnull=False),
                name="allocation_state_matches_times",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["inventory", "held_from"], name="allocation_inventory_idx"),
            models.Index(fields=["active_from", "active_to"], name="allocation_meter_idx"),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="kept_for_ever", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="amount_fixed",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("resource", "inventory", "amount", "held_from"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.resource_class_id} of {self.provider_id}"


class Quota(models.Model):
    """The most of one class that a project, or all of an organisation, may hold at any instant."""

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="quotas"
    )
    project = models.ForeignKey(
        Project, models.PROTECT, null=True, blank=True, related_name="quotas"
    )
    resource_class = models.ForeignKey(ResourceClass, models.PROTECT, related_name="quotas")
    limit = models.BigIntegerField(_("limit"))

    class Meta:
        verbose_name = _("quota")
        verbose_name_plural = _("quotas")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organisation", "project", "resource_class"],
                nulls_distinct=False,
                name="quota_unique",
                violation_error_message=_("There is a quota for this already."),
            ),
            models.CheckConstraint(
                condition=Q(organisation=None, project__isnull=False)
                | Q(organisation__isnull=False, project=None),
                name="quota_one_holder",
                violation_error_message=_("A quota is for one project or one organisation."),
            ),
            models.CheckConstraint(
                condition=Q(limit__gte=0),
                name="quota_limit_not_negative",
                violation_error_message=_("A limit cannot be negative."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project or self.organisation}: {self.limit} {self.resource_class}"


class CapacityDefaults(DefaultsVersion):
    """How far new capacity is over-committed where nobody says: what may be allocated of it is
    this many times what is there. Applies to hosts in the pools that the organisation operates."""

    BUILT_IN: ClassVar[Mapping[str, Any]] = {"cpu_ratio": Decimal(4), "memory_ratio": Decimal(1)}

    cpu_ratio = models.DecimalField(
        _("over-commit ratio of vCPU"),
        max_digits=10,
        decimal_places=4,
        null=True,
        blank=True,
        validators=RATIO,
    )
    memory_ratio = models.DecimalField(
        _("over-commit ratio of memory"),
        max_digits=10,
        decimal_places=4,
        null=True,
        blank=True,
        validators=RATIO,
    )

    class Meta(DefaultsVersion.Meta):
        verbose_name = _("default of capacity")
        verbose_name_plural = _("defaults of capacity")
        constraints: ClassVar = [
            *DefaultsVersion.Meta.constraints,
            *(
                models.CheckConstraint(
                    condition=Q(**{name: None}) | Q(**{f"{name}__gt": 0, f"{name}__lte": 100}),
                    name=f"capacitydefaults_{name}",
                    violation_error_message=message,
                )
                for name, message in (
                    ("cpu_ratio", _("The ratio of vCPU must be more than 0 and at most 100.")),
                    ("memory_ratio", _("The ratio of memory must be more than 0, at most 100.")),
                )
            ),
        ]
