"""Defaults: what holds where nobody chooses otherwise, each part by its own house's service."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing.choices import AccountMode
from billing.models import AccountDefaults
from billing.services import set_account_defaults
from inventory.foundation.clock import database_now
from inventory.foundation.defaults import (
    DefaultsVersion,
    Value,
    current_number,
    history_of_values,
    may_set,
    require_place,
    values_in_force,
    visible_places,
)
from inventory.foundation.errors import NotVisible
from inventory.foundation.models import Organisation
from inventory.foundation.pages import FormPage, ListPage, PortalPage, find
from inventory.foundation.permissions import Action, refusal
from inventory.models import CapacityDefaults
from inventory.services import set_capacity_defaults
from orchestra.filters import RuleFilters
from orchestra.forms import (
    AccountDefaultsForm,
    CapacityDefaultsForm,
    DefaultsForm,
    LeaseDefaultsForm,
    RuleForm,
)
from orchestra.models import LeaseDefaults, Policy, PolicyVersion
from orchestra.policies import FIRST_RULE, rule_words
from orchestra.selectors.policies import rules_of_place, versions_of_place, visible_rules
from orchestra.services.defaults import set_lease_defaults
from orchestra.services.policies import change_rule, create_policy
from orchestra.tables import RuleTable

EVERYWHERE = 0  # in addresses, instead of an organisation's number


@dataclass(frozen=True)
class Part:
    """One card of the page: the house's values, who may set them, the form and the service."""

    name: str
    title: Any
    note: Any
    kind: type[DefaultsVersion]
    action: Action
    form: type[DefaultsForm]
    save: Callable[..., Any]


TERMS = Part(
    "terms",
    gettext_lazy("Terms of applications"),
    gettext_lazy("For requests, confirmations and warnings from now on; an agreed end stays."),
    LeaseDefaults,
    Action.LEASE_RULES,
    LeaseDefaultsForm,
    set_lease_defaults,
)
CAPACITY = Part(
    "capacity",
    gettext_lazy("Capacity"),
    gettext_lazy("For capacity that is added to the organisation's pools; what is there stays."),
    CapacityDefaults,
    Action.POOL_EDIT,
    CapacityDefaultsForm,
    set_capacity_defaults,
)
ACCOUNTS = Part(
    "accounts",
    gettext_lazy("Paying accounts"),
    gettext_lazy("For accounts that are opened; those that are there stay."),
    AccountDefaults,
    Action.MONEY_MANAGE,
    AccountDefaultsForm,
    set_account_defaults,
)
PARTS = (TERMS, CAPACITY, ACCOUNTS)


