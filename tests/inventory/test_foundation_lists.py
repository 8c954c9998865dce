"""Lists: what lives in the address, saved views, the empty states, files that prove themselves."""

import csv
import io
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory.foundation.choices import Role
from inventory.foundation.errors import InvalidInput, NotVisible
from inventory.foundation.files import seal_of
from inventory.foundation.models import (
    AuditEvent,
    Organisation,
    Project,
    RoleGrant,
    SavedView,
    User,
    ViewChoice,
)
from inventory.foundation.permissions import (
    Action,
    may_anywhere,
    organisations_where,
    projects_where,
    reads_kept,
)
from inventory.foundation.selectors import visible_views
from inventory.foundation.services.saved_views import (
    NotTheirView,
    TooManyViews,
    choose_view,
    delete_view,
    edit_view,
    save_view,
)
from inventory.foundation.verification import verify
from tests.cast import NOW, grant, make_user
from tests.lists import split

AUDIT = "/audit/"


def entries(project: Project, actor: User, count: int, label: str = "order.place") -> None:
    """Write audit entries, a minute apart."""
    AuditEvent.objects.bulk_create(
        AuditEvent(
            at=NOW + timedelta(minutes=number),
            actor=actor,
            actor_label=str(actor),
            via="page",
            action=label,
            object_type="foundation.project",
            object_id=str(project.pk),
            object_label=f"Shop {number}",
            project=project,
            organisation=project.organisation,
            reason="=1+1" if number % 2 else "",
        )
        for number in range(count)
    )


def signed_in(user: User) -> Client:
    """Return a browser in which the person has signed in."""
    client = Client()
    client.force_login(user)
    return client


def view_of(user: User, name: str = "Mine", **more: object) -> SavedView:
    """Save a view of the audit trail."""
    inputs = {"path": AUDIT, "query": "via=page", "at": NOW} | more
    return save_view(user=user, name=name, **inputs)  # type: ignore[arg-type]


# ---------------------------------------------------------------- the address


def test_the_columns_of_the_address_are_those_of_screen_and_file(
    auditor: User, project: Project
) -> None:
    entries(project, auditor, 3)
    client = signed_in(auditor)
    page = client.get(AUDIT, {"columns": ["object_type", "actor_label", "no-such"]})
    shown = [column.name for column in page.context["table"].columns]
    assert shown == ["actor_label", "object_type"]
    assert 'name="columns" value="object_type" checked' in page.text
    assert client.get(f"{AUDIT}?columns=actor_label,object_type").text.count("<th ") == 2
    text = client.get(AUDIT, {"columns": "object_type,actor_label", "format": "csv"}).getvalue()
    assert text.decode().splitlines()[0] == "Who,Kind"
    assert client.get(AUDIT, {"columns": "nothing"}).text.count("<th ") == 7


def test_filters_and_paging_keep_the_columns(auditor: User, project: Project) -> None:
    entries(project, auditor, 30)
    page = signed_in(auditor).get(AUDIT, {"columns": ["at", "via"], "per_page": "25"}).text
    assert page.count('<input type="hidden" name="columns" value="at">') == 1  # of the filters
    assert "columns=at&amp;columns=via&amp;per_page=25&amp;page=2" in page


def test_every_sortable_column_sorts_both_ways(
    auditor: User, owner: User, project: Project
) -> None:
    entries(project, auditor, 4)
    client = signed_in(auditor)
    for path in (AUDIT, "/events/", "/people/", "/projects/", "/views/"):
        columns = client.get(path, {"view": "all"}).context["table"].columns.columns
        for name, column in columns.items():
            if column.orderable:
                for sort in (name, f"-{name}"):
                    answer = client.get(path, {"sort": sort, "columns": ",".join(columns)})
                    assert answer.status_code == 200


def test_people_are_sorted_by_their_names_not_their_numbers(
    organisation: Organisation, owner: User, project: Project, auditor: User
) -> None:
    for number, name in enumerate(("Zoe", "Abe")):
        user = make_user(name.lower(), organisation)
        User.objects.filter(pk=user.pk).update(display_name=name)
        Project.objects.create(
            organisation=organisation,
            name=f"p{number}",
            slug=f"p{number}",
            owner=user,
            deputy=owner,
            cost_centre="1",
            created_at=NOW,
        )
    page = signed_in(auditor).get("/projects/", {"sort": "owner"})
    owners = [str(row.record.owner) for row in page.context["table"].paginated_rows]
    assert [name for name in owners if name != "olivia"] == ["Abe", "Zoe"]


