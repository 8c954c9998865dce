"""The base of every list's table and its columns; a column knows its markup and its CSV value."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import django_tables2
from django.db.models import TextChoices
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_tables2.utils import Accessor

from inventory.foundation.cells import PlainValue, cell_reader, resolver
from inventory.foundation.lists import list_at
from inventory.foundation.templatetags.deeds import deed
from inventory.foundation.templatetags.portal import NOTHING, badge, money, quantity, status, when

# A spreadsheet runs a cell that begins so (＝ ＋ － ＠: the wide forms of East Asian keyboards).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class TextColumn(PlainValue, django_tables2.Column):
    """Plain text. `hide_narrow`: not shown on a telephone. `beside`: names of columns that a file
    shows with this one, because the screen writes them into its cell (a unit). `adds_up`: a file
    states the column's total.
    """

    is_number = False

    def __init__(
        self,
        *args: Any,
        hide_narrow: bool = False,
        beside: tuple[str, ...] = (),
        adds_up: bool = False,
        **kwargs: Any,
    ) -> None:
        self.hide_narrow, self.beside, self.adds_up = hide_narrow, beside, adds_up
        kwargs.setdefault("default", NOTHING)
        super().__init__(*args, **kwargs)


class LinkColumn(TextColumn):
    """Text that leads to the row's own page: `to` is a URL name, `pick` makes its arguments."""

    def __init__(
        self,
        *args: Any,
        to: str,
        pick: Callable[[Any], Any] = lambda record: record.pk,
        **kwargs: Any,
    ) -> None:
        self.to, self.pick = to, pick
        super().__init__(*args, **kwargs)

    def render(self, value: Any, record: Any) -> SafeString | str:
        """Draw the link; plain text while that page is missing or the thing has none."""
        argument = self.pick(record)
        if argument is None:
            return str(value)
        try:
            address = reverse(self.to, args=[argument])
        except NoReverseMatch:
            return str(value)
        return format_html('<a class="row-link" href="{}">{}</a>', address, value)


class BadgeColumn(TextColumn):
    """A status field of the row, drawn with its label and tone.

    `choices` is needed only for a value that is no field of a model (an annotation).
    """

    def __init__(self, *args: Any, choices: type[TextChoices] | None = None, **kwargs: Any) -> None:
        self.choices = choices
        super().__init__(*args, **kwargs)

    def render(self, record: Any, bound_column: Any) -> SafeString:
        """Draw the badge; the accessor may lead over relations ("order.state")."""
        if self.choices is not None:
            return badge(self.choices(Accessor(bound_column.accessor).resolve(record)))
        *path, field = str(bound_column.accessor).replace("__", ".").split(".")
        return status(Accessor(".".join(path)).resolve(record) if path else record, field)


class MoneyColumn(TextColumn):
    """An amount; `currency` is the accessor of its code, or the code itself when fixed."""

    is_number = True

    def __init__(
        self, *args: Any, currency: str = "currency", digits: int = 2, **kwargs: Any
    ) -> None:
        self.currency, self.digits = currency, digits
        kwargs.setdefault("adds_up", True)
        super().__init__(*args, **kwargs)

    @property
    def is_fixed(self) -> bool:
        """Say whether all amounts are of one currency."""
        return self.currency.isupper()

    def code(self, record: Any) -> str:
        """Return the code of the currency of a row."""
        if self.is_fixed:
            return self.currency
        return str(Accessor(self.currency).resolve(record, quiet=True) or "")

    def render(self, value: Any, record: Any) -> SafeString:
        """Draw the amount with its code."""
        return money(value, self.code(record), self.digits)


class QuantityColumn(TextColumn):
    """A number; `unit` is fixed text behind it."""

    is_number = True

    def __init__(self, *args: Any, unit: str = "", **kwargs: Any) -> None:
        self.unit = unit
        super().__init__(*args, **kwargs)

    def render(self, value: Any) -> SafeString:
        """Draw the number."""
        return quantity(value, self.unit)


