"""The shape of what people type about projects: requests, hand-overs, roles, closing."""

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from inventory.foundation.choices import Role, TransferKind
from inventory.foundation.forms import IdempotentFormMixin, PortalForm, VersionedFormMixin
from inventory.foundation.models import Organisation, User, plain_text, short_name

MOMENT = "%Y-%m-%dT%H:%M"


def offer(form: forms.Form, name: str, rows: QuerySet[Any]) -> None:
    """Let a choice of a form offer these rows."""
    cast("forms.ModelChoiceField[Any]", form.fields[name]).queryset = rows


class ProjectForm(PortalForm):
    """What a project is and who answers for it; the people are those of its organisation."""

    name = forms.CharField(label=_("Name"), max_length=120)
    description = forms.CharField(
        label=_("What it is for"),
        max_length=2_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    owner = forms.ModelChoiceField(
        User.objects.none(), label=_("Owner"), help_text=_("Answers for the project and its cost.")
    )
    deputy = forms.ModelChoiceField(
        User.objects.none(), label=_("Deputy"), help_text=_("Answers when the owner is away.")
    )
    cost_centre = forms.CharField(label=_("Cost centre"), max_length=40)
    end_date = forms.DateField(
        label=_("Ends on"),
        required=False,
        help_text=_("The first day on which nothing may run any more."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, people: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("owner", "deputy"):
            offer(self, name, people)


class EditProjectForm(VersionedFormMixin, ProjectForm):
    """Change a project; who answers for it only by who owns the organisation."""

    def __init__(self, *args: Any, may_replace: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_replace:
            del self.fields["owner"], self.fields["deputy"]


class NewProjectForm(IdempotentFormMixin, ProjectForm):
    """Open a project."""

    organisation = forms.ModelChoiceField(Organisation.objects.none(), label=_("Organisation"))
    slug = forms.SlugField(
        label=_("Short name"),
        max_length=60,
        validators=[short_name],
        help_text=_("Small letters, digits and hyphens. It stays as it is."),
    )
    field_order = ("organisation", "name", "slug")

    def __init__(self, *args: Any, organisations: QuerySet[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "organisation", organisations)


class ProjectRequestForm(NewProjectForm):
    """Ask for a project: what a project has, and what is wished for it."""

    wished_budget = forms.CharField(
        label=_("Wished budget"),
        max_length=200,
        required=False,
        help_text=_("For example: 2,000 EUR a month. Finance sets it."),
    )
    wished_quota = forms.CharField(
        label=_("Wished quota"),
        max_length=500,
        required=False,
        help_text=_("For example: 64 cores, 256 GiB of memory. An operator sets it."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["description"].required = True
        self.fields["description"].help_text = _("Who decides reads this.")


class AnswerForm(IdempotentFormMixin, PortalForm):
    """Yes or no, with a reason; a no needs one."""

    decision = forms.ChoiceField(
        label=_("Answer"),
        choices=[("approve", _("Approve")), ("reject", _("Reject"))],
        widget=forms.RadioSelect,
    )
    answer = forms.CharField(
        label=_("Reason"),
        max_length=500,
        required=False,
        validators=[plain_text],
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Needed for a rejection. Who asked reads it."),
    )

    def clean(self) -> dict[str, Any]:
        """Ask for a reason where somebody is refused."""
        data = super().clean() or self.cleaned_data
        if data.get("decision") == "reject" and not data.get("answer", "").strip():
            self.add_error("answer", _("Say why, so that who asked knows what to do."))
        return data


class DecideProjectForm(ProjectForm, AnswerForm):
    """Decide on a request for a project; what is changed here is approved as changed."""

    slug = forms.SlugField(label=_("Short name"), max_length=60, validators=[short_name])
    field_order = ("name", "slug", "description", "owner", "deputy", "cost_centre", "end_date")


class RoleForm(IdempotentFormMixin, PortalForm):
    """A role, until when, and why."""

    role = forms.ChoiceField(label=_("Role"), choices=Role)
    expires_at = forms.DateTimeField(
        label=_("Until"),
        required=False,
        help_text=_("Leave it empty for a role without an end."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT),
    )
    reason = forms.CharField(label=_("Reason"), max_length=500, required=False)

    def __init__(
        self, *args: Any, roles: Iterable[tuple[str, Any]] = Role.choices, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ChoiceField", self.fields["role"]).choices = list(roles)


class GrantForm(RoleForm):
    """Give a person or a group a role."""

    user = forms.ModelChoiceField(User.objects.none(), label=_("Person"), required=False)
    group = forms.ModelChoiceField(
        Group.objects.none(),
        label=_("Or a group"),
        required=False,
        help_text=_("All its people get the role, now and later. Name a person or a group."),
    )
    field_order = ("user", "group", "role", "expires_at", "reason")

    def __init__(
        self, *args: Any, people: QuerySet[User], groups: QuerySet[Group], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "user", people)
        offer(self, "group", groups)
        if not groups.exists():
            del self.fields["group"]
            self.fields["user"].required = True

    def clean(self) -> dict[str, Any]:
        """Want one of the two."""
        data = super().clean() or self.cleaned_data
        if "user" not in self.errors and bool(data.get("user")) == bool(data.get("group")):
            self.add_error("user", _("Name either a person or a group."))
        return data


class WhyForm(IdempotentFormMixin, PortalForm):
    """Why something is done that others will ask about."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        validators=[plain_text],
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class MemberForm(IdempotentFormMixin, PortalForm):
    """Let a person who has an account here belong to an organisation."""

    organisation = forms.ModelChoiceField(Organisation.objects.none(), label=_("Organisation"))
    person = forms.CharField(
        label=_("Sign-in name or e-mail address"),
        max_length=254,
        help_text=_("They need an account; an administrator makes one."),
    )

    def __init__(self, *args: Any, organisations: QuerySet[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "organisation", organisations)


class HandOverForm(WhyForm):
    """Who is to be owner or deputy of a project."""

    kind = forms.ChoiceField(
        label=_("What changes"),
        choices=[(kind.value, kind.label) for kind in (TransferKind.OWNER, TransferKind.DEPUTY)],
    )
    user = forms.ModelChoiceField(
        User.objects.none(),
        label=_("Person"),
        help_text=_("If it is the other one of the two, they change places."),
    )
    field_order = ("kind", "user", "reason")

    def __init__(self, *args: Any, people: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "user", people)


class MoveForm(WhyForm):
    """Which organisation is to take a project over, who will answer for it there, and when."""

    organisation = forms.ModelChoiceField(
        Organisation.objects.none(), label=_("Other organisation")
    )
    user = forms.ModelChoiceField(User.objects.none(), label=_("New owner"))
    deputy = forms.ModelChoiceField(User.objects.none(), label=_("New deputy"))
    effective_at = forms.DateTimeField(
        label=_("From"),
        required=False,
        help_text=_("Empty: as soon as the other organisation agrees."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT),
    )
    field_order = ("organisation", "user", "deputy", "effective_at", "reason")

    def __init__(
        self,
        *args: Any,
        organisations: QuerySet[Organisation],
        people: QuerySet[User],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "organisation", organisations)
        for name in ("user", "deputy"):
            offer(self, name, people)


class CloseForm(WhyForm):
    """The name of a project typed again, so that none is closed by a slip."""

    confirm_name = forms.CharField(label=_("Name of the project"), max_length=120)

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["confirm_name"].help_text = _("Type “%s” to confirm.") % name
        self.fields["confirm_name"].widget.attrs["autocomplete"] = "off"
