"""Reads about people, organisations and projects."""

from datetime import datetime

from django.contrib.auth.models import Group
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, StringAgg, Subquery, Value, When
from django.db.models.functions import Coalesce, Now, NullIf

from inventory.foundation.choices import Role, WishState
from inventory.foundation.models import (
    AuditEvent,
    Event,
    Membership,
    Organisation,
    Project,
    ProjectRequest,
    ProjectTransfer,
    RoleGrant,
    SavedView,
    User,
    ViewChoice,
)
from inventory.foundation.permissions import (
    MATRIX,
    Action,
    line_above,
    memberships_of,
    organisations_where,
    parents_of_organisations,
    projects_where,
)

ROLE_PARTS = ("user", "group", "granted_by", "organisation", "project__organisation")
HAS_ENDED = Case(When(expires_at__lte=Now(), then=True), default=False)
PRINCIPAL = Coalesce(NullIf("user__display_name", Value("")), "user__username", "group__name")


def ancestry(*organisation_ids: int) -> list[int]:
    """Return the ids of the organisations and of all above them, each once.

    Those of one organisation come nearest first.
    """
    parents = parents_of_organisations()
    lines = (line_above(start, parents) for start in organisation_ids)
    return list(dict.fromkeys(node for line in lines for node in line))


def visible_projects(user: User) -> QuerySet[Project]:
    """Return the projects in which the person holds any role, with what a list shows of them."""
    return (
        projects_where(user, Action.PROJECT_VIEW)
        .select_related("organisation", "owner", "deputy")
        .order_by("name", "pk")
    )


def grants_of(*, project: Project, at: datetime) -> QuerySet[RoleGrant]:
    """Return the roles that hold in the project at `at`: its own and its organisations'."""
    return (
        RoleGrant.objects.filter(
            Q(project=project) | Q(organisation_id__in=ancestry(project.organisation_id)),
            Q(expires_at=None) | Q(expires_at__gt=at),
        )
        .select_related("user", "group", "granted_by", "organisation", "project")
        .order_by("role", "pk")
    )


def people_with(*, action: Action, project: Project, at: datetime) -> QuerySet[User]:
    """Return the active people who hold the action in the project at `at`, by name."""
    grants = grants_of(project=project, at=at).filter(role__in=MATRIX[action])
    who = Q(pk__in=grants.filter(user__isnull=False).values("user_id")) | Q(
        groups__in=grants.filter(group__isnull=False).values("group_id")
    )
    if Role.OWNER in MATRIX[action]:
        who |= Q(pk__in=[project.owner_id, project.deputy_id])
    return User.objects.filter(who, is_active=True).distinct().order_by("display_name", "username")


def members_of(organisation: Organisation) -> QuerySet[User]:
    """Return the active people who belong to the organisation or to one above it, by name."""
    return (
        User.objects.filter(
            memberships__organisation_id__in=ancestry(organisation.pk), is_active=True
        )
        .distinct()
        .order_by("display_name", "username")
    )


def members_of_any(organisations: QuerySet[Organisation]) -> QuerySet[User]:
    """Return the active people of several organisations, each with those above it, by name."""
    lines = ancestry(*organisations.values_list("pk", flat=True))
    return (
        User.objects.filter(memberships__organisation_id__in=lines, is_active=True)
        .distinct()
        .order_by("display_name", "username")
    )


def organisations_for(user: User, action: Action) -> QuerySet[Organisation]:
    """Return the organisations in which the person holds the action, by name."""
    return Organisation.objects.filter(pk__in=organisations_where(user, action)).order_by("name")


def organisations_of(user: User) -> QuerySet[Organisation]:
    """Return the organisations that the person belongs to, with all below them, by name."""
    own = set(user.memberships.values_list("organisation_id", flat=True))
    parents = dict(Organisation.objects.values_list("id", "parent_id"))
    reached = set()
    for start in parents:
        node: int | None = start
        while node is not None and node not in own:
            node = parents[node]
        if node is not None:
            reached.add(start)
    return Organisation.objects.filter(pk__in=reached).order_by("name")


def organisations_known(user: User) -> QuerySet[Organisation]:
    """Return the organisations that the person belongs to or holds a role in, by name."""
    roles = organisations_where(user, Action.PROJECT_VIEW)
    own = organisations_of(user).values("pk")
    return Organisation.objects.filter(Q(pk__in=roles) | Q(pk__in=own)).order_by("name")