class WhenColumn(TextColumn):
    """An instant in the viewer's zone, or a date. `style`: time, day or ago."""

    def __init__(self, *args: Any, style: str = "time", **kwargs: Any) -> None:
        self.style = style
        super().__init__(*args, **kwargs)

    def render(self, value: Any) -> SafeString:
        """Draw the time."""
        return when(value, self.style)


@dataclass(frozen=True)
class FileColumn:
    """A column of a file: its header and, of a row, its cell; for one that adds up also the code
    of the row's currency and the header of the column that holds it.
    """

    header: str
    cell: Callable[[Any], Any]
    adds_up: bool = False
    code: Callable[[Any], str] = lambda _row: ""
    code_header: str = ""


class PortalTable(django_tables2.Table):
    """A list's table. Name it in `caption`; sort, page and columns live in the address."""

    caption: ClassVar[Any] = ""

    def choose(self, names: Iterable[str]) -> bool:
        """Show these columns only, in the table's order; unknown names are nothing.

        Return whether any of them is known: if none is, all stays as it was.
        """
        chosen = set(names) & set(self.columns.columns)
        if not chosen:
            return False
        for name in self.columns.columns:
            (self.columns.show if name in chosen else self.columns.hide)(name)
        return True

    def file_columns(self) -> list[FileColumn]:
        """Return the columns of a file: those in sight and what the screen writes into them."""
        shown = [column for column in self.columns if not column.column.exclude_from_export]
        names = [column.name for column in shown]
        columns: list[FileColumn] = []
        for column in shown:
            columns.append(self._file_column(column))
            currency = self._currency_of(column)
            if currency is not None and currency.name not in names:
                columns.append(self._file_column(currency))
                names.append(currency.name)
            elif currency is None and not getattr(column.column, "is_fixed", True):
                columns.append(FileColumn(columns[-1].code_header, columns[-1].code))
            for name in getattr(column.column, "beside", ()):
                if name not in names:
                    columns.append(self._file_column(self.columns.columns[name]))
                    names.append(name)
        return columns

    def _currency_of(self, column: Any) -> Any:
        """Return the table's own column of an amount's currency, if it has one."""
        if getattr(column.column, "is_fixed", True):
            return None
        wanted = Accessor(column.column.currency)
        own = self.columns.columns.values()
        return next((one for one in own if str(one.accessor) == str(wanted)), None)

    def _file_column(self, column: Any) -> FileColumn:
        kind, header = column.column, str(column.header)
        adds_up = getattr(kind, "adds_up", False)
        read = cell_reader(self, column)
        if not isinstance(kind, MoneyColumn):
            return FileColumn(header, read, adds_up)
        if kind.is_fixed:
            header = f"{header} ({kind.currency})"
            return FileColumn(header, read, adds_up, lambda _row: kind.currency)
        currency, code_of = self._currency_of(column), resolver(kind.currency)
        code_header = str(currency.header) if currency else str(_("Currency of")) + f" {header}"
        return FileColumn(
            header, read, adds_up, lambda row: str(code_of(row.record) or ""), code_header
        )

    class Meta:
        order_by_field = "sort"
        template_name = "components/table.html"


def cell_text(value: Any) -> str:
    """Return a cell of a CSV file: plain numbers, ISO 8601 times, text no spreadsheet runs."""
    if value is None or value is NOTHING or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


class ProjectTable(PortalTable):
    """The projects that a person sees."""

    caption = _("Projects")
    name = LinkColumn(to="foundation:project", verbose_name=_("Project"))
    organisation = TextColumn(
        hide_narrow=True, verbose_name=_("Organisation"), order_by="organisation__name"
    )
    owner = TextColumn(verbose_name=_("Owner"), order_by=("owner__display_name",))
    deputy = TextColumn(
        verbose_name=_("Deputy"), order_by=("deputy__display_name",), hide_narrow=True
    )
    cost_centre = TextColumn(verbose_name=_("Cost centre"))
    end_date = WhenColumn(verbose_name=_("Ends on"), style="day")
    status = BadgeColumn(verbose_name=_("Status"))

    class Meta(PortalTable.Meta):
        order_by = ("name",)


