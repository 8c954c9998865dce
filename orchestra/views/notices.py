"""Notices: what a person was told, and that they read it."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from inventory.foundation.clock import database_now
from inventory.foundation.pages import ListPage
from orchestra.filters import NoticeFilters
from orchestra.models import Notification
from orchestra.selectors.notices import own_notice, own_notices, unread
from orchestra.services.notices import mark_read
from orchestra.tables import NoticeTable


class Notices(ListPage):
    """The viewer's own notices."""

    title = gettext_lazy("Notices")
    subtitle = gettext_lazy("What you were told: ends that come near, and what to confirm.")
    template_name = "orchestra/notices/list.html"
    filterset_class = NoticeFilters
    table_class = NoticeTable
    empty_title = gettext_lazy("No notices yet")
    empty_text = gettext_lazy("You are told before something of yours ends.")
    empty_icon = "bell"

    def rows(self) -> QuerySet[Notification]:
        """Return the viewer's notices."""
        return own_notices(self.viewer)

    def context(self) -> dict[str, Any]:
        """Return whether something is unread, and whether e-mail is on."""
        return {
            "has_unread": unread(self.viewer).exists(),
            "by_mail": bool(settings.ORCHESTRA_MAIL_FROM),
        }


@require_POST
def notice_read(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark one of the viewer's notices as read."""
    notice = own_notice(user=request.user, pk=min(pk, 2**63 - 1))  # type: ignore[arg-type]
    mark_read(user=request.user, notices=[notice.pk], at=database_now())  # type: ignore[arg-type]
    return HttpResponseRedirect(reverse("orchestra:notices"))


@require_POST
def notices_read(request: HttpRequest) -> HttpResponse:
    """Mark all of the viewer's notices as read."""
    count = mark_read(user=request.user, notices=None, at=database_now())  # type: ignore[arg-type]
    told = ngettext("%d notice is marked as read.", "%d notices are marked as read.", count)
    messages.success(request, told % count)
    return HttpResponseRedirect(reverse("orchestra:notices"))
