"""The forms of saved views and of checking a file."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.foundation.forms import IdempotentFormMixin, PortalForm
from inventory.foundation.models import Organisation, Project


class ViewForm(PortalForm):
    """A view's name, with whom it is shared, and where its maker wants it."""

    name = forms.CharField(label=_("Name"), max_length=80)
    project = forms.ModelChoiceField(
        Project.objects.none(),
        label=_("Share with a project"),
        required=False,
        empty_label=_("No project"),
        help_text=_("Everybody with a role in it sees the view; each sees the rows they may see."),
    )
    organisation = forms.ModelChoiceField(
        Organisation.objects.none(),
        label=_("Share with an organisation"),
        required=False,
        empty_label=_("No organisation"),
        help_text=_("Everybody who belongs to it, or to a part of it, sees the view."),
    )
    is_pinned = forms.BooleanField(label=_("Pin it in my navigation"), required=False)
    is_default = forms.BooleanField(label=_("Open the list with it"), required=False)

    def __init__(
        self,
        *args: Any,
        projects: QuerySet[Project],
        organisations: QuerySet[Organisation],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, rows in (("project", projects), ("organisation", organisations)):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = rows


class SaveViewForm(ViewForm):
    """Keep an address under a name. Saving twice is refused by the name, or replaces."""

    of = forms.CharField(widget=forms.HiddenInput, max_length=4_000)
    replace = forms.BooleanField(
        label=_("Replace my view of this name, if there is one"), required=False
    )


class EditViewForm(ViewForm):
    """Change a view."""


class DeleteViewForm(IdempotentFormMixin, PortalForm):
    """Confirm that a view goes."""


class VerifyForm(PortalForm):
    """A file to check."""

    file = forms.FileField(
        label=_("CSV or Excel file"),
        help_text=_("As it was downloaded here. It is read and not kept."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv,.xlsx"}),
    )
