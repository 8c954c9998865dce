"""The verbs of handing a project over: to a new owner or deputy, to another organisation."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from inventory.foundation.choices import ProjectStatus, TransferKind, WishState
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import (
    Organisation,
    Project,
    ProjectTransfer,
    RoleGrant,
    User,
)
from inventory.foundation.permissions import (
    Action,
    may,
    organisations_where,
    require,
)
from inventory.foundation.selectors import members_of, organisations_known
from inventory.foundation.services.checks import (
    clean,
    people_faults,
    plain,
    require_organisation,
)
from inventory.foundation.services.projects import ProjectClosed, lock_project
from inventory.foundation.services.requests import Answered, OwnRequest
from inventory.foundation.trail import emit_event, record_audit

ONE_PERSON = (TransferKind.OWNER, TransferKind.DEPUTY)


@transaction.atomic
def hand_over(
    *, project: Project, kind: str, user: User, reason: str, actor: User, at: datetime
) -> ProjectTransfer:
    """Make somebody else owner or deputy: once they accept or, by who owns the organisation, now.

    If it is the other one of the two, they change places. Raises InvalidInput by field, NotVisible,
    Forbidden, ProjectClosed.
    """
    require(actor, Action.PROJECT_EDIT, project)
    project = _lock_active(project)
    faults = {}
    if kind not in ONE_PERSON:
        faults["kind"] = f"Choose one of {', '.join(ONE_PERSON)}."
    elif getattr(project, f"{kind}_id") == user.pk:
        faults["user"] = f"{user} is that already. Choose somebody else."
    if not members_of(project.organisation).filter(pk=user.pk).exists():
        faults["user"] = f"Choose an active person who belongs to {project.organisation}."
    if faults:
        raise InvalidInput(next(iter(faults.values())), fields=faults)
    transfer = ProjectTransfer(
        project=project,
        kind=kind,
        user=user,
        before=str(getattr(project, kind)),
        asked_by=actor,
        reason=reason,
        created_at=at,
    )
    clean(transfer)
    transfer.save(force_insert=True)
    _record(transfer, "ask", at=at, actor=actor, reason=reason)
    if project.organisation_id in organisations_where(actor, Action.PROJECT_EDIT):
        return _take_effect(transfer, actor=actor, answer="", at=at)
    return transfer


@transaction.atomic
def ask_move(
    *,
    project: Project,
    organisation: Organisation,
    user: User,
    deputy: User,
    reason: str,
    actor: User,
    at: datetime,
    effective_at: datetime | None = None,
) -> ProjectTransfer:
    """Ask another organisation to take a project over, from an instant on or at once.

    `user` and `deputy` are its people who will answer for the project. Who may open projects there
    decides. Raises InvalidInput by field, NotVisible, Forbidden, ProjectClosed.
    """
    require(actor, Action.PROJECT_EDIT, project)
    project = _lock_active(project)
    if not organisations_known(actor).filter(pk=organisation.pk).exists():
        message = "There is no such organisation, or you have nothing to do with it."
        raise NotVisible(message, fields={"organisation": message})
    faults = people_faults(organisation, user=user, deputy=deputy)
    if organisation.pk == project.organisation_id:
        faults["organisation"] = f"{project} belongs to {organisation} already. Choose another."
    elif Project.objects.filter(organisation=organisation, slug=project.slug).exists():
        faults["organisation"] = (
            f"{organisation} has a project with the short name {project.slug} already."
        )
    if user.pk == deputy.pk:
        faults["deputy"] = "Owner and deputy must be two people."
    if effective_at is not None and effective_at <= at:
        faults["effective_at"] = "Choose an instant to come, or leave it empty for at once."
    if faults:
        raise InvalidInput(next(iter(faults.values())), fields=faults)
    transfer = ProjectTransfer(
        project=project,
        kind=TransferKind.ORGANISATION,
        organisation=organisation,
        user=user,
        deputy=deputy,
        before=str(project.organisation),
        asked_by=actor,
        reason=reason,
        effective_at=effective_at,
        created_at=at,
    )
    clean(transfer)
    transfer.save(force_insert=True)
    _record(transfer, "ask", at=at, actor=actor, reason=reason)
    return transfer


@transaction.atomic
def accept_transfer(
    *, transfer: ProjectTransfer, actor: User, at: datetime, answer: str = ""
) -> ProjectTransfer:
    """Agree to answer for a project, or decide it for the organisation; it takes effect now.

    Raises OwnRequest, Forbidden, Answered. Another organisation is taken over by `agree_to_move`.
    """
    transfer = lock_transfer(transfer)
    if transfer.kind == TransferKind.ORGANISATION:
        message = "A move to another organisation is agreed to, then carried out."
        raise InvalidInput(message, fields={"kind": message})
    require_answerer(transfer, actor)
    return _take_effect(transfer, actor=actor, answer=answer, at=at)


@transaction.atomic
def agree_to_move(
    *, transfer: ProjectTransfer, actor: User, at: datetime, answer: str = ""
) -> ProjectTransfer:
    """Agree that the own organisation takes a project over; `carry_out_move` then does it."""
    transfer = lock_transfer(transfer)
    require_answerer(transfer, actor)
    _answer(transfer, WishState.AGREED, actor=actor, answer=answer, at=at)
    _record(transfer, "agree", at=at, actor=actor, reason=answer)
    return transfer


@transaction.atomic
def carry_out_move(*, transfer: ProjectTransfer, at: datetime) -> ProjectTransfer:
    """Let the project belong to the other organisation, as was agreed.

    Roles in the project of people who do not belong there end, and with them what they may do.
    What the project holds is not asked here: the conductor does (`orchestra/services/projects.py`).
    """
    transfer = lock_transfer(transfer, state=WishState.AGREED)
    assert transfer.organisation is not None
    return _take_effect(transfer, actor=transfer.decided_by, answer=transfer.answer, at=at)


@transaction.atomic
def decline_transfer(
    *, transfer: ProjectTransfer, actor: User, answer: str, at: datetime
) -> ProjectTransfer:
    """Refuse with a reason. Raises OwnRequest, Forbidden, Answered, InvalidInput."""
    transfer = lock_transfer(transfer)
    require_answerer(transfer, actor)
    if not answer.strip():
        message = "Say why, so that those who asked know what to do."
        raise InvalidInput(message, fields={"answer": message})
    _answer(transfer, WishState.REJECTED, actor=actor, answer=answer, at=at)
    _record(transfer, "reject", at=at, actor=actor, reason=answer)
    return transfer


@transaction.atomic
def withdraw_transfer(*, transfer: ProjectTransfer, actor: User, at: datetime) -> ProjectTransfer:
    """Take it back while nothing has changed yet. Who asked may, and who owns the project."""
    transfer = lock_transfer(transfer, state=None)
    if transfer.state not in (WishState.WAITING, WishState.AGREED):
        raise Answered(_is_over(transfer))
    if transfer.asked_by_id != actor.pk:
        require(actor, Action.PROJECT_EDIT, transfer.project)
    transfer.state = WishState.WITHDRAWN
    transfer.decided_at = at
    transfer.save(update_fields=["state", "decided_at"])
    _record(transfer, "withdraw", at=at, actor=actor)
    return transfer


@transaction.atomic
def give_up_move(*, transfer: ProjectTransfer, why: str, at: datetime) -> ProjectTransfer:
    """Record that an agreed move cannot take effect, and why: nobody waits for it any more."""
    transfer = lock_transfer(transfer, state=WishState.AGREED)
    transfer.state, transfer.answer = WishState.REJECTED, why[:500]
    transfer.save(update_fields=["state", "answer"])
    _record(transfer, "reject", at=at, actor=None, reason=why)
    return transfer


def require_answerer(transfer: ProjectTransfer, actor: User) -> None:
    """Raise where the person may not answer: never on one's own wish.

    The new owner or deputy answers for themselves, who owns the organisation for them; for a move,
    who may open projects in the organisation that takes over.
    """
    if transfer.kind == TransferKind.ORGANISATION:
        assert transfer.organisation is not None
        require_organisation(actor, Action.PROJECT_CREATE, transfer.organisation)
    elif transfer.user_id != actor.pk and transfer.project.organisation_id not in (
        organisations_where(actor, Action.PROJECT_EDIT)
    ):
        if not may(actor, Action.PROJECT_VIEW, transfer.project):
            message = "There is no such hand-over, or none that you may see."
            raise NotVisible(message)
        message = f"Only {transfer.user} can answer this, or who owns the organisation."
        raise Forbidden(message)
    if transfer.asked_by_id == actor.pk:
        message = "You asked for this, so somebody else must answer (separation of duties)."
        raise OwnRequest(message)


def lock_transfer(
    transfer: ProjectTransfer, *, state: WishState | None = WishState.WAITING
) -> ProjectTransfer:
    """Return the hand-over with its row locked; Answered where it is not in that state."""
    found = (
        ProjectTransfer.objects.select_for_update(of=("self",))
        .select_related("project__organisation", "organisation", "user", "deputy", "decided_by")
        .get(pk=transfer.pk)
    )
    if state is not None and found.state != state:
        raise Answered(_is_over(found))
    return found


def _is_over(transfer: ProjectTransfer) -> str:
    return f"This hand-over is “{transfer.get_state_display().lower()}” already."


def _lock_active(project: Project) -> Project:
    found = lock_project(project)
    if found.status != ProjectStatus.ACTIVE:
        message = f"{found} is closed. Open it again first."
        raise ProjectClosed(message)
    return found


def _take_effect(
    transfer: ProjectTransfer, *, actor: User | None, answer: str, at: datetime
) -> ProjectTransfer:
    """Change the project, and record it on both."""
    project = _lock_active(transfer.project)
    names: tuple[str, ...]
    if transfer.kind == TransferKind.ORGANISATION:
        assert transfer.organisation is not None
        assert transfer.deputy is not None
        names = ("organisation", "owner", "deputy")
        wanted = {
            "organisation": transfer.organisation,
            "owner": transfer.user,
            "deputy": transfer.deputy,
        }
    else:
        other = "deputy" if transfer.kind == TransferKind.OWNER else "owner"
        wanted = {transfer.kind: transfer.user}
        if getattr(project, f"{other}_id") == transfer.user_id:  # they change places
            wanted[other] = getattr(project, transfer.kind)
        names = tuple(wanted)
    before = {name: plain(getattr(project, name)) for name in names}
    for name, value in wanted.items():
        setattr(project, name, value)
    people = {name: getattr(project, name) for name in names if name != "organisation"}
    faults = people_faults(project.organisation, **people)
    if faults:
        raise InvalidInput(next(iter(faults.values())), fields=faults)
    clean(project)
    project.version += 1
    project.save()
    changes = {name: [before[name], plain(getattr(project, name))] for name in names}
    if transfer.kind == TransferKind.ORGANISATION:
        ended = _end_foreign_roles(project)
        if ended:
            changes["roles"] = [", ".join(ended), None]
    _answer(transfer, WishState.DONE, actor=actor, answer=answer, at=at)
    transfer.project = project
    _record(transfer, "accept", at=at, actor=actor, reason=answer)
    record_audit(
        action="project.transfer",
        subject=project,
        at=at,
        actor=actor,
        project=project,
        changes=changes,
        reason=transfer.reason,
    )
    return transfer


def _end_foreign_roles(project: Project) -> list[str]:
    """End the project's roles of people who do not belong to its organisation, and of groups."""
    people = members_of(project.organisation).values("pk")
    foreign = RoleGrant.objects.filter(project=project).filter(
        Q(user__isnull=False) & ~Q(user__in=people)
        | Q(group__isnull=False, group__user__in=User.objects.exclude(pk__in=people))
    )
    named = sorted({str(grant) for grant in foreign.select_related("user", "group")})
    RoleGrant.objects.filter(pk__in=foreign.values("pk")).delete()
    return named


def _answer(
    transfer: ProjectTransfer,
    state: WishState,
    *,
    actor: User | None,
    answer: str,
    at: datetime,
) -> None:
    transfer.state, transfer.decided_by, transfer.decided_at = state, actor, at
    transfer.answer = answer.strip()
    clean(transfer, only={"answer"})
    transfer.save()


def _record(
    transfer: ProjectTransfer, verb: str, *, at: datetime, actor: User | None, reason: str = ""
) -> None:
    to = transfer.organisation or transfer.user
    record_audit(
        action=f"transfer.{verb}",
        subject=transfer,
        at=at,
        actor=actor,
        project=transfer.project,
        changes={transfer.kind: [transfer.before, str(to)], "state": [None, transfer.state]},
        reason=reason,
    )
    emit_event(
        type=f"orchestra.project_transfer.{verb}",
        subject=transfer,
        at=at,
        project=transfer.project,
        data={"kind": transfer.kind, "to": str(to), "state": transfer.state},
    )
