"""The shape of what people type: a request (with the choices of its service), reasons, tokens.

A form turns text into values; what may be asked for is decided by the service alone, whose
faults come back under the same field names. So a choice's field is called "parameters.<name>".
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, cast

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext_lazy as _

from billing.choices import AccountMode
from inventory.foundation.errors import DomainError
from inventory.foundation.forms import IdempotentFormMixin, PortalForm
from inventory.foundation.models import Project, short_name
from inventory.foundation.selectors import ancestry
from inventory.models import Pool
from orchestra.choices import Environment, TokenScope
from orchestra.models import OfferingVersion, Order
from orchestra.policies import AUTO_APPROVE
from orchestra.selectors.catalogue import pools_of

CHOICE = "parameters."
EARLIEST, LATEST = 2000, 2100  # years outside it are slips of the finger
MOMENT = "%Y-%m-%dT%H:%M"


class MomentField(forms.DateTimeField):
    """A date and time in the viewer's zone, from the browser's own picker."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT)
        settings: dict[str, Any] = {"widget": widget, "required": False}
        super().__init__(**settings | options)

    def to_python(self, value: Any) -> datetime | None:
        """Return an aware datetime; refuse years that nobody means."""
        moment = super().to_python(value)
        if moment is not None and not EARLIEST <= moment.year <= LATEST:
            raise forms.ValidationError(_("Choose a day in this century."), code="year")
        return moment


class YesNoField(forms.TypedChoiceField):
    """A choice of yes or no that knows "not answered" from "no"."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            choices=[("true", _("Yes")), ("false", _("No"))],
            coerce=lambda text: text == "true",
            empty_value=None,
            widget=forms.RadioSelect,
            **options,
        )

    def prepare_value(self, value: Any) -> Any:
        """Return a stored answer as the choice that is marked."""
        return ("true" if value else "false") if isinstance(value, bool) else value


class RequestForm(IdempotentFormMixin, PortalForm):
    """A request for a service: what it is for, how many, which choices, from when to when.

    Which pools it offers follows from the project, when it ends by itself from the environment too.
    """

    depends_on: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "id_pool_field": ("project",),
        "id_end_at_field": ("project", "environment"),
    }

    project = forms.ModelChoiceField(
        queryset=Project.objects.none(), label=_("Project"), empty_label=None
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        validators=[short_name],
        help_text=_("Small letters, digits and hyphens. The copies are numbered."),
    )
    application = forms.CharField(
        label=_("Application"), max_length=80, help_text=_("What it belongs to, for the bill.")
    )
    environment = forms.ChoiceField(
        label=_("Environment"), choices=[("", _("Choose …")), *Environment.choices]
    )
    pool = forms.ModelChoiceField(
        queryset=Pool.objects.none(),
        label=_("Pool"),
        required=False,
        empty_label=_("The first that has room"),
    )
    business_reason = forms.CharField(
        label=_("Business reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("The approver reads this."),
    )
    instances = forms.IntegerField(label=_("Copies"), min_value=1, initial=1)
    start_at = MomentField(label=_("Start"))
    end_at = MomentField(label=_("End"))
    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1)

    def __init__(
        self,
        *args: Any,
        offering_version: OfferingVersion,
        projects: QuerySet[Project],
        order: Order | None = None,
        terms: Callable[[Project, str], str],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.offering_version, self.order, self.terms = offering_version, order, terms
        zone = timezone.get_current_timezone_name()
        self.fields["start_at"].help_text = _("Empty: at once. Time in %s.") % zone
        self.fields["instances"].widget.attrs |= {"min": 1, "max": offering_version.max_instances}
        project = cast("forms.ModelChoiceField[Project]", self.fields["project"])
        project.queryset = projects.filter(pk=order.project_id) if order else projects
        if order is not None:
            project.disabled = True
        for name, schema in offering_version.parameters.get("properties", {}).items():
            is_required = name in offering_version.parameters.get("required", [])
            self.fields[CHOICE + name] = field_of(schema, name=name, is_required=is_required)
        self.fit()

    def fit(self) -> None:
        """Offer the pools of the chosen project, and say when it ends by itself there."""
        project = self.chosen_project()
        pools = Pool.objects.none()
        words = [_("When it is given back. Time in %s.") % timezone.get_current_timezone_name()]
        if project is not None:
            pools = pools_of(self.offering_version).filter(
                organisation__in=ancestry(project.organisation_id)
            )
            words.append(self.terms(project, str(self.present("environment") or "")))
        cast("forms.ModelChoiceField[Pool]", self.fields["pool"]).queryset = pools
        self.fields["end_at"].help_text = " ".join(str(word) for word in words)

    def chosen_project(self) -> Project | None:
        """Return the project that the form is about as it stands: the first where none is named."""
        if self.order is not None:
            return self.order.project
        rows = cast("forms.ModelChoiceField[Project]", self.fields["project"]).queryset
        assert rows is not None
        named = self.present("project")
        named = getattr(named, "pk", named)
        if named not in (None, ""):
            text = str(named)
            is_number = text.isascii() and text.isdecimal() and len(text) < 19
            return rows.filter(pk=int(text)).first() if is_number else None
        return rows.first()

    @property
    def choices(self) -> list[forms.BoundField]:
        """Return the fields that the service itself asks for."""
        return [self[name] for name in self.fields if name.startswith(CHOICE)]

    def clean(self) -> dict[str, Any]:
        """Refuse choices that the service does not have."""
        data = super().clean() or self.cleaned_data
        strange = sorted(
            name[len(CHOICE) :][:60]
            for name in self.data
            if name.startswith(CHOICE) and name not in self.fields
        )
        if strange:
            self.add_error(None, f"This service has no choice {', '.join(strange)}.")
        return data

    def wish(self) -> dict[str, Any]:
        """Return what could be understood, as the service takes it; call after `is_valid`."""
        data = self.cleaned_data
        return {
            "pool": data.get("pool"),
            "name": data.get("name", ""),
            "application": data.get("application", ""),
            "environment": data.get("environment", ""),
            "business_reason": data.get("business_reason", ""),
            "instances": data.get("instances"),
            "parameters": {
                name[len(CHOICE) :]: value
                for name, value in data.items()
                if name.startswith(CHOICE) and value not in (None, "")
            },
            "start_at": data.get("start_at"),
            "end_at": data.get("end_at"),
        }

    def refuse(self, error: DomainError) -> None:
        """Show a service's faults at their fields; what has none stands above the form."""
        faults = error.fields or {"": error.message}
        for name, message in faults.items():
            if name not in self.fields:
                self.add_error(None, message)
            elif name not in self.errors:
                self.add_error(name, message)


