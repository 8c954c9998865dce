"""The pages of projects and the roles in them."""

from typing import Any, cast

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from inventory.foundation import selectors, services
from inventory.foundation.clock import database_now
from inventory.foundation.filters import ProjectFilters
from inventory.foundation.forms import EditProjectForm, GrantForm, NewProjectForm, PortalForm
from inventory.foundation.models import Project, User
from inventory.foundation.pages import DetailPage, FormPage, ListPage, find
from inventory.foundation.permissions import Action, may, refusal, require
from inventory.foundation.tables import ProjectTable

KEY = "idempotency_key"


class ProjectList(ListPage):
    """The projects in which a person has a role."""

    title = _("Projects")
    subtitle = _("Who holds resources, who answers for them and who pays.")
    template_name = "foundation/projects/list.html"
    filterset_class = ProjectFilters
    table_class = ProjectTable
    empty_title = _("You are in no project yet")
    empty_text = _("Ask the owner of a project for a role in it.")
    empty_icon = "folder"

    def rows(self) -> QuerySet[Project]:
        """Return the visible projects."""
        return selectors.visible_projects(self.viewer)

    def context(self) -> dict[str, Any]:
        """Say whether the viewer may open one."""
        where = selectors.organisations_for(self.viewer, Action.PROJECT_CREATE)
        return {"may_create": where.exists()}


class ProjectPage(DetailPage):
    """One project: who answers for it, who works in it, who pays."""

    title = _("Project")
    template_name = "foundation/projects/detail.html"

    def rows(self) -> QuerySet[Project]:
        """Return the visible projects."""
        return selectors.visible_projects(self.viewer)

    def context(self) -> dict[str, Any]:
        """Add the roles that hold here and whether the viewer may change them."""
        return {
            "grants": selectors.grants_of(project=self.object, at=database_now()),
            "may_edit": may(self.viewer, Action.PROJECT_EDIT, self.object),
        }


class ProjectFormPage(FormPage):
    """What the forms about one project share: the project, and who may change it."""

    def load(self) -> None:
        """Find the project among the visible ones and permit its change."""
        self.subject: Project = find(selectors.visible_projects(self.viewer), pk=self.kwargs["pk"])
        require(self.viewer, Action.PROJECT_EDIT, self.subject)
        self.back = reverse("foundation:project", args=[self.subject.pk])

    def form_arguments(self) -> dict[str, Any]:
        """Offer the people of the project's organisation."""
        return {"people": selectors.members_of(self.subject.organisation)}

    def context(self) -> dict[str, Any]:
        """Name the project on the page."""
        return {"subtitle": self.subject.name}


class EditProject(ProjectFormPage):
    """Change a project."""

    title = _("Edit the project")
    form_class = EditProjectForm
    done = _("The project is saved.")

    def initial(self) -> dict[str, Any]:
        """Show what it is now."""
        return {name: getattr(self.subject, name) for name in (*services.PROJECT_FIELDS, "version")}

    def act(self, form: PortalForm) -> str:
        """Save it."""
        changes = dict(form.cleaned_data)
        services.edit_project(
            project=self.subject,
            actor=self.viewer,
            version=changes.pop("version"),
            changes=changes,
            at=database_now(),
        )
        return self.back


class NewProject(FormPage):
    """Open a project."""

    title = _("New project")
    subtitle = _("A project holds resources. Two people answer for it, a cost centre pays.")
    form_class = NewProjectForm
    submit = _("Open the project")
    done = _("The project is open.")

    def load(self) -> None:
        """Know the organisations in which the viewer may open one.

        Who owns a project but no organisation may not open another.
        """
        self.back = reverse("foundation:projects")
        self.organisations = selectors.organisations_for(self.viewer, Action.PROJECT_CREATE)
        if not self.organisations.exists():
            raise refusal(Action.PROJECT_CREATE)

    def form_arguments(self) -> dict[str, Any]:
        """Offer these organisations and their people."""
        people = selectors.members_of_any(self.organisations)
        return {"organisations": self.organisations, "people": people}

    def act(self, form: PortalForm) -> str:
        """Open it."""
        values = {name: value for name, value in form.cleaned_data.items() if name != KEY}
        project = services.create_project(**values, actor=self.viewer, at=database_now())
        return reverse("foundation:project", args=[project.pk])


class GrantRole(ProjectFormPage):
    """Give a person a role in a project."""

    title = _("Give a role")
    form_class = GrantForm
    submit = _("Give the role")
    done = _("The role is given.")

    def act(self, form: PortalForm) -> str:
        """Grant it."""
        values = {name: value for name, value in form.cleaned_data.items() if name != KEY}
        services.grant_role(**values, project=self.subject, actor=self.viewer, at=database_now())
        return self.back


@require_POST
def revoke(request: HttpRequest, pk: int, grant: int) -> HttpResponse:
    """Take a role in a project away."""
    viewer = cast("User", request.user)
    project = find(selectors.visible_projects(viewer), pk=pk)
    held = find(project.role_grants.all(), pk=grant)
    services.revoke_role(
        grant=held, actor=viewer, at=database_now(), reason=request.POST.get("reason", "")[:500]
    )
    messages.success(request, _("The role is taken away."))
    return redirect("foundation:project", pk)
