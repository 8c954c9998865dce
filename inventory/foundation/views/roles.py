"""The pages of roles: who holds which in a project, given, changed and taken away."""

from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from inventory.foundation import selectors, services
from inventory.foundation.clock import database_now
from inventory.foundation.errors import InvalidInput
from inventory.foundation.forms import PortalForm
from inventory.foundation.models import Project, RoleGrant, User
from inventory.foundation.pages import DetailPage, FormPage, ListPage, find
from inventory.foundation.permissions import (
    Action,
    may,
    organisations_where,
    refusal,
)
from inventory.foundation.project_forms import GrantForm, MemberForm, RoleForm, WhyForm
from inventory.foundation.project_lists import RoleFilters, RoleTable
from inventory.foundation.views.projects import KEY, PROJECT, ProjectFormPage


def may_change(viewer: User, grant: RoleGrant) -> bool:
    """Say whether the person owns the project or the organisation that the role is in."""
    if grant.project is not None:
        return may(viewer, Action.PROJECT_EDIT, grant.project)
    return grant.organisation_id in organisations_where(viewer, Action.PROJECT_EDIT)


class ProjectRoles(ListPage):
    """Who holds which role in a project, with those that have run out."""

    title = _("People and roles")
    template_name = "foundation/roles/list.html"
    filterset_class = RoleFilters
    table_class = RoleTable
    sees = None
    empty_title = _("Nobody but owner and deputy")
    empty_text = _("Give a person or a group a role in the project.")
    empty_icon = "people"

    def rows(self) -> QuerySet[RoleGrant]:
        """Return the roles of the project; NotVisible where the viewer sees none of it."""
        visible = selectors.visible_projects(self.viewer)
        self.subject: Project = find(visible, pk=self.kwargs["pk"])
        return selectors.all_grants_of(self.subject)

    def context(self) -> dict[str, Any]:
        """Add the project, and whether the viewer may give roles in it."""
        return {
            "subject": self.subject,
            "subtitle": self.subject.name,
            "may_edit": may(self.viewer, Action.PROJECT_EDIT, self.subject),
        }


class GrantRole(ProjectFormPage):
    """Give a person or a group a role in a project."""

    title = _("Give a role")
    form_class = GrantForm
    submit = _("Give the role")
    done = _("The role is given.")

    def form_arguments(self) -> dict[str, Any]:
        """Offer the people and groups of the project's organisation."""
        organisation = self.subject.organisation
        return {
            "people": selectors.members_of(organisation),
            "groups": selectors.groups_of(organisation),
        }

    def act(self, form: PortalForm) -> str:
        """Grant it."""
        values = {name: value for name, value in form.cleaned_data.items() if name != KEY}
        services.grant_role(**values, project=self.subject, actor=self.viewer, at=database_now())
        return self.back


class RolePage(DetailPage):
    """One role: who holds it, since when, until when, given by whom."""

    title = _("Role")
    template_name = "foundation/roles/detail.html"

    def rows(self) -> QuerySet[RoleGrant]:
        """Return the visible roles."""
        return selectors.visible_roles(self.viewer)

    def context(self) -> dict[str, Any]:
        """Say whether the viewer may change it, where it is held, and who is behind a group."""
        held: RoleGrant = self.object
        known = selectors.organisations_known(self.viewer)
        people = held.group.user_set.order_by("display_name", "username") if held.group else ()
        return {
            "may_change": may_change(self.viewer, held),
            "people": people,
            "organisation": known.filter(pk=held.organisation_id).first(),
        }


class RoleFormPage(FormPage):
    """What changing and taking away share: the role, and who may."""

    def load(self) -> None:
        """Find the role and refuse who does not own its project or organisation."""
        self.held: RoleGrant = find(selectors.visible_roles(self.viewer), pk=self.kwargs["pk"])
        self.back = reverse("foundation:role", args=[self.held.pk])
        if not may_change(self.viewer, self.held):
            raise refusal(Action.PROJECT_EDIT)

    def context(self) -> dict[str, Any]:
        """Name the role on the page."""
        holder = self.held.project or self.held.organisation
        return {"subtitle": f"{self.held} · {holder}", "held": self.held}

    def after(self) -> str:
        """Return where a finished form leads: the project, or the organisation's people."""
        if self.held.project_id is not None:
            return reverse(PROJECT, args=[self.held.project_id])
        return reverse("foundation:people")


class ChangeRole(RoleFormPage):
    """Make it another role, or let it end at another time."""

    title = _("Change a role")
    form_class = RoleForm
    done = _("The role is changed.")

    def initial(self) -> dict[str, Any]:
        """Show what it is now."""
        return {"role": self.held.role, "expires_at": self.held.expires_at}

    def act(self, form: PortalForm) -> str:
        """Change it."""
        values = {name: value for name, value in form.cleaned_data.items() if name != KEY}
        services.change_role(grant=self.held, **values, actor=self.viewer, at=database_now())
        return self.after()


class RevokeRole(RoleFormPage):
    """Take a role away, and say why."""

    title = _("Take a role away")
    template_name = "foundation/roles/revoke.html"
    form_class = WhyForm
    submit = _("Take it away")
    done = _("The role is taken away.")

    def act(self, form: PortalForm) -> str:
        """Take it away."""
        leads_to = self.after()
        services.revoke_role(
            grant=self.held,
            reason=form.cleaned_data["reason"],
            actor=self.viewer,
            at=database_now(),
        )
        return leads_to


class AddMember(FormPage):
    """Let a person who has an account belong to an organisation, so that they can get roles."""

    title = _("Add a person to the organisation")
    form_class = MemberForm
    submit = _("Add the person")
    done = _("The person belongs to the organisation now.")

    def load(self) -> None:
        """Know the organisations that the viewer owns."""
        self.back = reverse("foundation:people")
        self.organisations = selectors.organisations_for(self.viewer, Action.PROJECT_EDIT)
        if not self.organisations.exists():
            raise refusal(Action.PROJECT_EDIT)

    def form_arguments(self) -> dict[str, Any]:
        """Offer these organisations."""
        return {"organisations": self.organisations}

    def act(self, form: PortalForm) -> str:
        """Add the person."""
        text = form.cleaned_data["person"].strip()
        people = User.objects.filter(is_active=True)
        found = people.filter(Q(username=text) | Q(email__iexact=text)).first()
        if found is None:
            message = f"Nobody with an account is called {text}. Ask an administrator for one."
            raise InvalidInput(message, fields={"person": message})
        services.add_member(
            organisation=form.cleaned_data["organisation"],
            user=found,
            actor=self.viewer,
            at=database_now(),
        )
        return self.back
