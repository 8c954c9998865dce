"""What people are told, in the portal and by e-mail, and which warnings were given."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from inventory.foundation.models import AppendOnlyModel, Project, User
from orchestra.choices import DueKind, MailState, NoticeKind
from orchestra.models.deployments import Deployment


class LeaseWarning(AppendOnlyModel):
    """One warning about one date of one application: whoever inserts the row tells people.

    `days` before `due_at`; 0 is the date itself. A date that is moved is another date.
    """

    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="warnings")
    kind = models.CharField(_("of what"), max_length=8, choices=DueKind)
    due_at = models.DateTimeField(_("due"))
    days = models.PositiveSmallIntegerField(_("days before"))
    warned_at = models.DateTimeField(_("warned"))

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("warning")
        verbose_name_plural = _("warnings")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["deployment", "kind", "due_at", "days"], name="lease_warning_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment} {self.due_at:%Y-%m-%d} - {self.days}"


class NotificationQuerySet(models.QuerySet["Notification"]):
    """What is asked of notices."""

    def unread(self) -> "NotificationQuerySet":
        """Keep those that their reader has not marked as read."""
        return self.filter(read_at=None)


class Notification(models.Model):
    """One thing that one person is told; `link` is an address of this portal."""

    user = models.ForeignKey(User, models.CASCADE, related_name="notifications")
    kind = models.CharField(_("about"), max_length=16, choices=NoticeKind)
    text = models.CharField(_("notice"), max_length=400)
    link = models.CharField(max_length=200, blank=True)
    project = models.ForeignKey(Project, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(_("told"))
    read_at = models.DateTimeField(_("read"), null=True, blank=True)
    mail_state = models.CharField(
        _("e-mail"), max_length=8, choices=MailState, default=MailState.NONE
    )
    mail_tries = models.PositiveSmallIntegerField(default=0)
    mail_after = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        indexes: ClassVar = [
            models.Index(fields=["user", "-id"], name="notification_user_idx"),
            models.Index(
                fields=["user"], condition=Q(read_at=None), name="notification_unread_idx"
            ),
            models.Index(
                fields=["id"],
                condition=Q(mail_state=MailState.WAITING),
                name="notification_mail_idx",
            ),
        ]

    def __str__(self) -> str:
        return self.text
