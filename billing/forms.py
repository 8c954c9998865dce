"""The forms of money."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from billing.models import BillingAccount
from inventory.foundation.forms import IdempotentFormMixin, PortalForm
from inventory.foundation.project_forms import MOMENT, WhyForm, offer


class CloseForm(IdempotentFormMixin, PortalForm):
    """Nothing to fill in: sending it is the confirmation. Closing twice closes once."""


class PayerForm(WhyForm):
    """Which account pays for a project from an instant on."""

    account = forms.ModelChoiceField(BillingAccount.objects.none(), label=_("Paying account"))
    from_at = forms.DateTimeField(
        label=_("From"),
        required=False,
        help_text=_(
            "Empty: from now on. The account before pays exactly up to then. "
            "It must not lie in a closed month."
        ),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT),
    )
    field_order = ("account", "from_at", "reason")

    def __init__(self, *args: Any, accounts: QuerySet[BillingAccount], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "account", accounts)


class DecideForm(IdempotentFormMixin, PortalForm):
    """Release what another person prepared, or take it back."""

    decision = forms.ChoiceField(
        choices=[("release", _("Release")), ("withdraw", _("Take back"))], widget=forms.HiddenInput
    )


class CorrectionForm(IdempotentFormMixin, PortalForm):
    """Why a closed month is corrected."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        help_text=_("It stands beside the correction and in the audit trail."),
    )


class PriceChangeForm(IdempotentFormMixin, PortalForm):
    """Another price of an item; a graduated one has a row of fields for each tier."""

    from_at = forms.DateTimeField(
        label=_("Holds from"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT),
    )
    until = forms.DateTimeField(
        label=_("Up to"),
        required=False,
        help_text=_("Leave it empty unless another price holds again afterwards."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT),
    )
    reason = forms.CharField(label=_("Reason"), max_length=500)
    corrects = forms.BooleanField(
        label=_("It may reach into closed months"),
        required=False,
        help_text=_("They stay as they are; correct them afterwards under Corrections."),
    )

    def __init__(self, *args: Any, rows: int, by_tier: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows = rows
        for row in range(rows):
            start = f" {row + 1}" if by_tier else ""
            if by_tier:
                self.fields[f"lower_{row}"] = forms.DecimalField(
                    label=_("Above") + start, required=False, min_value=0, decimal_places=4
                )
            self.fields[f"price_{row}"] = forms.DecimalField(
                label=_("Price") + start, required=row == 0, min_value=0, decimal_places=6
            )
            if by_tier:
                self.fields[f"fee_{row}"] = forms.DecimalField(
                    label=_("Fee when entered") + start,
                    required=False,
                    min_value=0,
                    decimal_places=10,
                )

    def tier_fields(self) -> list[list[forms.BoundField]]:
        """Return the fields of the tiers, a row each, for the template."""
        return [
            [
                self[name]
                for name in (f"lower_{row}", f"price_{row}", f"fee_{row}")
                if name in self.fields
            ]
            for row in range(self.rows)
        ]

    def tiers(self) -> list[dict[str, Any]]:
        """Return what was filled in: a row without a price is no tier."""
        return [
            {
                "lower": self.cleaned_data.get(f"lower_{row}"),
                "unit_price": self.cleaned_data[f"price_{row}"],
                "flat_fee": self.cleaned_data.get(f"fee_{row}"),
            }
            for row in range(self.rows)
            if self.cleaned_data.get(f"price_{row}") is not None
        ]
