"""The change calendar: when normal changes may, and may not, start."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from inventory.foundation.clock import database_now
from inventory.foundation.errors import Forbidden
from inventory.foundation.forms import PortalForm
from inventory.foundation.pages import DetailPage, FormPage, ListPage, find
from inventory.foundation.permissions import Action, refusal
from orchestra.choices import EntryStanding
from orchestra.filters import FreezeFilters, WindowFilters
from orchestra.forms import (
    EntryForm,
    FreezeChangeForm,
    FreezeForm,
    WindowForm,
)
from orchestra.models import ChangeWindow, Freeze
from orchestra.selectors.calendar import (
    Entry,
    Place,
    may_set_entry,
    places_to_set,
    visible_entries,
)
from orchestra.services.calendar import (
    add_freeze,
    add_window,
    edit_entry,
    end_entry,
    remove_entry,
)
from orchestra.tables import FreezeTable, WindowTable


class Entries(ListPage):
    """What the lists of freezes and of windows share: who sees what, and who may add one."""

    model: ClassVar[type[Any]]
    noun: ClassVar[str]
    add_label: ClassVar[Any]
    other: ClassVar[tuple[Any, str]]
    template_name = "orchestra/calendar/list.html"
    sees = None
    empty_icon = "calendar"

    def rows(self) -> QuerySet[Any]:
        """Return the visible entries."""
        return visible_entries(self.model, self.viewer)

    def context(self) -> dict[str, Any]:
        """Return the button, for who decides somewhere, and the way to the other list."""
        label, name = self.other
        return {
            "add_url": reverse(f"orchestra:{self.noun}-new") if places_to_set(self.viewer) else "",
            "add_label": self.add_label,
            "other_url": reverse(name),
            "other_label": label,
        }


class Freezes(Entries):
    """When normal changes do not start."""

    model = Freeze
    noun = "freeze"
    title = gettext_lazy("Freezes")
    subtitle = gettext_lazy("While one is in force, changes that need approval do not start.")
    filterset_class = FreezeFilters
    table_class = FreezeTable
    api = "api:freeze-list"
    add_label = gettext_lazy("Add a freeze")
    other = (gettext_lazy("Change windows"), "orchestra:windows")
    empty_title = gettext_lazy("No freezes")
    empty_text = gettext_lazy("Nothing keeps changes from starting.")


class Windows(Entries):
    """When they do; where one is set, only then."""

    model = ChangeWindow
    noun = "window"
    title = gettext_lazy("Change windows")
    subtitle = gettext_lazy(
        "Where there are any, changes that need approval start only within one."
    )
    filterset_class = WindowFilters
    table_class = WindowTable
    api = "api:change-window-list"
    add_label = gettext_lazy("Add a change window")
    other = (gettext_lazy("Freezes"), "orchestra:freezes")
    empty_title = gettext_lazy("No change windows")
    empty_text = gettext_lazy("Changes start at any time, unless a freeze holds them.")


class EntryPage(DetailPage):
    """One freeze or window, and what whoever decides there may do with it."""

    model: ClassVar[type[Any]]
    noun: ClassVar[str]
    list_name: ClassVar[str]
    list_label: ClassVar[Any]
    template_name = "orchestra/calendar/detail.html"

    def rows(self) -> QuerySet[Any]:
        """Return the visible entries."""
        return visible_entries(self.model, self.viewer)

    def context(self) -> dict[str, Any]:
        """Return how it stands, and the addresses of what may be done."""
        entry: Any = self.object
        standing = EntryStanding(entry.standing)
        may_set = may_set_entry(self.viewer, entry)
        is_freeze = isinstance(entry, Freeze)
        may_remove = may_set and (not is_freeze or standing == EntryStanding.AHEAD)
        addresses = {
            verb: reverse(f"orchestra:{self.noun}-{verb}", args=[entry.pk])
            for verb in ("edit", "end", "remove")
        }
        return {
            "standing": standing,
            "back": reverse(self.list_name),
            "back_label": self.list_label,
            "is_freeze": is_freeze,
            "edit_url": addresses["edit"] if may_set and standing != EntryStanding.OVER else "",
            "end_url": addresses["end"] if may_set and standing == EntryStanding.NOW else "",
            "remove_url": addresses["remove"] if may_remove else "",
        }


class FreezePage(EntryPage):
    """One freeze."""

    model = Freeze
    noun = "freeze"
    list_name = "orchestra:freezes"
    list_label = gettext_lazy("Freezes")


class WindowPage(EntryPage):
    """One change window."""

    model = ChangeWindow
    noun = "window"
    list_name = "orchestra:windows"
    list_label = gettext_lazy("Change windows")


class EntryNew(FormPage):
    """Set a freeze or a window in a place where the viewer decides."""

    add: ClassVar[Callable[..., Entry]]
    noun: ClassVar[str]
    submit = gettext_lazy("Set it")
    done = gettext_lazy("It is set.")

    def load(self) -> None:
        """Refuse who decides nowhere."""
        self.back = reverse(f"orchestra:{self.noun}s")
        self.places = {place.key: place for place in places_to_set(self.viewer)}
        if not self.places:
            raise refusal(Action.POOL_EDIT)

    def form_arguments(self) -> dict[str, Any]:
        """Offer the places, each with what it is."""
        return {"places": [(key, place_words(place)) for key, place in self.places.items()]}

    def act(self, form: PortalForm) -> str:
        """Set it."""
        values = dict(form.cleaned_data)
        del values["idempotency_key"]
        place = self.places[values.pop("place")]
        entry = type(self).add(
            **values,
            organisation=place.organisation,
            project=place.project,
            pool=place.pool,
            actor=self.viewer,
            at=database_now(),
        )
        return reverse(f"orchestra:{self.noun}", args=[entry.pk])


class FreezeNew(EntryNew):
    """Keep normal changes from starting for a while."""

    title = gettext_lazy("Add a freeze")
    subtitle = gettext_lazy("Changes that need approval wait until it is over; urgent ones do not.")
    form_class = FreezeForm
    noun = "freeze"
    add = staticmethod(add_freeze)


class WindowNew(EntryNew):
    """Let normal changes start only at agreed times."""

    title = gettext_lazy("Add a change window")
    subtitle = gettext_lazy(
        "From then on changes that need approval start there only within a window."
    )
    form_class = WindowForm
    noun = "window"
    add = staticmethod(add_window)


class EntryEdit(FormPage):
    """Change a freeze or a window that is not over; its place stays."""

    model: ClassVar[type[Any]]
    noun: ClassVar[str]
    form_class = EntryForm
    fields: ClassVar[tuple[str, ...]] = ("name", "reason", "start_at", "end_at")
    done = gettext_lazy("The change is saved.")

    def load(self) -> None:
        """Find it and refuse who does not decide there."""
        self.entry = found_to_set(self.request, self.model, self.kwargs["pk"])
        self.subtitle = self.entry.place or _("everywhere")
        self.back = reverse(f"orchestra:{self.noun}", args=[self.entry.pk])

    def initial(self) -> dict[str, Any]:
        """Return what it says now; a form knows minutes only."""
        values = {name: getattr(self.entry, name) for name in self.fields}
        for name in ("start_at", "end_at"):
            if values[name] is not None:
                values[name] = values[name].replace(second=0, microsecond=0)
        return values

    def act(self, form: PortalForm) -> str:
        """Save what was changed; an untouched minute must not lose its seconds."""
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        edit_entry(entry=self.entry, changes=changes, actor=self.viewer, at=database_now())
        return self.back


class FreezeEdit(EntryEdit):
    """Change a freeze."""

    title = gettext_lazy("Change the freeze")
    model = Freeze
    noun = "freeze"
    form_class = FreezeChangeForm
    fields = (*EntryEdit.fields, "holds_scaling")


class WindowEdit(EntryEdit):
    """Change a window."""

    title = gettext_lazy("Change the window")
    model = ChangeWindow
    noun = "window"


def found_to_set(request: HttpRequest, model: type[Any], pk: int) -> Any:
    """Return the entry among those that the viewer sees; Forbidden where they do not decide."""
    entry = find(visible_entries(model, request.user), pk=pk)  # type: ignore[arg-type]
    if not may_set_entry(request.user, entry):  # type: ignore[arg-type]
        action = Action.POOL_EDIT if entry.pool_id is not None else Action.PROJECT_EDIT
        if entry.place is None:
            message = "What holds everywhere is set by an administrator."
            raise Forbidden(message)
        raise refusal(action)
    return entry


def place_words(place: Place) -> str:
    """Write a place with what it is."""
    if place.pool is not None:
        return _("Pool %s") % place.pool
    if place.project is not None:
        return _("Project %s") % place.project
    if place.organisation is not None:
        return _("Organisation %s and all below") % place.organisation
    return _("Everywhere")


@require_POST
def freeze_end(request: HttpRequest, pk: int) -> HttpResponse:
    """End a freeze now."""
    return _end(request, Freeze, pk, "orchestra:freeze")


@require_POST
def window_end(request: HttpRequest, pk: int) -> HttpResponse:
    """End a window now."""
    return _end(request, ChangeWindow, pk, "orchestra:window")


@require_POST
def freeze_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a freeze away that has not begun."""
    return _remove(request, Freeze, pk, "orchestra:freezes")


@require_POST
def window_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a window away."""
    return _remove(request, ChangeWindow, pk, "orchestra:windows")


def _end(request: HttpRequest, model: type[Any], pk: int, page: str) -> HttpResponse:
    entry = found_to_set(request, model, pk)
    end_entry(entry=entry, actor=request.user, at=database_now())  # type: ignore[arg-type]
    messages.success(request, _("It is ended. What waited for it goes on by itself."))
    return HttpResponseRedirect(reverse(page, args=[pk]))


def _remove(request: HttpRequest, model: type[Any], pk: int, page: str) -> HttpResponse:
    entry = found_to_set(request, model, pk)
    remove_entry(entry=entry, actor=request.user, at=database_now())  # type: ignore[arg-type]
    messages.success(request, _("It is taken away."))
    return HttpResponseRedirect(reverse(page))