class PersonTable(PortalTable):
    """The people of the viewer's organisations."""

    caption = _("People")
    username = LinkColumn(to="foundation:person", verbose_name=_("Sign-in name"))
    display_name = TextColumn(verbose_name=_("Name"))
    email = TextColumn(verbose_name=_("E-mail"), hide_narrow=True)
    roles = TextColumn(verbose_name=_("Roles"), accessor="role_words", order_by="role_words")
    belongs_to = TextColumn(verbose_name=_("Belongs to"), hide_narrow=True)
    last_login = WhenColumn(verbose_name=_("Last seen"), style="ago")

    class Meta(PortalTable.Meta):
        order_by = ("username",)


class DeedColumn(TextColumn):
    """An action of the audit trail in words; the file and the entry's own page have its name."""

    def render(self, value: str) -> str:
        """Write the words."""
        return deed(value)


class AuditTable(PortalTable):
    """The audit trail, newest first."""

    caption = _("Audit trail")
    at = WhenColumn(verbose_name=_("When"))
    actor_label = TextColumn(verbose_name=_("Who"))
    action = DeedColumn(verbose_name=_("Action"))
    object_label = LinkColumn(to="foundation:audit-entry", verbose_name=_("On"))
    object_type = TextColumn(verbose_name=_("Kind"), visible=False)
    project = TextColumn(verbose_name=_("Project"), order_by="project__name", hide_narrow=True)
    via = TextColumn(verbose_name=_("Through"), hide_narrow=True)
    reason = TextColumn(verbose_name=_("Reason"), hide_narrow=True)
    seal = TextColumn(accessor="seal__number", verbose_name=_("Sealed as"), visible=False)
    sha256 = TextColumn(accessor="seal__sha256", verbose_name=_("SHA-256"), visible=False)

    class Meta(PortalTable.Meta):
        order_by = ("-at",)


class EventTable(PortalTable):
    """The events told to other systems, newest first."""

    caption = _("Events")
    time = WhenColumn(verbose_name=_("When"))
    type = LinkColumn(to="foundation:event", verbose_name=_("Type"))
    subject = TextColumn(verbose_name=_("About"))
    project = TextColumn(verbose_name=_("Project"), order_by="project__name", hide_narrow=True)
    correlation_id = TextColumn(verbose_name=_("Belongs to"), hide_narrow=True)

    class Meta(PortalTable.Meta):
        order_by = ("-time",)


class ListNameColumn(TextColumn):
    """The path of a list, as the list's title."""

    def render(self, value: str) -> str:
        """Write the title."""
        page = list_at(value)
        return str(page.title or value) if page else value


class YesColumn(TextColumn):
    """Whether something is so: "yes", or nothing."""

    def render(self, value: bool) -> Any:
        """Write it."""
        return _("yes") if value else NOTHING


class SavedViewTable(PortalTable):
    """The saved views that a person sees."""

    caption = _("Saved views")
    name = LinkColumn(to="foundation:view", verbose_name=_("Name"))
    path = ListNameColumn(verbose_name=_("List"))
    query = TextColumn(verbose_name=_("Filters, order, columns"), visible=False)
    project = TextColumn(verbose_name=_("Shared with project"), order_by="project__name")
    organisation = TextColumn(
        verbose_name=_("Shared with organisation"), order_by="organisation__name", hide_narrow=True
    )
    user = TextColumn(verbose_name=_("Made by"), order_by=("user__display_name",), hide_narrow=True)
    is_pinned = YesColumn(verbose_name=_("Pinned"))
    is_default = YesColumn(verbose_name=_("Opens the list"), hide_narrow=True)
    created_at = WhenColumn(verbose_name=_("Saved"), style="ago", visible=False)

    class Meta(PortalTable.Meta):
        order_by = ("name",)