def test_rows_a_page_are_the_persons_unless_the_address_says_otherwise(
    auditor: User, project: Project
) -> None:
    entries(project, auditor, 60)
    client = signed_in(auditor)
    assert len(client.get(AUDIT).context["page"]) == 50
    sent = {"display_name": "A", "time_zone": "UTC", "theme": "auto"}
    answer = client.post("/profile/", sent | {"page_size": "25", "density": "compact"})
    assert answer.status_code == 302
    page = client.get(AUDIT)
    assert len(page.context["page"]) == 25
    assert 'data-density="compact"' in page.text
    assert len(client.get(AUDIT, {"per_page": "100"}).context["page"]) == 60
    assert client.post("/profile/", sent | {"page_size": "7"}).status_code == 400


def test_the_way_back_leads_to_the_list_as_it_was(auditor: User, project: Project) -> None:
    entries(project, auditor, 30)
    client = signed_in(auditor)
    client.get(AUDIT, {"via": "page", "page": "2", "per_page": "25"})
    entry = AuditEvent.objects.latest("pk")
    assert "/audit/?via=page&amp;page=2&amp;per_page=25" in client.get(f"/audit/{entry.pk}/").text
    client.get(AUDIT)
    assert "/audit/?via" not in client.get(f"/audit/{entry.pk}/").text


def test_three_empty_states_are_three(
    auditor: User, project: Project, organisation: Organisation
) -> None:
    reader = signed_in(auditor)
    newcomer = signed_in(make_user("nina", organisation))
    assert "No requests yet" in reader.get("/requests/").text
    assert "Nothing matches these filters" in reader.get("/requests/", {"q": "zzz"}).text
    assert "You have no role here yet" in newcomer.get("/requests/").text
    assert newcomer.get(AUDIT).status_code == 403


# ---------------------------------------------------------------- saved views


def test_a_private_view_is_there_for_its_maker_alone(
    owner: User, auditor: User, stranger: User
) -> None:
    view = view_of(owner)
    for other in (auditor, stranger):
        client = signed_in(other)
        for page in ("", "open/", "edit/", "delete/"):
            assert client.get(f"/views/{view.pk}/{page}").status_code == 404
        assert client.post(f"/views/{view.pk}/choose/", {"pinned": "1"}).status_code == 404
        assert client.post(f"/views/{view.pk}/delete/").status_code == 404
        with pytest.raises(NotVisible):
            delete_view(view=view, actor=other, at=NOW)
    assert signed_in(owner).get(f"/views/{view.pk}/open/").url == "/audit/?via=page"


def test_a_shared_view_reaches_the_project_or_the_organisation_and_below(
    owner: User, member: User, stranger: User, project: Project, organisation: Organisation
) -> None:
    below = Organisation.objects.create(name="Below", slug="below", parent=organisation)
    nina = make_user("nina", below)
    with_project = view_of(owner, "Ours", project=project)
    with_all = view_of(owner, "All", organisation=organisation)
    seen = {user: {*visible_views(user)} for user in (member, nina, stranger)}
    assert seen == {member: {with_project, with_all}, nina: {with_all}, stranger: set()}
    RoleGrant.objects.filter(user=member).delete()
    assert {*visible_views(member)} == {with_all}


def test_only_the_maker_changes_a_view_and_an_owner_may_delete_a_shared_one(
    owner: User, member: User, auditor: User, project: Project
) -> None:
    view = view_of(member, "Ours", project=project)
    for other in (owner, auditor):
        with pytest.raises(NotTheirView):
            edit_view(view=view, actor=other, changes={"name": "X"}, at=NOW)
    with pytest.raises(NotTheirView):
        delete_view(view=view, actor=auditor, at=NOW)
    edit_view(view=view, actor=member, changes={"name": "Theirs"}, at=NOW)
    delete_view(view=view, actor=owner, at=NOW)
    told = AuditEvent.objects.filter(action__startswith="view.").order_by("pk")
    assert [(one.action, str(one.actor)) for one in told] == [
        ("view.save", "mia"),
        ("view.edit", "mia"),
        ("view.delete", "olivia"),
    ]


