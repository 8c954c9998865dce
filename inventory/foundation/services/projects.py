"""The verbs of projects: open, change."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from inventory.foundation.errors import InvalidInput, StaleEdit
from inventory.foundation.models import Organisation, Project, User
from inventory.foundation.permissions import Action, require
from inventory.foundation.selectors import members_of
from inventory.foundation.services.checks import clean, plain, refuse_unknown, require_organisation
from inventory.foundation.trail import record_audit

PROJECT_FIELDS = ("name", "description", "owner", "deputy", "cost_centre", "end_date")


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
    refuse_unknown(changes, PROJECT_FIELDS, "project")
    before = {field: plain(getattr(project, field)) for field in changes}
    for field, value in changes.items():
        if field in ("owner", "deputy") and not isinstance(value, User):
            raise InvalidInput("Choose a person.", fields={field: "Choose a person."})
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
    clean(project)
    is_new_end = changed is None or "end_date" in changed
    if is_new_end and project.end_date is not None and project.end_date <= at.date():
        message = "A project must end in the future."
        raise InvalidInput(message, fields={"end_date": message})
