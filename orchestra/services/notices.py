"""The verbs of a notice: tell people, note what they read, and what became of the e-mails."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from inventory.foundation.models import Project, User
from orchestra import bell
from orchestra.choices import MailState, NoticeKind
from orchestra.models import Notification

MAIL_LASTS = timedelta(days=3)  # later the notice in the portal is enough
MAIL_TRIES = 6
TRY_AGAIN_AFTER = timedelta(minutes=5)  # twice as long after each further failure


def notify(
    *,
    people: Iterable[User],
    kind: NoticeKind,
    text: str,
    link: str,
    at: datetime,
    project: Project | None = None,
) -> list[Notification]:
    """Tell each of the people once, in the caller's transaction.

    Where e-mail is on, who has an address also gets one after the commit.
    """
    by_mail = bool(settings.ORCHESTRA_MAIL_FROM)
    notices = Notification.objects.bulk_create(
        Notification(
            user=person,
            kind=kind,
            text=text[:400],
            link=link,
            project=project,
            created_at=at,
            mail_state=MailState.WAITING if by_mail and person.email else MailState.NONE,
            mail_after=at,
        )
        for person in people
    )
    if any(notice.mail_state == MailState.WAITING for notice in notices):
        bell.ring_mail()
    return notices


def mark_read(*, user: User, notices: Iterable[int] | None, at: datetime) -> int:
    """Note that the person has read their own notices of these ids, or (None) all; return how many.

    What was read before keeps its time. Only the reader does this, and nobody is told of it.
    """
    rows = Notification.objects.unread().filter(user=user)
    if notices is not None:
        rows = rows.filter(pk__in=list(notices))
    return rows.update(read_at=at)


@transaction.atomic
def claim_mail(*, at: datetime) -> Notification | None:
    """Take the next notice that is to be mailed, so that nobody else does; None if there is none.

    Committed before the mail is handed over: a worker that dies in between sends it no second time.
    """
    notice = (
        Notification.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
        .select_related("user", "project")
        .filter(mail_state=MailState.WAITING, mail_after__lte=at, created_at__gt=at - MAIL_LASTS)
        .order_by("pk")
        .first()
    )
    if notice is not None:
        notice.mail_state = MailState.SENDING
        notice.mail_tries += 1
        notice.save(update_fields=["mail_state", "mail_tries"])
    return notice


@transaction.atomic
def close_mail(*, notice: Notification, is_sent: bool, at: datetime) -> None:
    """Note that the mail was taken, or that it certainly was not: then it is tried again."""
    notice = Notification.objects.select_for_update(of=("self",)).get(pk=notice.pk)
    if notice.mail_state != MailState.SENDING:
        return
    if is_sent:
        notice.mail_state, notice.mailed_at = MailState.SENT, at
    elif notice.mail_tries < MAIL_TRIES:
        notice.mail_state = MailState.WAITING
        notice.mail_after = at + TRY_AGAIN_AFTER * 2 ** (notice.mail_tries - 1)
    else:
        notice.mail_state = MailState.FAILED
    notice.save(update_fields=["mail_state", "mailed_at", "mail_after"])


def give_up_mails(*, at: datetime) -> int:
    """Note that what waits too long is not sent any more; return how many."""
    return Notification.objects.filter(
        mail_state=MailState.WAITING, created_at__lte=at - MAIL_LASTS
    ).update(mail_state=MailState.FAILED)
