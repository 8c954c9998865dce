"""The cellar's pages: who sees what, filters in the address, CSV, forms, errors."""

import csv
import io
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from inventory.foundation.choices import Role, Theme
from inventory.foundation.models import (
    AuditEvent,
    IdempotencyKey,
    Organisation,
    Project,
    RoleGrant,
    User,
)
from inventory.foundation.tables import cell_text
from inventory.foundation.trail import record_audit
from inventory.foundation.views import server_error
from tests.cast import NOW, grant, make_user
from tests.lists import rows_only

LISTS = ("projects", "people", "audit", "events")


@pytest.fixture
def visit(client: Client):
    """Return a function that makes the client a person and gives the answer of an address."""

    def go(user: User, name: str, *args: object, query: str = ""):
        client.force_login(user)
        return client.get(reverse(f"foundation:{name}", args=args) + query)

    return go


@pytest.fixture
def send(client: Client):
    """Return a function that posts a form as a person."""

    def go(user: User, name: str, /, *args: object, **data: object):
        client.force_login(user)
        return client.post(reverse(f"foundation:{name}", args=args), data)

    return go


def read_csv(answer) -> list[list[str]]:
    """Return the rows of a CSV answer."""
    return list(csv.reader(io.StringIO(rows_only(answer.getvalue().decode()))))


def audit(project: Project, actor: User, count: int, label: str = "order.place") -> None:
    """Write audit entries, a minute apart."""
    with transaction.atomic():
        for number in range(count):
            record_audit(
                action=label,
                subject=project,
                at=NOW + timedelta(minutes=number),
                actor=actor,
                project=project,
            )


# ---------------------------------------------------------------- who sees what


@pytest.mark.parametrize("name", [*LISTS, "profile", "find", "project-new"])
def test_nobody_enters_without_signing_in(client: Client, name: str, db: None) -> None:
    answer = client.get(reverse(f"foundation:{name}"))
    assert answer.status_code == 302
    assert answer.url.startswith(reverse("foundation:login"))


@pytest.mark.parametrize("name", LISTS)
def test_lists_refuse_to_be_written(client: Client, name: str, auditor: User) -> None:
    client.force_login(auditor)
    assert client.post(reverse(f"foundation:{name}")).status_code == 405


@pytest.mark.parametrize("name", ["people", "audit", "events"])
def test_a_member_is_told_which_role_is_missing(visit, member: User, name: str) -> None:
    answer = visit(member, name)
    assert answer.status_code == 403
    assert b"you need the role" in answer.content
    assert answer["X-Request-ID"].encode() in answer.content


def test_who_owns_the_organisation_finds_where_people_are_added(
    visit, organisation: Organisation, auditor: User, member: User, project: Project
) -> None:
    """The list of people leads to it, and everything named leads to the organisation."""
    boss = make_user("bea", organisation)
    held = grant(boss, Role.OWNER, organisation=organisation)
    add, home = (
        reverse("foundation:member-add").encode(),
        reverse("foundation:organisation", args=[organisation.pk]).encode(),
    )
    assert add in visit(boss, "people").content
    assert add not in visit(auditor, "people").content
    assert home in visit(auditor, "person", member.pk).content
    assert home in visit(member, "project", project.pk).content
    assert home in visit(auditor, "role", held.pk).content
    assert reverse("foundation:organisations").encode() in visit(member, "profile").content


def test_a_stranger_sees_no_project_and_gets_404_for_its_address(
    visit, stranger: User, project: Project
) -> None:
    assert b"You are in no project yet" in visit(stranger, "projects").content
    for name in ("project", "project-edit", "grant"):
        assert visit(stranger, name, project.pk).status_code == 404


def test_a_member_sees_the_project_but_may_not_change_it(
    visit, send, member: User, project: Project
) -> None:
    page = visit(member, "project", project.pk)
    assert page.status_code == 200
    assert reverse("foundation:project-edit", args=[project.pk]).encode() not in page.content
    assert visit(member, "project-edit", project.pk).status_code == 403
    assert send(member, "project-edit", project.pk, name="x").status_code == 403


