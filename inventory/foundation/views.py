"""The cellar's pages: sign-in, people, audit, events, search, errors and the demo's role switch."""

import re
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from inventory.foundation import selectors, services
from inventory.foundation.choices import Via
from inventory.foundation.clock import database_now
from inventory.foundation.context import DEMO_ROLES, navigation
from inventory.foundation.filters import AuditFilters, EventFilters, PersonFilters, ProjectFilters
from inventory.foundation.forms import (
    EditProjectForm,
    GrantForm,
    NewProjectForm,
    PortalForm,
    ProfileForm,
)
from inventory.foundation.models import AuditEvent, Event, Project, User
from inventory.foundation.pages import DetailPage, FormPage, ListPage, PortalPage, find
from inventory.foundation.permissions import Action, may, refusal, require
from inventory.foundation.problems import plain_problem
from inventory.foundation.tables import AuditTable, EventTable, PersonTable, ProjectTable
from inventory.foundation.trail import door_of

KEY = "idempotency_key"
# What `?q=` of the search box may name: a word and a number lead straight to the object.
FINDABLE: tuple[tuple[str, str, str], ...] = (
    ("request", "orchestra:request", "orchestra:requests"),
    ("application", "orchestra:application", "orchestra:applications"),
    ("run", "orchestra:run", "orchestra:runs"),
    ("resource", "inventory:resource", "inventory:resources"),
    ("statement", "billing:statement", "billing:statements"),
    ("project", "foundation:project", "foundation:projects"),
)
NUMBERED = re.compile(r"(?P<word>[a-z]+)\s*#?\s*(?P<number>[0-9]{1,18})\Z", re.IGNORECASE)


class SignIn(LoginView):
    """The sign-in page; a demo shows its people there."""

    template_name = "foundation/login.html"
    http_method_names = ["get", "head", "options", "post"]
    redirect_authenticated_user = True


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
    subtitle = _("Who belongs to the organisation, and what their roles allow.")
    action = Action.PEOPLE_VIEW
    filterset_class = PersonFilters
    table_class = PersonTable
    empty_title = _("No people here")
    empty_icon = "people"

    def rows(self) -> QuerySet[User]:
        """Return the visible people."""
        return selectors.visible_people(self.viewer)


class PersonPage(DetailPage):
    """One person: organisations and roles."""

    title = _("Person")
    template_name = "foundation/people/detail.html"
    action = Action.PEOPLE_VIEW

    def rows(self) -> QuerySet[User]:
        """Return the visible people."""
        return selectors.visible_people(self.viewer)

    def context(self) -> dict[str, Any]:
        """Add organisations and live roles."""
        return {
            "memberships": self.object.memberships.select_related("organisation"),
            "grants": selectors.grants_to(user=self.object, at=database_now()),
        }


class AuditList(ListPage):
    """Who changed what, through which door."""

    title = _("Audit trail")
    subtitle = _("Who changed what, when and through which door. Entries cannot be changed.")
    action = Action.AUDIT_VIEW
    filterset_class = AuditFilters
    table_class = AuditTable
    empty_title = _("Nothing has been changed yet")
    empty_icon = "shield"

    def rows(self) -> QuerySet[AuditEvent]:
        """Return the visible entries."""
        return selectors.visible_audit(self.viewer)


class AuditPage(DetailPage):
    """One audit entry with its field changes."""

    title = _("Audit entry")
    template_name = "foundation/audit/detail.html"
    action = Action.AUDIT_VIEW

    def rows(self) -> QuerySet[AuditEvent]:
        """Return the visible entries."""
        return selectors.visible_audit(self.viewer).select_related("seal")


class EventList(ListPage):
    """What other systems are told."""

    title = _("Events")
    subtitle = _("What other systems are told, as CloudEvents, in order.")
    action = Action.AUDIT_VIEW
    filterset_class = EventFilters
    table_class = EventTable
    empty_title = _("No events yet")
    empty_icon = "bell"

    def rows(self) -> QuerySet[Event]:
        """Return the visible events."""
        return selectors.visible_events(self.viewer)


class EventPage(DetailPage):
    """One event with its data."""

    title = _("Event")
    template_name = "foundation/events/detail.html"
    action = Action.AUDIT_VIEW

    def rows(self) -> QuerySet[Event]:
        """Return the visible events."""
        return selectors.visible_events(self.viewer)


class FindPage(PortalPage):
    """The search box: "request 12" goes there; other words are offered to each list."""

    title = _("Search")
    template_name = "foundation/find.html"
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Go to the named object, or offer the lists that can be searched."""
        asked = " ".join(request.GET.get("q", "").replace("\x00", "").split())[:200]
        if match := NUMBERED.match(asked):
            for word, detail, _list in FINDABLE:
                if word.startswith(match["word"].lower()):
                    try:
                        return redirect(reverse(detail, args=[int(match["number"])]))
                    except NoReverseMatch:
                        continue
        return self.page({"asked": asked, "places": self.places(asked)})

    def places(self, asked: str) -> list[dict[str, Any]]:
        """Return the lists that the viewer may open, each with the address that searches it."""
        open_to_viewer = {one["url"] for _, shown in navigation(self.request) for one in shown}
        found = []
        for word, _detail, name in FINDABLE:
            try:
                address = reverse(name)
            except NoReverseMatch:
                continue
            if address not in open_to_viewer:
                continue
            found.append({"word": word, "url": f"{address}?{urlencode({'q': asked})}"})
        return found


@require_POST
@login_not_required
def become(request: HttpRequest) -> HttpResponse:
    """Sign in as the demo's person of a role; there is no such address outside a demo."""
    if not settings.DEMO:
        raise Http404
    word = request.POST.get("role", "")
    role = {name: wanted for name, wanted, _label in DEMO_ROLES}.get(word)
    user = selectors.demo_person(role) if role else None
    if user is None:
        raise Http404
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session["demo_role"] = word
    return redirect(settings.LOGIN_REDIRECT_URL)


REFUSED = {
    400: ("bad_request", "This request could not be read.", "400.html"),
    403: ("forbidden", "You may not do this.", "403.html"),
    404: ("not_found", "There is nothing at this address that you may see.", "404.html"),
}


def refused(request: HttpRequest, status: int) -> HttpResponse:
    """Draw an error page within the frame, or tell a program."""
    code, detail, template = REFUSED[status]
    if door_of(request.path) is Via.API:
        return plain_problem(status=status, code=code, detail=detail, instance=request.path)
    return render(request, template, {"status": status}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer 400."""
    return refused(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer 403."""
    return refused(request, 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer a form whose token does not fit (the CSRF_FAILURE_VIEW setting)."""
    return render(request, "errors/csrf.html", {"status": 403}, status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Answer 404."""
    return refused(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 without database, session or context processors: those may be what is broken."""
    if door_of(request.path) is Via.API:
        detail = "Something broke here. Try again; if it stays, send us the request's id."
        return plain_problem(status=500, code="error", detail=detail, instance=request.path)
    page = loader.get_template("500.html")
    context = {"request_id": getattr(request, "request_id", "")}
    return HttpResponse(page.render(context), status=500)
