"""What holds where nobody chooses otherwise: read with inheritance, changed by a new version.

Each house keeps the values that are its own in a model derived from `DefaultsVersion`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext_lazy as _

from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible, StaleEdit
from inventory.foundation.models import AppendOnlyModel, Organisation, User, plain_text
from inventory.foundation.permissions import (
    Action,
    organisations_where,
    projects_where,
    refusal,
)
from inventory.foundation.selectors import ancestry
from inventory.foundation.trail import record_audit


class DefaultsVersion(AppendOnlyModel):
    """What holds from `set_at` on where nobody chooses otherwise: one version of the values that
    an organisation (none: the whole installation) set for itself and those below it.

    An empty value is that of the organisation above, then the installation's, then `BUILT_IN`.
    The fields of a house's own model that stand in `BUILT_IN` are its values.
    """

    BUILT_IN: ClassVar[Mapping[str, Any]] = {}

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, blank=True, related_name="+"
    )
    number = models.PositiveIntegerField(_("version"))
    reason = models.CharField(_("reason"), max_length=500, blank=True, validators=[plain_text])
    set_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    set_at = models.DateTimeField(_("set"))

    class Meta(AppendOnlyModel.Meta):
        abstract = True
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organisation", "number"],
                nulls_distinct=False,
                name="%(class)s_version_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation or _('Everywhere')} {self.number}"


@dataclass(frozen=True)
class Value:
    """One default: what holds, what the place itself says (None: nothing), and who else says it.

    `source` is the version it comes from, None for what is built in.
    """

    name: str
    label: str
    value: Any
    own: Any
    source: DefaultsVersion | None

    @property
    def is_own(self) -> bool:
        """Say whether the place itself set it."""
        return self.own is not None


@dataclass(frozen=True)
class Difference:
    """One value that a version changed; None is one that is left to the place above."""

    name: str
    label: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """One version of a place's values, with what it changed."""

    version: DefaultsVersion
    changes: tuple[Difference, ...]


def values_in_force[Kind: DefaultsVersion](
    kind: type[Kind], *, organisation_id: int | None, at: datetime
) -> dict[str, Value]:
    """Return the values that hold for an organisation (None: the installation) at `at`, by name."""
    line = ancestry(organisation_id) if organisation_id is not None else []
    versions = _newest(kind, line, at)
    places: list[int | None] = [*line, None]
    own = versions.get(organisation_id)
    found = {}
    for name, built_in in kind.BUILT_IN.items():
        value, source = built_in, None
        for place in places:
            version = versions.get(place)
            if version is not None and getattr(version, name) is not None:
                value, source = getattr(version, name), version
                break
        found[name] = Value(
            name=name,
            label=_label(kind, name),
            value=value,
            own=getattr(own, name) if own is not None else None,
            source=source,
        )
    return found


def current_number(
    kind: type[DefaultsVersion], *, organisation_id: int | None, at: datetime
) -> int:
    """Return the number of the version that the place has at `at`; 0 where it never set any."""
    own = _newest(kind, [organisation_id] if organisation_id is not None else [], at)
    version = own.get(organisation_id)
    return version.number if version is not None else 0


def history_of_values(
    kind: type[DefaultsVersion], *, organisation_id: int | None, at_most: int = 50
) -> list[Change]:
    """Return the place's versions, newest first, each with what it changed."""
    newest = list(
        kind._default_manager.filter(models.Q(organisation_id=organisation_id))
        .select_related("set_by")
        .order_by("-number")[: at_most + 1]
    )
    changes = []
    for index, version in enumerate(newest[:at_most]):
        before = newest[index + 1] if index + 1 < len(newest) else None
        changes.append(
            Change(
                version=version,
                changes=tuple(
                    Difference(
                        name=name,
                        label=_label(kind, name),
                        before=getattr(before, name, None),
                        after=getattr(version, name),
                    )
                    for name in kind.BUILT_IN
                    if getattr(before, name, None) != getattr(version, name)
                ),
            )
        )
    return changes


def visible_places(user: User) -> models.QuerySet[Organisation]:
    """Return the organisations whose defaults the person may see, by name: where they hold the
    action, and those of the projects in which they do."""
    of_projects = projects_where(user, Action.DEFAULTS_VIEW).values_list(
        "organisation_id", flat=True
    )
    ids = organisations_where(user, Action.DEFAULTS_VIEW) | set(of_projects)
    return Organisation.objects.filter(pk__in=ids).order_by("name", "pk")


