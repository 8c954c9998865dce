"""Reads of the change calendar: freezes and windows that a person may see or set."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Now

from inventory.foundation.models import Organisation, Project, User
from inventory.foundation.permissions import Action, may, organisations_where, projects_where
from inventory.foundation.selectors import ancestry, organisations_joined
from inventory.models import Pool
from inventory.selectors import pools_where, visible_pools
from orchestra.choices import EntryStanding
from orchestra.models import ChangeWindow, Freeze

Entry = Freeze | ChangeWindow
# Of a row with a range `during`, by database time.
STANDING = Case(
    When(during__endswith__lte=Now(), then=Value(EntryStanding.OVER)),
    When(during__startswith__gt=Now(), then=Value(EntryStanding.AHEAD)),
    default=Value(EntryStanding.NOW),
    output_field=CharField(),
)


def visible_entries[E: Freeze | ChangeWindow](model: type[E], user: User) -> QuerySet[E]:
    """Return what holds in a pool, project or organisation that the person sees, or everywhere.

    An entry of an organisation is seen by who belongs to it or below, or has a role or project
    there. `place` names where it holds (None: everywhere), `start_at` and `end_at` are its ends
    (None: open), `standing` is an EntryStanding by database time.
    """
    projects = projects_where(user, Action.PROJECT_VIEW)
    organisations = {
        *organisations_joined(user),
        *organisations_where(user, Action.PROJECT_VIEW),
        *ancestry(*projects.values_list("organisation_id", flat=True).distinct()),
    }
    manager: Any = model._default_manager
    rows: QuerySet[E] = manager.annotate(
        place=Coalesce("pool__name", "project__name", "organisation__name"),
        start_at=F("during__startswith"),
        end_at=F("during__endswith"),
        standing=STANDING,
    ).select_related("organisation", "project__organisation", "pool__organisation", "created_by")
    if user.is_superuser:
        return rows
    return rows.filter(
        Q(pool__in=visible_pools(user).values("pk"))
        | Q(project__in=projects)
        | Q(organisation_id__in=organisations)
        | Q(pool=None, project=None, organisation=None)
    )


@dataclass(frozen=True)
class Place:
    """Where a person may set an entry: at most one of the three; none is everywhere."""

    organisation: Organisation | None = None
    project: Project | None = None
    pool: Pool | None = None

    @property
    def subject(self) -> Organisation | Project | Pool | None:
        """Return the one that is named."""
        return self.pool or self.project or self.organisation

    @property
    def key(self) -> str:
        """Return a word for it in a form: pool-3, project-5, organisation-1 or everywhere."""
        subject = self.subject
        return f"{subject._meta.model_name}-{subject.pk}" if subject else "everywhere"


def places_to_set(user: User) -> list[Place]:
    """Return where the person decides: pools, then projects, then organisations, by name.

    The same as `require_scope` of the services: pools for their operators, the rest for owners.
    """
    pools = pools_where(user, Action.POOL_EDIT).order_by("name", "pk")
    projects = projects_where(user, Action.PROJECT_EDIT).order_by("name", "pk")
    owned = organisations_where(user, Action.PROJECT_EDIT)
    organisations = Organisation.objects.filter(pk__in=owned).order_by("name", "pk")
    places = [Place(pool=pool) for pool in pools]
    places += [Place(project=project) for project in projects]
    places += [Place(organisation=organisation) for organisation in organisations]
    return places + ([Place()] if user.is_superuser else [])


def may_set_entry(user: User, entry: Entry) -> bool:
    """Say whether the person may change, end or take away the entry."""
    if entry.pool_id is not None:
        return pools_where(user, Action.POOL_EDIT).filter(pk=entry.pool_id).exists()
    if entry.project is not None:
        return may(user, Action.PROJECT_EDIT, entry.project)
    if entry.organisation_id is not None:
        return entry.organisation_id in organisations_where(user, Action.PROJECT_EDIT)
    return user.is_superuser