def groups_of(organisation: Organisation) -> QuerySet[Group]:
    """Return the groups of which every active member belongs to the organisation, by name."""
    people = members_of(organisation).values("pk")
    outsiders = User.objects.filter(is_active=True).exclude(pk__in=people)
    return (
        Group.objects.filter(user__in=people)
        .exclude(user__in=outsiders)
        .distinct()
        .order_by("name")
    )


def visible_project_requests(user: User) -> QuerySet[ProjectRequest]:
    """Return the requests for projects that the person made, is named in or has a say in."""
    rows = ProjectRequest.objects.select_related("organisation", "requester", "owner", "deputy")
    if user.is_superuser:
        return rows
    where = set().union(
        *(
            organisations_where(user, action)
            for action in (Action.PROJECT_CREATE, Action.MONEY_MANAGE, Action.AUDIT_VIEW)
        )
    )
    return rows.filter(
        Q(requester=user) | Q(owner=user) | Q(deputy=user) | Q(organisation_id__in=where)
    )


def visible_transfers(user: User) -> QuerySet[ProjectTransfer]:
    """Return the hand-overs that the person has to do with, by project, name or organisation."""
    return ProjectTransfer.objects.filter(
        Q(project__in=projects_where(user, Action.PROJECT_VIEW))
        | Q(user=user)
        | Q(deputy=user)
        | Q(asked_by=user)
        | Q(organisation_id__in=organisations_where(user, Action.PROJECT_CREATE))
    ).select_related("project__organisation", "organisation", "user", "deputy", "asked_by")


def project_inbox(user: User) -> QuerySet[ProjectRequest]:
    """Return the requests for projects that wait for this person's decision, oldest first."""
    return (
        visible_project_requests(user)
        .filter(
            state=WishState.WAITING,
            organisation_id__in=organisations_where(user, Action.PROJECT_CREATE),
        )
        .exclude(requester=user)
        .order_by("created_at", "pk")
    )


def transfer_inbox(user: User) -> QuerySet[ProjectTransfer]:
    """Return the hand-overs that wait for this person's answer, oldest first."""
    return (
        visible_transfers(user)
        .filter(
            Q(user=user, organisation=None)
            | Q(
                organisation=None,
                project__organisation_id__in=organisations_where(user, Action.PROJECT_EDIT),
            )
            | Q(organisation_id__in=organisations_where(user, Action.PROJECT_CREATE)),
            state=WishState.WAITING,
        )
        .exclude(asked_by=user)
        .order_by("created_at", "pk")
    )


def all_grants_of(project: Project) -> QuerySet[RoleGrant]:
    """Return the roles in the project and its organisations, with those that have run out.

    `has_ended` tells them apart (database time).
    """
    return (
        RoleGrant.objects.filter(
            Q(project=project) | Q(organisation_id__in=ancestry(project.organisation_id))
        )
        .select_related(*ROLE_PARTS)
        .annotate(has_ended=HAS_ENDED, principal=PRINCIPAL)
        .order_by("has_ended", "principal", "pk")
    )


def roles_reaching(*, pool_id: int, organisation: Organisation) -> QuerySet[RoleGrant]:
    """Return the roles in a pool and in the organisations above it, with those that have run out.

    `has_ended` says which have run out (database time).
    """
    return (
        RoleGrant.objects.filter(
            Q(pool_id=pool_id) | Q(organisation_id__in=ancestry(organisation.pk))
        )
        .select_related(*ROLE_PARTS)
        .annotate(has_ended=HAS_ENDED, principal=PRINCIPAL)
    )


def visible_roles(user: User) -> QuerySet[RoleGrant]:
    """Return the roles in projects that the person sees, and in organisations that reach them.

    `has_ended` says which have run out (database time).
    """
    projects = projects_where(user, Action.PROJECT_VIEW)
    above = ancestry(
        *projects.values_list("organisation_id", flat=True).distinct(),
        *organisations_where(user, Action.PEOPLE_VIEW),
    )
    return (
        RoleGrant.objects.filter(Q(project__in=projects) | Q(organisation_id__in=above))
        .select_related(*ROLE_PARTS)
        .annotate(has_ended=HAS_ENDED, principal=PRINCIPAL)
    )