def may_set(*, actor: User, action: Action, organisation_id: int | None) -> bool:
    """Say whether the person may set defaults there; everywhere (None) is the administrator's."""
    if organisation_id is None:
        return actor.is_superuser
    return organisation_id in organisations_where(actor, action)


def require_place(*, actor: User, action: Action, organisation: Organisation | None) -> None:
    """Raise where the actor may not set defaults: NotVisible to a stranger, else Forbidden."""
    place = organisation.pk if organisation is not None else None
    if may_set(actor=actor, action=action, organisation_id=place):
        return
    if place is None:
        message = "What holds everywhere is set by an administrator. Name an organisation."
        raise Forbidden(message)
    if not visible_places(actor).filter(pk=place).exists():
        message = "There is no such organisation, or you have no role in it."
        raise NotVisible(message)
    raise refusal(action)


@transaction.atomic
def write_defaults[Kind: DefaultsVersion](
    kind: type[Kind],
    *,
    organisation: Organisation | None,
    number: int,
    values: Mapping[str, Any],
    actor: User,
    at: datetime,
    action: str,
    reason: str = "",
) -> Kind | None:
    """Let other values hold from `at` on; None where they are those that hold already.

    `values` maps a name to its value or to None (as above); a name that is not there stays as it
    is. `number` is the version that the actor saw (0: none yet). The caller has asked for the
    permission. Raises StaleEdit when there is a newer version, InvalidInput by field.
    """
    unknown = sorted(str(name) for name in values if name not in kind.BUILT_IN)
    if unknown:
        message = f"There is no default {', '.join(unknown)} here."
        raise InvalidInput(message, fields=dict.fromkeys(unknown, "There is no such field."))
    last = kind._default_manager.filter(organisation=organisation).order_by("-number").first()
    if (last.number if last else 0) != number or (last is not None and last.set_at > at):
        raise _stale()
    before = {name: getattr(last, name, None) for name in kind.BUILT_IN}
    after = before | dict(values)
    version = kind(
        organisation=organisation,
        number=number + 1,
        reason=reason,
        set_by=actor,
        set_at=at,
        **after,
    )
    try:
        version.full_clean(validate_unique=False, validate_constraints=False)
        version.validate_constraints(exclude={"number"})
    except ValidationError as error:
        raise _invalid(error) from error
    after = {name: getattr(version, name) for name in kind.BUILT_IN}
    if after == before:
        return None
    try:
        with transaction.atomic():
            version.save(force_insert=True)
    except IntegrityError as error:
        if "version_unique" not in str(error):
            raise
        raise _stale() from error
    record_audit(
        action=action,
        subject=version,
        at=at,
        actor=actor,
        organisation=organisation,
        changes={
            name: [_plain(before[name]), _plain(after[name])]
            for name in kind.BUILT_IN
            if before[name] != after[name]
        },
        reason=reason,
    )
    return version


def _newest[Kind: DefaultsVersion](
    kind: type[Kind], line: list[int], at: datetime
) -> dict[int | None, Kind]:
    rows = (
        kind._default_manager.filter(
            models.Q(organisation_id__in=line) | models.Q(organisation=None), set_at__lte=at
        )
        .select_related("organisation", "set_by")
        .order_by("organisation_id", "-number")
        .distinct("organisation_id")
    )
    return {row.organisation_id: row for row in rows}


def _label(kind: type[DefaultsVersion], name: str) -> str:
    return str(kind._meta.get_field(name).verbose_name)  # type: ignore[union-attr]


def _stale() -> StaleEdit:
    message = "These defaults were changed since you opened them. Open them again to see how."
    return StaleEdit(message)


def _invalid(error: ValidationError) -> InvalidInput:
    faults = {
        ("" if field == NON_FIELD_ERRORS else field): " ".join(messages)
        for field, messages in error.message_dict.items()
    }
    return InvalidInput(next(iter(faults.values())), fields=faults)


def _plain(value: Any) -> Any:
    """Return a value as an audit entry keeps it."""
    if isinstance(value, list):
        return list(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)
