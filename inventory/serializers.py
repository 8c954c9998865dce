"""The shape in which the inventory's things are told to programs."""

from typing import ClassVar

from rest_framework import serializers

from inventory.models import Allocation, Resource


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