def test_an_auditor_sees_only_the_entries_of_the_own_organisation(
    visit, auditor: User, owner: User, project: Project, stranger: User
) -> None:
    audit(project, owner, 1)
    entry = AuditEvent.objects.get()
    assert visit(auditor, "audit-entry", entry.pk).status_code == 200
    grant = RoleGrant.objects.create(
        user=stranger,
        role=Role.AUDITOR,
        scope="organisation",
        organisation=stranger.memberships.get().organisation,
        granted_at=NOW,
    )
    assert grant.pk
    assert visit(stranger, "audit-entry", entry.pk).status_code == 404
    assert b"Nothing has been changed yet" in visit(stranger, "audit").content


def test_the_project_filter_offers_no_foreign_project(
    visit, auditor: User, project: Project, stranger: User
) -> None:
    elsewhere = stranger.memberships.get().organisation
    foreign = Project.objects.create(
        organisation=elsewhere,
        name="Secret plan",
        slug="secret",
        owner=stranger,
        deputy=make_user("sue", elsewhere),
        cost_centre="1",
        created_at=NOW,
    )
    audit(project, auditor, 1)
    page = visit(auditor, "audit")
    assert b"Secret plan" not in page.content
    assert visit(auditor, "audit", query=f"?project={foreign.pk}&format=csv").status_code == 400


def test_the_navigation_shows_only_what_the_roles_allow(
    visit, member: User, auditor: User, project: Project
) -> None:
    for user, shown in ((member, False), (auditor, True)):
        content = visit(user, "projects").content.decode()
        assert (f'href="{reverse("foundation:audit")}"' in content) is shown
        assert f'href="{reverse("foundation:projects")}" aria-current="page"' in content


# ---------------------------------------------------------------- lists


def test_filters_sort_and_page_live_in_the_address(
    visit, auditor: User, owner: User, project: Project
) -> None:
    audit(project, owner, 60)
    audit(project, auditor, 3, label="project.edit")
    page = visit(auditor, "audit", query="?action=order&sort=at&page=2&per_page=25")
    table = page.context["table"]
    assert page.context["count"] == 60
    assert next(row.record.at for row in table.paginated_rows) == NOW + timedelta(minutes=25)
    content = page.content.decode()
    assert 'aria-sort="ascending"' in content
    assert "action=order&amp;sort=-at" in content
    assert "Page 2 of 3" in content


@pytest.mark.parametrize("query", ["?page=99", "?page=-1", "?page=x", "?per_page=7", "?sort=no"])
def test_a_wrong_page_or_order_still_shows_the_list(
    visit, auditor: User, project: Project, query: str
) -> None:
    audit(project, auditor, 2)
    page = visit(auditor, "audit", query=query)
    assert page.status_code == 200
    assert page.context["count"] == 2


@pytest.mark.parametrize(
    "query", ["?since=yesterday", "?via=post", "?q=%00", "?project=x", f"?q={'x' * 201}"]
)
def test_a_wrong_filter_says_so_and_gives_no_file(
    visit, auditor: User, project: Project, query: str
) -> None:
    audit(project, auditor, 2)
    page = visit(auditor, "audit", query=query)
    assert b"Please check what you entered" in page.content
    assert page.context["count"] == 0
    assert visit(auditor, "audit", query=query + "&format=csv").status_code == 400


def test_no_match_is_not_first_use(visit, auditor: User, project: Project) -> None:
    assert b"Nothing has been changed yet" in visit(auditor, "audit").content
    assert b"Nothing matches these filters" in visit(auditor, "audit", query="?q=zzz").content


