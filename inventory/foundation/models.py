"""Who and where: people, organisations, projects, roles, and the rows that record what happened."""

import uuid
from typing import ClassVar

import pgtrigger
from django.contrib.auth.models import AbstractUser, Group
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from inventory.foundation.choices import (
    Density,
    PageSize,
    ProjectStatus,
    Role,
    Scope,
    Theme,
    TransferKind,
    Via,
    WishState,
)

# Spreadsheets run a cell that starts so, and machine files need the raw text: refused at the door.
plain_text = RegexValidator(
    r"^(?![=+\-@\t\r])[^\x00\x09]*\Z",
    _("Must not start with = + - @ or hold a tab or NUL: spreadsheets would run it."),
)
short_name = RegexValidator(
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z",
    _("Use small letters, digits and hyphens, with a letter or digit at both ends."),
)


class Both(pgtrigger.Condition):
    """A trigger condition that holds when both of two do (pgtrigger joins only `Q` with `Q`)."""

    def __init__(self, first: pgtrigger.Condition, second: pgtrigger.Condition) -> None:
        self.parts = (first, second)
        super().__init__("both")

    def resolve(self, model: type[models.Model]) -> str:
        """Return the SQL of both parts, joined by AND."""
        return "(" + " AND ".join(f"({part.resolve(model)})" for part in self.parts) + ")"


class AppendOnlyModel(models.Model):
    """Rows that are written once. The application's role gets no UPDATE or DELETE on the table,
    and a trigger refuses both even to the owner."""

    class Meta:
        abstract = True
        triggers: ClassVar = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]


class User(AbstractUser):  # type: ignore[django-manager-missing]
    """A person who signs in. The e-mail address is unique whatever its case."""

    email = models.EmailField(_("e-mail address"))
    display_name = models.CharField(_("name"), max_length=120, blank=True, validators=[plain_text])
    time_zone = models.CharField(_("time zone"), max_length=64, default="Europe/Berlin")
    theme = models.CharField(_("theme"), max_length=8, choices=Theme, default=Theme.AUTO)
    page_size = models.PositiveSmallIntegerField(
        _("rows a page"), choices=PageSize, default=PageSize.FIFTY
    )
    density = models.CharField(
        _("density"), max_length=12, choices=Density, default=Density.COMFORTABLE
    )

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints: ClassVar = [
            models.UniqueConstraint(
                models.functions.Lower("email"),
                condition=~Q(email=""),
                name="user_email_unique",
                violation_error_message=_("Somebody has this e-mail address already."),
            ),
        ]

    def __str__(self) -> str:
        return self.display_name or self.get_full_name() or self.username


