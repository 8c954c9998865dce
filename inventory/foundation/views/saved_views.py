"""Saved views: a list's address under a name; and the page that checks a downloaded list."""

from typing import Any, cast

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import resolve, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from inventory.foundation import selectors
from inventory.foundation.clock import database_now
from inventory.foundation.errors import InvalidInput
from inventory.foundation.filters import SavedViewFilters
from inventory.foundation.forms import PortalForm
from inventory.foundation.lists import list_at, split_address
from inventory.foundation.models import Organisation, SavedView, User
from inventory.foundation.pages import DetailPage, FormPage, ListPage, PortalPage, find
from inventory.foundation.permissions import Action, projects_where
from inventory.foundation.services import saved_views as services
from inventory.foundation.tables import SavedViewTable
from inventory.foundation.verification import LARGEST_FILE, verify
from inventory.foundation.view_forms import (
    DeleteViewForm,
    EditViewForm,
    SaveViewForm,
    VerifyForm,
)

SHARED = ("project", "organisation")


class SavedViews(ListPage):
    """The views that a person keeps, and those that are shared with them."""

    title = gettext_lazy("Saved views")
    subtitle = gettext_lazy("Lists with their filters, order and columns, under a name.")
    template_name = "foundation/views/list.html"
    filterset_class = SavedViewFilters
    table_class = SavedViewTable
    sees = None
    api = "api:view-list"
    empty_title = gettext_lazy("No saved views yet")
    empty_text = gettext_lazy("Open a list, filter it, and choose “Save this view” under Views.")
    empty_icon = "bookmark"

    def rows(self) -> QuerySet[SavedView]:
        """Return the visible views."""
        return selectors.visible_views(self.viewer)


class SavedViewPage(DetailPage):
    """One view: of which list, shared with whom, and what the viewer does with it."""

    title = gettext_lazy("Saved view")
    template_name = "foundation/views/detail.html"

    def rows(self) -> QuerySet[SavedView]:
        """Return the visible views."""
        return selectors.visible_views(self.viewer)

    def context(self) -> dict[str, Any]:
        """Say what the viewer may do."""
        return {
            "list_title": title_of(self.object.path),
            "is_maker": self.object.user_id == self.viewer.pk,
            "may_delete": services.may_delete(actor=self.viewer, view=self.object),
        }


@require_safe
def open_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Lead to the list as the view shows it."""
    view = find(selectors.visible_views(cast("User", request.user)), pk=pk)
    return HttpResponseRedirect(view.address)


class ViewFormPage(FormPage):
    """What the forms about views share: with whom one may share."""

    def form_arguments(self) -> dict[str, Any]:
        """Offer the person's projects and organisations."""
        joined = selectors.organisations_joined(self.viewer)
        return {
            "projects": projects_where(self.viewer, Action.PROJECT_VIEW).order_by("name", "pk"),
            "organisations": Organisation.objects.filter(pk__in=joined).order_by("name", "pk"),
        }


class NewView(ViewFormPage):
    """Keep a list as it is looked at under a name (`?of=<its address>`)."""

    title = gettext_lazy("Save this view")
    template_name = "foundation/views/form.html"
    form_class = SaveViewForm
    submit = gettext_lazy("Save the view")
    done = gettext_lazy("The view is saved.")

    def load(self) -> None:
        """Find the list that the address is of."""
        asked = self.request.POST.get("of") or self.request.GET.get("of", "")
        self.path, self.query = split_address(asked[:4_000])
        page = list_at(self.path)
        if page is None:
            message = "A view is of a list. Open the list and choose “Save this view” there."
            raise InvalidInput(message)
        self.back = f"{self.path}?{self.query}" if self.query else self.path
        self.list_title = title_of(self.path)

    def context(self) -> dict[str, Any]:
        """Say of which list, and with which filters."""
        return {"list_title": self.list_title, "query": self.query}

    def initial(self) -> dict[str, Any]:
        """Carry the list's address along."""
        return {"of": self.back}

    def act(self, form: PortalForm) -> str:
        """Save it and open it."""
        wish = {name: value for name, value in form.cleaned_data.items() if name != "of"}
        view = services.save_view(
            user=self.viewer, path=self.path, query=self.query, at=database_now(), **wish
        )
        return view.address