def grants_to(*, user: User, at: datetime) -> QuerySet[RoleGrant]:
    """Return the roles that a person holds at `at`, own and through groups."""
    return (
        RoleGrant.objects.filter(
            Q(user=user) | Q(group__user=user), Q(expires_at=None) | Q(expires_at__gt=at)
        )
        .select_related("organisation", "project", "group")
        .order_by("scope", "role", "pk")
    )


def organisations_with_people(user: User) -> set[int]:
    """Return the ids of the organisations in which the person may see people."""
    projects = projects_where(user, Action.PEOPLE_VIEW)
    return organisations_where(user, Action.PEOPLE_VIEW) | set(
        projects.values_list("organisation_id", flat=True)
    )


def visible_memberships(user: User) -> QuerySet[Membership]:
    """Return who belongs to the organisations in which the person may see people."""
    return Membership.objects.filter(
        organisation_id__in=organisations_with_people(user)
    ).select_related("user", "organisation")


def visible_people(user: User) -> QuerySet[User]:
    """Return the people of all organisations in which the person may see people.

    `role_words` names their live roles and `belongs_to` those of these organisations that they
    belong to, in words' order, comma-separated.
    """
    organisations = organisations_with_people(user)
    roles = (
        RoleGrant.objects.filter(user=OuterRef("pk"))
        .filter(Q(expires_at=None) | Q(expires_at__gt=Now()))
        .values("user")
        .annotate(words=StringAgg("role", Value(", "), distinct=True))
        .values("words")
    )
    theirs = (
        Membership.objects.filter(user=OuterRef("pk"), organisation_id__in=organisations)
        .values("user")
        .annotate(words=StringAgg("organisation__name", Value(", "), distinct=True))
        .values("words")
    )
    members = Membership.objects.filter(organisation_id__in=organisations).values("user_id")
    return User.objects.filter(pk__in=members).annotate(
        role_words=Subquery(roles), belongs_to=Subquery(theirs)
    )


def visible_audit(user: User) -> QuerySet[AuditEvent]:
    """Return the audit entries of the projects and organisations that the person may audit."""
    entries = AuditEvent.objects.select_related("project", "seal")
    if user.is_superuser:
        return entries
    return entries.filter(
        Q(project__in=projects_where(user, Action.AUDIT_VIEW))
        | Q(organisation_id__in=organisations_where(user, Action.AUDIT_VIEW))
    )


def visible_events(user: User) -> QuerySet[Event]:
    """Return the events of the projects that the person may audit."""
    events = Event.objects.select_related("project")
    if user.is_superuser:
        return events
    return events.filter(project__in=projects_where(user, Action.AUDIT_VIEW))


def demo_person(role: Role) -> User | None:
    """Return the first active person who holds the role and is no superuser, for the demo."""
    people = User.objects.filter(is_active=True, is_superuser=False)
    holders = people.filter(role_grants__role=role)
    if role is Role.OWNER:
        holders = people.filter(owned_projects__isnull=False)
    return holders.order_by("pk").first()


def organisations_joined(user: User) -> set[int]:
    """Return the ids of the organisations a person belongs to or has a role in, and all above."""
    direct = {*memberships_of(user), *organisations_where(user, Action.PROJECT_VIEW)}
    return set(ancestry(*direct))


def visible_views(user: User) -> QuerySet[SavedView]:
    """Return the saved views that a person sees: their own, and what is shared with them.

    One shared with a project reaches who has a role in it, one shared with an organisation who
    belongs to it or below. `is_pinned` and `is_default` are the person's own choice.
    """
    own = ViewChoice.objects.filter(user=user, view=OuterRef("pk"))
    return (
        SavedView.objects.filter(
            Q(user=user)
            | Q(project__in=projects_where(user, Action.PROJECT_VIEW))
            | Q(organisation__in=organisations_joined(user))
        )
        .annotate(
            is_pinned=Exists(own.filter(is_pinned=True)),
            is_default=Exists(own.filter(is_default=True)),
        )
        .select_related("user", "project", "organisation")
    )


def views_at_hand(user: User, *, path: str) -> list[SavedView]:
    """Return, by name, the views that a page shows: of the list at `path`, and all pinned ones."""
    seen = visible_views(user)
    return list(seen.filter(Q(path=path) | Q(is_pinned=True)).order_by("name", "pk"))