class Organisation(models.Model):
    """A company or a part of one. A role held here reaches every project below."""

    name = models.CharField(_("name"), max_length=120, unique=True, validators=[plain_text])
    slug = models.SlugField(_("short name"), max_length=60, unique=True, validators=[short_name])
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children"
    )

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(parent=None) | ~Q(parent=F("id")),
                name="organisation_not_its_own_parent",
                violation_error_message=_("An organisation cannot be its own parent."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Project(models.Model):
    """A tenant that holds resources (FOCUS: sub-account). Two people answer for it."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="projects")
    name = models.CharField(_("name"), max_length=120, validators=[plain_text])
    slug = models.SlugField(_("short name"), max_length=60, validators=[short_name])
    description = models.TextField(_("what it is for"), max_length=2000, blank=True)
    owner = models.ForeignKey(
        User, models.PROTECT, related_name="owned_projects", verbose_name=_("owner")
    )
    deputy = models.ForeignKey(
        User, models.PROTECT, related_name="deputised_projects", verbose_name=_("deputy")
    )
    cost_centre = models.CharField(_("cost centre"), max_length=40, validators=[plain_text])
    status = models.CharField(
        _("status"), max_length=12, choices=ProjectStatus, default=ProjectStatus.ACTIVE
    )
    end_date = models.DateField(_("ends on"), null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organisation", "slug"],
                name="project_slug_unique",
                violation_error_message=_("This organisation has a project of that short name."),
            ),
            models.CheckConstraint(
                condition=~Q(owner=F("deputy")),
                name="project_owner_is_not_deputy",
                violation_error_message=_("Owner and deputy must be two people."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


ANSWERED = [WishState.DONE, WishState.REJECTED, WishState.WITHDRAWN]


class WishModel(models.Model):
    """A wish that somebody else answers: it is kept for ever, and its answer is final."""

    class Meta:
        abstract = True
        triggers: ClassVar = [
            pgtrigger.Protect(name="kept_for_ever", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="answer_is_final",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__state__in=[str(state) for state in ANSWERED]),
            ),
        ]


class ProjectRequest(WishModel):
    """Somebody asks for a project. It becomes a Project only when it is approved (ADR 31).

    What is wished of budget and quota is text for those who decide: finance and operators set both.
    """

    organisation = models.ForeignKey(
        Organisation,
        models.PROTECT,
        related_name="project_requests",
        verbose_name=_("organisation"),
    )
    requester = models.ForeignKey(
        User, models.PROTECT, related_name="project_requests", verbose_name=_("asked by")
    )
    name = models.CharField(_("name"), max_length=120, validators=[plain_text])
    slug = models.SlugField(_("short name"), max_length=60, validators=[short_name])
    description = models.TextField(_("what it is for"), max_length=2000, validators=[plain_text])
    owner = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("owner"))
    deputy = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("deputy"))
    cost_centre = models.CharField(_("cost centre"), max_length=40, validators=[plain_text])
    end_date = models.DateField(_("ends on"), null=True, blank=True)
    wished_budget = models.CharField(
        _("wished budget"), max_length=200, blank=True, validators=[plain_text]
    )
    wished_quota = models.CharField(
        _("wished quota"), max_length=500, blank=True, validators=[plain_text]
    )
    state = models.CharField(
        _("state"), max_length=10, choices=WishState, default=WishState.WAITING
    )
    project = models.OneToOneField(
        Project, models.PROTECT, null=True, blank=True, related_name="request"
    )
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    answer = models.CharField(_("answer"), max_length=500, blank=True, validators=[plain_text])
    changed = models.JSONField(_("changed by the decision"), default=dict, blank=True)
    created_at = models.DateTimeField(_("asked"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)

    class Meta(WishModel.Meta):
        verbose_name = _("request for a project")
        verbose_name_plural = _("requests for projects")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organisation", "slug"],
                condition=Q(state=WishState.WAITING),
                name="project_request_slug_unique",
                violation_error_message=_("Somebody asked for a project of that short name."),
            ),
            models.CheckConstraint(
                condition=~Q(owner=F("deputy")),
                name="project_request_owner_is_not_deputy",
                violation_error_message=_("Owner and deputy must be two people."),
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("requester")),
                name="project_request_never_ones_own",
                violation_error_message=_("Nobody decides on their own request."),
            ),
            models.CheckConstraint(
                condition=Q(state=WishState.DONE, project__isnull=False, decided_by__isnull=False)
                | (~Q(state=WishState.DONE) & Q(project=None)),
                name="project_request_done_has_project",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ProjectTransfer(WishModel):
    """A project's owner, deputy or organisation is to change, once somebody else agrees.

    For another organisation `user` and `deputy` are its people who will answer for the project.
    """

    project = models.ForeignKey(Project, models.PROTECT, related_name="transfers")
    kind = models.CharField(_("what changes"), max_length=12, choices=TransferKind)
    user = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("who will answer for it")
    )
    deputy = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("deputy")
    )
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("to")
    )
    before = models.CharField(_("until then"), max_length=200)
    state = models.CharField(
        _("state"), max_length=10, choices=WishState, default=WishState.WAITING
    )
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("asked by"))
    reason = models.CharField(_("reason"), max_length=500, validators=[plain_text])
    effective_at = models.DateTimeField(_("takes effect"), null=True, blank=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    answer = models.CharField(_("answer"), max_length=500, blank=True, validators=[plain_text])
    created_at = models.DateTimeField(_("asked"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)

    class Meta(WishModel.Meta):
        verbose_name = _("hand-over of a project")
        verbose_name_plural = _("hand-overs of projects")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "kind"],
                condition=Q(state__in=[WishState.WAITING, WishState.AGREED]),
                name="project_transfer_one_open",
                violation_error_message=_("Such a hand-over is under way. Withdraw it first."),
            ),
            models.CheckConstraint(
                condition=Q(
                    kind=TransferKind.ORGANISATION,
                    organisation__isnull=False,
                    deputy__isnull=False,
                )
                & ~Q(user=F("deputy"))
                | (~Q(kind=TransferKind.ORGANISATION) & Q(organisation=None, deputy=None)),
                name="project_transfer_matches_kind",
                violation_error_message=_("Name the organisation, and two people of it."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project}: {self.get_kind_display()}"


class Membership(models.Model):
    """A person belongs to an organisation; who does not is a stranger to all of it."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="memberships")
    since = models.DateTimeField()

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "organisation"], name="membership_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.organisation}"


