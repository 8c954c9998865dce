"""The shape in which charges are told to programs: amounts are exact decimals, as text."""

from typing import ClassVar

from rest_framework import serializers

from billing.models import Charge


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
            "correction_of",
        ]

    def get_is_final(self, charge: Charge) -> bool:
        """Say whether its period is closed, so that it cannot change any more."""
        return charge.period.closed_at is not None

    def get_invoice(self, charge: Charge) -> str | None:
        """Return the number of the document that it stands on."""
        return charge.invoice.number if charge.invoice else None
