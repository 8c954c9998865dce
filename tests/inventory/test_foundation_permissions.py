"""Who may do what where: the matrix and its scopes."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from inventory.foundation.choices import Role, Via
from inventory.foundation.errors import Forbidden, NotVisible
from inventory.foundation.models import AuditEvent, Organisation, Project, RoleGrant, User
from inventory.foundation.permissions import Action, may, projects_where, require
from inventory.foundation.trail import Trail, on_trail, record_audit
from tests.cast import NOW, grant, make_user


def test_owner_and_deputy_need_no_grant(owner: User, deputy: User, project: Project) -> None:
    assert may(owner, Action.PROJECT_EDIT, project)
    assert may(deputy, Action.PROJECT_EDIT, project)


def test_a_stranger_is_told_that_there_is_nothing(stranger: User, project: Project) -> None:
    with pytest.raises(NotVisible):
        require(stranger, Action.ORDER_PLACE, project)
    assert not projects_where(stranger, Action.PROJECT_VIEW).exists()


def test_who_sees_but_may_not_is_told_which_role(auditor: User, project: Project) -> None:
    with pytest.raises(Forbidden, match="role member or owner"):
        require(auditor, Action.ORDER_PLACE, project)


def test_a_role_reaches_the_organisations_below(organisation: Organisation, owner: User) -> None:
    below = Organisation.objects.create(name="Below", slug="below", parent=organisation)
    project = Project.objects.create(
        organisation=below,
        name="Deep",
        slug="deep",
        owner=owner,
        deputy=make_user("dora"),
        cost_centre="1",
        created_at=NOW,
    )
    reader = make_user("rita")
    assert not may(reader, Action.PROJECT_VIEW, project)
    grant(reader, Role.AUDITOR, organisation=organisation)
    assert may(reader, Action.PROJECT_VIEW, project)


def test_an_expired_role_is_none(member: User, project: Project) -> None:
    RoleGrant.objects.filter(user=member).update(
        granted_at=NOW - timedelta(days=3000), expires_at=NOW - timedelta(days=2000)
    )
    assert not may(member, Action.PROJECT_VIEW, project)


def test_audit_rows_cannot_be_changed_by_the_application(owner: User, project: Project) -> None:
    with on_trail(Trail(via=Via.PAGE, actor=owner, request_id="r-1")), transaction.atomic():
        record_audit(action="project.edit", subject=project, at=NOW, project=project)
    event = AuditEvent.objects.get()
    assert (event.actor, event.request_id) == (owner, "r-1")
    for change in (lambda: AuditEvent.objects.update(reason="x"), AuditEvent.objects.all().delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_one_project_is_answered_as_a_list_of_them_is(
    organisation: Organisation, project: Project, owner: User, deputy: User, stranger: User
) -> None:
    above = Organisation.objects.create(name="Holding", slug="holding")
    organisation.parent = above
    organisation.save()
    elsewhere = Organisation.objects.create(name="Far away", slug="far-away")
    other = Project.objects.create(
        organisation=elsewhere,
        name="Other",
        slug="other",
        owner=stranger,
        deputy=deputy,
        cost_centre="1",
        created_at=NOW,
    )
    people = [owner, deputy, stranger]
    for role in Role:
        for word, scope in (
            ("above", {"organisation": above}),
            ("beside", {"organisation": elsewhere}),
            ("here", {"project": project}),
        ):
            person = make_user(f"{role}-{word}")
            grant(person, role, **scope)
            people.append(person)
    gone, root = make_user("gone"), make_user("root")
    grant(gone, Role.OWNER, organisation=above)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    people += [User.objects.get(pk=gone.pk), User.objects.get(pk=root.pk)]
    answers = set()
    for person in people:
        for action in Action:
            among = set(projects_where(person, action))
            for one in (project, other):
                assert may(person, action, one) == (one in among), (person, action, one)
                answers.add(one in among)
    assert answers == {True, False}