def initial_of(order: Order) -> dict[str, Any]:
    """Return a request's values under the names of the form's fields."""
    names = (
        "project",
        "pool",
        "name",
        "application",
        "environment",
        "business_reason",
        "instances",
    )
    values = {name: getattr(order, name) for name in (*names, "start_at", "end_at", "version")}
    return values | {CHOICE + name: value for name, value in order.parameters.items()}


def field_of(schema: Mapping[str, Any], *, name: str, is_required: bool) -> forms.Field:
    """Return the control for one property of a service's JSON Schema."""
    options: dict[str, Any] = {
        "label": schema.get("title") or name.replace("_", " ").capitalize(),
        "help_text": escape(schema.get("description", "")),  # the component prints help as markup
        "required": is_required and "default" not in schema,
        "initial": schema.get("default"),
    }
    kind = schema["type"]
    if "enum" in schema:
        return _one_of(schema, options)
    if kind == "boolean":
        return YesNoField(**options)
    if kind in ("integer", "number"):
        options |= {
            "min_value": schema.get("minimum"),
            "max_value": schema.get("maximum"),
            "step_size": schema.get("multipleOf"),
        }
        return forms.IntegerField(**options) if kind == "integer" else forms.FloatField(**options)
    return forms.CharField(
        max_length=min(schema.get("maxLength", 2000), 2000),
        min_length=schema.get("minLength"),
        **options,
    )


def _one_of(schema: Mapping[str, Any], options: dict[str, Any]) -> forms.Field:
    """A select whose values go back to what the schema lists: 4 is not "4"."""
    values = {str(value): value for value in schema["enum"]}
    choices: list[tuple[str, Any]] = [(text, text) for text in values]
    if options["initial"] is None:
        choices = [("", _("Choose …")), *choices]
    return forms.TypedChoiceField(
        choices=choices, coerce=lambda text: values[text], empty_value=None, **options
    )


class ReasonForm(IdempotentFormMixin, PortalForm):
    """Why something is done; `is_needed` makes it compulsory."""

    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, is_needed: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = is_needed


class DecisionForm(ReasonForm):
    """An approver's answer, bound to the plan that was on the screen."""

    plan_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)
    decision = forms.ChoiceField(choices=[("approve", ""), ("reject", "")], required=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, is_needed=False, **kwargs)
        self.fields["reason"].help_text = _("Needed to reject. The requester reads it.")


