"""How forms look and behave everywhere: renderer, double-submit key, version of an edit."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import uuid4
from zoneinfo import available_timezones

from django import forms
from django.forms.renderers import DjangoTemplates
from django.http import QueryDict
from django.template import loader
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _

from inventory.foundation.choices import Density, PageSize, Theme
from inventory.foundation.errors import DomainError

LONG = 4  # fields from which on a form keeps a draft


class PortalRenderer(DjangoTemplates):
    """Draw forms with the site's own components and controls with Django's templates."""

    form_template_name = "components/form.html"
    field_template_name = "components/field.html"

    def get_template(self, template_name: str) -> Any:
        """Find a component in the site's templates, everything else where Django keeps it."""
        if template_name.startswith("components/"):
            return loader.get_template(template_name)
        return super().get_template(template_name)


class PortalForm(forms.Form):
    """A form that can show a service's refusal beside its fields, and what a draft holds of it.

    `depends_on` says which parts (ids of elements on its page; "id_<name>_field" is a field) follow
    from which fields: the page draws them anew when one of these changes. What they then offer is
    made in the constructor, and where it follows from a value of the form in `fit`.
    """

    depends_on: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @property
    def redrawn_when(self) -> str:
        """Return when parts are drawn anew, as htmx reads it; empty where none depends."""
        masters = {name for names in self.depends_on.values() for name in names}
        return ", ".join(
            f"change from:#{self[name].auto_id}"
            for name in self.fields
            if name in masters and not self.fields[name].disabled
        )

    @property
    def redrawn_parts(self) -> str:
        """Return the parts that are drawn anew, as htmx reads it."""
        return ",".join(f"#{part}" for part in self.depends_on)

    def present(self, name: str) -> Any:
        """Return what a field holds now, as text or as its initial value.

        Unlike `form[name].value()` it may be asked before `take_up`: that one remembers.
        """
        field = self.fields[name]
        if self.is_bound and not field.disabled:
            return field.widget.value_from_datadict(self.data, self.files, self.add_prefix(name))
        return self.get_initial_for_field(field, name)

    def fit(self) -> None:
        """Let fields offer what follows from the others' present values; see `depends_on`."""

    @property
    def is_long(self) -> bool:
        """Say whether it would hurt to type it again."""
        return len(self.draft_names) - ("version" in self.fields) >= LONG

    @property
    def draft_names(self) -> list[str]:
        """Return the fields that a draft holds: never secrets, files or hidden marks.

        Of the hidden ones the version alone is kept: it tells when somebody else saved meanwhile.
        """
        return [
            name
            for name, field in self.fields.items()
            if (name == "version" or not field.widget.is_hidden)
            and not field.disabled
            and not isinstance(field.widget, forms.PasswordInput | forms.FileInput)
        ]

    def typed(self, data: QueryDict) -> dict[str, list[str]]:
        """Return the texts that were typed, by field."""
        return {name: data.getlist(name) for name in self.draft_names if name in data}

    def take_up(self, draft: Mapping[str, list[str]]) -> None:
        """Show what a draft holds in place of the form's own initial values."""
        data: MultiValueDict[str, str] = MultiValueDict(dict(draft))
        for name in self.draft_names:
            value = self.fields[name].widget.value_from_datadict(data, MultiValueDict(), name)
            if name in draft or value is not None:
                self.initial[name] = value
        self.fit()

    def refuse(self, error: DomainError) -> None:
        """Take over a service's error: each message to its field, the rest on top."""
        placed = False
        for name, message in error.fields.items():
            if name in self.fields:
                self.add_error(name, message)
                placed = True
        if not placed:
            self.add_error(None, error.message)


class IdempotentFormMixin(forms.Form):
    """A hidden key, new for each page shown: sending the same page twice gives the same result."""

    idempotency_key = forms.CharField(
        max_length=64, min_length=8, widget=forms.HiddenInput, initial=lambda: uuid4().hex
    )


class VersionedFormMixin(forms.Form):
    """The version that the person was looking at when they began to edit."""

    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)


class ProfileForm(PortalForm):
    """A person's own name, time zone and colours."""

    display_name = forms.CharField(label=_("Name"), max_length=120, required=False)
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        help_text=_("All times on your pages are shown in it."),
        choices=lambda: [(name, name) for name in sorted(available_timezones())],
    )
    theme = forms.ChoiceField(label=_("Colours"), choices=Theme, widget=forms.RadioSelect)
    page_size = forms.TypedChoiceField(
        label=_("Rows a page"), choices=PageSize, coerce=int, required=False
    )
    density = forms.ChoiceField(
        label=_("Lists are"),
        choices=Density,
        widget=forms.RadioSelect,
        required=False,
        initial=Density.COMFORTABLE,
    )

    def clean_page_size(self) -> int:
        """Return what was chosen; a form without it means the usual."""
        return int(self.cleaned_data["page_size"] or PageSize.FIFTY)

    def clean_density(self) -> str:
        """Return what was chosen; a form without it means the usual."""
        return str(self.cleaned_data["density"] or Density.COMFORTABLE)