def test_a_view_is_pinned_and_opens_the_list_for_each_by_themselves(
    owner: User, auditor: User, project: Project
) -> None:
    entries(project, auditor, 3)
    view = view_of(owner, "Pages only", project=project)
    choose_view(view=view, actor=auditor, choices={"is_pinned": True, "is_default": True}, at=NOW)
    reader, maker = signed_in(auditor), signed_in(owner)
    assert "Pages only" in reader.get("/projects/").text
    assert "Pages only" not in maker.get("/projects/").text
    assert reader.get(AUDIT).url == "/audit/?via=page"
    assert reader.get(AUDIT, {"view": "all"}).status_code == 200
    assert maker.get(AUDIT).status_code == 200
    other = view_of(auditor, "Another")
    choose_view(view=other, actor=auditor, choices={"is_default": True}, at=NOW)
    assert ViewChoice.objects.filter(user=auditor, is_default=True).get().view == other
    with pytest.raises(IntegrityError), transaction.atomic():
        ViewChoice.objects.filter(user=auditor).update(is_default=True)


def test_saving_renaming_and_deleting_by_page(owner: User, project: Project) -> None:
    client = signed_in(owner)
    entries(project, owner, 1)
    page = client.get(AUDIT, {"via": "page", "sort": "at", "page": "3"}).text
    address = page.split('class="menu-item" href="/views/new/?of=')[1].split('"')[0]
    form = client.get(f"/views/new/?of={address}")
    assert form.context["query"] == "via=page&sort=at"
    sent = {"of": form.context["form"].initial["of"], "name": "Mine", "is_pinned": "on"}
    assert client.post("/views/new/", sent).url == "/audit/?via=page&sort=at"
    twice = client.post("/views/new/", sent)
    assert twice.status_code == 400
    assert "You have a view of that name for this list" in twice.text
    again = client.post("/views/new/", sent | {"of": "/audit/?via=api", "replace": "on"})
    assert again.url == "/audit/?via=api"
    view = SavedView.objects.get()
    answer = client.post(f"/views/{view.pk}/edit/", {"name": "Programs"})
    assert answer.status_code == 302
    view.refresh_from_db()
    assert view.name == "Programs"
    assert not ViewChoice.objects.get().is_pinned
    assert client.get(f"/views/{view.pk}/delete/").status_code == 200
    assert SavedView.objects.exists()
    assert client.post(f"/views/{view.pk}/delete/", {"idempotency_key": "k" * 8}).status_code == 302
    assert not SavedView.objects.exists()


@pytest.mark.parametrize(
    "path",
    ["/requests/1/", "/admin/", "//evil.example/", "https://evil.example/requests/", "", "x"],
)
def test_only_a_list_of_the_portal_is_saved(owner: User, path: str) -> None:
    with pytest.raises(InvalidInput, match="A view is of a list"):
        view_of(owner, path=path)


