"""The pages of requests: the form, the estimate, the review, sending, cancelling."""

import re
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from inventory.foundation.models import Membership, Organisation, Project, User
from orchestra.choices import OrderState
from orchestra.models import Order, Run
from orchestra.templatetags.orchestra import without_alternatives
from tests.cast import NOW
from tests.factories import hold, make_pool
from tests.orchestra.pages import asked, large, send_form, sha_of, signed_in, typed
from tests.orchestra.world import Catalogue, make_connection

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(member: User) -> Client:
    return signed_in(member)


def estimate(client: Client, catalogue: Catalogue, **changes: object) -> str:
    address = f"/catalogue/{catalogue.offering.slug}/estimate/"
    response = client.post(address, typed(catalogue, **changes))
    assert response.status_code == 200
    return response.content.decode()


def test_the_form_draws_a_control_for_each_choice(browser: Client, catalogue: Catalogue) -> None:
    page = browser.get("/catalogue/linux-m/request/").content.decode()
    disk = re.search(r"<input[^>]*name=\"parameters\.disk\"[^>]*>", page)
    assert disk is not None
    assert 'min="10"' in disk[0]
    assert 'max="500"' in disk[0]
    assert 'value="100"' in disk[0]
    assert '<option value="debian-12">' in page
    assert "Time in Europe/Berlin" in page
    assert "hx-post=" in page


