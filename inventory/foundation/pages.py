"""The pages' three shapes, so that a house only says what is special: list, detail, form.

`docs/recipes/add-page.md` shows each of them in use.
"""

import csv
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import uuid4

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.views import View
from django_filters import FilterSet

from inventory.foundation.clock import database_now
from inventory.foundation.drafts import TooLongToKeep, draft_of, drop_draft, keep_draft
from inventory.foundation.errors import DomainError, InvalidInput, NotVisible, StaleEdit
from inventory.foundation.figures import Figure
from inventory.foundation.files import Line, Origin, Streamed, csv_file, origin_of
from inventory.foundation.forms import PortalForm
from inventory.foundation.idempotency import answer_once
from inventory.foundation.listing import (
    COLUMNS,
    PAGE_SIZES,
    choose_columns,
    column_choices,
    default_address,
    kept_pairs,
    page_size,
    remember,
    totals_of,
    views_menu,
)
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, may_anywhere, require_anywhere
from inventory.foundation.sheets import xlsx_file
from inventory.foundation.tables import PortalTable, cell_text

MAX_ID = 2**63 - 1
UNSIGNED = frozenset({"csrfmiddlewaretoken", "idempotency_key"})
FILES: dict[str, Callable[..., StreamingHttpResponse]] = {"csv": csv_file, "xlsx": xlsx_file}


class PortalPage(View):
    """What all pages have: a title, who may open them, and a template.

    Any figure of the page's context is also a file: `?figure=<its id>&format=csv`.
    """

    title: ClassVar[Any] = ""
    subtitle: ClassVar[Any] = ""
    template_name: ClassVar[str] = ""
    action: ClassVar[Action | None] = None

    def permit(self) -> None:
        """Raise Forbidden for who holds the page's action nowhere."""
        if self.action is not None:
            require_anywhere(self.viewer, self.action)

    @property
    def viewer(self) -> User:
        """Return who is looking (LoginRequiredMiddleware has seen to it)."""
        return self.request.user  # type: ignore[return-value]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Permit before anything else."""
        self.permit()
        return super().dispatch(request, *args, **kwargs)

    def context(self) -> dict[str, Any]:
        """Return what the template reads beside title and subtitle."""
        return {}

    def page(self, context: dict[str, Any] | None = None, status: int = 200) -> Any:
        """Draw the page, or answer with the file of one of its figures."""
        names = {"title": self.title, "subtitle": self.subtitle} | self.context() | (context or {})
        if asked := self.request.GET.get("figure"):
            return figure_file(named_figure(names, asked))
        return render(self.request, self.template_name, names, status=status)