@pytest.mark.parametrize("name", ["", "x" * 81, "=1+1", "a\x00b"])
def test_a_wrong_name_is_named(owner: User, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        view_of(owner, name)
    assert "name" in caught.value.fields


def test_sharing_with_a_foreign_project_or_too_much_is_refused(
    owner: User, project: Project, organisation: Organisation, stranger: User
) -> None:
    foreign = stranger.memberships.get().organisation
    with pytest.raises(NotVisible):
        view_of(owner, organisation=foreign)
    with pytest.raises(NotVisible):
        view_of(stranger, project=project)
    with pytest.raises(InvalidInput):
        view_of(owner, project=project, organisation=organisation)
    with pytest.raises(InvalidInput, match="longer than"):
        view_of(owner, query="q=" + "x" * 2_000)
    SavedView.objects.bulk_create(
        SavedView(user=owner, name=f"v{number}", path=AUDIT, created_at=NOW)
        for number in range(200)
    )
    with pytest.raises(TooManyViews):
        view_of(owner)


def test_programs_keep_views_too(owner: User, project: Project, stranger: User) -> None:
    client = signed_in(owner)

    def write(method: str, address: str, key: str, body: dict[str, object]) -> object:
        return getattr(client, method)(
            address, body, content_type="application/json", headers={"Idempotency-Key": key}
        )

    wish = {"name": "Open", "path": "/requests/", "query": "state=planned&page=4"}
    made = write("post", "/api/v1/views/", "a", wish | {"project_id": project.pk})
    assert made.status_code == 201  # type: ignore[attr-defined]
    assert made.json()["query"] == "state=planned"  # type: ignore[attr-defined]
    again = write("post", "/api/v1/views/", "a", wish | {"project_id": project.pk})
    assert again.json() == made.json()  # type: ignore[attr-defined]
    address = f"/api/v1/views/{made.json()['id']}/"  # type: ignore[attr-defined]
    pinned = write("patch", address, "b", {"is_pinned": True, "name": "Planned"})
    assert pinned.json()["is_pinned"] is True  # type: ignore[attr-defined]
    assert client.get("/api/v1/views/", {"mine": "true"}).json()["count"] == 1
    assert signed_in(stranger).get(address).status_code == 404
    wrong = write("patch", address, "c", {"nmae": "x"})
    assert wrong.status_code == 400  # type: ignore[attr-defined]
    assert write("delete", address, "d", {}).status_code == 204  # type: ignore[attr-defined]
    assert not SavedView.objects.exists()


# ---------------------------------------------------------------- files


def made_file(user: User, project: Project, count: int = 60) -> bytes:
    """Return the file of an audit trail."""
    entries(project, user, count)
    return bytes(signed_in(user).get(AUDIT, {"sort": "at", "format": "csv"}).getvalue())


def test_a_file_says_where_it_is_from_and_proves_itself(auditor: User, project: Project) -> None:
    content = made_file(auditor, project)
    above, foot = split(content.decode())
    assert len(list(csv.reader(io.StringIO(above)))) == 61
    stated = {line[0]: line[1] for line in foot}
    assert stated["# Address"] == "http://testserver/audit/?sort=at"
    assert stated["# Rows"] == "60"
    assert stated["# Zone"] == "Europe/Berlin"
    signed_part = content.split(b"# SHA-256")[0]
    assert stated["# SHA-256"] == sha256(signed_part).hexdigest()
    assert stated["# Seal"] == seal_of(stated["# SHA-256"])
    assert verify(file=io.BytesIO(content)).agrees
    assert ",'=1+1\r\n" in above


def test_the_days_of_a_filter_are_those_of_the_viewers_zone_in_the_file_too(
    auditor: User, project: Project
) -> None:
    entries(project, auditor, 2)
    late, early = AuditEvent.objects.order_by("pk")
    rows = AuditEvent.objects.filter(pk__in=[late.pk, early.pk]).values()
    AuditEvent.objects.bulk_create(
        AuditEvent(**row | {"id": None, "at": at})
        for row, at in zip(
            rows,
            # half past midnight in Berlin: of the 12th, and after the last hour of the 14th
            (datetime(2020, 1, 11, 23, 30, tzinfo=UTC), datetime(2020, 1, 14, 23, 30, tzinfo=UTC)),
            strict=True,
        )
    )
    client = signed_in(auditor)
    for query, count in (
        ({"since": "2020-01-12", "until": "2020-01-14"}, 1),
        ({"since": "2020-01-12", "until": "2020-01-15"}, 2),
        ({"since": "2020-01-13", "until": "2020-01-14"}, 0),
        ({"since": "0001-01-01", "until": "2020-01-14"}, 1),
        ({"since": "2020-01-13", "until": "9999-12-31"}, 3),
    ):
        assert client.get(AUDIT, query).context["count"] == count, query
        for kind in ("csv", "xlsx"):
            answer = client.get(AUDIT, query | {"format": kind})
            verdict = verify(file=io.BytesIO(answer.getvalue()))
            assert verdict.checks[0].found == str(count), (kind, query)


def forge(content: bytes, old: bytes, new: bytes) -> bytes:
    """Change a file and add its sum up anew, as a forger would."""
    part = content.split(b"# SHA-256")[0].replace(old, new, 1)
    found = sha256(part).hexdigest().encode()
    seal = content.split(b"# Seal,")[1]
    return part + b"# SHA-256," + found + b"\r\n# Seal," + seal


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda content: content.replace(b"Shop 7", b"Shop 8", 1), {"SHA-256", "Seal"}),
        (
            lambda content: content.replace(content.splitlines(keepends=True)[5], b"", 1),
            {"Rows", "SHA-256", "Seal"},
        ),
        (lambda content: forge(content, b"Shop 7", b"Shop 8"), {"Seal"}),
        (lambda content: content.replace(b"\r\n", b"\n"), {"SHA-256", "Seal"}),
        (lambda content: content.replace(b"# Rows,60", b"# Rows,61"), {"Rows", "SHA-256", "Seal"}),
    ],
)
def test_what_was_changed_in_a_file_is_told(
    auditor: User, project: Project, change: object, differs: set[str]
) -> None:
    content = change(made_file(auditor, project))  # type: ignore[operator]
    verdict = verify(file=io.BytesIO(content))
    assert {check.label.split()[0] for check in verdict.checks if not check.agrees} == differs


