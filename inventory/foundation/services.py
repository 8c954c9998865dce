"""The cellar's verbs: projects, memberships, roles, profiles."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from inventory.foundation.choices import Role, Scope
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible, StaleEdit
from inventory.foundation.models import Membership, Organisation, Project, RoleGrant, User
from inventory.foundation.periods import zone_named
from inventory.foundation.permissions import Action, organisations_where, refusal, require
from inventory.foundation.selectors import members_of
from inventory.foundation.trail import record_audit

PROJECT_FIELDS = ("name", "description", "owner", "deputy", "cost_centre", "end_date")
PROFILE_FIELDS = ("display_name", "time_zone", "theme")


class OwnRole(Forbidden):
    """Nobody gives a role to themselves."""

    code = "own_role"


@transaction.atomic
def create_project(
    *,
    organisation: Organisation,
    name: str,
    slug: str,
    owner: User,
    deputy: User,
    cost_centre: str,
    actor: User,
    at: datetime,
    description: str = "",
    end_date: Any = None,
) -> Project:
    """Open a project. Owner and deputy are two people of the organisation.

    The actor needs the right to open projects in the organisation. Raises InvalidInput by field.
    """
    _require_organisation(actor, Action.PROJECT_CREATE, organisation)
    project = Project(
        organisation=organisation,
        name=name,
        slug=slug,
        description=description,
        owner=owner,
        deputy=deputy,
        cost_centre=cost_centre,
        end_date=end_date,
        created_at=at,
    )
    _check_project(project, at)
    project.save(force_insert=True)
    record_audit(
        action="project.create",
        subject=project,
        at=at,
        actor=actor,
        project=project,
        changes={field: [None, _plain(getattr(project, field))] for field in PROJECT_FIELDS},
    )
    return project


@transaction.atomic
def edit_project(
    *, project: Project, actor: User, version: int, changes: Mapping[str, Any], at: datetime
) -> Project:
    """Change name, description, owner, deputy, cost centre or end date.

    Raises StaleEdit when `version` is not the project's current one, InvalidInput by field.
    """
    require(actor, Action.PROJECT_EDIT, project)
    project = Project.objects.select_for_update(of=("self",)).get(pk=project.pk)
    if version != project.version:
        message = "This project was changed since you opened it. Open it again to see how."
        raise StaleEdit(message)
    _refuse_unknown(changes, PROJECT_FIELDS, "project")
    before = {field: _plain(getattr(project, field)) for field in changes}
    for field, value in changes.items():
        if field in ("owner", "deputy") and not isinstance(value, User):
            raise InvalidInput("Choose a person.", fields={field: "Choose a person."})
        setattr(project, field, value)
    _check_project(project, at, changed=set(changes))
    differences = {
        field: [before[field], _plain(getattr(project, field))]
        for field in changes
        if before[field] != _plain(getattr(project, field))
    }
    if not differences:
        return project
    project.version += 1
    project.save()
    record_audit(
        action="project.edit",
        subject=project,
        at=at,
        actor=actor,
        project=project,
        changes=differences,
    )
    return project


@transaction.atomic
def add_member(*, organisation: Organisation, user: User, actor: User, at: datetime) -> Membership:
    """Let a person belong to the organisation; twice is once. The actor owns the organisation."""
    _require_organisation(actor, Action.PROJECT_EDIT, organisation)
    membership, is_new = Membership.objects.get_or_create(
        user=user, organisation=organisation, defaults={"since": at}
    )
    if is_new:
        record_audit(
            action="membership.add",
            subject=membership,
            at=at,
            actor=actor,
            organisation=organisation,
        )
    return membership


@transaction.atomic
def grant_role(
    *,
    user: User,
    role: str,
    actor: User,
    at: datetime,
    project: Project | None = None,
    organisation: Organisation | None = None,
    expires_at: datetime | None = None,
    reason: str = "",
) -> RoleGrant:
    """Give a person a role in one project or one organisation, perhaps until a time.

    Only who owns the project or the organisation may, and never to themselves. The person must
    belong to the organisation. A role that is held already gets the new end. Raises InvalidInput
    by field, NotVisible, Forbidden.
    """
    holder = _require_scope(actor, project, organisation)
    faults = {}
    if role not in Role.values:
        faults["role"] = f"Choose one of {', '.join(Role.values)}."
    if not isinstance(user, User) or not members_of(holder).filter(pk=user.pk).exists():
        faults["user"] = f"Choose an active person who belongs to {holder}."
    if expires_at is not None and expires_at <= at:
        faults["expires_at"] = "A role must end in the future."
    if faults:
        raise InvalidInput(next(iter(faults.values())), fields=faults)
    if user.pk == actor.pk:
        message = "Nobody gives a role to themselves. Ask another owner."
        raise OwnRole(message)
    where: dict[str, Any] = {
        "scope": Scope.PROJECT if project else Scope.ORGANISATION,
        "project": project,
        "organisation": organisation,
    }
    grant, is_new = RoleGrant.objects.select_for_update(of=("self",)).get_or_create(
        user=user,
        role=role,
        **where,
        defaults={"granted_by": actor, "granted_at": at, "expires_at": expires_at},
    )
    before = None if is_new else _plain(grant.expires_at)
    if not is_new:
        if grant.expires_at == expires_at:
            return grant
        grant.granted_by, grant.granted_at, grant.expires_at = actor, at, expires_at
        grant.save()
    record_audit(
        action="role.grant",
        subject=grant,
        at=at,
        actor=actor,
        project=project,
        organisation=holder,
        changes={
            "role": [None if is_new else role, role],
            "expires_at": [before, _plain(expires_at)],
        },
        reason=reason,
    )
    return grant


@transaction.atomic
def revoke_role(*, grant: RoleGrant, actor: User, at: datetime, reason: str = "") -> None:
    """Take a role away. Only who owns its project or organisation may.

    Raises NotVisible when it is gone already or belongs where the actor has no role.
    """
    found = (
        RoleGrant.objects.select_for_update(of=("self",))
        .select_related("project__organisation", "organisation", "user", "group")
        .filter(pk=grant.pk)
        .first()
    )
    if found is None or found.scope == Scope.POOL:
        message = "There is no such role any more."
        raise NotVisible(message)
    holder = _require_scope(actor, found.project, found.organisation)
    record_audit(
        action="role.revoke",
        subject=found,
        at=at,
        actor=actor,
        project=found.project,
        organisation=holder,
        changes={"role": [found.role, None]},
        reason=reason,
    )
    found.delete()


@transaction.atomic
def update_profile(*, user: User, changes: Mapping[str, Any], at: datetime) -> User:
    """Change one's own display name, time zone or theme. Raises InvalidInput by field."""
    _refuse_unknown(changes, PROFILE_FIELDS, "profile")
    user = User.objects.select_for_update().get(pk=user.pk)
    before = {field: getattr(user, field) for field in changes}
    for field, value in changes.items():
        setattr(user, field, value)
    if "time_zone" in changes:
        try:
            zone_named(str(user.time_zone))
        except InvalidInput as error:
            raise InvalidInput(error.message, fields={"time_zone": error.message}) from error
    _clean(user, only=set(changes))
    differences = {
        field: [before[field], getattr(user, field)]
        for field in changes
        if before[field] != getattr(user, field)
    }
    if differences:
        user.save(update_fields=list(differences))
        record_audit(action="profile.edit", subject=user, at=at, actor=user, changes=differences)
    return user


