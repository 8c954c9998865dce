"""The pages around projects: asked for, shown, handed over, closed; who may see and do what."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from billing.models import ProjectBilling
from inventory.foundation.choices import Role
from inventory.foundation.clock import database_now
from inventory.foundation.models import (
    Membership,
    Organisation,
    Project,
    ProjectRequest,
    ProjectTransfer,
    RoleGrant,
    User,
)
from inventory.foundation.services import mark_closed
from orchestra.models import Order
from tests.billing.world import make_account
from tests.cast import NOW, grant, make_user
from tests.factories import hold
from tests.orchestra.world import Catalogue, place


@pytest.fixture
def go(client: Client):
    """Return a function that opens (or, with data, sends) a page as a person."""

    def visit(user: User, name: str, /, *args: object, query: str = "", **data: object):
        client.force_login(user)
        address = reverse(name, args=args) + query
        if not data:
            return client.get(address)
        return client.post(address, {"idempotency_key": uuid4().hex, **data})

    return visit


def wish(owner: User, deputy: User, /, **changes: object) -> dict[str, object]:
    """Return what the form of a request for a project sends."""
    return {
        "organisation": owner.memberships.get().organisation_id,
        "name": "Search",
        "slug": "search",
        "description": "A search for the shop",
        "owner": owner.pk,
        "deputy": deputy.pk,
        "cost_centre": "4712",
        "wished_budget": "2,000 EUR a month",
        **changes,
    }


def test_a_project_is_asked_for_and_approved_with_a_change(
    go, owner: User, deputy: User, operator: User, organisation: Organisation
) -> None:
    newcomer = make_user("nora", organisation)
    assert go(newcomer, "foundation:project-new").status_code == 403
    asked = go(newcomer, "foundation:request-project", **wish(owner, deputy))
    page = go(newcomer, "foundation:project-request", ProjectRequest.objects.get().pk)
    assert asked.url == page.request["PATH_INFO"]
    assert b"It waits for somebody" in page.content
    assert b"Withdraw" in page.content
    listed = go(operator, "foundation:projects").content
    assert b"nora asks for the project Search" in listed
    number = ProjectRequest.objects.get().pk
    decide = go(operator, "foundation:project-request-decide", number)
    assert b"2,000 EUR a month" in decide.content
    data = wish(owner, deputy, cost_centre="4713", decision="approve", answer="Go")
    answer = go(operator, "foundation:project-request-decide", number, **data)
    assert answer.url == reverse("foundation:project-request", args=[number])
    project = Project.objects.get(slug="search")
    assert project.cost_centre == "4713"
    told = go(newcomer, "foundation:project-request", number).content.decode()
    assert "4712 → 4713" in told
    assert reverse("foundation:project", args=[project.pk]) not in told  # not hers to see


def test_a_rejection_without_a_reason_stays_on_the_form(
    go, owner: User, deputy: User, operator: User
) -> None:
    go(owner, "foundation:request-project", **wish(owner, deputy))
    number = ProjectRequest.objects.get().pk
    data = wish(owner, deputy, decision="reject", answer="")
    refused = go(operator, "foundation:project-request-decide", number, **data)
    assert refused.status_code == 400
    assert b"Say why" in refused.content
    data["answer"] = "Use the shop"
    assert go(operator, "foundation:project-request-decide", number, **data).status_code == 302
    assert b"Use the shop" in go(owner, "foundation:project-request", number).content
    again = go(operator, "foundation:project-request-decide", number, **data)
    assert again.status_code == 409


def test_who_belongs_nowhere_is_told_the_cure(go, db: None) -> None:
    answer = go(make_user("lone"), "foundation:request-project")
    assert answer.status_code == 403
    assert b"Ask its owner to add you" in answer.content


def test_the_page_shows_the_project_whole(
    go, catalogue: Catalogue, project: Project, owner: User, member: User, operator: User
) -> None:
    order = place(catalogue, member)
    held = hold(project, catalogue.pool, {"VCPU": 1}, name="loose")
    page = go(owner, "foundation:project", project.pk).content.decode()
    for shown in (
        "Olivia".lower(),
        "4711",
        "Account shop",
        reverse("orchestra:request", args=[order.pk]),
        reverse("inventory:resource", args=[held.pk]),
        reverse("foundation:role", args=[RoleGrant.objects.get(user=member).pk]),
        reverse("foundation:project-close", args=[project.pk]),
        "Request: asked for",
        f"{reverse('billing:charges')}?project={project.pk}",
    ):
        assert shown in page, shown
    seen = go(operator, "foundation:project", project.pk).content.decode()
    assert "Who pays, and since when" not in seen  # operators see no costs
    assert "History" not in seen
    assert reverse("foundation:project-close", args=[project.pk]) not in seen


def test_the_page_of_a_project_asks_the_same_few_questions(
    go, client: Client, django_assert_max_num_queries, catalogue: Catalogue, owner: User, member
) -> None:
    for number in range(4):
        place(catalogue, member, name=f"web{number}")
        hold(catalogue.project, catalogue.pool, {"VCPU": 1}, name=f"loose-{number}")
    go(owner, "foundation:project", catalogue.project.pk)
    with django_assert_max_num_queries(60):
        client.get(reverse("foundation:project", args=[catalogue.project.pk]))


def test_a_project_that_nobody_pays_for_says_so_and_finance_chooses(
    go, catalogue: Catalogue, project: Project, owner: User, member: User, finance: User
) -> None:
    ProjectBilling.objects.all().delete()
    assert b"Nobody pays for this project" in go(owner, "foundation:project", project.pk).content
    order = place(catalogue, member)
    assert "Ask finance to name its paying account" in str(order.refusal)
    unpaid = go(finance, "billing:payers", query="?paid=no").content
    assert b"Shop" in unpaid
    data = {"account": catalogue.money.account.pk, "reason": "As agreed"}
    assert go(owner, "billing:payer", project.pk, **data).status_code == 403
    assert go(finance, "billing:payer", project.pk, **data).status_code == 302
    page = go(owner, "foundation:project", project.pk).content
    assert b"Nobody pays for this project" not in page
    assert b"No projects" not in go(finance, "billing:payers", query="?paid=yes").content


def test_another_account_pays_from_a_chosen_instant(
    go, catalogue: Catalogue, project: Project, finance: User
) -> None:
    other = make_account(catalogue.money.entity, project.organisation, "other")
    cut = (database_now() + timedelta(days=2)).replace(second=0, microsecond=0)
    data = {"account": other.pk, "reason": "Moved", "from_at": f"{cut:%Y-%m-%dT%H:%M}"}
    User.objects.filter(pk=finance.pk).update(time_zone="UTC")
    finance.refresh_from_db()
    assert go(finance, "billing:payer", project.pk, **data).status_code == 302
    old, new = ProjectBilling.objects.order_by("pk")
    assert (old.during.upper, new.during.lower, new.account) == (cut, cut, other)


def test_closing_names_what_is_in_the_way(
    go, catalogue: Catalogue, project: Project, owner: User, member: User
) -> None:
    order = place(catalogue, member)
    page = go(owner, "foundation:project-close", project.pk).content.decode()
    assert reverse("orchestra:request", args=[order.pk]) in page
    assert "Cancel it, or wait until it is delivered." in page
    data = {"confirm_name": "Shop", "reason": "Over"}
    refused = go(owner, "foundation:project-close", project.pk, **data)
    assert refused.status_code == 409
    assert b"is not empty" in refused.content
    Order.objects.update(state="cancelled")
    wrong = go(owner, "foundation:project-close", project.pk, **data | {"confirm_name": "shop"})
    assert wrong.status_code == 400
    assert go(owner, "foundation:project-close", project.pk, **data).status_code == 302


def test_a_closed_project_lies_in_the_archive_and_opens_again(
    go, project: Project, owner: User
) -> None:
    mark_closed(project=project, actor=owner, reason="Over", at=NOW)
    assert b"Shop" not in go(owner, "foundation:projects").content.split(b"<main")[1]
    assert b"Shop" in go(owner, "foundation:projects", query="?archive=only").content
    assert b"Shop" in go(owner, "foundation:projects", query="?status=closed").content
    page = go(owner, "foundation:project", project.pk).content
    assert b"This project is closed" in page
    data = {"reason": "Not over"}
    assert go(owner, "foundation:project-reopen", project.pk, **data).status_code == 302
    assert go(owner, "foundation:project-reopen", project.pk, **data).status_code == 409
    project.refresh_from_db()
    assert project.status == "active"


def test_a_project_is_handed_over_by_two_people(
    go, project: Project, owner: User, approver: User, member: User
) -> None:
    data = {"kind": "owner", "user": approver.pk, "reason": "I leave"}
    asked = go(owner, "foundation:hand-over", project.pk, **data)
    transfer = ProjectTransfer.objects.get()
    assert asked.url == reverse("foundation:transfer", args=[transfer.pk])
    assert transfer.kind in go(approver, "foundation:projects").content.decode().lower()
    assert b"Answer" in go(approver, "foundation:transfer", transfer.pk).content
    assert go(member, "foundation:transfer-answer", transfer.pk).status_code == 403
    yes = {"decision": "approve", "answer": ""}
    assert go(approver, "foundation:transfer-answer", transfer.pk, **yes).status_code == 302
    project.refresh_from_db()
    assert project.owner == approver
    assert go(approver, "foundation:transfer-answer", transfer.pk, **yes).status_code == 409


def test_another_organisation_takes_it_over_on_its_page(
    go, project: Project, owner: User, stranger: User, member: User
) -> None:
    elsewhere = Organisation.objects.get(memberships__user=stranger)
    grant(stranger, Role.OWNER, organisation=elsewhere)
    assert b"no other organisation" in go(owner, "foundation:project-move", project.pk).content
    Membership.objects.create(user=owner, organisation=elsewhere, since=NOW)
    data = {
        "organisation": elsewhere.pk,
        "user": stranger.pk,
        "deputy": owner.pk,
        "reason": "Sold",
    }
    assert go(owner, "foundation:project-move", project.pk, **data).status_code == 302
    number = ProjectTransfer.objects.get().pk
    page = go(stranger, "foundation:transfer", number).content
    assert reverse("foundation:project", args=[project.pk]).encode() not in page
    yes = {"decision": "approve", "answer": "Welcome"}
    assert go(stranger, "foundation:transfer-answer", number, **yes).status_code == 302
    assert go(stranger, "foundation:project", project.pk).status_code == 200
    assert go(member, "foundation:project", project.pk).status_code == 404


def test_roles_have_an_end_a_search_and_a_file(
    go, project: Project, owner: User, member: User, approver: User
) -> None:
    old = grant(approver, Role.MEMBER, project=project)
    RoleGrant.objects.filter(pk=old.pk).update(expires_at=NOW + timedelta(days=1))
    page = go(owner, "foundation:project-roles", project.pk).content
    assert b"Run out" in page
    found = go(owner, "foundation:project-roles", project.pk, query="?q=mia").content
    assert b"mia" in found
    ended = go(owner, "foundation:project-roles", project.pk, query="?standing=ended")
    assert [row.record for row in ended.context["table"].rows] == [old]
    file = go(owner, "foundation:project-roles", project.pk, query="?format=csv")
    text = file.getvalue().decode()
    assert "Run out" in text
    assert "mia" in text
    held = RoleGrant.objects.get(user=member)
    data = {"role": "auditor", "reason": "Moved", "expires_at": ""}
    assert go(owner, "foundation:role-change", held.pk, **data).status_code == 302
    held.refresh_from_db()
    assert held.role == "auditor"


def test_only_who_owns_the_organisation_adds_a_person_to_it(
    go, organisation: Organisation, owner: User, stranger: User
) -> None:
    boss = make_user("bea", organisation)
    grant(boss, Role.OWNER, organisation=organisation)
    data = {"organisation": organisation.pk, "person": "SAM@example.org"}
    assert go(owner, "foundation:member-add", **data).status_code == 403
    unknown = go(boss, "foundation:member-add", **data | {"person": "nobody"})
    assert unknown.status_code == 400
    assert b"Ask an administrator" in unknown.content
    assert go(boss, "foundation:member-add", **data).status_code == 302
    assert Membership.objects.filter(user=stranger, organisation=organisation).exists()
