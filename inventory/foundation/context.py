"""What every page needs around its content: navigation, theme, zone, demo and request id.

`NAVIGATION` is data. An entry shows when its page exists and the person's roles allow the action.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from inventory.foundation.choices import Density, Role, Theme
from inventory.foundation.lists import is_same, view_query
from inventory.foundation.models import SavedView
from inventory.foundation.permissions import MATRIX, Action, roles_anywhere
from inventory.foundation.selectors import views_at_hand


@dataclass(frozen=True)
class Entry:
    """One line of the navigation: label, name of its URL, icon, and the action that shows it."""

    label: Any
    url_name: str
    icon: str
    action: Action | None = None


BELL = "orchestra:notices"

NAVIGATION: tuple[tuple[Any, tuple[Entry, ...]], ...] = (
    (
        _("Work"),
        (
            Entry(_("Start"), "orchestra:start", "home"),
            Entry(_("Services"), "orchestra:catalogue", "grid", Action.PROJECT_VIEW),
            Entry(_("Requests"), "orchestra:requests", "inbox", Action.PROJECT_VIEW),
            Entry(_("Approvals"), "orchestra:approvals", "check", Action.ORDER_DECIDE),
            Entry(_("Applications"), "orchestra:applications", "layers", Action.PROJECT_VIEW),
            Entry(_("Progress"), "orchestra:runs", "activity", Action.PROJECT_VIEW),
            Entry(_("Notices"), "orchestra:notices", "bell"),
        ),
    ),
    (
        _("Pool"),
        (
            Entry(_("Resources"), "inventory:resources", "box", Action.PROJECT_VIEW),
            Entry(_("Pools"), "inventory:pools", "server"),
            Entry(_("Hosts"), "inventory:hosts", "layers", Action.POOL_VIEW),
            Entry(_("Quotas"), "inventory:quotas", "chart", Action.PROJECT_VIEW),
            Entry(_("Freezes"), "orchestra:freezes", "calendar"),
            Entry(_("Connections"), "orchestra:connections", "plug", Action.POOL_EDIT),
            Entry(_("Health"), "orchestra:health", "pulse", Action.POOL_VIEW),
        ),
    ),
    (
        _("Money"),
        (
            Entry(_("Costs"), "billing:costs", "chart", Action.COST_VIEW),
            Entry(_("Statements"), "billing:statements", "file", Action.STATEMENT_VIEW),
            Entry(_("Who pays"), "billing:payers", "coins", Action.COST_VIEW),
            Entry(_("Prices"), "billing:prices", "tag"),
            Entry(_("Months"), "billing:periods", "calendar", Action.MONEY_MANAGE),
            Entry(_("Corrections"), "billing:corrections", "edit", Action.MONEY_MANAGE),
            Entry(_("Price changes"), "billing:price-changes", "tag", Action.MONEY_MANAGE),
        ),
    ),
    (
        _("Organisation"),
        (
            Entry(_("Projects"), "foundation:projects", "folder"),
            Entry(_("Project requests"), "foundation:project-requests", "inbox"),
            Entry(_("People"), "foundation:people", "people", Action.PEOPLE_VIEW),
            Entry(_("Organisations"), "foundation:organisations", "columns"),
            Entry(_("Audit"), "foundation:audit", "shield", Action.AUDIT_VIEW),
            Entry(_("Events"), "foundation:events", "clock", Action.AUDIT_VIEW),
            Entry(_("Defaults"), "orchestra:defaults", "filter", Action.DEFAULTS_VIEW),
            Entry(_("Access tokens"), "orchestra:tokens", "key", Action.PROJECT_VIEW),
        ),
    ),
)


def portal(request: HttpRequest) -> dict[str, Any]:
    """Return the names that `base.html` and the components read (the context processor).

    `nav` is a list of (group label, entries), each entry a dict: label, url, icon, current, count.
    """
    user = getattr(request, "user", None)
    signed_in = bool(user and user.is_authenticated)
    nav: Any = SimpleLazyObject(lambda: navigation(request)) if signed_in else []
    return {
        "nav": nav,
        "bell": SimpleLazyObject(lambda: bell(nav)) if signed_in else None,
        "theme": user.theme if user and signed_in else Theme.AUTO,
        "density": user.density if user and signed_in else Density.COMFORTABLE,
        "demo": settings.DEMO,
        "demo_roles": DEMO_ROLES if settings.DEMO else (),
        "viewer_zone": timezone.get_current_timezone_name(),
        "request_id": getattr(request, "request_id", ""),
    }


# What a visitor of the demo may try on: the address's word, the role that is looked for, the label.
DEMO_ROLES: tuple[tuple[str, Role, Any], ...] = (
    ("requester", Role.MEMBER, _("Requester")),
    ("owner", Role.OWNER, _("Project owner")),
    ("approver", Role.APPROVER, _("Approver")),
    ("operator", Role.OPERATOR, _("Operator")),
    ("finance", Role.FINANCE, _("Finance")),
    ("auditor", Role.AUDITOR, _("Auditor")),
)


def navigation(request: HttpRequest) -> list[tuple[Any, list[dict[str, Any]]]]:
    """Return the groups that hold at least one page for this person."""
    roles = roles_anywhere(request.user)  # type: ignore[arg-type]
    counters = getattr(settings, "PORTAL_NAV_COUNTS", {})
    groups = []
    for label, entries in NAVIGATION:
        shown = []
        for entry in entries:
            if entry.action is not None and not roles & MATRIX[entry.action]:
                continue
            try:
                url = reverse(entry.url_name)
            except NoReverseMatch:
                continue
            count = None
            if entry.url_name in counters:
                count = import_string(counters[entry.url_name])(request.user).count()
            shown.append(
                {
                    "label": entry.label,
                    "name": entry.url_name,
                    "url": url,
                    "icon": entry.icon,
                    "current": is_current(request.path, url),
                    "count": count,
                }
            )
        if shown:
            groups.append((label, shown))
    if pinned := [pinned_entry(request, view) for view in views_of(request) if view.is_pinned]:  # type: ignore[attr-defined]
        groups.insert(1, (_("Pinned views"), pinned))
    return groups


def views_of(request: HttpRequest) -> list[SavedView]:
    """Return the saved views of the list at hand and the pinned ones, read once a request."""
    if not hasattr(request, "views_at_hand"):
        request.views_at_hand = views_at_hand(request.user, path=request.path)  # type: ignore[attr-defined, arg-type]
    return request.views_at_hand  # type: ignore[attr-defined]


def pinned_entry(request: HttpRequest, view: SavedView) -> dict[str, Any]:
    """Return a pinned view as an entry of the navigation."""
    here = request.path == view.path and is_same(view.query, view_query(request.GET))
    return {
        "label": view.name,
        "name": "",
        "url": view.address,
        "icon": "pin",
        "current": here,
        "count": None,
    }


def bell(nav: Iterable[tuple[Any, list[dict[str, Any]]]]) -> dict[str, Any] | None:
    """Return the navigation's entry of the notices, for the bell on top of every page."""
    return next((one for _, shown in nav for one in shown if one["name"] == BELL), None)


def is_current(path: str, url: str) -> bool:
    """Say whether a page belongs to an entry: its own address or one below."""
    return path == url or (url != "/" and path.startswith(url))