def test_the_file_holds_all_rows_of_the_view_in_its_order(
    visit, auditor: User, owner: User, project: Project
) -> None:
    audit(project, owner, 60)
    audit(project, auditor, 3, label="project.edit")
    answer = visit(auditor, "audit", query="?action=order&sort=at&format=csv&page=2")
    rows = read_csv(answer)
    assert rows[0][:3] == ["When", "Who", "Action"]
    assert len(rows) == 61
    assert answer["X-Row-Count"] == "60"
    assert "audit-trail-" in answer["Content-Disposition"]
    assert "-60-rows.csv" in answer["Content-Disposition"]
    assert [row[0] for row in rows[1:]] == sorted(row[0] for row in rows[1:])
    assert rows[1][0] == NOW.isoformat(timespec="seconds")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert cell_text(text) == f"'{text}"
    assert cell_text(-1) == "-1"


@pytest.mark.parametrize(("name", "ceiling"), [("projects", 14), ("people", 14), ("audit", 14)])
def test_a_longer_list_asks_no_more_questions(
    visit,
    client: Client,
    django_assert_max_num_queries,
    auditor: User,
    project: Project,
    name: str,
    ceiling: int,
) -> None:
    audit(project, auditor, 40)
    for number in range(30):
        make_user(f"extra{number}", project.organisation)
    assert visit(auditor, name).status_code == 200
    with django_assert_max_num_queries(ceiling):
        client.get(reverse(f"foundation:{name}"))


# ---------------------------------------------------------------- forms


def edit_data(project: Project, **changes: object) -> dict[str, object]:
    """Return what the edit form sends."""
    return {
        "name": project.name,
        "description": project.description,
        "owner": project.owner_id,
        "deputy": project.deputy_id,
        "cost_centre": project.cost_centre,
        "end_date": "",
        "version": project.version,
        **changes,
    }


def test_an_owner_changes_the_project(send, owner: User, project: Project) -> None:
    answer = send(owner, "project-edit", project.pk, **edit_data(project, name="Web shop"))
    assert answer.status_code == 302
    project.refresh_from_db()
    assert project.name == "Web shop"
    assert AuditEvent.objects.get(action="project.edit").changes["name"] == ["Shop", "Web shop"]


def test_a_stale_edit_keeps_the_input_and_names_what_changed(
    send, owner: User, deputy: User, project: Project
) -> None:
    mine = edit_data(project, name="Mine")
    assert send(deputy, "project-edit", project.pk, **edit_data(project, name="Theirs")).url
    answer = send(owner, "project-edit", project.pk, **mine)
    content = answer.content.decode()
    assert answer.status_code == 409
    assert 'value="Mine"' in content
    assert "<strong>Theirs</strong>" in content
    again = send(owner, "project-edit", project.pk, **mine | {"version": 2})
    assert again.status_code == 302
    project.refresh_from_db()
    assert project.name == "Mine"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 121),
        ("name", "=1+1"),
        ("name", "a\x00b"),
        ("cost_centre", "x" * 41),
        ("end_date", "soon"),
        ("end_date", "2001-01-01"),
        ("version", "-1"),
    ],
)
def test_bad_input_is_named_beside_its_field(
    send, owner: User, project: Project, field: str, value: str
) -> None:
    answer = send(owner, "project-edit", project.pk, **edit_data(project, **{field: value}))
    assert answer.status_code == 400
    assert b"data-error-summary" in answer.content
    project.refresh_from_db()
    assert project.version == 1


def test_who_owns_the_organisation_puts_in_others_but_never_one_for_both(
    send, owner: User, project: Project, auditor: User
) -> None:
    RoleGrant.objects.create(
        user=auditor,
        role=Role.OWNER,
        scope="organisation",
        organisation=project.organisation,
        granted_at=NOW,
    )
    answer = send(auditor, "project-edit", project.pk, **edit_data(project, deputy=owner.pk))
    assert answer.status_code == 400
    assert b"Owner and deputy must be two people" in answer.content
    for wrong in ("x", "99999999"):
        answer = send(auditor, "project-edit", project.pk, **edit_data(project, owner=wrong))
        assert answer.status_code == 400
    data = edit_data(project, deputy=auditor.pk)
    assert send(auditor, "project-edit", project.pk, **data).status_code == 302
    project.refresh_from_db()
    assert project.deputy == auditor


