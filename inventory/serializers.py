"""The shape in which the inventory's things are told to programs."""

from typing import Any, ClassVar

from rest_framework import serializers

from inventory.models import (
    Aggregate,
    Allocation,
    FormerKind,
    Inventory,
    Pool,
    Quota,
    Resource,
    ResourceClass,
    ResourceProvider,
    ResourceState,
    Trait,
)


class AllocationSerializer(serializers.ModelSerializer[Allocation]):
    """One amount that a resource holds."""

    resource_class = serializers.CharField(source="resource_class.name")
    unit = serializers.CharField(source="resource_class.unit")

    class Meta:
        model = Allocation
        fields: ClassVar = [
            "resource_class",
            "amount",
            "unit",
            "state",
            "held_from",
            "held_to",
            "active_from",
            "active_to",
        ]


class ResourceSerializer(serializers.ModelSerializer[Resource]):
    """A resource with what it holds."""

    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    pool = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    allocations = AllocationSerializer(many=True)

    class Meta:
        model = Resource
        fields: ClassVar = [
            "id",
            "name",
            "kind",
            "status",
            "project",
            "project_id",
            "pool",
            "application",
            "environment",
            "external_ref",
            "attributes",
            "tags",
            "created_at",
            "delivered_at",
            "ended_at",
            "lease_end_at",
            "allocations",
        ]


class StretchSerializer(serializers.Serializer[Any]):
    """When something was so: `to` is empty while it still is."""

    start_at = serializers.DateTimeField(source="during.lower", allow_null=True)
    end_at = serializers.DateTimeField(source="during.upper", allow_null=True)


class ResourceStateSerializer(StretchSerializer, serializers.ModelSerializer[ResourceState]):
    """A state that a resource was in, and when."""

    class Meta:
        model = ResourceState
        fields: ClassVar = ["state", "start_at", "end_at"]


class FormerKindSerializer(StretchSerializer, serializers.ModelSerializer[FormerKind]):
    """What a resource was called on the bill, and when."""

    class Meta:
        model = FormerKind
        fields: ClassVar = ["kind", "start_at", "end_at"]


class ResourceDetailSerializer(ResourceSerializer):
    """A resource with what it holds, the states that it was in and what it was called before."""

    states = ResourceStateSerializer(many=True)
    former_kinds = FormerKindSerializer(many=True)

    class Meta(ResourceSerializer.Meta):
        fields: ClassVar = [*ResourceSerializer.Meta.fields, "states", "former_kinds"]


class HeldSerializer(AllocationSerializer):
    """One amount that is or was held, and by what; `host` is null for who may not look there."""

    resource = serializers.CharField(source="resource.name")
    project = serializers.SlugRelatedField(
        source="resource.project", slug_field="slug", read_only=True
    )
    project_id = serializers.IntegerField(source="resource.project_id")
    pool = serializers.SlugRelatedField(source="resource.pool", slug_field="slug", read_only=True)
    host = serializers.CharField(allow_null=True)

    class Meta(AllocationSerializer.Meta):
        fields: ClassVar = [
            "id",
            "resource_id",
            "resource",
            "project",
            "project_id",
            "pool",
            "host",
            *AllocationSerializer.Meta.fields,
        ]


class QuotaSerializer(serializers.ModelSerializer[Quota]):
    """A limit, whose it is, what is held of it now and what is left (less than 0: over it)."""

    holder = serializers.CharField()
    resource_class = serializers.CharField(source="resource_class.name")
    unit = serializers.CharField(source="resource_class.unit")
    used = serializers.IntegerField()
    left = serializers.IntegerField()

    class Meta:
        model = Quota
        fields: ClassVar = [
            "id",
            "holder",
            "project_id",
            "organisation_id",
            "resource_class",
            "unit",
            "limit",
            "used",
            "left",
        ]


class ResourceClassSerializer(serializers.ModelSerializer[ResourceClass]):
    """A kind of capacity that can be counted, and its unit."""

    class Meta:
        model = ResourceClass
        fields: ClassVar = ["id", "name", "label", "unit", "description"]


class TraitSerializer(serializers.ModelSerializer[Trait]):
    """A property, the pools in which something has it, and how many hosts the caller sees."""

    pools = serializers.CharField(allow_null=True)
    hosts = serializers.IntegerField()

    class Meta:
        model = Trait
        fields: ClassVar = ["id", "name", "description", "pools", "hosts"]


class PoolSerializer(serializers.ModelSerializer[Pool]):
    """A pool."""

    class Meta:
        model = Pool
        fields: ClassVar = [
            "id",
            "slug",
            "name",
            "organisation_id",
            "description",
            "region",
            "zone",
            "ranking",
            "spare_hosts",
            "is_open",
        ]


class PoolCapacitySerializer(serializers.Serializer[Any]):
    """One kind of capacity of a pool now; all figures in the kind's unit."""

    resource_class = serializers.CharField(source="resource_class.name")
    unit = serializers.CharField(source="resource_class.unit")
    physical = serializers.IntegerField()
    overhead = serializers.IntegerField()
    capacity = serializers.IntegerField()
    used = serializers.IntegerField()
    spare = serializers.IntegerField()
    closed = serializers.IntegerField()
    free = serializers.IntegerField()


class PoolDetailSerializer(PoolSerializer):
    """A pool with its capacity by kind."""

    capacity = PoolCapacitySerializer(many=True)

    class Meta(PoolSerializer.Meta):
        fields: ClassVar = [*PoolSerializer.Meta.fields, "capacity"]


class AggregateSerializer(serializers.ModelSerializer[Aggregate]):
    """A group of hosts; `hosts` counts those that the caller sees."""

    hosts = serializers.IntegerField()

    class Meta:
        model = Aggregate
        fields: ClassVar = ["id", "kind", "name", "hosts"]


class HostSerializer(serializers.ModelSerializer[ResourceProvider]):
    """A host, storage or device with its properties and groups."""

    pool = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    traits = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)
    group_ids = serializers.PrimaryKeyRelatedField(source="aggregates", many=True, read_only=True)

    class Meta:
        model = ResourceProvider
        fields: ClassVar = [
            "id",
            "name",
            "pool",
            "parent_id",
            "is_sharing",
            "state",
            "generation",
            "traits",
            "group_ids",
            "external_ref",
            "warranty_end_date",
            "support_end_date",
        ]


class InventorySerializer(serializers.ModelSerializer[Inventory]):
    """How much of one kind a host or a device in it has, and what is held of it now."""

    host_id = serializers.IntegerField(source="provider_id")
    resource_class = serializers.CharField(source="resource_class.name")
    unit = serializers.CharField(source="resource_class.unit")
    used = serializers.IntegerField()

    class Meta:
        model = Inventory
        fields: ClassVar = [
            "host_id",
            "resource_class",
            "unit",
            "total",
            "reserved",
            "allocation_ratio",
            "capacity",
            "used",
            "min_unit",
            "max_unit",
            "step_size",
        ]


class HostDetailSerializer(HostSerializer):
    """A host with what it and the devices in it have."""

    inventories = InventorySerializer(source="has", many=True)

    class Meta(HostSerializer.Meta):
        fields: ClassVar = [*HostSerializer.Meta.fields, "inventories"]
