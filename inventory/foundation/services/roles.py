"""The verbs of people and roles: belong to an organisation, hold a role, change it, lose it."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q

from inventory.foundation.choices import Role, Scope
from inventory.foundation.errors import Conflict, Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import Membership, Organisation, Project, RoleGrant, User
from inventory.foundation.permissions import Action, require
from inventory.foundation.selectors import groups_of, members_of
from inventory.foundation.services.checks import clean, plain, require_organisation
from inventory.foundation.trail import record_audit


class OwnRole(Forbidden):
    """Nobody gives a role to themselves."""

    code = "own_role"


class LastOwner(Conflict):
    """An organisation without an owner could not be administered any more."""

    code = "last_owner"


@transaction.atomic
def add_member(*, organisation: Organisation, user: User, actor: User, at: datetime) -> Membership:
    """Let a person belong to the organisation; twice is once. The actor owns the organisation."""
    require_organisation(actor, Action.PROJECT_EDIT, organisation)
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
    role: str,
    actor: User,
    at: datetime,
    user: User | None = None,
    group: Group | None = None,
    project: Project | None = None,
    organisation: Organisation | None = None,
    expires_at: datetime | None = None,
    reason: str = "",
) -> RoleGrant:
    """Give a person or a group a role in one project or one organisation, perhaps until a time.

    Only who owns the project or the organisation may, and never to themselves. The person, or all
    of the group, must belong to the organisation. A role that is held already gets the new end.
    Raises InvalidInput by field, NotVisible, Forbidden.
    """
    holder = _require_scope(actor, project, organisation)
    where = {
        "scope": Scope.PROJECT if project else Scope.ORGANISATION,
        "project": project,
        "organisation": organisation,
    }
    return write_grant(
        where=where,
        holder=holder,
        user=user,
        group=group,
        role=role,
        expires_at=expires_at,
        reason=reason,
        actor=actor,
        at=at,
    )


def write_grant(
    *,
    where: dict[str, Any],
    holder: Organisation,
    user: User | None,
    group: Group | None,
    role: str,
    expires_at: datetime | None,
    reason: str,
    actor: User,
    at: datetime,
) -> RoleGrant:
    """Write a role where the caller has seen that the actor may; `where` is the scope's fields.

    In the caller's transaction. Raises InvalidInput by field, OwnRole.
    """
    faults = _principal_faults(holder, user, group) | _term_faults(role, expires_at, at)
    if faults:
        raise InvalidInput(next(iter(faults.values())), fields=faults)
    _refuse_own(user, group, actor)
    grant, is_new = RoleGrant.objects.select_for_update(of=("self",)).get_or_create(
        user=user,
        group=group,
        role=role,
        **where,
        defaults={"granted_by": actor, "granted_at": at, "expires_at": expires_at},
    )
    before = None if is_new else plain(grant.expires_at)
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
        project=grant.project,
        organisation=holder,
        changes={
            "role": [None if is_new else role, role],
            "expires_at": [before, plain(expires_at)],
        },
        reason=reason,
    )
    return grant


@transaction.atomic
def change_role(
    *,
    grant: RoleGrant,
    role: str,
    expires_at: datetime | None,
    actor: User,
    at: datetime,
    reason: str = "",
) -> RoleGrant:
    """Make a role that somebody holds another one, or let it end at another time.

    Only who owns its project or organisation may, never on one's own. Raises InvalidInput by field,
    NotVisible, Forbidden, LastOwner.
    """
    found = _lock_grant(grant)
    holder = _require_scope(actor, found.project, found.organisation)
    faults = _term_faults(role, expires_at, at)
    if faults:
        raise InvalidInput(next(iter(faults.values())), fields=faults)
    _refuse_own(found.user, found.group, actor)
    before = {"role": found.role, "expires_at": plain(found.expires_at)}
    after = {"role": role, "expires_at": plain(expires_at)}
    changes = {name: [before[name], after[name]] for name in before if before[name] != after[name]}
    if not changes:
        return found
    if role != Role.OWNER or expires_at is not None:
        _keep_an_owner(found, at)
    found.role, found.expires_at = role, expires_at
    found.granted_by, found.granted_at = actor, at
    clean(found)
    found.save()
    record_audit(
        action="role.change",
        subject=found,
        at=at,
        actor=actor,
        project=found.project,
        organisation=holder,
        changes=changes,
        reason=reason,
    )
    return found


@transaction.atomic
def revoke_role(*, grant: RoleGrant, actor: User, at: datetime, reason: str = "") -> None:
    """Take a role away. Only who owns its project or organisation may.

    Raises NotVisible when it is gone already or belongs where the actor has no role, LastOwner for
    the last who owns an organisation.
    """
    found = _lock_grant(grant)
    holder = _require_scope(actor, found.project, found.organisation)
    _keep_an_owner(found, at)
    erase_grant(grant=found, holder=holder, actor=actor, at=at, reason=reason)


def erase_grant(
    *, grant: RoleGrant, holder: Organisation, actor: User, at: datetime, reason: str
) -> None:
    """Delete a role where the caller has seen that the actor may, in the caller's transaction."""
    record_audit(
        action="role.revoke",
        subject=grant,
        at=at,
        actor=actor,
        project=grant.project,
        organisation=holder,
        changes={
            "who": [str(grant.user or grant.group), None],
            "role": [grant.role, None],
        },
        reason=reason,
    )
    grant.delete()


