"""E-mails of notices: really sent, once, also when a worker is killed with one in its hands."""

import os
import signal
import smtplib
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from pytest_django import Settings

from inventory.foundation.models import Project, User
from orchestra import environment
from orchestra.choices import MailState, NoticeKind
from orchestra.deliveries import send_mails
from orchestra.models import Notification
from orchestra.services.notices import claim_mail, notify
from tests.cast import NOW

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def mails(settings: Settings, tmp_path: Path) -> Callable[[], list[Message]]:
    """Send e-mails into files, and return a function that reads them."""
    folder = tmp_path / "mail"
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "OPTIONS": {"file_path": str(folder)},
        }
    }
    settings.ORCHESTRA_MAIL_FROM = "Orchestra <orchestra@example.org>"
    settings.ORCHESTRA_URL = "https://portal.example.org"

    def read() -> list[Message]:
        files = sorted(folder.glob("*")) if folder.exists() else []
        return [message_from_bytes(file.read_bytes(), policy=default) for file in files]

    return read


def tell(*people: User, project: Project | None = None) -> list[Notification]:
    """Tell people something."""
    return notify(
        people=people,
        kind=NoticeKind.ENDS_SOON,
        text="web in Shop ends tomorrow.",
        link="/applications/7/",
        project=project,
        at=NOW,
    )


def states() -> list[str]:
    """Return what became of the e-mails."""
    return list(Notification.objects.order_by("pk").values_list("mail_state", flat=True))


def test_off_is_off(member: User, mailoutbox: list[Any]) -> None:
    tell(member)
    assert send_mails(at=LATER) == 0
    assert states() == [MailState.NONE]
    assert mailoutbox == []


def test_each_person_gets_one_mail_with_a_link(
    mails: Callable[[], list[Message]], member: User, owner: User, project: Project
) -> None:
    User.objects.filter(pk=owner.pk).update(email="")
    owner.refresh_from_db()
    tell(member, owner, project=project)
    assert mails() == []
    assert send_mails(at=LATER) == 1
    assert send_mails(at=LATER) == 0
    (mail,) = mails()
    assert mail["To"] == member.email
    assert mail["From"] == "Orchestra <orchestra@example.org>"
    assert mail["Subject"] == "[Orchestra] Ends soon: Shop"
    assert str(mail["Message-ID"]).endswith("@portal.example.org>")
    body = mail.get_payload()
    assert "web in Shop ends tomorrow." in body
    assert "https://portal.example.org/applications/7/" in body
    assert states() == [MailState.SENT, MailState.NONE]


def test_what_is_too_old_is_not_sent_any_more(
    mails: Callable[[], list[Message]], member: User
) -> None:
    tell(member)
    assert send_mails(at=NOW + timedelta(days=4)) == 0
    assert states() == [MailState.FAILED]
    assert mails() == []


def test_a_mail_server_that_refuses_is_asked_again_later(
    settings: Settings, mails: Callable[[], list[Message]], member: User
) -> None:
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": 1, "timeout": 2},  # nobody listens there
        }
    }
    tell(member)
    assert send_mails(at=LATER) == 0
    assert states() == [MailState.WAITING]
    assert send_mails(at=LATER + timedelta(minutes=1)) == 0
    assert Notification.objects.get().mail_tries == 1
    for hours in range(1, 12):
        send_mails(at=LATER + timedelta(hours=hours))
    assert states() == [MailState.FAILED]
    assert Notification.objects.get().mail_tries == 6
    assert issubclass(smtplib.SMTPServerDisconnected, smtplib.SMTPException)


@pytest.mark.django_db(transaction=True)
def test_killed_between_the_row_and_the_mail_it_is_sent_once(
    transactional_db: None, mails: Callable[[], list[Message]], member: User
) -> None:
    """The process dies right after the commit of the notice: the next call sends the mail."""

    def work() -> None:
        tell(member)
        os.kill(os.getpid(), signal.SIGKILL)

    die(work)
    assert states() == [MailState.WAITING]
    assert [send_mails(at=LATER), send_mails(at=LATER)] == [1, 0]
    assert len(mails()) == 1


@pytest.mark.django_db(transaction=True)
def test_killed_with_a_mail_in_its_hands_it_is_not_sent_again(
    transactional_db: None, mails: Callable[[], list[Message]], member: User
) -> None:
    """The process dies after the mail was taken and before that was noted."""
    tell(member)

    def work() -> None:
        connection.execute_wrappers.append(die_when_it_is_noted)
        send_mails(at=LATER)

    die(work)
    assert len(mails()) == 1
    assert states() == [MailState.SENDING]
    assert send_mails(at=LATER + timedelta(hours=1)) == 0
    assert len(mails()) == 1
    assert states() == [MailState.SENDING]


def test_two_workers_claim_different_mails(member: User, owner: User, settings: Settings) -> None:
    settings.ORCHESTRA_MAIL_FROM = "x@example.org"
    tell(member, owner)
    claimed = [claim_mail(at=LATER) for _turn in range(3)]
    assert [one.user if one else None for one in claimed] == [member, owner, None]


def die(work: Callable[[], object]) -> None:
    """Do the work in a process of its own that is killed in the middle."""
    connection.close()
    child = os.fork()
    if child == 0:
        try:
            connection.connection = None
            work()
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), status


def die_when_it_is_noted(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    """Kill this process when it is about to note that the mail was taken."""
    if sql.startswith("UPDATE") and MailState.SENT in (params or ()):
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(sql, params, many, context)


def test_the_environment_says_how_mails_are_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert environment.mail(tmp_path, 8000)[1:] == ("", "http://localhost:8000")
    monkeypatch.setenv("ORCHESTRA_MAIL", "file")
    mailers, sender, _address = environment.mail(tmp_path, 8000)
    assert mailers["default"]["OPTIONS"] == {"file_path": str(tmp_path / "mail")}
    assert sender == "Orchestra <orchestra@localhost>"
    monkeypatch.setenv("ORCHESTRA_MAIL", "smtp")
    with pytest.raises(ImproperlyConfigured, match="ORCHESTRA_SMTP_HOST"):
        environment.mail(tmp_path, 8000)
    secret = tmp_path / "secret"
    secret.write_text("let-me-in\n")
    monkeypatch.setenv("ORCHESTRA_SMTP_HOST", "mail.example.org")
    monkeypatch.setenv("ORCHESTRA_SMTP_PASSWORD_FILE", str(secret))
    monkeypatch.setenv("ORCHESTRA_URL", "https://portal.example.org/")
    mailers, _sender, address = environment.mail(tmp_path, 8000)
    assert mailers["default"]["OPTIONS"]["password"] == "let-me-in"
    assert mailers["default"]["OPTIONS"]["use_tls"] is True
    assert address == "https://portal.example.org"
    monkeypatch.setenv("ORCHESTRA_MAIL", "pigeon")
    with pytest.raises(ImproperlyConfigured, match="off, console, file, smtp"):
        environment.mail(tmp_path, 8000)
