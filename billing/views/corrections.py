"""Corrections of closed months: what differs, why, who prepared it and who released it."""

from typing import Any

from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.choices import PreparedState
from billing.filters import CorrectionFilter
from billing.forms import CorrectionForm, DecideForm
from billing.models import BillingPeriod, Correction
from billing.selectors.corrections import (
    correctable_periods,
    difference_of,
    late_readings,
    managed_corrections,
)
from billing.services import prepare_correction, release_correction, withdraw_correction
from billing.tables import CorrectionTable
from inventory.foundation.clock import database_now
from inventory.foundation.forms import PortalForm
from inventory.foundation.pages import FormPage, ListPage, find
from inventory.foundation.permissions import Action

MONTHS_LOOKED_AT = 24
LINES_SHOWN = 200


class Corrections(ListPage):
    """The corrections; above them the closed months for which readings came late."""

    title = _("Corrections")
    subtitle = _("What a closed month should have been, less what was billed for it.")
    template_name = "billing/corrections/list.html"
    filterset_class = CorrectionFilter
    table_class = CorrectionTable
    action = Action.MONEY_MANAGE
    empty_title = _("No correction yet")
    empty_text = _("Open a closed month and look for differences: the first one starts there.")
    empty_icon = "check"

    def rows(self) -> QuerySet[Correction]:
        """Return the corrections with their difference."""
        return managed_corrections(user=self.viewer).annotate(difference=F("after") - F("before"))

    def context(self) -> dict[str, Any]:
        """Return the newest closed months, each with how many readings came late."""
        periods = list(correctable_periods(user=self.viewer)[:MONTHS_LOOKED_AT])
        late = late_readings(
            periods=BillingPeriod.objects.filter(pk__in=[period.pk for period in periods])
        )
        return {"late": [(period, late[period.pk]) for period in periods if period.pk in late]}


class CorrectMonth(FormPage):
    """Show what differs in a closed month, line by line, and prepare its correction."""

    title = _("Correct a closed month")
    template_name = "billing/corrections/new.html"
    form_class = CorrectionForm
    submit = _("Prepare the correction")
    done = _("The correction is prepared. Somebody else releases it.")
    action = Action.MONEY_MANAGE

    def load(self) -> None:
        """Find the month among the closed ones of the accounts that the viewer manages."""
        self.period: BillingPeriod = find(
            correctable_periods(user=self.viewer), pk=self.kwargs["pk"]
        )
        self.back = reverse("billing:month", args=[f"{self.period.month:%Y-%m}"])

    def context(self) -> dict[str, Any]:
        """Return the difference, and what waits already."""
        found = difference_of(period=self.period)
        return {
            "period": self.period,
            "difference": found,
            "lines": found.lines[:LINES_SHOWN],
            "waiting": self.period.corrections.filter(state=PreparedState.PREPARED).first(),
        }

    def act(self, form: PortalForm) -> str:
        """Prepare it."""
        correction = prepare_correction(
            period=self.period,
            reason=form.cleaned_data["reason"],
            at=database_now(),
            actor=self.viewer,
        )
        return reverse("billing:correction", args=[correction.pk])


class CorrectionPage(FormPage):
    """One correction: its lines before and after, and the release by a second person."""

    title = _("Correction")
    template_name = "billing/corrections/detail.html"
    form_class = DecideForm
    action = Action.MONEY_MANAGE

    def load(self) -> None:
        """Find it among the corrections that the viewer manages."""
        self.correction: Correction = find(
            managed_corrections(user=self.viewer).select_related(
                "period__account__entity", "period__account__organisation", "into"
            ),
            pk=self.kwargs["pk"],
        )
        self.back = reverse("billing:corrections")

    def context(self) -> dict[str, Any]:
        """Return the difference of now while it waits, and the charges once it is released."""
        correction = self.correction
        is_open = correction.state == PreparedState.PREPARED
        found = difference_of(period=correction.period) if is_open else None
        return {
            "correction": correction,
            "state": PreparedState(correction.state),
            "difference": correction.after - correction.before,
            "lines": found.lines[:LINES_SHOWN] if found else (),
            "is_as_prepared": found is None or found.sha256 == correction.sha256,
            "charges": correction.charges.order_by("description", "pk")[:LINES_SHOWN],
            "is_open": is_open,
            "is_own": correction.prepared_by_id == self.viewer.pk,
        }

    def act(self, form: PortalForm) -> str:
        """Release it or take it back."""
        decide = {"release": release_correction, "withdraw": withdraw_correction}
        decide[form.cleaned_data["decision"]](
            correction=self.correction, at=database_now(), actor=self.viewer
        )
        return reverse("billing:correction", args=[self.correction.pk])
