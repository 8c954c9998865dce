"""The pages of projects: list, open, change, hand over. One project's own page is the conductor's
(`orchestra/views/projects.py`), which alone knows what a project holds, runs and costs."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from inventory.foundation import selectors, services
from inventory.foundation.clock import database_now
from inventory.foundation.filters import ProjectFilters
from inventory.foundation.forms import PortalForm
from inventory.foundation.models import Project, ProjectTransfer
from inventory.foundation.pages import DetailPage, FormPage, ListPage, find
from inventory.foundation.permissions import Action, may, organisations_where, refusal, require
from inventory.foundation.project_forms import (
    EditProjectForm,
    HandOverForm,
    MoveForm,
    NewProjectForm,
    WhyForm,
)
from inventory.foundation.project_lists import TransferFilters, TransferTable
from inventory.foundation.tables import ProjectTable
from inventory.foundation.views.requests import NoOrganisation

KEY = "idempotency_key"
PROJECT = "foundation:project"


class ProjectList(ListPage):
    """The projects in which a person has a role; closed ones lie in the archive."""

    title = _("Projects")
    subtitle = _("Who holds resources, who answers for them and who pays.")
    template_name = "foundation/projects/list.html"
    filterset_class = ProjectFilters
    sees = None  # its own words say what to do
    table_class = ProjectTable
    api = "api:project-list"
    empty_title = _("You are in no project yet")
    empty_text = _("Request a project, or ask the owner of one for a role in it.")
    empty_icon = "folder"

    def rows(self) -> QuerySet[Project]:
        """Return the visible projects."""
        return selectors.visible_projects(self.viewer)

    def context(self) -> dict[str, Any]:
        """Say whether the viewer may open one or request one, and what waits for them."""
        where = selectors.organisations_for(self.viewer, Action.PROJECT_CREATE)
        return {
            "may_create": where.exists(),
            "may_request": selectors.organisations_of(self.viewer).exists(),
            "asked": selectors.project_inbox(self.viewer)[:5],
            "handed": selectors.transfer_inbox(self.viewer)[:5],
        }


class ProjectFormPage(FormPage):
    """What the forms about one project share: the project, and who may change it."""

    action_needed = Action.PROJECT_EDIT

    def load(self) -> None:
        """Find the project among the visible ones and permit its change."""
        self.subject: Project = find(selectors.visible_projects(self.viewer), pk=self.kwargs["pk"])
        require(self.viewer, self.action_needed, self.subject)
        self.back = reverse(PROJECT, args=[self.subject.pk])

    def context(self) -> dict[str, Any]:
        """Name the project on the page."""
        return {"subtitle": self.subject.name}


class EditProject(ProjectFormPage):
    """Change a project."""

    title = _("Edit the project")
    form_class = EditProjectForm
    done = _("The project is saved.")

    def form_arguments(self) -> dict[str, Any]:
        """Offer the people of the organisation to who owns it; others hand over."""
        owned = organisations_where(self.viewer, Action.PROJECT_EDIT)
        return {
            "people": selectors.members_of(self.subject.organisation),
            "may_replace": self.subject.organisation_id in owned,
        }

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
    done = _("The project is open. Finance chooses who pays for it.")

    def load(self) -> None:
        """Know the organisations in which the viewer may open one.

        Who owns a project but no organisation may not open another, but request it.
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
        return reverse(PROJECT, args=[project.pk])


class HandOver(ProjectFormPage):
    """Make somebody else owner or deputy, once they accept."""

    title = _("Hand the project over")
    form_class = HandOverForm
    submit = _("Ask them")
    done = _("It is handed over, or they are asked.")

    def form_arguments(self) -> dict[str, Any]:
        """Offer the people of the organisation."""
        return {"people": selectors.members_of(self.subject.organisation)}

    def act(self, form: PortalForm) -> str:
        """Ask, or do it for who owns the organisation."""
        values = {name: value for name, value in form.cleaned_data.items() if name != KEY}
        transfer = services.hand_over(
            project=self.subject, **values, actor=self.viewer, at=database_now()
        )
        return reverse("foundation:transfer", args=[transfer.pk])


class MoveProject(ProjectFormPage):
    """Ask another organisation to take a project over."""

    title = _("Move to another organisation")
    template_name = "foundation/projects/move.html"
    form_class = MoveForm
    submit = _("Ask them")
    done = _("The other organisation is asked.")

    def load(self) -> None:
        """Know where it could go: organisations that the viewer has to do with."""
        super().load()
        known = selectors.organisations_known(self.viewer)
        self.organisations = known.exclude(pk=self.subject.organisation_id)
        if not self.organisations.exists():
            message = (
                "You have to do with no other organisation. Ask its owner to add you to it, or to "
                "ask for the project."
            )
            raise NoOrganisation(message)

    def form_arguments(self) -> dict[str, Any]:
        """Offer these organisations and their people."""
        people = selectors.members_of_any(self.organisations)
        return {"organisations": self.organisations, "people": people}

    def act(self, form: PortalForm) -> str:
        """Ask."""
        values = {name: value for name, value in form.cleaned_data.items() if name != KEY}
        transfer = services.ask_move(
            project=self.subject, **values, actor=self.viewer, at=database_now()
        )
        return reverse("foundation:transfer", args=[transfer.pk])


class ReopenProject(ProjectFormPage):
    """Let a closed project order again."""

    title = _("Open the project again")
    form_class = WhyForm
    submit = _("Open it again")
    done = _("The project is open again.")

    def act(self, form: PortalForm) -> str:
        """Open it."""
        services.reopen_project(
            project=self.subject,
            reason=form.cleaned_data["reason"],
            actor=self.viewer,
            at=database_now(),
        )
        return self.back


class TransferList(ListPage):
    """The hand-overs that a person has to do with."""

    title = _("Hand-overs")
    subtitle = _("Projects that get a new owner, deputy or organisation.")
    filterset_class = TransferFilters
    table_class = TransferTable
    api = "api:project-transfer-list"
    sees = None
    empty_title = _("Nothing was handed over yet")
    empty_text = _("A project's page has “Hand over”.")
    empty_icon = "repeat"

    def rows(self) -> QuerySet[ProjectTransfer]:
        """Return the visible hand-overs."""
        return selectors.visible_transfers(self.viewer)


class TransferPage(DetailPage):
    """One hand-over: what changes, who asked, what became of it."""

    title = _("Hand-over")
    template_name = "foundation/transfers/detail.html"

    def rows(self) -> QuerySet[ProjectTransfer]:
        """Return the visible hand-overs."""
        return selectors.visible_transfers(self.viewer).select_related("decided_by")

    def context(self) -> dict[str, Any]:
        """Say what the viewer may do about it."""
        found: ProjectTransfer = self.object
        is_open = found.state in ("waiting", "agreed")
        return {
            "may_answer": selectors.transfer_inbox(self.viewer).filter(pk=found.pk).exists(),
            "may_withdraw": is_open
            and (
                found.asked_by_id == self.viewer.pk
                or may(self.viewer, Action.PROJECT_EDIT, found.project)
            ),
            "may_view": may(self.viewer, Action.PROJECT_VIEW, found.project),
        }


@require_POST
def withdraw_transfer(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a hand-over back."""
    viewer: Any = request.user
    found = find(selectors.visible_transfers(viewer), pk=pk)
    services.withdraw_transfer(transfer=found, actor=viewer, at=database_now())
    return redirect("foundation:transfer", found.pk)
