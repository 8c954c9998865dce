"""How amounts, times and controls are written on screen: one spelling for every page."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any
from uuid import uuid4

from django import template
from django.db.models import Model, TextChoices
from django.forms import BoundField, CheckboxInput, RadioSelect, Select
from django.template import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _

register = template.Library()

NOTHING = format_html('<span class="nothing" aria-label="{}">–</span>', "none")


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw one symbol of `static/img/icons.svg`; it says nothing to a screen reader."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("img/icons.svg"),
        name,
    )


@register.simple_tag(takes_context=True)
def way_back(context: Context, address: str) -> str:
    """Return a list's address as the person last looked at it, any other address as it is."""
    request = context.get("request")
    kept = request.session.get("lists", {}) if request and hasattr(request, "session") else {}
    query = kept.get(str(address), "")
    return f"{address}?{query}" if query else str(address)


@register.simple_tag
def idempotency_key() -> str:
    """Return a fresh key for a form, so that sending it twice does the thing once."""
    return uuid4().hex


@register.simple_tag(name="money")
def money_tag(amount: Any, currency: str, digits: Any = 2) -> SafeString:
    """Write an amount in the viewer's number format, always with its currency code."""
    return money(amount, currency, int(digits))


def money(amount: Any, currency: str, digits: int = 2) -> SafeString:
    """Return an amount (Decimal or text) as markup, rounded half up to `digits` decimals."""
    if amount is None or amount == "":
        return NOTHING
    # Django's number_format cuts off what is behind the last decimal: 158.256 would read 158.25.
    shown = Decimal(amount).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) + 0
    number = number_format(shown, decimal_pos=digits, use_l10n=True, force_grouping=True)
    return format_html(
        '<span class="money">{} <span class="money-code">{}</span></span>',
        number.replace("-", "−"),
        currency,
    )


@register.simple_tag(name="quantity")
def quantity_tag(amount: Any, unit: str = "") -> SafeString:
    """Write a number with its unit."""
    return quantity(amount, unit)


def quantity(amount: Any, unit: str = "") -> SafeString:
    """Return a number (int, Decimal or text) as markup, grouped, without trailing zeros."""
    if amount is None or amount == "":
        return NOTHING
    value = Decimal(amount)
    plain = value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()
    number = number_format(plain, use_l10n=True, force_grouping=True).replace("-", "−")
    if not unit:
        return format_html('<span class="quantity">{}</span>', number)
    return format_html(
        '<span class="quantity">{} <span class="quantity-unit">{}</span></span>', number, unit
    )


@register.simple_tag(name="when")
def when_tag(at: Any, style: str = "time") -> SafeString:
    """Write an instant in the viewer's zone; hovering tells how long ago it was."""
    return when(at, style)


def when(at: Any, style: str = "time") -> SafeString:
    """Return an instant (or a date) as markup. `style`: "time", "day" or "ago" (relative text)."""
    if not at:
        return NOTHING
    if not isinstance(at, datetime):
        return format_html('<time datetime="{}">{}</time>', at.isoformat(), _day(at))
    local = timezone.localtime(at)
    exact = f"{_day(local)} {date_format(local, 'H:i')}"
    zone = local.tzname() or ""
    distance = relative(at)
    shown, title = (distance, f"{exact} {zone}") if style == "ago" else (exact, distance)
    if style == "day":
        shown = _day(local)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', at.isoformat(timespec="seconds"), title, shown
    )


def relative(at: datetime) -> str:
    """Return the distance from now in words: "3 hours ago", "in 2 days", "just now"."""
    now = timezone.now()
    if abs(now - at) < timedelta(minutes=1):
        return _("just now")
    if at < now:
        return _("%(distance)s ago") % {"distance": timesince(at, now, depth=1)}
    return _("in %(distance)s") % {"distance": timeuntil(at, now, depth=1)}


def _day(value: Any) -> str:
    return date_format(value, "j M Y")


@register.simple_tag(name="badge")
def badge_tag(value: Any, tone: str = "") -> SafeString:
    """Draw a status with its label and tone."""
    return badge(value, tone)


def badge(value: Any, tone: str = "") -> SafeString:
    """Return a status as markup: a member of a choices class knows its own label and tone."""
    label = getattr(value, "label", value)
    return format_html(
        '<span class="status status-{}">{}</span>', tone or getattr(value, "tone", "muted"), label
    )


@register.simple_tag(name="status")
def status_tag(of: Model, field: str = "status") -> SafeString:
    """Draw the status that a field of an object holds."""
    return status(of, field)


def status(of: Model, field: str) -> SafeString:
    """Return a field's status as markup, with the label and tone of the field's choices."""
    value = getattr(of, field)
    choices = choices_of(type(of), field)
    return badge(choices(value) if choices else value)


@cache
def choices_of(model: type[Model], field: str) -> type[TextChoices] | None:
    """Return the choices class of a model's field: the one whose values and labels it carries.

    Django keeps only the pairs on the field, and a value read from the database is plain text.
    """
    pairs = getattr(model._meta.get_field(field), "flatchoices", ())
    values = [value for value, _label in pairs]
    matching = [kind for kind in TextChoices.__subclasses__() if kind.values == values]
    toned = [kind for kind in matching if hasattr(kind, "tone")]
    return next(iter(toned or matching), None)


@register.filter
def control(field: BoundField) -> SafeString:
    """Draw a form field's control with the classes of the kit."""
    widget = field.field.widget
    if field.use_fieldset and isinstance(
        widget, RadioSelect
    ):  # and boxes of which one may tick many
        return format_html("<div>{}</div>", format_html_join("", "{}", _choices(field)))
    if isinstance(widget, CheckboxInput):
        name = "form-check-input"
    elif isinstance(widget, Select):
        name = "form-select"
    else:
        name = "form-control"
    if field.errors:
        name += " is-invalid"
    given = widget.attrs.get("class", "")
    return field.as_widget(attrs={"class": f"{name} {given}".strip()})


def _choices(field: BoundField) -> Iterator[tuple[SafeString]]:
    for choice in field.subwidgets:
        choice.data["attrs"]["class"] = "form-check-input"
        yield (
            format_html(
                '<label class="check">{}<span>{}</span></label>', choice.tag(), choice.choice_label
            ),
        )


@register.filter
def is_checkbox(field: BoundField) -> bool:
    """Say whether a field's label stands behind its control."""
    return isinstance(field.field.widget, CheckboxInput) and not field.use_fieldset


@register.filter
def as_json(value: Any) -> str:
    """Return any JSON value as indented text, to be read by people."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str)


@register.filter
def initials(person: Any) -> str:
    """Return the first letters of a person's first two names."""
    return "".join(word[0] for word in str(person).split()[:2]).upper()


@register.filter
def lookup(mapping: Any, key: Any) -> Any:
    """Return one item of a mapping."""
    return mapping.get(key)