def test_fields_follow_from_others_and_nothing_typed_is_lost(
    browser: Client, catalogue: Catalogue, member: User, owner: User
) -> None:
    """Another project has other pools, production has no end by itself; nothing is sent for it."""
    elsewhere = Organisation.objects.create(name="Lab", slug="lab")
    lab = Project.objects.create(
        organisation=elsewhere, name="Lab", slug="lab", owner=member, deputy=owner, created_at=NOW
    )
    pool = make_pool(elsewhere, name="Bench")
    make_connection(pool)
    catalogue.version.pools.add(pool)
    address = "/catalogue/linux-m/request/"
    north, south = (f">{one.name}</option>" for one in (catalogue.pool, pool))

    page = browser.get(f"{address}?project={catalogue.project.pk}").content.decode()
    assert north in page
    assert south not in page
    assert 'hx-select-oob="#id_pool_field,#id_end_at_field"' in page
    assert "Test and development end after 90 days" in page

    fields = typed(
        catalogue, project=lab.pk, environment="production", name="half", end_at="", draw="1"
    )
    answer = browser.post(address, fields | {"parameters.disk": "not yet a number"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert answer["HX-Trigger-After-Swap"] == "drawn"
    assert south in page
    assert north not in page
    assert "production is confirmed anew every 12 months" in page
    for kept in ('value="half"', "Try the new checkout", "production", "not yet a number"):
        assert kept in page
    assert "error-summary" not in page
    assert not Order.objects.exists()

    # Without a script one simply sends it: a pool of the other project is refused, hers is offered.
    del fields["draw"]
    answer = browser.post(address, fields | {"pool": catalogue.pool.pk})
    assert answer.status_code == 400
    assert south in answer.content.decode()
    assert browser.post(address, fields | {"pool": pool.pk}).status_code == 302
    order = Order.objects.get()
    assert (order.project, order.pool) == (lab, pool)
    page = browser.get(f"/requests/{order.pk}/edit/").content.decode()
    assert f'<option value="{pool.pk}" selected{south}' in page


def test_what_is_chosen_nonsense_is_answered(browser: Client, catalogue: Catalogue) -> None:
    for project in ("x", "9" * 40, "\0", "-1", "999999"):
        fields = typed(catalogue, project=project, draw="1", environment="moon")
        assert browser.post("/catalogue/linux-m/request/", fields).status_code == 200, project


def test_from_form_to_delivery_by_rule(browser: Client, catalogue: Catalogue) -> None:
    order = asked(browser, catalogue)
    assert order.state == OrderState.PLANNED
    page = browser.get(f"/requests/{order.pk}/").content.decode()
    assert "What will happen" in page
    assert "Create web-1" in page
    assert "Send and start" in page
    response = browser.post(f"/requests/{order.pk}/submit/", {"plan_sha256": sha_of(order)})
    assert response.status_code == 302
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLING
    assert Run.objects.filter(order=order).count() == 1
    page = browser.get(f"/requests/{order.pk}/").content.decode()
    assert "Approved by rule" in page or "Small things" in page


def test_a_form_sent_twice_is_one_request(browser: Client, catalogue: Catalogue) -> None:
    fields = typed(catalogue)
    first = browser.post("/catalogue/linux-m/request/", fields)
    second = browser.post("/catalogue/linux-m/request/", fields)
    assert first["Location"] == second["Location"]
    assert Order.objects.count() == 1


def test_a_changed_form_with_a_used_key_is_not_swallowed(
    browser: Client, catalogue: Catalogue
) -> None:
    fields = typed(catalogue)
    browser.post("/catalogue/linux-m/request/", fields)
    answer = browser.post("/catalogue/linux-m/request/", fields | {"name": "other"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert f"became {Order.objects.get()}" in page
    assert 'value="other"' in page
    key = re.search(r'name="idempotency_key" value="([0-9a-f]+)"', page)
    assert key is not None
    assert key[1] != fields["idempotency_key"]
    again = browser.post(
        "/catalogue/linux-m/request/", fields | {"name": "other", "idempotency_key": key[1]}
    )
    assert again.status_code == 302
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "Web_1!", "small letters"),
        ("name", "w" * 61, "at most 60"),
        ("name", "", "required"),
        ("instances", "-3", "greater than or equal to 1"),
        ("instances", "abc", "whole number"),
        ("instances", "9" * 5000, "whole number"),
        ("instances", "51", "50"),
        ("environment", "moon", "valid choice"),
        ("business_reason", "=cmd()", "spreadsheets"),
        ("business_reason", "x" * 501, "at most 500"),
        ("parameters.disk", "NaN", "whole number"),
        ("parameters.disk", "5", "greater than or equal to 10"),
        ("parameters.image", "windows", "valid choice"),
        ("parameters.gpu", "1", "no choice gpu"),
        ("end_at", "yesterday", "valid date"),
        ("end_at", "0001-01-01T00:00", "century"),
        ("end_at", "2020-01-01T00:00", "must end after"),
        ("project", "999999", "valid choice"),
        ("project", "x", "valid choice"),
        ("name", "web\0", "Null"),
    ],
)
def test_bad_input_is_said_at_its_field_and_kept(
    browser: Client, catalogue: Catalogue, field: str, value: str, said: str
) -> None:
    answer = send_form(browser, catalogue, **{field: value})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert said.lower() in page.lower()
    assert "Try the new checkout" in page or field == "business_reason"
    assert Order.objects.count() == 0


def test_an_error_leads_to_its_field(browser: Client, catalogue: Catalogue) -> None:
    page = send_form(browser, catalogue, instances="0").content.decode()
    assert 'href="#id_instances"' in page
    assert 'id="id_instances"' in page
    assert 'aria-invalid="true"' in page


def test_the_estimate_says_price_room_budget_and_rule(
    browser: Client, catalogue: Catalogue
) -> None:
    said = estimate(browser, catalogue)
    assert "-day month" in said
    assert "Fits now" in said
    assert "Approved by rule" in said
    assert "web-1" in said
    assert "<html" not in said


def test_the_estimate_names_the_approver_and_why(
    browser: Client, catalogue: Catalogue, approver: User
) -> None:
    said = estimate(browser, catalogue, **large())
    assert "Needs approval" in said
    assert "ana" in said
    assert "over 250.00 EUR a month" in said


def test_the_estimate_refuses_what_does_not_fit(browser: Client, catalogue: Catalogue) -> None:
    said = estimate(browser, catalogue, instances="40")
    assert "does not fit" in said
    assert "of 40 fit" in said


GARBAGE = ["", "-1", "NaN", "1e400", "Infinity", "9" * 5000, "\0", "x" * 5000, "=1+1", "☃", "[]"]


FIELDS = [
    "project",
    "name",
    "application",
    "environment",
    "business_reason",
    "instances",
    "start_at",
    "end_at",
    "parameters.disk",
    "parameters.image",
    "parameters.note",
    "parameters.unknown",
    "unknown",
]


@pytest.mark.parametrize("field", FIELDS)
def test_the_estimate_takes_any_garbage(browser: Client, catalogue: Catalogue, field: str) -> None:
    for value in GARBAGE:
        said = estimate(browser, catalogue, **{field: value})
        assert "Traceback" not in said


def test_the_estimate_of_an_empty_form_does_not_nag(browser: Client, catalogue: Catalogue) -> None:
    answer = browser.post("/catalogue/linux-m/estimate/", {"project": catalogue.project.pk})
    assert answer.status_code == 200
    assert "needed" not in answer.content.decode()


def test_a_request_that_does_not_fit_says_what_would(browser: Client, catalogue: Catalogue) -> None:
    order = asked(browser, catalogue, instances="40")
    assert order.state == OrderState.DRAFT
    page = browser.get(f"/requests/{order.pk}/").content.decode()
    assert "It does not fit as it stands" in page
    assert "of 40 fit" in page
    assert "Change the request" in page


def test_changing_plans_again_and_voids_the_old_plan(browser: Client, catalogue: Catalogue) -> None:
    order = asked(browser, catalogue)
    old = sha_of(order)
    page = browser.get(f"/requests/{order.pk}/edit/").content.decode()
    assert 'value="web"' in page
    answer = browser.post(
        f"/requests/{order.pk}/edit/", typed(catalogue, instances="2", version=order.version)
    )
    assert answer.status_code == 302
    stale = browser.post(f"/requests/{order.pk}/submit/", {"plan_sha256": old})
    assert stale.status_code == 409
    assert "planned again" in stale.content.decode()
    late = browser.post(
        f"/requests/{order.pk}/edit/", typed(catalogue, instances="3", version=order.version)
    )
    assert late.status_code == 409
    assert "changed since you opened it" in late.content.decode()


def test_cancelling(browser: Client, catalogue: Catalogue) -> None:
    order = asked(browser, catalogue)
    assert browser.post(f"/requests/{order.pk}/cancel/").status_code == 302
    order.refresh_from_db()
    assert order.state == OrderState.CANCELLED
    assert "Cancelled" in browser.get(f"/requests/{order.pk}/").content.decode()


def test_strangers_find_nothing(
    browser: Client, catalogue: Catalogue, stranger: User, auditor: User
) -> None:
    order = asked(browser, catalogue)
    outside = signed_in(stranger)
    assert outside.get(f"/requests/{order.pk}/").status_code == 404
    assert outside.get("/requests/99999999999999999999/").status_code == 404
    assert outside.post(f"/requests/{order.pk}/submit/").status_code == 404
    assert outside.post(f"/requests/{order.pk}/cancel/").status_code == 404
    assert str(order) not in outside.get("/requests/").content.decode()
    reader = signed_in(auditor)
    assert reader.get(f"/requests/{order.pk}/").status_code == 200
    assert reader.get("/catalogue/linux-m/request/").status_code == 403
    assert send_form(reader, catalogue).status_code == 403
    assert reader.post(f"/requests/{order.pk}/cancel/").status_code == 403
    assert reader.post(f"/requests/{order.pk}/submit/", {}).status_code == 403


def test_a_member_of_nothing_cannot_name_a_project(
    catalogue: Catalogue, stranger: User, member: User, organisation: object
) -> None:
    Membership.objects.create(user=stranger, organisation=catalogue.project.organisation, since=NOW)
    assert send_form(signed_in(stranger), catalogue).status_code == 403
    assert Order.objects.count() == 0


def test_the_wrong_method_is_refused(browser: Client, catalogue: Catalogue) -> None:
    order = asked(browser, catalogue)
    assert browser.get(f"/requests/{order.pk}/submit/").status_code == 405
    assert browser.get(f"/requests/{order.pk}/cancel/").status_code == 405
    assert browser.get("/catalogue/linux-m/estimate/").status_code == 405
    assert browser.post(f"/requests/{order.pk}/").status_code == 405
    assert browser.post("/requests/").status_code == 405


def test_the_list_filters_by_number_state_and_kind(browser: Client, catalogue: Catalogue) -> None:
    order = asked(browser, catalogue)
    other = asked(browser, catalogue, name="api")
    page = browser.get("/requests/", {"q": str(order)}).content.decode()
    assert str(order) in page
    assert str(other) not in page
    assert "Nothing matches" in browser.get("/requests/", {"state": "rejected"}).content.decode()
    bad = browser.get("/requests/", {"state": "moon"})
    assert bad.status_code == 200
    file = browser.get("/requests/", {"format": "csv"})
    lines = b"".join(file.streaming_content).decode().splitlines()
    assert [line for line in lines if line.startswith("# Rows")] == ["# Rows,2"]
    assert lines[1].startswith(str(other))


def test_the_list_asks_the_same_number_of_queries_for_many(
    browser: Client, catalogue: Catalogue, django_assert_max_num_queries: object
) -> None:
    for number in range(8):
        asked(browser, catalogue, name=f"web{number}", idempotency_key=uuid4().hex)
    with django_assert_max_num_queries(24):  # type: ignore[operator]
        browser.get(reverse("orchestra:requests"))


def test_the_same_again_is_filled_in(browser: Client, catalogue: Catalogue) -> None:
    order = asked(browser, catalogue, **{"parameters.disk": "77"})
    page = browser.get("/catalogue/linux-m/request/", {"again": order.pk}).content.decode()
    assert 'value="77"' in page
    assert "Try the new checkout" in page
    for number in ("x", "0", "9" * 30):
        assert browser.get("/catalogue/linux-m/request/", {"again": number}).status_code == 200


def test_a_refusal_says_what_would_fit_once(
    browser: Client, catalogue: Catalogue, organisation: Organisation
) -> None:
    """As a list below the reason, on the form and on the request's page; programs read one text."""
    second = make_pool(organisation, name="Zurich")
    make_connection(second)
    catalogue.version.pools.add(second)
    hold(catalogue.project, catalogue.pool, {"VCPU": 1}, name="other")
    order = asked(browser, catalogue, pool=catalogue.pool.pk, instances="8", name="many")
    assert "Zurich has room for all 8 now." in order.refusal["message"]
    page = browser.get(f"/requests/{order.pk}/").content.decode()
    alert = page[page.index("It does not fit as it stands") : page.index("Change the request")]
    assert alert.count("Zurich has room for all 8 now.") == 1
    assert without_alternatives(order.refusal) in alert
    said = estimate(browser, catalogue, pool=catalogue.pool.pk, instances="8", name="others")
    assert said.count("Zurich has room for all 8 now.") == 1