class EditView(ViewFormPage):
    """Rename a view, share it with others or with nobody, pin it, open the list with it."""

    title = gettext_lazy("Edit the view")
    form_class = EditViewForm
    done = gettext_lazy("The view is saved.")

    def load(self) -> None:
        """Find the view; only its maker changes it."""
        self.subject: SavedView = find(selectors.visible_views(self.viewer), pk=self.kwargs["pk"])
        services.require_maker(actor=self.viewer, view=self.subject)
        self.back = reverse("foundation:view", args=[self.subject.pk])

    def context(self) -> dict[str, Any]:
        """Name the list on the page."""
        return {"subtitle": title_of(self.subject.path)}

    def initial(self) -> dict[str, Any]:
        """Show what it is now."""
        names = ("name", *SHARED, *services.CHOICE_FIELDS)
        return {name: getattr(self.subject, name) for name in names}

    def act(self, form: PortalForm) -> str:
        """Save it."""
        changes = dict(form.cleaned_data)
        choices = {name: changes.pop(name) for name in services.CHOICE_FIELDS}
        services.edit_view(
            view=self.subject,
            actor=self.viewer,
            changes=changes,
            choices=choices,
            at=database_now(),
        )
        return self.back


class DeleteView(FormPage):
    """Delete a view; a GET only asks."""

    title = gettext_lazy("Delete the view")
    template_name = "foundation/views/delete.html"
    form_class = DeleteViewForm
    submit = gettext_lazy("Delete the view")
    done = gettext_lazy("The view is deleted.")

    def load(self) -> None:
        """Find the view and refuse who may not delete it."""
        self.subject: SavedView = find(selectors.visible_views(self.viewer), pk=self.kwargs["pk"])
        services.require_delete(actor=self.viewer, view=self.subject)
        self.back = reverse("foundation:view", args=[self.subject.pk])

    def context(self) -> dict[str, Any]:
        """Name the view and its list, and count who pinned it."""
        return {
            "view": self.subject,
            "list_title": title_of(self.subject.path),
            "pinned_by_others": self.subject.choices.exclude(user=self.viewer).count(),
        }

    def act(self, form: PortalForm) -> str:  # noqa: ARG002 - the form only carries its key
        """Delete it."""
        services.delete_view(view=self.subject, actor=self.viewer, at=database_now())
        return reverse("foundation:views")


@require_POST
def choose(request: HttpRequest, pk: int) -> HttpResponse:
    """Pin a view or open its list with it (`pinned`, `default`: 1 or 0), for oneself only."""
    viewer = cast("User", request.user)
    view = find(selectors.visible_views(viewer), pk=pk)
    choices = {
        f"is_{name}": request.POST[name] == "1"
        for name in ("pinned", "default")
        if request.POST.get(name) in ("0", "1")
    }
    if not choices:
        message = "Say what to do with the view: pinned or default, 1 or 0."
        raise InvalidInput(message)
    services.choose_view(view=view, actor=viewer, choices=choices, at=database_now())
    messages.success(request, _("Your choice is saved."))
    return redirect("foundation:view", pk)


class VerifyFile(PortalPage):
    """Upload a list that was downloaded here: is it whole, and is it what the list shows now?"""

    title = gettext_lazy("Check a file")
    subtitle = gettext_lazy(
        "A list downloaded as a file says below its rows what they add up to. See if it is so."
    )
    template_name = "foundation/verify.html"

    def get(self, _request: HttpRequest) -> HttpResponse:
        """Ask for the file."""
        return self.page({"form": VerifyForm()})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Check it and say what differs."""
        form = VerifyForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.page({"form": form}, status=400)
        upload = form.cleaned_data["file"]
        if upload.size > LARGEST_FILE:
            form.add_error("file", _("The file is larger than 500 MB."))
            return self.page({"form": form}, status=400)
        try:
            verdict = verify(file=upload.file)
        except InvalidInput as error:
            form.refuse(error)
            return self.page({"form": form}, status=400)
        path, query = split_address(verdict.address)
        is_here = list_at(path) is not None
        return self.page(
            {
                "form": VerifyForm(),
                "verdict": verdict,
                "name": upload.name,
                "now_url": f"{path}?{query or 'view=all'}" if is_here else "",
            }
        )


def title_of(path: str) -> str:
    """Return what the list at a path is called."""
    page = list_at(path)
    if page is None:
        return path
    return str(page.title) or resolve(path).kwargs.get("slug", path)
