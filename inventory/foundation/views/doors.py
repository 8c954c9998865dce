"""The doors: sign-in, search, the role switch of the demo, and the error pages."""

import re
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from inventory.foundation import selectors
from inventory.foundation.choices import Via
from inventory.foundation.context import DEMO_ROLES, navigation
from inventory.foundation.pages import PortalPage
from inventory.foundation.problems import plain_problem
from inventory.foundation.trail import door_of

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
