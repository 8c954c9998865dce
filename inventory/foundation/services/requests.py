"""The verbs of requests for projects: ask, withdraw, decide."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from inventory.foundation.choices import WishState
from inventory.foundation.errors import Conflict, Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import Organisation, Project, ProjectRequest, User
from inventory.foundation.permissions import Action
from inventory.foundation.selectors import members_of
from inventory.foundation.services.checks import (
    clean,
    people_faults,
    plain,
    refuse_unknown,
    require_organisation,
)
from inventory.foundation.services.projects import create_project
from inventory.foundation.trail import emit_event, record_audit

# What the project takes over, and who decides may change.
DECIDABLE = ("name", "slug", "description", "owner", "deputy", "cost_centre", "end_date")
ASKED = (*DECIDABLE, "wished_budget", "wished_quota")


class OwnRequest(Forbidden):
    """Nobody decides on what they asked for themselves."""

    code = "own_request"


class Answered(Conflict):
    """It has an answer already, or was withdrawn."""

    code = "answered"


@transaction.atomic
def request_project(
    *,
    organisation: Organisation,
    name: str,
    slug: str,
    description: str,
    owner: User,
    deputy: User,
    cost_centre: str,
    actor: User,
    at: datetime,
    end_date: Any = None,
    wished_budget: str = "",
    wished_quota: str = "",
) -> ProjectRequest:
    """Ask for a project. Who belongs to the organisation, or to one above it, may ask.

    Raises NotVisible for others, InvalidInput by field.
    """
    if not members_of(organisation).filter(pk=actor.pk).exists():
        message = "There is no such organisation, or you do not belong to it."
        raise NotVisible(message)
    asked = ProjectRequest(
        organisation=organisation,
        requester=actor,
        name=name,
        slug=slug,
        description=description,
        owner=owner,
        deputy=deputy,
        cost_centre=cost_centre,
        end_date=end_date,
        wished_budget=wished_budget,
        wished_quota=wished_quota,
        created_at=at,
    )
    faults = people_faults(organisation, owner=owner, deputy=deputy)
    if Project.objects.filter(organisation=organisation, slug=slug).exists():
        faults["slug"] = f"{organisation} has a project of that short name. Choose another."
    if faults:
        raise InvalidInput(next(iter(faults.values())), fields=faults)
    clean(asked)
    if asked.end_date is not None and asked.end_date <= at.date():
        message = "A project must end in the future."
        raise InvalidInput(message, fields={"end_date": message})
    asked.save(force_insert=True)
    changes = {field: [None, plain(getattr(asked, field))] for field in ASKED}
    _record(asked, "ask", at=at, actor=actor, changes=changes)
    return asked


@transaction.atomic
def withdraw_project_request(*, asked: ProjectRequest, actor: User, at: datetime) -> ProjectRequest:
    """Take one's own request back while it waits. Raises Forbidden, Answered."""
    asked = _lock_waiting(asked)
    if asked.requester_id != actor.pk:
        message = f"Only {asked.requester} can withdraw this: they asked for it."
        raise Forbidden(message)
    asked.state, asked.decided_at = WishState.WITHDRAWN, at
    asked.save(update_fields=["state", "decided_at"])
    _record(asked, "withdraw", at=at, actor=actor)
    return asked


@transaction.atomic
def approve_project_request(
    *,
    asked: ProjectRequest,
    actor: User,
    at: datetime,
    answer: str = "",
    changes: Mapping[str, Any] | None = None,
) -> Project:
    """Open the project that was asked for, with what the decision changes of it.

    Who may open projects in the organisation decides, never on their own request. What was asked
    stays on the request; `changed` says what became of it. Raises OwnRequest, Forbidden, Answered,
    InvalidInput by field.
    """
    asked = _lock_for_decision(asked, actor)
    wanted = dict(changes or {})
    refuse_unknown(wanted, DECIDABLE, "request")
    values = {field: wanted.get(field, getattr(asked, field)) for field in DECIDABLE}
    project = create_project(organisation=asked.organisation, **values, actor=actor, at=at)
    asked.changed = {
        field: [plain(getattr(asked, field)), plain(values[field])]
        for field in DECIDABLE
        if getattr(asked, field) != values[field]
    }
    asked.project = project
    _answer(asked, WishState.DONE, actor=actor, answer=answer, at=at)
    _record(asked, "approve", at=at, actor=actor, changes=asked.changed, reason=answer)
    return project


@transaction.atomic
def reject_project_request(
    *, asked: ProjectRequest, actor: User, answer: str, at: datetime
) -> ProjectRequest:
    """Refuse a request with a reason. Raises OwnRequest, Forbidden, Answered, InvalidInput."""
    asked = _lock_for_decision(asked, actor)
    if not answer.strip():
        message = "Say why, so that the requester knows what to do."
        raise InvalidInput(message, fields={"answer": message})
    _answer(asked, WishState.REJECTED, actor=actor, answer=answer, at=at)
    _record(asked, "reject", at=at, actor=actor, reason=answer)
    return asked


def _lock_waiting(asked: ProjectRequest) -> ProjectRequest:
    found = (
        ProjectRequest.objects.select_for_update(of=("self",))
        .select_related("organisation", "requester", "owner", "deputy")
        .get(pk=asked.pk)
    )
    if found.state != WishState.WAITING:
        state = found.get_state_display().lower()
        message = f"The request for {found} does not wait for an answer: it is “{state}”."
        raise Answered(message)
    return found


def _lock_for_decision(asked: ProjectRequest, actor: User) -> ProjectRequest:
    require_organisation(actor, Action.PROJECT_CREATE, asked.organisation)
    found = _lock_waiting(asked)
    if found.requester_id == actor.pk:
        message = (
            "You asked for this project, so somebody else must decide (separation of duties). "
            "Ask another owner or operator of the organisation."
        )
        raise OwnRequest(message)
    return found


def _answer(
    asked: ProjectRequest, state: WishState, *, actor: User, answer: str, at: datetime
) -> None:
    asked.state, asked.decided_by, asked.decided_at = state, actor, at
    asked.answer = answer.strip()
    clean(asked, only={"answer"})
    asked.save()


def _record(
    asked: ProjectRequest,
    verb: str,
    *,
    at: datetime,
    actor: User,
    changes: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    record_audit(
        action=f"project_request.{verb}",
        subject=asked,
        at=at,
        actor=actor,
        project=asked.project,
        organisation=asked.organisation,
        changes={"state": [None, asked.state]} | dict(changes or {}),
        reason=reason,
    )
    emit_event(
        type=f"orchestra.project_request.{verb}",
        subject=asked,
        at=at,
        project=asked.project,
        data={"name": asked.name, "organisation": asked.organisation.slug, "state": asked.state},
    )