class ListPage(PortalPage):
    """One FilterSet, one Table and the rows a person may see: page, filters, sort, paging, files.

    Address: the FilterSet's fields, `sort` (a column, "-" for descending), `columns`, `page`,
    `per_page` (25, 50, 100; else as the profile says), `format=csv` or `format=xlsx` for all rows
    of the same view.
    A bare visit opens the person's default view; `view=all` is the list without one.
    """

    is_list: ClassVar[bool] = True
    # Who holds it nowhere sees no row and is told so, instead of that there is none yet.
    sees: ClassVar[Action | None] = Action.PROJECT_VIEW
    api: ClassVar[str] = ""  # the URL name of the endpoint that takes the same filters
    template_name = "foundation/list.html"
    filterset_class: ClassVar[type[FilterSet]]
    table_class: ClassVar[type[PortalTable]]
    http_method_names = ["get", "head", "options"]
    empty_title: ClassVar[Any] = _("Nothing here yet")
    empty_text: ClassVar[Any] = ""
    empty_icon: ClassVar[str] = "empty"

    def rows(self) -> QuerySet[Any]:
        """Return all rows that the viewer may see (a selector's answer)."""
        raise NotImplementedError

    def get(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> Any:
        """Answer with the page or, for `?format=csv` and `?format=xlsx`, with the file."""
        if address := default_address(request):
            return HttpResponseRedirect(address)
        filters = self.filterset_class(request.GET, queryset=self.rows(), request=request)
        valid = filters.is_valid()
        found = filters.qs if valid else filters.queryset.none()
        table = self.sorted_table(found)
        if request.GET.get("format") in FILES and "figure" not in request.GET:
            if not valid:
                message = "The file was not made: the filters in the address are not right."
                raise InvalidInput(message)
            return self.file(table)
        per_page = self.per_page()
        paginator = Paginator(table.rows, per_page)
        paginator.count = found.count()
        page = paginator.get_page(request.GET.get("page"))
        table.paginator, table.page = paginator, page
        remember(request)
        return self.page(self.list_context(filters, table, page, per_page))

    def sorted_table(self, found: QuerySet[Any]) -> PortalTable:
        """Return the table in the asked order; rows that are equal in it keep one order, by id."""
        asked = self.request.GET.get("sort", "")[:200]
        table = self.table_class(found)
        table.request = self.request  # given earlier, the table would page and count by itself
        if asked:
            table.order_by = asked
        data = table.data.data
        if "pk" not in data.query.order_by and "id" not in data.query.order_by:
            table.data.data = data.order_by(*data.query.order_by, "-pk")
        choose_columns(table, self.request)
        return table

    def per_page(self) -> int:
        """Return the rows a page: one of the three sizes."""
        return page_size(self.request, self.viewer)

    def list_context(
        self, filters: FilterSet, table: PortalTable, page: Page, per_page: int
    ) -> dict[str, Any]:
        """Return what `foundation/list.html` reads."""
        asked = {name: value for name, value in self.request.GET.items() if value}
        used = [name for name in filters.filters if name in asked]
        count = page.paginator.count
        return {
            "filterset": filters,
            "table": table,
            "page": page,
            "count": count,
            "first": page.start_index(),
            "last": page.end_index(),
            "per_page": per_page,
            "page_sizes": PAGE_SIZES,
            "is_filtered": bool(used),
            "filter_count": len([name for name in used if name != "q"]),
            "open_filters": any(name != "q" for name in used),
            "has_more_filters": any(name != "q" for name in filters.form.fields),
            "kept": kept_pairs(self.request, "view", *filters.filters),
            "columns": column_choices(table),
            "columns_chosen": COLUMNS in asked,
            "columns_kept": kept_pairs(self.request, COLUMNS),
            "totals": totals_of(filters.qs, table) if count else [],
            "lacks_role": not count and not used and not self.may_see_any(),
            "api_url": self.api_url(filters),
            "empty_title": self.empty_title,
            "empty_text": self.empty_text,
            "empty_icon": self.empty_icon,
        } | views_menu(self.request)

    def may_see_any(self) -> bool:
        """Say whether the person has any role through which rows of this list are seen."""
        return self.sees is None or may_anywhere(self.viewer, self.sees)

    def api_url(self, filters: FilterSet) -> str:
        """Return the address at which a program gets the same rows; empty where there is none."""
        if not self.api:
            return ""
        asked = [pair for pair in kept_pairs(self.request) if pair[0] in filters.filters]
        address = self.request.build_absolute_uri(reverse(self.api))
        return f"{address}?{urlencode(asked)}" if asked else address

    def file_notes(self) -> tuple[tuple[str, str], ...]:
        """Return further lines (label, text) that the file states, for example a zone."""
        return ()

    def file(self, table: PortalTable) -> StreamingHttpResponse:
        """Return all rows as CSV or Excel file, with what proves them below."""
        rows = table.data.data
        count = rows.count()
        table.data.data = Streamed(rows)
        return self.file_of(table, name=str(self.title), count=count)

    def file_of(self, table: PortalTable, *, name: str, count: int) -> StreamingHttpResponse:
        """Return a table in the format that the address asks for."""
        make = FILES[self.request.GET["format"]]
        return make(table, name=name, count=count, origin=self.origin())

    def origin(self) -> Origin:
        """Return where a file of this list comes from."""
        return origin_of(self.request, notes=self.file_notes())


def named_figure(names: dict[str, Any], asked: str) -> Figure:
    """Return the figure of that id among what a page shows; NotVisible when there is none."""
    for value in names.values():
        if isinstance(value, Figure) and value.id == asked:
            return value
    message = "This page has no such figure now. Open the page again."
    raise NotVisible(message)


def figure_file(figure: Figure) -> StreamingHttpResponse:
    """Return a figure's table twin as a file, with the exact values."""
    writer = csv.writer(Line())
    lines: list[list[Any]] = [list(figure.head)]
    lines += [[label, *values] for label, values in figure.rows]
    stamp = database_now().date().isoformat()
    filename = f"{slugify(figure.id)}-{stamp}-{len(figure.rows)}-rows.csv"
    return StreamingHttpResponse(
        (writer.writerow([cell_text(cell) for cell in line]) for line in lines),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{filename}"',
            "X-Row-Count": str(len(figure.rows)),
        },
    )