def _require_organisation(actor: User, action: Action, organisation: Organisation) -> None:
    """Raise NotVisible for a stranger to the organisation, Forbidden for who lacks the role."""
    if organisation.pk in organisations_where(actor, action):
        return
    is_known = members_of(organisation).filter(pk=actor.pk).exists()
    if not is_known and organisation.pk not in organisations_where(actor, Action.PROJECT_VIEW):
        message = "There is no such organisation, or you do not belong to it."
        raise NotVisible(message)
    raise refusal(action)


def _require_scope(
    actor: User, project: Project | None, organisation: Organisation | None
) -> Organisation:
    """Return the organisation that a role's scope lies in, for an owner of that scope."""
    if project is not None and organisation is None:
        require(actor, Action.PROJECT_EDIT, project)
        return project.organisation
    if organisation is not None and project is None:
        _require_organisation(actor, Action.PROJECT_EDIT, organisation)
        return organisation
    message = "Name the one project or organisation that the role is for."
    raise InvalidInput(message, fields={"scope": message})


def _refuse_unknown(changes: Mapping[str, Any], known: tuple[str, ...], noun: str) -> None:
    unknown = sorted(str(name) for name in changes if name not in known)
    if unknown:
        message = f"A {noun} has no field {', '.join(unknown)} that may be changed."
        raise InvalidInput(message, fields=dict.fromkeys(unknown, "There is no such field."))


def _check_project(project: Project, at: datetime, changed: set[str] | None = None) -> None:
    faults = {}
    people = members_of(project.organisation)
    for field in ("owner", "deputy"):
        if changed is not None and field not in changed:
            continue
        if not people.filter(pk=getattr(project, f"{field}_id")).exists():
            faults[field] = f"Choose an active person who belongs to {project.organisation}."
    if faults:
        raise InvalidInput(next(iter(faults.values())), fields=faults)
    _clean(project)
    is_new_end = changed is None or "end_date" in changed
    if is_new_end and project.end_date is not None and project.end_date <= at.date():
        message = "A project must end in the future."
        raise InvalidInput(message, fields={"end_date": message})


def _clean(instance: Project | User, only: set[str] | None = None) -> None:
    """Run the model's own checks and say by field what is wrong."""
    exclude = None
    if only is not None:
        exclude = {field.name for field in instance._meta.fields} - only
    try:
        instance.full_clean(exclude=exclude)
    except ValidationError as error:
        faults = {
            ("" if field == "__all__" else field): " ".join(messages)
            for field, messages in error.message_dict.items()
        }
        raise InvalidInput(next(iter(faults.values())), fields=faults) from error


def _plain(value: Any) -> Any:
    """Return a value as an audit entry keeps it."""
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