class RoleGrant(models.Model):
    """A principal holds a role within one scope, perhaps until a date.

    A pool lives in the house above, so its scope is kept as a number, not as a foreign key.
    """

    user = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="role_grants"
    )
    group = models.ForeignKey(
        Group, models.CASCADE, null=True, blank=True, related_name="role_grants"
    )
    role = models.CharField(_("role"), max_length=12, choices=Role)
    scope = models.CharField(_("holds for"), max_length=12, choices=Scope)
    organisation = models.ForeignKey(
        Organisation, models.CASCADE, null=True, blank=True, related_name="role_grants"
    )
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, related_name="role_grants"
    )
    pool_id = models.BigIntegerField(_("pool"), null=True, blank=True)
    granted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)

    class Meta:
        verbose_name = _("role")
        verbose_name_plural = _("roles")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(user=None, group__isnull=False) | Q(user__isnull=False, group=None),
                name="role_grant_one_principal",
                violation_error_message=_("Name either a person or a group."),
            ),
            models.CheckConstraint(
                condition=(
                    Q(scope=Scope.ORGANISATION, organisation__isnull=False, project=None)
                    & Q(pool_id=None)
                )
                | (
                    Q(scope=Scope.PROJECT, organisation=None, project__isnull=False)
                    & Q(pool_id=None)
                )
                | (Q(scope=Scope.POOL, organisation=None, project=None) & Q(pool_id__isnull=False)),
                name="role_grant_one_scope",
                violation_error_message=_("Name the one organisation, project or pool it is for."),
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("granted_at")),
                name="role_grant_expires_later",
                violation_error_message=_("A role must expire after it is granted."),
            ),
            models.UniqueConstraint(
                fields=["user", "group", "role", "organisation", "project", "pool_id"],
                nulls_distinct=False,
                name="role_grant_unique",
                violation_error_message=_("This role is granted already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.group}: {self.get_role_display()}"


class AuditEvent(AppendOnlyModel):
    """Who changed what, through which door: written in the transaction of the change itself."""

    at = models.DateTimeField(db_index=True)
    actor = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    actor_label = models.CharField(max_length=120)
    on_behalf_of = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    via = models.CharField(max_length=8, choices=Via)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=64)
    object_label = models.CharField(max_length=200)
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    project = models.ForeignKey(Project, models.PROTECT, null=True, related_name="+")
    changes = models.JSONField(default=dict)
    reason = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes: ClassVar = [
            models.Index(fields=["object_type", "object_id", "id"], name="audit_object_idx"),
            models.Index(fields=["project", "-id"], name="audit_project_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_label}"


class AuditSeal(AppendOnlyModel):
    """The number and hash that the sealer gives an audit entry after it was committed."""

    event = models.OneToOneField(AuditEvent, models.PROTECT, related_name="seal")
    number = models.BigIntegerField(unique=True)
    sha256 = models.CharField(max_length=64)

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("audit seal")

    def __str__(self) -> str:
        return f"{self.number}: {self.sha256[:12]}"


class Event(AppendOnlyModel):
    """A CloudEvent 1.0 in the outbox: what other systems are told, in the order of `id`."""

    event_id = models.UUIDField(unique=True, default=uuid.uuid4)
    type = models.CharField(max_length=80)
    source = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    time = models.DateTimeField()
    project = models.ForeignKey(Project, models.PROTECT, null=True, related_name="+")
    data = models.JSONField()
    correlation_id = models.CharField(max_length=64, blank=True, db_index=True)
    causation_id = models.UUIDField(null=True)
    traceparent = models.CharField(max_length=60, blank=True)

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("event")
        verbose_name_plural = _("events")

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"


class IdempotencyKey(models.Model):
    """The answer that was given to a write, so that the same write asked again gets it again."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    scope = models.CharField(max_length=200)
    request_sha256 = models.CharField(max_length=64)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_unique"),
        ]

    def __str__(self) -> str:
        return self.key


class SavedView(models.Model):
    """A list's address (filters, order, columns) under a name; private unless it names with whom
    it is shared: a project or an organisation."""

    user = models.ForeignKey(User, models.CASCADE, related_name="saved_views")
    project = models.ForeignKey(Project, models.CASCADE, null=True, blank=True, related_name="+")
    organisation = models.ForeignKey(
        Organisation, models.CASCADE, null=True, blank=True, related_name="+"
    )
    name = models.CharField(_("name"), max_length=80, validators=[plain_text])
    path = models.CharField(max_length=200)
    query = models.CharField(max_length=2000, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "path", "name"],
                name="saved_view_unique",
                violation_error_message=_("You have a view of that name for this list."),
            ),
            models.CheckConstraint(
                condition=Q(project=None) | Q(organisation=None),
                name="saved_view_shared_once",
                violation_error_message=_("Share it with one project or one organisation."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """Return the list's address with the view's filters, order and columns."""
        return f"{self.path}?{self.query or 'view=all'}"


class ViewChoice(models.Model):
    """What one person does with a view, theirs or shared: pins it, opens the list with it.

    `path` repeats the view's, so that the database can allow one default a list.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    view = models.ForeignKey(SavedView, models.CASCADE, related_name="choices")
    path = models.CharField(max_length=200)
    is_pinned = models.BooleanField(default=False)
    is_default = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("chosen view")
        verbose_name_plural = _("chosen views")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "view"], name="view_choice_unique"),
            models.UniqueConstraint(
                fields=["user", "path"],
                condition=Q(is_default=True),
                name="view_choice_one_default",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.view}"


class FormDraft(models.Model):
    """What a person typed into a form and has not sent: kept for that person alone.

    `data` holds the fields' texts as they were typed, by name; secrets and files never.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    path = models.CharField(max_length=200)
    data = models.JSONField(default=dict)
    saved_at = models.DateTimeField()

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "path"], name="form_draft_unique"),
        ]

    def __str__(self) -> str:
        return self.path


class Slot(models.Model):
    """One period of one periodic job: whoever inserts the row does the work, once."""

    job = models.CharField(max_length=80)
    period = models.CharField(max_length=40)
    taken_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("job slot")
        verbose_name_plural = _("job slots")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["job", "period"], name="slot_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.job} {self.period}"
