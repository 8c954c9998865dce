"""What leaves the house for people and other systems: so far the notices' e-mails."""

import logging
import smtplib
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage

from orchestra.models import Notification
from orchestra.services.notices import claim_mail, close_mail, give_up_mails

logger = logging.getLogger(__name__)

AT_MOST = 200  # mails in one call; the next one goes on
# The server, or the way to it, said no before it had taken the message.
CERTAINLY_NOT_SENT = (
    smtplib.SMTPConnectError,
    smtplib.SMTPHeloError,
    smtplib.SMTPAuthenticationError,
    smtplib.SMTPNotSupportedError,
    smtplib.SMTPSenderRefused,
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPDataError,
    ConnectionRefusedError,
)


def send_mails(*, at: datetime) -> int:
    """Send the e-mails that wait; return how many were taken. None where e-mail is off.

    Each is claimed in a transaction of its own before it is handed over: killed in between, it is
    not sent a second time but stays “not confirmed”. Only what was certainly not taken is tried
    again.
    """
    if not settings.ORCHESTRA_MAIL_FROM:
        return 0
    give_up_mails(at=at)
    sent = 0
    for _turn in range(AT_MOST):
        notice = claim_mail(at=at)
        if notice is None:
            break
        try:
            message_of(notice).send()
        except CERTAINLY_NOT_SENT as error:
            logger.warning("the mail of notice %s was not taken: %s", notice.pk, error)
            close_mail(notice=notice, is_sent=False, at=at)
        except (OSError, smtplib.SMTPException) as error:
            logger.warning(
                "whether the mail of notice %s was taken is unknown: %s", notice.pk, error
            )
        else:
            close_mail(notice=notice, is_sent=True, at=at)
            sent += 1
    return sent


def message_of(notice: Notification) -> EmailMessage:
    """Return a notice as an e-mail with a link into the portal."""
    host = urlsplit(settings.ORCHESTRA_URL).hostname or "localhost"
    address = f"{settings.ORCHESTRA_URL}{notice.link}"
    return EmailMessage(
        subject=f"[Orchestra] {notice.get_kind_display()}: {notice.project}",
        body=f"{notice.text}\n\n{address}\n",
        from_email=settings.ORCHESTRA_MAIL_FROM,
        to=[notice.user.email],
        # The same for every try, so that a mail server can tell a repetition.
        headers={
            "Message-ID": f"<notice-{notice.pk}-{notice.created_at:%Y%m%d%H%M%S}@{host}>",
            "Auto-Submitted": "auto-generated",
        },
    )
