"""The pages of requests for projects: ask, see what became of it, decide, withdraw."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from inventory.foundation import selectors, services
from inventory.foundation.choices import WishState
from inventory.foundation.clock import database_now
from inventory.foundation.errors import Forbidden
from inventory.foundation.forms import PortalForm
from inventory.foundation.models import ProjectRequest
from inventory.foundation.pages import DetailPage, FormPage, ListPage, find
from inventory.foundation.permissions import Action, organisations_where, refusal
from inventory.foundation.project_forms import DecideProjectForm, ProjectRequestForm
from inventory.foundation.project_lists import ProjectRequestFilters, ProjectRequestTable
from inventory.foundation.services.requests import DECIDABLE

KEY = "idempotency_key"


class NoOrganisation(Forbidden):
    """Who belongs nowhere has nowhere to ask."""

    code = "no_organisation"


class RequestProject(FormPage):
    """Ask for a project."""

    title = _("Request a project")
    subtitle = _("Somebody who may open projects in the organisation decides.")
    form_class = ProjectRequestForm
    submit = _("Send the request")
    done = _("Your request is sent. Its state is shown here.")
    keeps_draft = True

    def load(self) -> None:
        """Know the organisations that the viewer belongs to."""
        self.back = reverse("foundation:project-requests")
        self.organisations = selectors.organisations_of(self.viewer)
        if not self.organisations.exists():
            message = "You belong to no organisation yet. Ask its owner to add you."
            raise NoOrganisation(message)

    def initial(self) -> dict[str, Any]:
        """Suggest the first organisation, and the viewer as the owner."""
        return {"organisation": self.organisations.first(), "owner": self.viewer}

    def form_arguments(self) -> dict[str, Any]:
        """Offer these organisations and their people."""
        people = selectors.members_of_any(self.organisations)
        return {"organisations": self.organisations, "people": people}

    def act(self, form: PortalForm) -> str:
        """Ask."""
        values = {name: value for name, value in form.cleaned_data.items() if name != KEY}
        asked = services.request_project(**values, actor=self.viewer, at=database_now())
        return reverse("foundation:project-request", args=[asked.pk])


class ProjectRequests(ListPage):
    """What was asked for: by the viewer, and where the viewer has a say."""

    title = _("Requests for projects")
    subtitle = _("What you asked for, and what waits for your decision.")
    template_name = "foundation/requests/list.html"
    filterset_class = ProjectRequestFilters
    table_class = ProjectRequestTable
    api = "api:project-request-list"
    sees = None
    empty_title = _("Nobody has asked for a project yet")
    empty_text = _("Request one: it is decided by who may open projects.")
    empty_icon = "folder"

    def rows(self) -> QuerySet[ProjectRequest]:
        """Return the visible requests."""
        return selectors.visible_project_requests(self.viewer)

    def context(self) -> dict[str, Any]:
        """Add what waits for the viewer."""
        return {
            "inbox": selectors.project_inbox(self.viewer)[:20],
            "may_request": selectors.organisations_of(self.viewer).exists(),
        }


class ProjectRequestPage(DetailPage):
    """One request: what was asked, and what became of it."""

    title = _("Request for a project")
    template_name = "foundation/requests/detail.html"

    def rows(self) -> QuerySet[ProjectRequest]:
        """Return the visible requests."""
        rows = selectors.visible_project_requests(self.viewer)
        return rows.select_related("decided_by", "project")

    def context(self) -> dict[str, Any]:
        """Say what the viewer may do about it."""
        found: ProjectRequest = self.object
        where = organisations_where(self.viewer, Action.PROJECT_CREATE)
        is_mine = found.requester_id == self.viewer.pk
        waits = found.state == WishState.WAITING
        project = found.project
        seen = selectors.visible_projects(self.viewer)
        return {
            "may_decide": waits and not is_mine and found.organisation_id in where,
            "may_withdraw": waits and is_mine,
            "project": seen.filter(pk=project.pk).first() if project else None,
            "waits": waits,
        }


class DecideProjectRequest(FormPage):
    """Approve as asked or with changes, or reject with a reason."""

    title = _("Decide on the project")
    template_name = "foundation/requests/decide.html"
    form_class = DecideProjectForm
    submit = _("Decide")

    def load(self) -> None:
        """Find the request and refuse who may not open projects there."""
        rows = selectors.visible_project_requests(self.viewer)
        self.asked: ProjectRequest = find(rows, pk=self.kwargs["pk"])
        self.back = reverse("foundation:project-request", args=[self.asked.pk])
        where = organisations_where(self.viewer, Action.PROJECT_CREATE)
        if self.asked.organisation_id not in where:
            raise refusal(Action.PROJECT_CREATE)
        if self.asked.requester_id == self.viewer.pk:
            message = "You asked for this, so somebody else must decide (separation of duties)."
            raise services.OwnRequest(message)

    def context(self) -> dict[str, Any]:
        """Show what was asked beside the form."""
        return {"subtitle": self.asked.name, "asked": self.asked}

    def initial(self) -> dict[str, Any]:
        """Show what was asked."""
        return {name: getattr(self.asked, name) for name in DECIDABLE}

    def form_arguments(self) -> dict[str, Any]:
        """Offer the people of the organisation."""
        return {"people": selectors.members_of(self.asked.organisation)}

    def act(self, form: PortalForm) -> str:
        """Decide."""
        data = form.cleaned_data
        if data["decision"] == "reject":
            services.reject_project_request(
                asked=self.asked, actor=self.viewer, answer=data["answer"], at=database_now()
            )
            messages.success(self.request, _("Rejected. The requester reads your reason."))
            return self.back
        services.approve_project_request(
            asked=self.asked,
            actor=self.viewer,
            answer=data["answer"],
            changes={name: data[name] for name in DECIDABLE},
            at=database_now(),
        )
        messages.success(self.request, _("Approved. The project is open."))
        return self.back


@require_POST
def withdraw_request(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one's own request back."""
    viewer: Any = request.user
    asked = find(selectors.visible_project_requests(viewer), pk=pk)
    services.withdraw_project_request(asked=asked, actor=viewer, at=database_now())
    messages.success(request, _("Your request is withdrawn."))
    return redirect("foundation:project-request", asked.pk)
