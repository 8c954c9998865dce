"""The verbs of projects: open, change, close, open again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from inventory.foundation.choices import ProjectStatus
from inventory.foundation.errors import Conflict, Forbidden, InvalidInput, StaleEdit
from inventory.foundation.models import Organisation, Project, User
from inventory.foundation.permissions import Action, organisations_where, require
from inventory.foundation.services.checks import (
    clean,
    people_faults,
    plain,
    refuse_unknown,
    require_organisation,
)
from inventory.foundation.trail import emit_event, record_audit

PROJECT_FIELDS = ("name", "description", "owner", "deputy", "cost_centre", "end_date")


class ProjectClosed(Conflict):
    """A closed project is kept as it was."""

    code = "project_closed"


class MustAccept(Forbidden):
    """Who answers for a project has to agree to it."""

    code = "must_accept"


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
    require_organisation(actor, Action.PROJECT_CREATE, organisation)
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
        changes={field: [None, plain(getattr(project, field))] for field in PROJECT_FIELDS},
    )
    _emit(project, "opened", at)
    return project


@transaction.atomic
def edit_project(
    *, project: Project, actor: User, version: int, changes: Mapping[str, Any], at: datetime
) -> Project:
    """Change name, description, owner, deputy, cost centre or end date.

    Only who owns the organisation puts in another owner or deputy here; others hand over, and the
    new one accepts (`hand_over`). Raises StaleEdit when `version` is not the project's current one,
    InvalidInput by field, MustAccept, ProjectClosed.
    """
    require(actor, Action.PROJECT_EDIT, project)
    project = lock_project(project)
    if project.status == ProjectStatus.CLOSED:
        message = f"{project} is closed and kept as it was. Open it again to change it."
        raise ProjectClosed(message)
    if version != project.version:
        message = "This project was changed since you opened it. Open it again to see how."
        raise StaleEdit(message)
    refuse_unknown(changes, PROJECT_FIELDS, "project")
    before = {field: plain(getattr(project, field)) for field in changes}
    for field, value in changes.items():
        if field in ("owner", "deputy") and not isinstance(value, User):
            raise InvalidInput("Choose a person.", fields={field: "Choose a person."})
        if field in ("owner", "deputy") and value != getattr(project, field):
            _require_acceptance(project, actor, field)
        setattr(project, field, value)
    _check_project(project, at, changed=set(changes))
    differences = {
        field: [before[field], plain(getattr(project, field))]
        for field in changes
        if before[field] != plain(getattr(project, field))
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
def mark_closed(*, project: Project, actor: User, reason: str, at: datetime) -> Project:
    """Close a project that its caller found empty: nothing may be ordered in it any more.

    Whether it is empty the conductor knows (`close_project` of `orchestra/services/projects.py`).
    Raises Forbidden, ProjectClosed.
    """
    require(actor, Action.PROJECT_EDIT, project)
    project = lock_project(project)
    if project.status == ProjectStatus.CLOSED:
        message = f"{project} is closed already."
        raise ProjectClosed(message)
    return _set_status(project, ProjectStatus.CLOSED, actor=actor, reason=reason, at=at)


@transaction.atomic
def reopen_project(*, project: Project, actor: User, reason: str, at: datetime) -> Project:
    """Let a closed project order again. Raises Forbidden, ProjectClosed where it is not closed."""
    require(actor, Action.PROJECT_EDIT, project)
    project = lock_project(project)
    if project.status != ProjectStatus.CLOSED:
        message = f"{project} is not closed: there is nothing to open again."
        raise ProjectClosed(message)
    return _set_status(project, ProjectStatus.ACTIVE, actor=actor, reason=reason, at=at)


def lock_project(project: Project) -> Project:
    """Return the project with its row locked against writes that refer to it."""
    return (
        Project.objects.select_for_update(of=("self",))
        .select_related("organisation", "owner", "deputy")
        .get(pk=project.pk)
    )


def keep_open(project: Project) -> None:
    """Keep the project from being closed until the caller's transaction ends; many may at once.

    Raises ProjectClosed where it was closed since the caller read it. (A foreign key would take
    this lock only at the commit: Django's are deferred.)
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT status FROM foundation_project WHERE id = %s FOR KEY SHARE", [project.pk]
        )
        (status,) = cursor.fetchone()
    if status != ProjectStatus.ACTIVE:
        message = f"{project} was closed meanwhile. Choose an active project."
        raise ProjectClosed(message, fields={"project": message})


def _set_status(
    project: Project, status: ProjectStatus, *, actor: User, reason: str, at: datetime
) -> Project:
    if not reason.strip():
        message = "Say why: it stays in the project's history."
        raise InvalidInput(message, fields={"reason": message})
    before, project.status = project.status, status
    is_closed = status == ProjectStatus.CLOSED
    project.closed_at = at if is_closed else None
    project.version += 1
    project.save(update_fields=["status", "closed_at", "version"])
    record_audit(
        action="project.close" if is_closed else "project.reopen",
        subject=project,
        at=at,
        actor=actor,
        project=project,
        changes={"status": [before, status]},
        reason=reason,
    )
    _emit(project, "closed" if is_closed else "reopened", at)
    return project


def _emit(project: Project, what: str, at: datetime) -> None:
    emit_event(
        type=f"orchestra.project.{what}",
        subject=project,
        at=at,
        project=project,
        data={"name": project.name, "slug": project.slug, "status": project.status},
    )


def _require_acceptance(project: Project, actor: User, field: str) -> None:
    if project.organisation_id not in organisations_where(actor, Action.PROJECT_EDIT):
        message = f"A new {field} has to accept: use “Hand over” on the project's page."
        raise MustAccept(message, fields={field: message})


def _check_project(project: Project, at: datetime, changed: set[str] | None = None) -> None:
    named = [one for one in ("owner", "deputy") if changed is None or one in changed]
    people = {field: getattr(project, field) for field in named}
    if faults := people_faults(project.organisation, **people):
        raise InvalidInput(next(iter(faults.values())), fields=faults)
    clean(project)
    is_new_end = changed is None or "end_date" in changed
    if is_new_end and project.end_date is not None and project.end_date <= at.date():
        message = "A project must end in the future."
        raise InvalidInput(message, fields={"end_date": message})
