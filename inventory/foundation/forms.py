"""How forms look and behave everywhere: renderer, double-submit key, version of an edit."""

from typing import Any
from uuid import uuid4

from django import forms
from django.forms.renderers import DjangoTemplates
from django.template import loader

from inventory.foundation.errors import DomainError


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
    """A form that can show a service's refusal beside its fields."""

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