def shown(name: str, value: Any) -> str:
    """Write a value as people say it; None is what the place leaves to the one above."""
    if value is None:
        return _("as above")
    if name == "lease_days":
        return ngettext("%d day", "%d days", value) % value
    if name == "confirm_months":
        return ngettext("%d month", "%d months", value) % value
    if name == "warning_days":
        return _("%s days") % ", ".join(str(day) for day in value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(dict(AccountMode.choices).get(value, value))


def origin(value: Value) -> str:
    """Write where a value comes from."""
    if value.source is None:
        return _("built in")
    return str(value.source.organisation or _("everywhere"))


class PlacePage(PortalPage):
    """What the pages about one place share: an organisation, or 0 for everywhere."""

    def place(self, pk: int | None) -> Organisation | None:
        """Return the organisation of the address, for a page without one the first.

        None is everywhere, for an administrator. Raises NotVisible and Forbidden.
        """
        self.places = visible_places(self.viewer)
        if pk == EVERYWHERE or (pk is None and self.viewer.is_superuser):
            require_place(actor=self.viewer, action=Action.DEFAULTS_VIEW, organisation=None)
            return None
        if pk is None:
            first = self.places.first()
            if first is None:
                raise refusal(Action.DEFAULTS_VIEW)
            return first
        if not self.places.exists():
            raise NotVisible(_("There is nothing at this address that you may see."))
        found: Organisation = find(self.places, pk=pk)
        return found


class Defaults(PlacePage):
    """All defaults of one place, where each comes from, and what it was before."""

    title = gettext_lazy("Defaults")
    subtitle = gettext_lazy("What holds where nobody chooses otherwise.")
    template_name = "orchestra/defaults/detail.html"
    http_method_names: ClassVar = ["get", "head", "options"]

    def get(self, _request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """Draw the place's defaults."""
        at = database_now()
        organisation = self.place(pk)
        place = organisation.pk if organisation else None
        number = place or EVERYWHERE
        rules, source = rules_of_place(organisation_id=place, at=at)
        source_name = Organisation.objects.filter(pk=source).first() or _("everywhere")
        may_rule = may_set(actor=self.viewer, action=Action.PROJECT_EDIT, organisation_id=place)
        return self.page(
            {
                "place": organisation or _("Everywhere"),
                "places": [
                    (one, reverse("orchestra:defaults-of", args=[one.pk]), one == organisation)
                    for one in self.places
                ],
                "everywhere": reverse("orchestra:defaults-of", args=[EVERYWHERE])
                if self.viewer.is_superuser
                else "",
                "is_everywhere": organisation is None,
                "parts": [self.part(part, place, at) for part in PARTS],
                "rules": [
                    (
                        version,
                        rule_words(version.rule),
                        reverse("orchestra:defaults-rule", args=[number, version.policy_id])
                        if may_rule and source == place
                        else "",
                    )
                    for version in rules
                ],
                "rule_source": source_name,
                "is_own_rule": source == place,
                "rule_new": reverse("orchestra:defaults-rule-new", args=[number])
                if may_rule and not (rules and source == place)
                else "",
                "rule_history": [
                    (version, rule_words(version.rule))
                    for version in versions_of_place(organisation_id=place)
                ],
            }
        )

    def part(self, part: Part, place: int | None, at: Any) -> dict[str, Any]:
        """Return what a card shows."""
        values = values_in_force(part.kind, organisation_id=place, at=at)
        may = may_set(actor=self.viewer, action=part.action, organisation_id=place)
        address = reverse(f"orchestra:defaults-{part.name}", args=[place or EVERYWHERE])
        return {
            "title": part.title,
            "note": part.note,
            "change": address if may else "",
            "rows": [
                (one.label, shown(one.name, one.value), origin(one), one.is_own)
                for one in values.values()
            ],
            "history": [
                (
                    change.version,
                    [
                        (one.label, shown(one.name, one.before), shown(one.name, one.after))
                        for one in change.changes
                    ],
                )
                for change in history_of_values(part.kind, organisation_id=place)
            ],
        }


class ChangeDefaults(PlacePage, FormPage):
    """Set the values of one part in one place."""

    part: ClassVar[Part]
    done = gettext_lazy("The defaults are saved. They hold from now on.")

    def load(self) -> None:
        """Find the place and refuse who may not set this part there."""
        self.organisation = self.place(self.kwargs["pk"])
        require_place(actor=self.viewer, action=self.part.action, organisation=self.organisation)
        self.at = database_now()
        self.place_id = self.organisation.pk if self.organisation else None
        self.back = reverse("orchestra:defaults-of", args=[self.place_id or EVERYWHERE])
        self.form_class = self.part.form
        self.values = values_in_force(self.part.kind, organisation_id=self.place_id, at=self.at)

    def initial(self) -> dict[str, Any]:
        """Show what the place itself says."""
        own = {name: value.own for name, value in self.values.items()}
        if isinstance(own.get("warning_days"), list):
            own["warning_days"] = ", ".join(str(day) for day in own["warning_days"])
        if "stop_first" in own:
            own["stop_first"] = {True: "yes", False: "no", None: ""}[own["stop_first"]]
        own = {
            name: f"{one.normalize():f}" if isinstance(one, Decimal) else one
            for name, one in own.items()
        }
        number = current_number(self.part.kind, organisation_id=self.place_id, at=self.at)
        return own | {"version": number}

    def form_arguments(self) -> dict[str, Any]:
        """Say for each value what an empty one means."""
        above = self.organisation.parent_id if self.organisation else None
        if self.organisation is None:
            meant = {
                name: (built, _("built in")) for name, built in self.part.kind.BUILT_IN.items()
            }
        else:
            inherited = values_in_force(self.part.kind, organisation_id=above, at=self.at)
            meant = {name: (one.value, origin(one)) for name, one in inherited.items()}
        return {
            "above": {
                name: _("Empty: %(value)s (%(source)s).")
                % {"value": shown(name, value), "source": source}
                for name, (value, source) in meant.items()
            }
        }

    def context(self) -> dict[str, Any]:
        """Name the part and the place."""
        return {
            "title": self.part.title,
            "subtitle": f"{self.organisation or _('Everywhere')}. {self.part.note}",
        }

    def act(self, form: DefaultsForm) -> str:
        """Save by the house's service."""
        self.part.save(
            organisation=self.organisation,
            number=form.cleaned_data["version"],
            values=form.values,
            actor=self.viewer,
            at=database_now(),
            reason=form.cleaned_data["reason"],
        )
        return self.back


class ChangeTerms(ChangeDefaults):
    """How long applications last."""

    part = TERMS


class ChangeCapacity(ChangeDefaults):
    """How far new capacity is over-committed."""

    part = CAPACITY


class ChangeAccounts(ChangeDefaults):
    """What new accounts start as."""

    part = ACCOUNTS


class RuleNew(PlacePage, FormPage):
    """Give a place a rule of its own for what is approved without a person."""

    title = gettext_lazy("Approved by rule")
    form_class = RuleForm
    done = gettext_lazy("The rule is saved. Plans that were made under another one are made anew.")
    policy: Policy | None = None
    newest: PolicyVersion | None = None

    def load(self) -> None:
        """Find the place and refuse who may not decide for it."""
        self.organisation = self.place(self.kwargs["pk"])
        require_place(actor=self.viewer, action=Action.PROJECT_EDIT, organisation=self.organisation)
        place = self.organisation.pk if self.organisation else None
        self.subtitle = str(self.organisation or _("Everywhere"))
        self.back = reverse("orchestra:defaults-of", args=[place or EVERYWHERE])
        self.rules, _source = rules_of_place(organisation_id=place, at=database_now())

    def initial(self) -> dict[str, Any]:
        """Start from what holds now."""
        versions = [self.newest] if self.newest else self.rules
        rule = versions[0].rule if versions else dict(FIRST_RULE)
        return {"currency": "EUR"} | rule | {"version": self.newest.number if self.newest else 0}

    def act(self, form: RuleForm) -> str:
        """Make it by the policy's service, or another version of it."""
        if self.policy is None or self.newest is None:
            slug = self.organisation.slug if self.organisation else "everywhere"
            create_policy(
                slug=f"by-rule-{slug}"[:60].rstrip("-"),
                name=f"Approved by rule: {self.organisation or 'everywhere'}"[:120],
                rule=form.rule,
                organisation=self.organisation,
                actor=self.viewer,
                at=database_now(),
            )
        else:
            change_rule(
                policy=self.policy,
                rule=self.newest.rule | form.rule,
                number=form.cleaned_data["version"],
                actor=self.viewer,
                at=database_now(),
            )
        return self.back


class RuleChange(RuleNew):
    """Let another version of a place's rule hold from now on."""

    def load(self) -> None:
        """Find the rule among those of the place."""
        super().load()
        rows = Policy.objects.filter(organisation=self.organisation, project=None)
        self.policy = find(rows, pk=self.kwargs["policy"])
        self.newest = self.policy.versions.order_by("-number").first()


class Rules(ListPage):
    """What rules said when, of all places whose defaults the viewer sees."""

    title = gettext_lazy("Rules")
    subtitle = gettext_lazy("What may be approved without a person, where and when.")
    action = Action.DEFAULTS_VIEW
    filterset_class = RuleFilters
    api = "api:rule-list"
    table_class = RuleTable
    sees = Action.DEFAULTS_VIEW
    empty_title = gettext_lazy("No rules yet")
    empty_text = gettext_lazy("Without a rule a person decides on every request.")
    empty_icon = "check"

    def rows(self) -> QuerySet[PolicyVersion]:
        """Return the visible versions."""
        return visible_rules(self.viewer)