def new_project(owner: User, deputy: User, **changes: object) -> dict[str, object]:
    """Return what the form of a new project sends."""
    return {
        "organisation": owner.memberships.get().organisation_id,
        "name": "Data platform",
        "slug": "data",
        "owner": owner.pk,
        "deputy": deputy.pk,
        "cost_centre": "4712",
        "idempotency_key": "key-12345678",
        **changes,
    }


def test_sending_a_new_project_twice_opens_one(
    send, operator: User, owner: User, deputy: User
) -> None:
    first = send(operator, "project-new", **new_project(owner, deputy))
    second = send(operator, "project-new", **new_project(owner, deputy))
    assert first.status_code == second.status_code == 302
    assert first.url == second.url
    assert Project.objects.filter(slug="data").count() == 1
    assert IdempotencyKey.objects.count() == 1


def test_the_same_key_with_other_content_is_refused_with_a_new_key(
    send, operator: User, owner: User, deputy: User
) -> None:
    send(operator, "project-new", **new_project(owner, deputy))
    answer = send(operator, "project-new", **new_project(owner, deputy, slug="other"))
    assert answer.status_code == 422
    assert b"key-12345678" not in answer.content
    assert not Project.objects.filter(slug="other").exists()


def test_a_taken_short_name_is_refused(
    send, operator: User, owner: User, deputy: User, project: Project
) -> None:
    answer = send(operator, "project-new", **new_project(owner, deputy, slug=project.slug))
    assert answer.status_code == 400
    assert b"has a project of that short name" in answer.content


def test_roles_are_given_and_taken_away(
    send, visit, owner: User, operator: User, project: Project
) -> None:
    given = send(
        owner,
        "grant",
        project.pk,
        user=operator.pk,
        role="member",
        idempotency_key="key-12345678",
        expires_at="",
    )
    assert given.status_code == 302
    grant = RoleGrant.objects.get(user=operator, project=project)
    assert b"Take away" in visit(owner, "role", grant.pk).content
    why = {"reason": "Left", "idempotency_key": "key-12345679"}
    assert send(owner, "revoke", grant.pk, **why | {"reason": ""}).status_code == 400
    assert send(owner, "revoke", grant.pk, **why).status_code == 302
    assert not RoleGrant.objects.filter(pk=grant.pk).exists()
    assert send(owner, "revoke", grant.pk, **why).status_code == 404


def test_nobody_gives_a_role_to_themselves(send, owner: User, project: Project) -> None:
    answer = send(
        owner, "grant", project.pk, user=owner.pk, role="approver", idempotency_key="key-12345678"
    )
    assert answer.status_code == 403
    assert b"Ask another owner" in answer.content
    assert not RoleGrant.objects.filter(user=owner).exists()


def test_a_role_is_not_taken_away_by_a_get_or_a_member(
    visit, send, owner: User, member: User, project: Project
) -> None:
    grant = RoleGrant.objects.get(user=member)
    assert visit(owner, "revoke", grant.pk).status_code == 200
    assert RoleGrant.objects.filter(pk=grant.pk).exists()
    assert send(member, "revoke", grant.pk, reason="Mine").status_code == 403


def test_a_profile_changes_zone_and_theme(send, visit, member: User) -> None:
    answer = send(member, "profile", display_name="Mia", time_zone="Asia/Tokyo", theme="dark")
    assert answer.status_code == 302
    page = visit(member, "profile").content.decode()
    assert 'data-bs-theme="dark"' in page
    assert "Times in Asia/Tokyo" in page
    assert send(member, "profile", time_zone="Mars/Base", theme="dark").status_code == 400
    member.refresh_from_db()
    assert member.theme == Theme.DARK


# ---------------------------------------------------------------- sign-in, demo, search, errors


def test_signing_in_leads_on_and_only_within_the_site(client: Client, member: User) -> None:
    login = reverse("foundation:login")
    data = {"username": member.username, "password": "let-me-in-2026"}
    target = reverse("foundation:projects")
    assert client.post(login, data | {"next": target}).url == target
    client.logout()
    assert "evil" not in client.post(login, data | {"next": "https://evil.example/"}).url
    assert client.post(login, data | {"password": "no"}).status_code in {200, 302}


