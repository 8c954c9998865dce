"""How amounts of capacity and changes of fields are written on the inventory's pages."""

import json
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from inventory.capacity import amount_text
from inventory.selectors import PoolCapacity, QuotaUse

register = template.Library()

TIGHT, FULL = 80, 95


@register.simple_tag(name="amount")
def amount_tag(amount: int, unit: str) -> SafeString:
    """Write an amount of capacity in its largest whole unit: 16384 MiB is 16 GiB."""
    number, _space, word = amount_text(amount=amount, unit=unit).partition(" ")
    return format_html(
        '<span class="quantity">{} <span class="quantity-unit">{}</span></span>', number, word
    )


@register.simple_tag
def capacity_meter(row: PoolCapacity) -> SafeString:
    """Draw what is held of a pool's capacity of one kind, with what is free in words."""
    unit = row.resource_class.unit
    note = _("%(used)s of %(capacity)s held, %(free)s free") % {
        "used": amount_text(amount=row.used, unit=unit),
        "capacity": amount_text(amount=row.capacity, unit=unit),
        "free": amount_text(amount=row.free, unit=unit),
    }
    return meter(label=row.resource_class.label, note=note, part=row.used, whole=row.capacity)


@register.simple_tag
def quota_meter(use: QuotaUse) -> SafeString:
    """Draw what is held of a quota, and whose quota it is."""
    unit = use.resource_class.unit
    note = _("%(used)s of %(limit)s (%(holder)s)") % {
        "used": amount_text(amount=use.used, unit=unit),
        "limit": amount_text(amount=use.limit, unit=unit),
        "holder": use.holder,
    }
    return meter(label=use.resource_class.label, note=note, part=use.used, whole=use.limit)


def meter(*, label: str, note: str, part: int, whole: int) -> SafeString:
    """Return a bar with its words above it; the bar itself says nothing to a screen reader."""
    share = min(part * 100 // whole, 100) if whole else 100
    tone = "bad" if share >= FULL else "warn" if share >= TIGHT else "info"
    return format_html(
        '<div class="meter"><p class="meter-text"><span>{}</span>'
        '<span class="meter-note">{}</span></p>'
        '<svg class="meter-bar meter-{}" aria-hidden="true" width="100%" height="8">'
        '<rect class="meter-back" width="100%" height="8" rx="4"></rect>'
        '<rect class="meter-fill" width="{}%" height="8" rx="4"></rect></svg></div>',
        label,
        note,
        tone,
        share,
    )


@register.simple_tag
def change_text(change: Any) -> str:
    """Write an audit entry's change of one field: before → after."""
    if isinstance(change, list) and len(change) == 2:
        before, after = (_plain(value) for value in change)
        return f"{before} → {after}"
    return _plain(change)


def _plain(value: Any) -> str:
    if value in (None, "", [], {}):
        return _("nothing")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
