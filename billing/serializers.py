"""The shape in which charges are told to programs: amounts are exact decimals, as text."""

from decimal import Decimal
from typing import ClassVar

from rest_framework import serializers

from billing.models import Charge, Correction, PriceChange
from inventory.foundation.api import StrictSerializer


class ChargeSerializer(serializers.ModelSerializer[Charge]):
    """One line of the ledger."""

    account = serializers.SlugRelatedField(slug_field="code", read_only=True)
    project = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    sku = serializers.SlugRelatedField(slug_field="code", read_only=True)
    month = serializers.DateField(source="period.month", format="%Y-%m")
    is_final = serializers.SerializerMethodField()
    invoice = serializers.SerializerMethodField()

    class Meta:
        model = Charge
        fields: ClassVar = [
            "id",
            "line_id",
            "account",
            "project",
            "project_id",
            "resource_id",
            "sku",
            "month",
            "is_final",
            "invoice",
            "category",
            "description",
            "charge_start",
            "charge_end",
            "consumed_quantity",
            "consumed_unit",
            "pricing_quantity",
            "pricing_unit",
            "list_unit_price",
            "contracted_unit_price",
            "list_cost",
            "contracted_cost",
            "billed_cost",
            "effective_cost",
            "currency",
            "cost_centre",
            "labels",
            "correction",
            "correction_of",
        ]

    def get_is_final(self, charge: Charge) -> bool:
        """Say whether its period is closed, so that it cannot change any more."""
        return charge.period.closed_at is not None

    def get_invoice(self, charge: Charge) -> str | None:
        """Return the number of the document that it stands on."""
        return charge.invoice.number if charge.invoice else None


class CorrectionSerializer(serializers.ModelSerializer[Correction]):
    """A correction of a closed month; its charges are those with its number."""

    account = serializers.CharField(source="period.account.code", read_only=True)
    month = serializers.DateField(source="period.month", format="%Y-%m", read_only=True)
    into = serializers.DateField(source="into.month", format="%Y-%m", read_only=True)
    prepared_by = serializers.SlugRelatedField(slug_field="username", read_only=True)
    released_by = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = Correction
        fields: ClassVar = [
            "id",
            "account",
            "month",
            "into",
            "reason",
            "state",
            "before",
            "after",
            "lines",
            "sha256",
            "prepared_by",
            "prepared_at",
            "released_by",
            "released_at",
        ]


class CorrectionInput(StrictSerializer):
    """Which closed month of which account is corrected, and why."""

    account = serializers.CharField(max_length=40)
    month = serializers.CharField(max_length=7, help_text="YYYY-MM")
    reason = serializers.CharField(max_length=500)


class TierInput(StrictSerializer):
    """A price for what is used above `lower`, up to where the next tier starts."""

    lower = serializers.DecimalField(max_digits=28, decimal_places=4, default=Decimal(0))
    unit_price = serializers.DecimalField(max_digits=28, decimal_places=6)
    flat_fee = serializers.DecimalField(max_digits=28, decimal_places=10, default=Decimal(0))


class PriceChangeInput(StrictSerializer):
    """Another price of an item in a list, from an instant on; no tiers end the price."""

    book = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    sku = serializers.CharField(max_length=60)
    account = serializers.CharField(max_length=40, required=False, allow_null=True)
    tiers = TierInput(many=True)
    from_at = serializers.DateTimeField()
    until = serializers.DateTimeField(required=False, allow_null=True)
    reason = serializers.CharField(max_length=500)
    corrects = serializers.BooleanField(default=False)


class PriceChangeSerializer(serializers.ModelSerializer[PriceChange]):
    """Another price that was prepared, released or taken back."""

    sku = serializers.SlugRelatedField(slug_field="code", read_only=True)
    account = serializers.SlugRelatedField(slug_field="code", read_only=True)
    prepared_by = serializers.SlugRelatedField(slug_field="username", read_only=True)
    released_by = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta:
        model = PriceChange
        fields: ClassVar = [
            "id",
            "book",
            "sku",
            "account",
            "tiers",
            "from_at",
            "until",
            "reason",
            "corrects",
            "state",
            "prepared_by",
            "prepared_at",
            "released_by",
            "released_at",
        ]
