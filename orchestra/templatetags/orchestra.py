"""How the conductor's pages write durations, amounts of capacity and states."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

register = template.Library()


@register.simple_tag
def duration(start: datetime | None, end: datetime | None) -> str:
    """Write how long something took: "4 s", "2 min 3 s"; a dash where it never ran."""
    if start is None or end is None:
        return "–"
    return span(end - start)


def span(length: timedelta) -> str:
    """Return a length of time in its two largest units."""
    seconds = max(int(length.total_seconds()), 0)
    if seconds < 1:
        return _("under 1 s")
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, _("d")), (hours, _("h")), (minutes, _("min")), (seconds, _("s"))]
    while parts and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number)


@register.filter
def minutes(number: int) -> str:
    """Write a usual time of delivery: "about 5 minutes"."""
    return ngettext("about %(n)d minute", "about %(n)d minutes", number) % {"n": number}


@register.filter
def round_hours(hours: Decimal) -> Decimal:
    """Return hours with at most one decimal: a start "at once" lies between two minutes."""
    return hours.quantize(Decimal("0.1"))


@register.filter
def days(hours: Decimal) -> int:
    """Return the days of a month from its hours; a change of the clock adds or takes one hour."""
    return round(hours / 24)


@register.simple_tag
def share(part: Any, whole: Any) -> str:
    """Return part of whole in percent, 0 to 100, as plain text for a drawing."""
    if not whole or Decimal(whole) <= 0:
        return "0"
    percent = Decimal(part) * 100 / Decimal(whole)
    return f"{min(max(percent, Decimal(0)), Decimal(100)):.1f}"


DEEDS = {
    "order.place": gettext_lazy("Asked for"),
    "order.edit": gettext_lazy("Changed"),
    "order.plan": gettext_lazy("Planned"),
    "order.refuse": gettext_lazy("Did not fit"),
    "order.submit": gettext_lazy("Sent"),
    "order.approve": gettext_lazy("Approved"),
    "order.reject": gettext_lazy("Rejected"),
    "order.cancel": gettext_lazy("Cancelled"),
    "order.expire": gettext_lazy("Expired"),
    "order.fulfilling": gettext_lazy("Delivery began"),
    "order.fulfilled": gettext_lazy("Delivered"),
    "order.failed": gettext_lazy("Could not be delivered"),
    "order.cancelled": gettext_lazy("Undone"),
}


@register.filter
def happened(action: str) -> str:
    """Write an audit entry's action in people's words."""
    return str(DEEDS.get(action, action.partition(".")[2].replace("_", " ").capitalize()))


@register.filter
def without_alternatives(refusal: Mapping[str, Any]) -> str:
    """Return a refusal's message without the alternatives that a page lists below it.

    The message alone says everything, for programs and the history.
    """
    message = str(refusal["message"])
    for instead in refusal.get("alternatives", ()):
        message = message.replace(f" {instead['message']}", "")
    return message