class DetailPage(PortalPage):
    """One object by its number, from the rows that the viewer may see (404 for all others)."""

    http_method_names = ["get", "head", "options"]

    def rows(self) -> QuerySet[Any]:
        """Return the rows that the viewer may see."""
        raise NotImplementedError

    def get(self, _request: HttpRequest, *_args: Any, **kwargs: Any) -> HttpResponse:
        """Draw the object's page; the template reads it as `object`."""
        self.object = find(self.rows(), **kwargs)
        return self.page({"object": self.object})


def find(rows: QuerySet[Any], **names: Any) -> Any:
    """Return the one row of that pk or slug; NotVisible when there is none among these rows."""
    if "pk" in names and int(names["pk"]) > MAX_ID:
        names["pk"] = 0
    found = rows.filter(**names).first()
    if found is None:
        message = "There is nothing at this address that you may see."
        raise NotVisible(message)
    return found


def address_of(target: str | Model) -> str:
    """Return where a finished form leads: an address, or the address of an object."""
    return target if isinstance(target, str) else target.get_absolute_url()  # type: ignore[attr-defined]


class FormPage(PortalPage):
    """A form over one service: load, permit, validate, one domain call, go on.

    Set `form_class`, `submit` (the button's word) and write `act`; `load` finds and permits.
    A refusal of the service stands beside its fields with its own status; what was typed stays.
    A long form keeps a draft by itself: `?draft=keep` takes what is typed, `?draft=discard` forgets
    it (both POST), `?draft=continue` shows it again. Sent with `draw`, nothing is done: the page
    comes back with what is typed, and its fields offer what follows from it.
    """

    template_name = "foundation/form.html"
    form_class: ClassVar[type[PortalForm]]
    submit: ClassVar[Any] = _("Save")
    done: ClassVar[Any] = ""
    keeps_draft: ClassVar[bool | None] = None  # None: if it is long
    back: str = ""

    def load(self) -> None:
        """Find what the form is about and raise NotVisible or Forbidden."""

    def initial(self) -> dict[str, Any]:
        """Return the values that an untouched form shows."""
        return {}

    def form_arguments(self) -> dict[str, Any]:
        """Return further keyword arguments of the form (for example the viewer)."""
        return {}

    def act(self, form: PortalForm) -> str | Model:
        """Make the one domain call; return the address to go to, or an object that has one."""
        raise NotImplementedError

    def get(self, _request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        """Show the form, and offer the draft of it if there is one."""
        self.load()
        form = self.form_class(initial=self.initial(), **self.form_arguments())
        draft = draft_of(user=self.viewer, path=self.draft_path) if self.drafts(form) else None
        is_continued = draft is not None and self.request.GET.get("draft") == "continue"
        if draft is not None and is_continued:
            form.take_up(draft.data)
        return self.form_answer(form, draft=draft, draft_is_continued=is_continued)

    def post(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        """Validate and act."""
        self.load()
        if request.GET.get("draft") in ("keep", "discard"):
            return self.draft_answer(keep=request.GET["draft"] == "keep")
        if "draw" in request.POST:
            return self.drawn_anew()
        form = self.form_class(
            request.POST, request.FILES, initial=self.initial(), **self.form_arguments()
        )
        if not form.is_valid():
            return self.form_answer(form, status=400)
        try:
            address = self.act_once(form)
        except NotVisible:
            raise
        except DomainError as error:
            return self.refused(form, error)
        if self.drafts(form):
            drop_draft(user=self.viewer, path=self.draft_path)
        if self.done:
            messages.success(request, self.done)
        return HttpResponseRedirect(address)

    @property
    def draft_path(self) -> str:
        """Return under what a draft is kept: the form's address, without its query."""
        return self.request.path[:200]

    def drafts(self, form: PortalForm) -> bool:
        """Say whether what is typed into the form is kept."""
        return form.is_long if self.keeps_draft is None else self.keeps_draft

    def draft_answer(self, *, keep: bool) -> HttpResponse:
        """Keep what is typed and say so in a line, or forget it and show the form anew."""
        form = self.form_class(initial=self.initial(), **self.form_arguments())
        if not self.drafts(form) or not keep:
            drop_draft(user=self.viewer, path=self.draft_path)
            rest = self.request.GET.copy()
            del rest["draft"]
            return HttpResponseRedirect(f"{self.request.path}?{rest.urlencode()}".rstrip("?"))
        names: dict[str, Any] = {}
        try:
            names["draft"] = keep_draft(
                user=self.viewer,
                path=self.draft_path,
                data=form.typed(self.request.POST),
                at=database_now(),
                key=self.request.POST.get("idempotency_key", ""),
            )
        except TooLongToKeep as error:
            names["error"] = error.message
        return render(self.request, "components/draft_kept.html", names)

    def drawn_anew(self) -> HttpResponse:
        """Draw the form with what is typed, and nothing said of it: it is not finished yet."""
        form = self.form_class(initial=self.initial(), **self.form_arguments())
        form.take_up(form.typed(self.request.POST))
        answer = self.form_answer(form)
        answer["HX-Trigger-After-Swap"] = "drawn"  # what is reckoned from the fields asks again
        return answer

    def act_once(self, form: PortalForm) -> str:
        """Act and return where to go; a form with an idempotency key acts once for each key."""
        key = form.cleaned_data.get("idempotency_key")
        if key is None:
            return address_of(self.act(form))
        sent = {name: values for name, values in self.request.POST.lists() if name not in UNSIGNED}
        _status, answer, _again = answer_once(
            user=self.viewer,
            key=key,
            scope=self.request.path,
            content=sent,
            at=database_now(),
            do=lambda: (303, {"to": address_of(self.act(form))}),
        )
        return str(answer["to"])

    def refused(self, form: PortalForm, error: DomainError) -> HttpResponse:
        """Show the form again with the service's refusal; what was typed stays."""
        form.refuse(error)
        data = self.request.POST.copy()
        theirs = []
        if isinstance(error, StaleEdit):
            theirs = self.changed_meanwhile(form)
            data["version"] = str(self.initial()["version"])
        if "idempotency_key" in form.fields:
            data["idempotency_key"] = uuid4().hex
        form.data = data
        return self.form_answer(form, status=error.status, theirs=theirs)

    def changed_meanwhile(self, form: PortalForm) -> list[tuple[str, Any]]:
        """Load anew and return (label, value now) of what differs from what was typed.

        The form then carries the new version: the next save replaces these values knowingly.
        """
        self.load()
        now = self.initial()
        return [
            (str(field.label), now[name])
            for name, field in form.fields.items()
            if name in now and name != "version" and now[name] != form.cleaned_data.get(name)
        ]

    def form_answer(self, form: PortalForm, status: int = 200, **extra: Any) -> HttpResponse:
        """Draw the form's page."""
        names = {
            "form": form,
            "submit": self.submit,
            "back": self.back,
            "keeps_draft": self.drafts(form),
        }
        return self.page(names | extra, status=status)
