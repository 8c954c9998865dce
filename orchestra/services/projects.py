"""The verbs of projects that need to know what a project holds: close it, move it."""

import logging
from datetime import datetime

from django.db import transaction

from inventory.foundation.errors import Conflict, DomainError, InvalidInput
from inventory.foundation.models import Project, ProjectTransfer, User
from inventory.foundation.permissions import Action, require
from inventory.foundation.services import (
    agree_to_move,
    carry_out_move,
    give_up_move,
    mark_closed,
)
from inventory.foundation.services.projects import lock_project
from orchestra.selectors.projects import Obstacle, moves_due, obstacles, out_of_reach

logger = logging.getLogger(__name__)


class NotEmpty(Conflict):
    """The project still has something; `obstacles` names each thing and its cure."""

    code = "project_not_empty"
    title = "The project is not empty"

    def __init__(self, message: str, found: tuple[Obstacle, ...]) -> None:
        details = [{"kind": one.kind, "id": one.subject.pk, "cure": one.cure} for one in found]
        super().__init__(message, details={"obstacles": details})
        self.obstacles = found


class OutOfReach(Conflict):
    """The project holds something in a pool that the other organisation has no part in."""

    code = "out_of_reach"
    title = "The other organisation cannot take this over"


@transaction.atomic
def close_project(
    *, project: Project, confirm_name: str, reason: str, actor: User, at: datetime
) -> Project:
    """Close a project that holds nothing, has nothing under way and waits for nobody.

    `confirm_name` is its name, typed again. Its history, charges and statements stay. Raises
    NotEmpty with all that is in the way, InvalidInput by field, Forbidden, NotVisible.
    """
    require(actor, Action.PROJECT_EDIT, project)
    project = lock_project(project)  # nothing that refers to it can be written meanwhile
    if confirm_name.strip() != project.name:
        message = f"Type “{project.name}” to confirm."
        raise InvalidInput(message, fields={"confirm_name": message})
    if found := obstacles(project):
        message = f"{project} is not empty: {found[0]}. {found[0].cure}"
        if len(found) > 1:
            message = f"{project} is not empty: {len(found)} things are in the way. {found[0].cure}"
        raise NotEmpty(message, found)
    return mark_closed(project=project, actor=actor, reason=reason, at=at)


@transaction.atomic
def accept_move(
    *, transfer: ProjectTransfer, actor: User, at: datetime, answer: str = ""
) -> ProjectTransfer:
    """Agree to take a project over; it moves now, or at the instant that was agreed.

    Raises OutOfReach for what it holds in pools that are not offered to the new organisation.
    """
    _require_reach(transfer)
    agreed = agree_to_move(transfer=transfer, actor=actor, answer=answer, at=at)
    if agreed.effective_at is None or agreed.effective_at <= at:
        return carry_out_move(transfer=agreed, at=at)
    return agreed


def carry_out_moves(*, at: datetime) -> int:
    """Carry out the agreed moves whose instant has come; return how many.

    One that cannot be carried out any more ends with the reason, and stops no other.
    """
    done = 0
    for transfer in moves_due(at):
        try:
            with transaction.atomic():
                _require_reach(transfer)
                carry_out_move(transfer=transfer, at=at)
            done += 1
        except DomainError as error:
            logger.warning("move %s cannot be carried out: %s", transfer.pk, error.message)
            give_up_move(transfer=transfer, why=error.message, at=at)
    return done


def _require_reach(transfer: ProjectTransfer) -> None:
    if transfer.organisation is None:
        message = "Only a move to another organisation is carried out so."
        raise InvalidInput(message, fields={"kind": message})
    left_behind = out_of_reach(transfer.project, transfer.organisation)
    if left_behind:
        named = ", ".join(f"{one} in {one.pool}" for one in left_behind[:5])
        message = (
            f"{transfer.organisation} has no part in these pools: {named}. "
            "Give that back first, or ask the pool's operator."
        )
        raise OutOfReach(message, details={"resources": [one.pk for one in left_behind]})
