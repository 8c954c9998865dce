"""Access tokens: make one (shown once), list them, revoke them."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from inventory.foundation.clock import database_now
from inventory.foundation.errors import DomainError, NotVisible
from inventory.foundation.pages import PortalPage
from inventory.foundation.permissions import Action, projects_where
from orchestra.choices import TokenScope
from orchestra.forms import TokenForm
from orchestra.selectors.tokens import own_token, own_tokens
from orchestra.services.tokens import create_token, revoke_token


class Tokens(PortalPage):
    """The viewer's own tokens, and the form for a new one."""

    title = gettext_lazy("Access tokens")
    subtitle = gettext_lazy("Keys with which your programs act in your name.")
    template_name = "orchestra/tokens/list.html"
    action = Action.PROJECT_VIEW
    http_method_names = ["get", "head", "options", "post"]

    def form(self, *data: Any) -> TokenForm:
        """Return the form, with the projects that the viewer sees."""
        projects = projects_where(self.viewer, Action.PROJECT_VIEW).order_by("name", "pk")
        return TokenForm(*data, projects=projects, now=database_now())

    def get(self, _request: HttpRequest) -> HttpResponse:
        """List the tokens."""
        return self.answer(self.form())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Make a token and show its secret, this once."""
        form = self.form(request.POST)
        if not form.is_valid():
            return self.answer(form, status=400)
        try:
            token, secret = create_token(
                user=self.viewer,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                project=form.cleaned_data["project"],
                expires_at=form.cleaned_data["expires_at"],
                at=database_now(),
            )
        except NotVisible:
            raise
        except DomainError as error:
            form.refuse(error)
            return self.answer(form, status=error.status)
        return self.answer(self.form(), made=token, secret=secret)

    def answer(self, form: TokenForm, status: int = 200, **more: Any) -> HttpResponse:
        """Draw the page; a page with a secret is kept by no cache."""
        now = database_now()
        labels = dict(TokenScope.choices)
        tokens = [
            {
                "token": token,
                "scopes": [labels.get(scope, scope) for scope in token.scopes],
                "is_expired": token.expiry is not None and token.expiry <= now,
            }
            for token in own_tokens(self.viewer)
        ]
        response = self.page({"form": form, "tokens": tokens} | more, status=status)
        response["Cache-Control"] = "no-store"
        return response


@require_POST
def token_revoke(request: HttpRequest, key: str) -> HttpResponse:
    """Make one of the viewer's tokens useless at once."""
    token = own_token(user=request.user, token_key=key)  # type: ignore[arg-type]
    name = token.name
    revoke_token(token=token, actor=request.user, at=database_now())  # type: ignore[arg-type]
    messages.success(request, _("“%s” is revoked.") % name)
    return HttpResponseRedirect(reverse("orchestra:tokens"))