def test_signing_out_needs_a_post(client: Client, member: User) -> None:
    client.force_login(member)
    assert client.get(reverse("foundation:logout")).status_code == 405
    assert client.post(reverse("foundation:logout")).status_code == 302


def test_there_is_no_role_switch_outside_a_demo(client: Client, settings, finance: User) -> None:
    settings.DEMO = False
    answer = client.post(reverse("foundation:become"), {"role": "finance"})
    assert answer.status_code == 404
    assert "_auth_user_id" not in client.session


def test_a_demo_switches_roles_but_never_to_a_superuser(
    client: Client, settings, finance: User, owner: User, project: Project
) -> None:
    settings.DEMO = True
    User.objects.filter(pk=finance.pk).update(is_superuser=False)
    assert client.post(reverse("foundation:become"), {"role": "finance"}).status_code == 302
    assert client.session["_auth_user_id"] == str(finance.pk)
    assert client.get(reverse("foundation:become")).status_code == 405
    assert client.post(reverse("foundation:become"), {"role": "root"}).status_code == 404
    User.objects.filter(pk=finance.pk).update(is_superuser=True)
    assert client.post(reverse("foundation:become"), {"role": "finance"}).status_code == 404


def test_a_word_and_a_number_lead_to_the_object(visit, owner: User, project: Project) -> None:
    for asked in (f"project {project.pk}", f"PROJECT%23{project.pk}", f"proj{project.pk}"):
        answer = visit(owner, "find", query=f"?q={asked}")
        assert answer.url == reverse("foundation:project", args=[project.pk])
    assert visit(owner, "find", query="?q=web+%00x").status_code == 200


def test_error_pages_name_the_request_and_the_next_step(
    client: Client, settings, member: User
) -> None:
    client.force_login(member)
    missing = client.get("/there/is/nothing", headers={"X-Request-ID": "my-request-1"})
    assert missing.status_code == 404
    assert b"my-request-1" in missing.content
    assert b"To the start page" in missing.content
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(member)
    refused = strict.post(reverse("foundation:profile"), {"theme": "dark"})
    assert refused.status_code == 403
    assert b"This form was open for too long" in refused.content


def test_the_500_page_needs_no_database(rf) -> None:
    request = rf.get("/")
    request.request_id = "broken-1"
    answer = server_error(request)
    assert answer.status_code == 500
    assert b"broken-1" in answer.content


def test_every_page_carries_the_strict_policy(visit, owner: User) -> None:
    policy = visit(owner, "projects")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_times_are_shown_in_the_viewers_zone(visit, owner: User, project: Project) -> None:
    User.objects.filter(pk=owner.pk).update(time_zone="America/New_York")
    owner.refresh_from_db()
    audit(project, owner, 1)
    assert b"2 Mar 2026 04:00" in visit(owner, "audit").content


# ---------------------------------------------------------------- administration


@pytest.mark.parametrize("name", ["auditevent", "auditseal", "event", "idempotencykey", "slot"])
def test_records_are_read_only_in_the_administration(client: Client, db: None, name: str) -> None:
    client.force_login(User.objects.create_superuser("root", "root@example.org", "x"))
    assert client.get(reverse(f"admin:foundation_{name}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:foundation_{name}_add")).status_code == 403


def test_the_administration_changes_a_project_by_its_service(
    client: Client, project: Project
) -> None:
    client.force_login(User.objects.create_superuser("root", "root@example.org", "x"))
    address = reverse("admin:foundation_project_change", args=[project.pk])
    data = edit_data(project, cost_centre="9999")
    assert client.post(address, data).status_code == 302
    project.refresh_from_db()
    assert (project.cost_centre, project.version) == ("9999", 2)
    entry = AuditEvent.objects.get(action="project.edit")
    assert entry.changes == {"cost_centre": ["4711", "9999"]}
    assert entry.via == "admin"
