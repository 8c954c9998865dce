"""The shape in which freezes, windows and the machinery's state are told and taken."""

from typing import Any, ClassVar

from rest_framework import serializers

from inventory.foundation.api import StrictSerializer
from orchestra.models import ChangeWindow, Freeze

ENTRY: list[str] = [
    "id",
    "name",
    "reason",
    "organisation",
    "project",
    "pool",
    "start_at",
    "end_at",
    "standing",
    "created_by",
]


class EntrySerializer[E: (Freeze, ChangeWindow)](serializers.ModelSerializer[E]):
    """An entry of the change calendar; none of organisation, project and pool: everywhere."""

    organisation = serializers.IntegerField(source="organisation_id", allow_null=True)
    project = serializers.IntegerField(source="project_id", allow_null=True)
    pool: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    start_at = serializers.DateTimeField(allow_null=True)
    end_at = serializers.DateTimeField(allow_null=True)
    standing = serializers.CharField()
    created_by: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)


class WindowSerializer(EntrySerializer[ChangeWindow]):
    """A change window."""

    class Meta:
        model = ChangeWindow
        fields: ClassVar = ENTRY


class FreezeSerializer(EntrySerializer[Freeze]):
    """A freeze."""

    class Meta:
        model = Freeze
        fields: ClassVar = [*ENTRY, "holds_scaling"]


class WindowChange(StrictSerializer):
    """What may be changed of a window; what is left out stays. A null time is open."""

    name = serializers.CharField(max_length=120, required=False)
    reason = serializers.CharField(max_length=500, required=False)
    start_at = serializers.DateTimeField(required=False, allow_null=True)
    end_at = serializers.DateTimeField(required=False, allow_null=True)


class FreezeChange(WindowChange):
    """What may be changed of a freeze."""

    holds_scaling = serializers.BooleanField(required=False)


class WindowInput(WindowChange):
    """A new window, for at most one of pool, project and organisation; none means everywhere."""

    name = serializers.CharField(max_length=120)
    reason = serializers.CharField(max_length=500)
    start_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    end_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    pool = serializers.SlugField(max_length=60, required=False, allow_null=True, default=None)
    project = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, required=False, allow_null=True, default=None
    )
    organisation = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, required=False, allow_null=True, default=None
    )


class FreezeInput(WindowInput):
    """A new freeze."""

    holds_scaling = serializers.BooleanField(default=False)


class BeatSerializer(serializers.Serializer[Any]):
    """A worker or the scheduler; alive if it was seen within the last minute."""

    name = serializers.CharField()
    kind = serializers.CharField()
    seen_at = serializers.DateTimeField()
    is_alive = serializers.BooleanField()


class ViolationSerializer(serializers.Serializer[Any]):
    """A rule that must always hold and does not, and about what."""

    rule = serializers.CharField()
    subject = serializers.CharField()


class HealthSerializer(serializers.Serializer[Any]):
    """The state of the machinery at `at`."""

    at = serializers.DateTimeField()
    database = serializers.CharField()
    beats = BeatSerializer(many=True)
    ready = serializers.IntegerField()
    running = serializers.IntegerField()
    oldest_ready_at = serializers.DateTimeField(allow_null=True)
    outbox = serializers.IntegerField()
    last_event_at = serializers.DateTimeField(allow_null=True)
    rated_to = serializers.DateTimeField(allow_null=True)
    violations = ViolationSerializer(many=True)