def _lock_grant(grant: RoleGrant) -> RoleGrant:
    found = (
        RoleGrant.objects.select_for_update(of=("self",))
        .select_related("project__organisation", "organisation", "user", "group")
        .filter(pk=grant.pk)
        .first()
    )
    if found is None or found.scope == Scope.POOL:
        message = "There is no such role any more."
        raise NotVisible(message)
    return found


def _principal_faults(
    holder: Organisation, user: User | None, group: Group | None
) -> dict[str, str]:
    if (user is None) == (group is None):
        return {"user": "Name either a person or a group."}
    if group is not None:
        if not groups_of(holder).filter(pk=group.pk).exists():
            return {"group": f"Choose a group whose people all belong to {holder}."}
    elif not isinstance(user, User) or not members_of(holder).filter(pk=user.pk).exists():
        message = (
            f"Choose an active person who belongs to {holder}. "
            "Who owns the organisation can add others to it."
        )
        return {"user": message}
    return {}


def _term_faults(role: str, expires_at: datetime | None, at: datetime) -> dict[str, str]:
    faults = {}
    if role not in Role.values:
        faults["role"] = f"Choose one of {', '.join(Role.values)}."
    if expires_at is not None and expires_at <= at:
        faults["expires_at"] = "A role must end in the future."
    return faults


def _refuse_own(user: User | None, group: Group | None, actor: User) -> None:
    is_own = user is not None and user.pk == actor.pk
    if is_own or (group is not None and actor.groups.filter(pk=group.pk).exists()):
        message = "Nobody gives a role to themselves. Ask another owner."
        raise OwnRole(message)


def _keep_an_owner(grant: RoleGrant, at: datetime) -> None:
    """Refuse to take the last owner's role of an organisation; a project has owner and deputy."""
    if grant.role != Role.OWNER or grant.organisation is None:
        return
    owners = RoleGrant.objects.select_for_update(of=("self",)).filter(
        Q(expires_at=None) | Q(expires_at__gt=at),
        Q(user__is_active=True) | Q(group__user__is_active=True),
        organisation=grant.organisation,
        role=Role.OWNER,
    )
    if not [one for one in owners.order_by("pk") if one.pk != grant.pk]:
        message = f"This is the last owner of {grant.organisation}. Make somebody else owner first."
        raise LastOwner(message)


def _require_scope(
    actor: User, project: Project | None, organisation: Organisation | None
) -> Organisation:
    """Return the organisation that a role's scope lies in, for an owner of that scope."""
    if project is not None and organisation is None:
        require(actor, Action.PROJECT_EDIT, project)
        return project.organisation
    if organisation is not None and project is None:
        require_organisation(actor, Action.PROJECT_EDIT, organisation)
        return organisation
    message = "Name the one project or organisation that the role is for."
    raise InvalidInput(message, fields={"scope": message})