def test_an_earlier_secret_still_seals(auditor: User, project: Project, settings: object) -> None:
    content = made_file(auditor, project)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]  # type: ignore[attr-defined]
    settings.SECRET_KEY = "another-secret-key-of-this-installation"  # type: ignore[attr-defined]
    assert verify(file=io.BytesIO(content)).agrees
    settings.SECRET_KEY_FALLBACKS = []  # type: ignore[attr-defined]
    assert not verify(file=io.BytesIO(content)).agrees


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\r\n1,2\r\n", b"\xff\xfe\x00", b"\x00" * 50, b'"' * 200_000, b"# Rows,1\r\n"],
)
def test_a_file_that_is_none_of_ours_is_refused_by_its_field(
    auditor: User, project: Project, content: bytes
) -> None:
    upload = io.BytesIO(content)
    upload.name = "a.csv"
    answer = signed_in(auditor).post("/files/check/", {"file": upload})
    assert answer.status_code == 400
    assert "data-error-summary" in answer.text


def test_the_page_tells_what_differs_and_leads_to_the_list(auditor: User, project: Project) -> None:
    content = made_file(auditor, project, 5)
    client = signed_in(auditor)
    for text, word in ((content, "is whole"), (content.replace(b"Rows,5", b"Rows,6"), "is not as")):
        upload = io.BytesIO(text)
        upload.name = "audit.csv"
        page = client.post("/files/check/", {"file": upload}).text
        assert f"audit.csv {word}" in page
        assert 'href="/audit/?sort=at"' in page


# ---------------------------------------------------------------- reads kept


def test_roles_are_read_once_within_a_request_that_reads(member: User, project: Project) -> None:
    with reads_kept(), CaptureQueriesContext(connection) as asked:
        for action in Action:
            may_anywhere(member, action)
            organisations_where(member, action)
            projects_where(member, action)
    assert len(asked) <= 3
    with CaptureQueriesContext(connection) as asked:
        may_anywhere(member, Action.ORDER_PLACE)
        may_anywhere(member, Action.ORDER_PLACE)
    assert len(asked) == 2


def test_nothing_is_kept_after_the_request_or_while_writing(
    member: User, owner: User, project: Project
) -> None:
    client = signed_in(member)
    assert client.get("/approvals/").status_code == 403
    grant(member, Role.APPROVER, project=project)
    assert client.get("/approvals/").status_code == 200
    RoleGrant.objects.filter(user=member).delete()
    assert client.get("/approvals/").status_code == 403
    with reads_kept():
        assert not may_anywhere(member, Action.ORDER_PLACE)
        grant(member, Role.MEMBER, project=project)
        assert not may_anywhere(member, Action.ORDER_PLACE)
    assert may_anywhere(member, Action.ORDER_PLACE)


@pytest.mark.parametrize(
    ("path", "ceiling"),
    [("/requests/", 11), ("/projects/", 14), ("/resources/", 14), ("/people/", 12), (AUDIT, 11)],
)
def test_a_list_asks_few_questions(
    auditor: User, project: Project, path: str, ceiling: int
) -> None:
    entries(project, auditor, 60)
    client = signed_in(auditor)
    client.get(path)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    assert len(asked) <= ceiling, "\n".join(one["sql"] for one in asked)
