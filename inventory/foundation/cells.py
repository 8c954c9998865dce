"""How a file reads the cells of a table: what a column means is found out once, not at each row.

The answers are those of `BoundRow.get_cell_value`, which asks for the accessor, the field, its
choices and the signature of the column's method anew at every cell: 0.1 ms each time.
"""

from collections.abc import Callable
from functools import partialmethod
from inspect import getattr_static
from typing import Any

from django.db.models import Model
from django_tables2.columns import ManyToManyColumn
from django_tables2.columns.linkcolumn import BaseLinkColumn
from django_tables2.utils import Accessor, signature

MISSING = object()


class PlainValue:
    """A column that a file shows as it is: a base of columns."""

    def value(self, **kwargs: Any) -> Any:
        """Return the plain value for the file."""
        return kwargs["value"]


def resolver(path: str) -> Callable[[Any], Any]:
    """Return a function that follows an accessor's path from a record; None wherever it fails."""
    accessor = Accessor(path)
    bits = accessor.bits

    def resolve(record: Any) -> Any:
        current = record
        try:
            for bit in bits:
                if current is None:
                    return None
                if isinstance(current, Model):
                    current = getattr(current, bit)
                elif type(current) is dict and current is not record and bit in current:
                    current = current[bit]
                else:
                    return accessor.resolve(record)
                if callable(current):
                    return accessor.resolve(record)
        except Exception:
            return None
        return current

    return resolve


def cell_reader(table: Any, column: Any) -> Callable[[Any], Any]:
    """Return a function that gives a bound row's cell of a column, as a file has it."""
    if isinstance(column.column, BaseLinkColumn | ManyToManyColumn):
        name = column.name
        return lambda row: row.get_cell_value(name)
    accessor = Accessor(column.accessor)
    path, _, last = str(accessor).rpartition(accessor.SEPARATOR)
    whole, before = resolver(str(accessor)), resolver(path)
    words = _Words(accessor, last)
    empty, value_of = column.column.empty_values, _caller(table, column)

    def read(row: Any) -> Any:
        record = row.record
        value = words.of(record, before(record) if path else record)
        if value is MISSING:
            value = whole(record)
        return None if value in empty else value_of(value, row)

    return read


class _Words:
    """The words of a field with choices, each asked for once: Django makes them anew each time."""

    def __init__(self, accessor: Accessor, name: str) -> None:
        self.accessor, self.name, self.display = accessor, name, f"get_{name}_display"
        self.has_choices: dict[type[Any], bool] = {}
        self.known: dict[tuple[type[Any], Any], Any] = {}

    def of(self, record: Any, owner: Any) -> Any:
        """Return the word that stands in the row, MISSING where the column has no such field."""
        if not isinstance(owner, Model):
            return MISSING
        kind = type(record)
        if kind not in self.has_choices:
            field = self.accessor.get_field(record)
            self.has_choices[kind] = bool(getattr(field, "choices", None))
        if not self.has_choices[kind] or not hasattr(owner, self.display):
            return MISSING
        if not isinstance(getattr_static(type(owner), self.display), partialmethod):
            return getattr(owner, self.display)()  # somebody's own: it may look at all of the row
        key = (type(owner), getattr(owner, self.name))
        if key not in self.known:
            self.known[key] = getattr(owner, self.display)()
        return self.known[key]


def _caller(table: Any, column: Any) -> Callable[[Any, Any], Any]:
    """Return what calls the column's method for files with just the arguments that it names."""
    method = column.value
    if getattr(method, "__func__", None) is PlainValue.value:
        return lambda value, _row: value
    names, takes_all = signature(method)
    always = {"column": column.column, "bound_column": column, "table": table}
    known = {*always, "value", "record", "bound_row"}
    if not takes_all and set(names) - known:
        return lambda _value, _row: None
    wanted = known if takes_all else set(names)
    always = {name: one for name, one in always.items() if name in wanted}
    has_value, has_record, has_row = (one in wanted for one in ("value", "record", "bound_row"))

    def call(value: Any, row: Any) -> Any:
        more = dict(always)
        if has_value:
            more["value"] = value
        if has_record:
            more["record"] = row.record
        if has_row:
            more["bound_row"] = row
        return method(**more)

    return call
