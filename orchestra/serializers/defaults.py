"""The shape in which notices, terms and defaults are told to and taken from programs."""

from typing import Any, ClassVar

from rest_framework import serializers

from billing.choices import AccountMode
from inventory.foundation.api import StrictSerializer
from orchestra.models import Deployment, Notification


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
