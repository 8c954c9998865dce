"""The verbs of people and roles: belong to an organisation, hold a role, lose it."""

from datetime import datetime
from typing import Any

from django.db import transaction

from inventory.foundation.choices import Role, Scope
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import Membership, Organisation, Project, RoleGrant, User
from inventory.foundation.permissions import Action, require
from inventory.foundation.selectors import members_of
from inventory.foundation.services.checks import plain, require_organisation
from inventory.foundation.trail import record_audit


class OwnRole(Forbidden):
    """Nobody gives a role to themselves."""

    code = "own_role"


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
        project=project,
        organisation=holder,
        changes={
            "role": [None if is_new else role, role],
            "expires_at": [before, plain(expires_at)],
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
