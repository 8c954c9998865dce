"""The verbs of saved views: keep an address under a name, share, rename, pin, delete it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from inventory.foundation.errors import Conflict, Forbidden, InvalidInput, NotVisible
from inventory.foundation.lists import list_at, view_query
from inventory.foundation.models import Organisation, Project, SavedView, User, ViewChoice
from inventory.foundation.permissions import (
    Action,
    may,
    organisations_where,
    projects_where,
)
from inventory.foundation.selectors import organisations_joined, visible_views
from inventory.foundation.services.checks import clean, plain, refuse_unknown
from inventory.foundation.trail import record_audit

VIEW_FIELDS = ("name", "query", "project", "organisation")
CHOICE_FIELDS = ("is_pinned", "is_default")
VIEWS_AT_MOST = 200
LONGEST_QUERY = 2_000


class NotTheirView(Forbidden):
    """A shared view is changed by who made it."""

    code = "not_your_view"


class TooManyViews(Conflict):
    """A person keeps a bounded number of views."""

    code = "too_many_views"


@transaction.atomic
def save_view(
    *,
    user: User,
    name: str,
    path: str,
    query: str,
    at: datetime,
    project: Project | None = None,
    organisation: Organisation | None = None,
    is_pinned: bool = False,
    is_default: bool = False,
    replace: bool = False,
) -> SavedView:
    """Keep a list's address under a name: private, or shared with a project or organisation.

    `path` must be a list of the portal. `replace` gives the person's own view of that name the
    new address. Raises InvalidInput by field, NotVisible for a project or organisation that is
    not theirs, TooManyViews.
    """
    _require_list(path)
    _require_reach(user, project, organisation)
    kept = _own_query(query)
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # one after the other: the bound
    found = SavedView.objects.filter(user=user, path=path, name=name).first() if replace else None
    is_new = found is None
    if is_new and SavedView.objects.filter(user=user).count() >= VIEWS_AT_MOST:
        message = f"You keep {VIEWS_AT_MOST} views already. Delete one that you do not use."
        raise TooManyViews(message)
    view = found or SavedView(user=user, name=name, path=path, created_at=at)
    before = {field: plain(getattr(view, field)) for field in VIEW_FIELDS}
    view.query, view.project, view.organisation = kept, project, organisation
    clean(view)
    view.save()
    record_audit(
        action="view.save",
        subject=view,
        at=at,
        actor=user,
        project=project,
        organisation=organisation,
        changes={
            field: [None if is_new else before[field], plain(getattr(view, field))]
            for field in VIEW_FIELDS
            if is_new or before[field] != plain(getattr(view, field))
        },
    )
    if is_pinned or is_default:
        choose_view(
            view=view,
            actor=user,
            at=at,
            choices={"is_pinned": is_pinned, "is_default": is_default},
        )
    return view


@transaction.atomic
def edit_view(
    *,
    view: SavedView,
    actor: User,
    changes: Mapping[str, Any],
    at: datetime,
    choices: Mapping[str, bool] | None = None,
) -> SavedView:
    """Change a view's name, address or whom it is shared with; only its maker may.

    `choices` are the maker's own, as of `choose_view`. Raises InvalidInput by field, NotTheirView,
    NotVisible.
    """
    refuse_unknown(changes, VIEW_FIELDS, "view")
    view = _lock(view, actor)
    require_maker(actor=actor, view=view)
    before = {field: getattr(view, field) for field in changes}
    for field, value in changes.items():
        setattr(view, field, _own_query(str(value)) if field == "query" else value)
    _require_reach(actor, view.project, view.organisation)
    clean(view)
    differences = {
        field: [plain(before[field]), plain(getattr(view, field))]
        for field in changes
        if before[field] != getattr(view, field)
    }
    if differences:
        view.save()
        record_audit(
            action="view.edit",
            subject=view,
            at=at,
            actor=actor,
            project=view.project,
            organisation=view.organisation,
            changes=differences,
        )
    if choices:
        choose_view(view=view, actor=actor, choices=choices, at=at)
    return view


@transaction.atomic
def delete_view(*, view: SavedView, actor: User, at: datetime) -> None:
    """Delete a view: one's own, or a shared one as owner of what it is shared with.

    With it goes whoever's pin of it. Raises NotVisible, NotTheirView.
    """
    view = _lock(view, actor)
    require_delete(actor=actor, view=view)
    record_audit(
        action="view.delete",
        subject=view,
        at=at,
        actor=actor,
        project=view.project,
        organisation=view.organisation,
        changes={field: [plain(getattr(view, field)), None] for field in VIEW_FIELDS},
    )
    view.delete()


@transaction.atomic
def choose_view(
    *, view: SavedView, actor: User, choices: Mapping[str, bool], at: datetime
) -> ViewChoice:
    """Pin a visible view into one's own navigation, or open the list with it; or no more.

    Another default of the same list stops being it. Raises NotVisible.
    """
    refuse_unknown(choices, CHOICE_FIELDS, "view")
    view = _lock(view, actor)
    choice = ViewChoice.objects.filter(user=actor, view=view).first()
    choice = choice or ViewChoice(user=actor, view=view, path=view.path)
    before = {field: getattr(choice, field) for field in choices}
    for field, value in choices.items():
        setattr(choice, field, bool(value))
    changed = {field for field in choices if before[field] != getattr(choice, field)}
    if not changed:
        return choice
    if choice.is_default:
        theirs = ViewChoice.objects.filter(user=actor, path=view.path, is_default=True)
        theirs.exclude(pk=choice.pk).update(is_default=False)
    choice.save()
    record_audit(
        action="view.choose",
        subject=view,
        at=at,
        actor=actor,
        changes={field: [before[field], getattr(choice, field)] for field in sorted(changed)},
    )
    return choice


def require_maker(*, actor: User, view: SavedView) -> None:
    """Raise NotTheirView for who did not make the view."""
    if view.user_id != actor.pk:
        message = f"{view.user} made this view and may change it. Save it under a name of yours."
        raise NotTheirView(message)


def may_delete(*, actor: User, view: SavedView) -> bool:
    """Say whether the person may delete the view: its maker, or an owner where it is shared."""
    if view.user_id == actor.pk or actor.is_superuser:
        return True
    if view.project is not None:
        return may(actor, Action.PROJECT_EDIT, view.project)
    return view.organisation_id in organisations_where(actor, Action.PROJECT_EDIT)


def require_delete(*, actor: User, view: SavedView) -> None:
    """Raise NotTheirView for who may not delete the view."""
    if not may_delete(actor=actor, view=view):
        message = f"{view.user} made this view; they or an owner may delete it."
        raise NotTheirView(message)


def _lock(view: SavedView, actor: User) -> SavedView:
    found = (
        SavedView.objects.select_for_update(of=("self",))
        .select_related("user", "project__organisation", "organisation")
        .filter(pk=view.pk)
        .first()
    )
    if found is None or not visible_views(actor).filter(pk=view.pk).exists():
        message = "There is no such view, or it is not shared with you."
        raise NotVisible(message)
    return found


def _require_list(path: str) -> None:
    if len(path) > 200 or list_at(path) is None:
        message = "A view is of a list. Open the list and save the view there."
        raise InvalidInput(message, fields={"path": message})


def _own_query(query: str) -> str:
    kept = view_query(query)
    if len(kept) > LONGEST_QUERY or "\0" in query:
        message = f"The address is longer than {LONGEST_QUERY} characters. Use fewer filters."
        raise InvalidInput(message, fields={"query": message})
    return kept


def _require_reach(user: User, project: Project | None, organisation: Organisation | None) -> None:
    """Refuse to share with those to whom the person does not belong."""
    if project is not None and organisation is not None:
        message = "Share it with one project or one organisation, not with both."
        raise InvalidInput(message, fields={"organisation": message})
    if project is not None:
        seen = projects_where(user, Action.PROJECT_VIEW).filter(pk=project.pk).exists()
        if not seen:
            message = "There is no such project, or you have no role in it. Ask its owner."
            raise NotVisible(message, fields={"project": message})
    if organisation is not None and organisation.pk not in organisations_joined(user):
        message = "There is no such organisation, or you do not belong to it."
        raise NotVisible(message, fields={"organisation": message})
