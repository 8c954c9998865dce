"""The pages of people: one's own profile, and the people that one may see."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from inventory.foundation import selectors, services
from inventory.foundation.clock import database_now
from inventory.foundation.filters import PersonFilters
from inventory.foundation.forms import PortalForm, ProfileForm
from inventory.foundation.models import User
from inventory.foundation.pages import DetailPage, FormPage, ListPage
from inventory.foundation.permissions import Action, organisations_where
from inventory.foundation.tables import PersonTable


class Profile(FormPage):
    """A person's own name, time zone and colours."""

    title = _("My profile")
    template_name = "foundation/profile.html"
    form_class = ProfileForm
    done = _("Your profile is saved.")

    def initial(self) -> dict[str, Any]:
        """Show what it is now."""
        return {name: getattr(self.viewer, name) for name in services.PROFILE_FIELDS}

    def context(self) -> dict[str, Any]:
        """Add the viewer's roles."""
        return {"grants": selectors.grants_to(user=self.viewer, at=database_now())}

    def act(self, form: PortalForm) -> str:
        """Save it."""
        services.update_profile(user=self.viewer, changes=form.cleaned_data, at=database_now())
        return reverse("foundation:profile")


class PersonList(ListPage):
    """The people of the organisations in which a person may see them."""

    title = _("People")
    template_name = "foundation/people/list.html"
    subtitle = _("Who belongs to the organisation, and what their roles allow.")
    action = Action.PEOPLE_VIEW
    filterset_class = PersonFilters
    table_class = PersonTable
    empty_title = _("No people here")
    empty_icon = "people"

    def rows(self) -> QuerySet[User]:
        """Return the visible people."""
        return selectors.visible_people(self.viewer)

    def context(self) -> dict[str, Any]:
        """Say whether the viewer owns an organisation, to which people can be added."""
        return {"may_add": bool(organisations_where(self.viewer, Action.PROJECT_EDIT))}


class PersonPage(DetailPage):
    """One person: organisations and roles."""

    title = _("Person")
    template_name = "foundation/people/detail.html"
    action = Action.PEOPLE_VIEW

    def rows(self) -> QuerySet[User]:
        """Return the visible people."""
        return selectors.visible_people(self.viewer)

    def context(self) -> dict[str, Any]:
        """Add organisations, those of them that the viewer knows, and live roles."""
        known = selectors.organisations_known(self.viewer)
        return {
            "memberships": self.object.memberships.select_related("organisation"),
            "known": set(known.values_list("pk", flat=True)),
            "grants": selectors.grants_to(user=self.object, at=database_now()),
        }
