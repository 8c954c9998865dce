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