class ChangeForm(ReasonForm):
    """What every change of a running application says: why, and of which state of it."""

    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _("The approver reads this.")

    def refuse(self, error: DomainError) -> None:
        """Show the service's word for the reason at the form's own field."""
        fields = {"reason" if n == "business_reason" else n: m for n, m in error.fields.items()}
        error.fields = fields
        super().refuse(error)


class ResizeForm(ChangeForm):
    """Another size: the service, and its choices that are capacity."""

    depends_on: ClassVar[Mapping[str, tuple[str, ...]]] = {"choices": ("offering",)}

    offering = forms.ChoiceField(label=_("Service"), required=False)

    def __init__(
        self,
        *args: Any,
        sizes: Sequence[OfferingVersion],
        version: OfferingVersion,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ChoiceField", self.fields["offering"])
        field.choices = [
            ("", _("As it is")),
            *((size.offering.slug, size.offering.name) for size in sizes),
        ]
        for name, schema in version.parameters.get("properties", {}).items():
            if "x-resource-class" in schema:
                self.fields[CHOICE + name] = field_of(schema, name=name, is_required=False)
        self.order_fields(["offering", *(n for n in self.fields if n.startswith(CHOICE)), "reason"])

    @property
    def choices(self) -> list[forms.BoundField]:
        """Return the fields that the service itself asks for."""
        return [self[name] for name in self.fields if name.startswith(CHOICE)]

    def parameters(self) -> dict[str, Any]:
        """Return the choices that could be understood; call after `is_valid`."""
        return {
            name[len(CHOICE) :]: value
            for name, value in self.cleaned_data.items()
            if name.startswith(CHOICE) and value not in (None, "")
        }


class ExtendForm(ChangeForm):
    """A later end."""

    end_at = MomentField(label=_("New end"), required=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["end_at"].help_text = _("Time in %s.") % timezone.get_current_timezone_name()
        self.order_fields(["end_at", "reason"])


class EndForm(ReasonForm):
    """An earlier end, or none: now. Its name is typed again, because what ends is deleted."""

    end_at = MomentField(label=_("End"))
    confirm_name = forms.CharField(label=_("Name of the application"), max_length=60)

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.order_fields(["end_at", "reason", "confirm_name"])
        self.fields["end_at"].help_text = (
            _("Empty: now. Time in %s.") % timezone.get_current_timezone_name()
        )
        self.fields["confirm_name"].help_text = _("Type “%s” to confirm.") % name
        self.fields["confirm_name"].widget.attrs["autocomplete"] = "off"

    def clean_confirm_name(self) -> str:
        """Refuse any other name."""
        given: str = self.cleaned_data["confirm_name"].strip()
        if given != self.name:
            raise forms.ValidationError(_("This is not its name."))
        return given

    def refuse(self, error: DomainError) -> None:
        """Show the service's word for the reason at the form's own field."""
        fields = {"reason" if n == "business_reason" else n: m for n, m in error.fields.items()}
        error.fields = fields
        super().refuse(error)


class TokenForm(PortalForm):
    """A new access token."""

    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("Which program uses it, and where.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=TokenScope.choices,
        initial=[TokenScope.READ],
        widget=forms.CheckboxSelectMultiple,
    )
    project = forms.ModelChoiceField(
        label=_("Only for"),
        queryset=Project.objects.none(),
        required=False,
        empty_label=_("All my projects"),
    )
    expires_at = MomentField(
        label=_("Expires"), required=True, help_text=_("At most a year ahead.")
    )

    def __init__(self, *args: Any, projects: QuerySet[Project], now: datetime, **kw: Any) -> None:
        super().__init__(*args, **kw)
        project = cast("forms.ModelChoiceField[Project]", self.fields["project"])
        project.queryset = projects
        self.fields["expires_at"].initial = now + timedelta(days=90)


class DefaultsForm(IdempotentFormMixin, PortalForm):
    """Values that an organisation sets for itself; an empty one is that of the place above."""

    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    reason = forms.CharField(label=_("Reason"), max_length=500, required=False)

    def __init__(self, *args: Any, above: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, text in above.items():
            field = self.fields[name]
            field.required = False
            field.help_text = f"{field.help_text} {text}".strip()
            if isinstance(field, forms.ChoiceField):
                field.choices = [("", text), *field.choices]
                field.help_text = ""
        self.order_fields([*above, "reason"])

    @property
    def values(self) -> dict[str, Any]:
        """Return what the service takes; empty is None."""
        own = self.cleaned_data.items()
        skipped = {"version", "reason", "idempotency_key"}
        return {
            name: None if value in ("", []) else value for name, value in own if name not in skipped
        }


class LeaseDefaultsForm(DefaultsForm):
    """How long applications last."""

    lease_days = forms.IntegerField(
        label=_("Test and development end after"), min_value=1, max_value=3650, help_text=_("Days.")
    )
    confirm_months = forms.IntegerField(
        label=_("What has no end is confirmed every"),
        min_value=1,
        max_value=60,
        help_text=_("Months."),
    )
    warning_days = forms.CharField(
        label=_("Warnings before"),
        max_length=60,
        help_text=_("Days, with commas between them, for example 30, 7, 1."),
    )
    stop_first = forms.ChoiceField(
        label=_("Stop before deleting"),
        choices=[("yes", _("Yes: nothing is deleted without a stop first")), ("no", _("No"))],
    )

    def clean_warning_days(self) -> list[int]:
        """Return the days as numbers."""
        words = self.cleaned_data["warning_days"].replace(",", " ").split()
        if not all(word.isascii() and word.isdecimal() and len(word) < 5 for word in words):
            raise forms.ValidationError(_("Write whole days, for example 30, 7, 1."))
        return [int(word) for word in words]

    def clean_stop_first(self) -> bool | str:
        """Return yes or no as such."""
        return {"yes": True, "no": False}.get(self.cleaned_data["stop_first"], "")


class CapacityDefaultsForm(DefaultsForm):
    """How far new capacity is over-committed."""

    cpu_ratio = forms.DecimalField(
        label=_("Over-commit ratio of vCPU"),
        max_digits=10,
        decimal_places=4,
        help_text=_("4 lets four times the processors be allocated."),
    )
    memory_ratio = forms.DecimalField(
        label=_("Over-commit ratio of memory"),
        max_digits=10,
        decimal_places=4,
        help_text=_("1 lets each byte be allocated once."),
    )


class AccountDefaultsForm(DefaultsForm):
    """What new paying accounts start as."""

    mode = forms.ChoiceField(label=_("New paying accounts start as"), choices=AccountMode)


class RuleForm(IdempotentFormMixin, PortalForm):
    """What is approved without a person."""

    max_monthly_cost = forms.DecimalField(
        label=_("At most a month"), min_value=0, max_digits=14, decimal_places=2
    )
    currency = forms.RegexField(
        r"^[A-Z]{3}\Z",
        label=_("Currency"),
        initial="EUR",
        error_messages={"invalid": _("Write a three-letter code such as EUR.")},
    )
    max_days = forms.IntegerField(
        label=_("At most for"), min_value=1, max_value=3650, help_text=_("Days.")
    )
    within_budget = forms.BooleanField(
        label=_("Only what the project's budget still carries"), required=False
    )
    version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    @property
    def rule(self) -> dict[str, Any]:
        """Return the rule's document."""
        data = self.cleaned_data
        return {
            "kind": AUTO_APPROVE,
            "max_monthly_cost": f"{data['max_monthly_cost']:.2f}",
            "currency": data["currency"],
            "max_days": data["max_days"],
            "within_budget": data["within_budget"],
        }


class EntryForm(PortalForm):
    """When a freeze or a window holds, and why."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("What people will read."))
    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Who waits for it reads this."),
    )
    start_at = MomentField(label=_("From"), help_text=_("Empty: it holds from ever on."))
    end_at = MomentField(label=_("To"), help_text=_("Empty: until somebody ends it."))

    def clean(self) -> dict[str, Any]:
        """Refuse an end before the beginning beside the end's field."""
        values = super().clean() or {}
        start_at, end_at = values.get("start_at"), values.get("end_at")
        if start_at is not None and end_at is not None and end_at <= start_at:
            self.add_error("end_at", _("It must end after it begins."))
        return values


class FreezeChangeForm(EntryForm):
    """A freeze with whether scaling waits too."""

    holds_scaling = forms.BooleanField(
        label=_("Scaling waits too"),
        required=False,
        help_text=_("Else copies may still be added and taken away by rule."),
    )


class PlaceMixin(IdempotentFormMixin, EntryForm):
    """Where a new entry holds: one of the places in which the person decides."""

    place = forms.ChoiceField(label=_("Holds for"))

    field_order: ClassVar = ["name", "reason", "place", "start_at", "end_at"]

    def __init__(self, *args: Any, places: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ChoiceField", self.fields["place"]).choices = list(places)


class FreezeForm(PlaceMixin, FreezeChangeForm):
    """A new freeze."""


class WindowForm(PlaceMixin):
    """A new change window."""
