"""Defaults on one page: each part by its own role, as a new version, with its history."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from billing.models import AccountDefaults
from billing.selectors import default_mode
from inventory.foundation.choices import Role
from inventory.foundation.clock import database_now
from inventory.foundation.models import AuditEvent, Organisation, Project, User
from inventory.models import CapacityDefaults
from inventory.selectors import capacity_ratios
from orchestra.models import LeaseDefaults, PolicyVersion
from orchestra.selectors.defaults import lease_rules
from orchestra.selectors.policies import rules_in_force
from tests.cast import grant, make_user
from tests.orchestra.pages import signed_in
from tests.orchestra.programs import assert_problem, program, send
from tests.orchestra.world import make_rule


@pytest.fixture
def place(organisation: Organisation) -> str:
    """The address of the organisation's defaults."""
    return f"/defaults/{organisation.pk}/"


@pytest.fixture
def boss(organisation: Organisation) -> User:
    """Owns the organisation."""
    user = make_user("boris", organisation)
    grant(user, Role.OWNER, organisation=organisation)
    return user


@pytest.fixture
def root(db: None) -> User:
    """The administrator."""
    user = make_user("root")
    User.objects.filter(pk=user.pk).update(is_superuser=True, is_staff=True)
    user.refresh_from_db()
    return user


def typed(**fields: Any) -> dict[str, Any]:
    """Return what a form sends."""
    return {"version": "0", "reason": "", "idempotency_key": uuid4().hex} | fields


def test_the_page_shows_what_is_built_in(auditor: User, place: str) -> None:
    page = signed_in(auditor).get("/defaults/").text
    for shown in ("90 days", "12 months", "30, 7, 1 days", "Show only", "built in"):
        assert shown in page
    assert "There is no rule: everything needs an approver." in page
    assert "/terms/" not in page
    assert signed_in(auditor).get(place).status_code == 200


def test_each_part_has_its_own_people(operator: User, finance: User, boss: User) -> None:
    def doors(user: User) -> set[str]:
        page = signed_in(user).get("/defaults/").text
        names = ("terms", "capacity", "accounts", "rules/new")
        return {name for name in names if f"/{name}/" in page}

    assert doors(operator) == {"terms", "capacity"}
    assert doors(finance) == {"accounts"}
    assert doors(boss) == {"terms", "rules/new"}


def test_an_operator_changes_terms_and_sees_the_history(
    operator: User, place: str, organisation: Organisation
) -> None:
    browser = signed_in(operator)
    form = browser.get(f"{place}terms/").text
    assert "Empty: 90 days (built in)." in form
    sent = typed(
        lease_days="60", warning_days="14, 3", confirm_months="", stop_first="no", reason="Shorter"
    )
    assert browser.post(f"{place}terms/", sent).status_code == 302
    rules = lease_rules(organisation_id=organisation.pk, at=database_now())
    assert (rules.lease_days, rules.warning_days, rules.confirm_months) == (60, (14, 3), 12)
    assert not rules.stop_first
    page = browser.get(place).text
    assert "60 days" in page
    assert "set here" in page
    assert "as above → 60 days" in page
    assert "Shorter" in page
    entry = AuditEvent.objects.get(action="lease_defaults.set")
    assert entry.changes["lease_days"] == [None, 60]
    assert entry.changes["stop_first"] == [None, False]
    assert entry.reason == "Shorter"
    again = browser.get(f"{place}terms/").text
    assert 'value="60"' in again
    assert 'value="14, 3"' in again


def test_of_two_editors_the_later_is_told(operator: User, place: str) -> None:
    browser = signed_in(operator)
    browser.post(f"{place}capacity/", typed(cpu_ratio="2"))
    answer = browser.post(f"{place}capacity/", typed(cpu_ratio="3"))
    assert answer.status_code == 409
    assert "Somebody else saved this meanwhile" in answer.text
    assert CapacityDefaults.objects.count() == 1
    repeated = browser.post(f"{place}capacity/", typed(cpu_ratio="3", version="1"))
    assert repeated.status_code == 302
    assert [one.cpu_ratio for one in CapacityDefaults.objects.order_by("number")] == [2, 3]


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("terms", "lease_days", "0"),
        ("terms", "warning_days", "soon"),
        ("terms", "warning_days", "7, 7"),
        ("terms", "warning_days", "400"),
        ("capacity", "cpu_ratio", "0"),
        ("capacity", "cpu_ratio", "101"),
        ("capacity", "memory_ratio", "x"),
    ],
)
def test_a_bad_value_is_said_beside_its_field(
    operator: User, place: str, part: str, field: str, value: str
) -> None:
    answer = signed_in(operator).post(f"{place}{part}/", typed(**{field: value}))
    assert answer.status_code == 400
    assert f'href="#id_{field}"' in answer.text
    assert not LeaseDefaults.objects.exists()
    assert not CapacityDefaults.objects.exists()


def test_finance_says_how_accounts_start(
    finance: User, place: str, organisation: Organisation
) -> None:
    browser = signed_in(finance)
    assert browser.post(f"{place}accounts/", typed(mode="chargeback")).status_code == 302
    assert default_mode(organisation_id=organisation.pk, at=database_now()) == "chargeback"
    assert browser.post(f"{place}accounts/", typed(mode="", version="1")).status_code == 302
    assert default_mode(organisation_id=organisation.pk, at=database_now()) == "showback"
    assert AccountDefaults.objects.count() == 2


def test_the_organisations_owner_sets_and_changes_the_rule(
    boss: User, place: str, project: Project, organisation: Organisation, finance: User
) -> None:
    make_rule(finance)  # everywhere
    browser = signed_in(boss)
    page = browser.get(place).text
    assert "up to 250.00 EUR a month, up to 90 days, within the budget" in page.lower().replace(
        "eur", "EUR"
    )
    assert "everywhere" in page
    form = browser.get(f"{place}rules/new/").text
    assert 'value="250.00"' in form
    values = typed(max_monthly_cost="100", currency="EUR", max_days="30", within_budget="on")
    assert browser.post(f"{place}rules/new/", values).status_code == 302
    (rule,) = rules_in_force(project=project, at=database_now())
    assert rule.policy.organisation == organisation
    assert rule.rule["max_monthly_cost"] == "100.00"
    change = f"{place}rules/{rule.policy_id}/"
    assert change in browser.get(place).text
    values = typed(max_monthly_cost="80", currency="EUR", max_days="30", version="1")
    assert browser.post(change, values).status_code == 302
    newest = PolicyVersion.objects.get(policy=rule.policy, number=2)
    assert newest.rule["max_monthly_cost"] == "80.00"
    assert newest.rule["within_budget"] is False
    stale = typed(max_monthly_cost="70", currency="EUR", max_days="30", version="1")
    assert browser.post(change, stale).status_code == 409
    assert AuditEvent.objects.filter(action="policy.change").count() == 2
    page = browser.get(place).text
    assert "100.00" in page  # what it was before


def test_a_change_of_the_rule_keeps_what_the_form_does_not_show(
    boss: User, place: str, organisation: Organisation, finance: User
) -> None:
    document = {
        "kind": "auto_approve",
        "max_monthly_cost": "250.00",
        "max_days": 90,
        "within_budget": True,
        "max_total_days": 400,
    }
    rule = make_rule(finance, slug="ours", rule=document, organisation=organisation)
    values = typed(max_monthly_cost="80", currency="EUR", max_days="30", version="1")
    answer = signed_in(boss).post(f"{place}rules/{rule.policy_id}/", values)
    assert answer.status_code == 302, answer.text
    assert PolicyVersion.objects.get(policy=rule.policy, number=2).rule["max_total_days"] == 400


def test_everywhere_is_the_administrators(
    root: User, operator: User, organisation: Organisation, place: str
) -> None:
    browser = signed_in(root)
    assert "Defaults: Everywhere" in browser.get("/defaults/").text
    assert browser.post("/defaults/0/capacity/", typed(memory_ratio="1.5")).status_code == 302
    assert str(capacity_ratios(organisation_id=organisation.pk, at=database_now()).memory) == (
        "1.5000"
    )
    page = signed_in(operator).get(place).text
    assert ">everywhere<" in page
    assert signed_in(operator).get("/defaults/0/").status_code == 403
    assert signed_in(operator).post("/defaults/0/capacity/", typed()).status_code == 403


def test_the_owner_of_a_project_reads_and_others_get_none_of_it(
    owner: User, member: User, stranger: User, place: str
) -> None:
    assert "90 days" in signed_in(owner).get("/defaults/").text
    assert "/terms/" not in signed_in(owner).get(place).text
    assert signed_in(owner).get(f"{place}terms/").status_code == 403
    assert signed_in(owner).get(f"{place}rules/new/").status_code == 403
    for user in (member, stranger):
        assert signed_in(user).get("/defaults/").status_code == 403
        assert signed_in(user).get(place).status_code == 404


def test_programs_read_and_set_them(operator: User, organisation: Organisation) -> None:
    client = program(operator)
    (one,) = client.get("/api/v1/defaults/").json()
    assert one["terms"]["values"]["lease_days"] == {
        "value": 90,
        "own": None,
        "source": "built in",
    }
    assert one["capacity"]["values"]["cpu_ratio"]["value"] == "4"
    address = f"/api/v1/defaults/{organisation.pk}/"
    sent = {"version": 0, "warning_days": [10, 2], "reason": "Fewer"}
    told = send(client, f"{address}terms/", sent, method="patch")
    assert told.status_code == 200, told.content
    assert told.json()["terms"]["version"] == 1
    assert told.json()["terms"]["values"]["stop_first"]["own"] is None
    assert client.get(address).json()["terms"]["values"]["warning_days"]["value"] == [10, 2]
    stale = send(client, f"{address}terms/", sent | {"lease_days": 3}, method="patch")
    assert_problem(stale, 409, "stale_edit")
    unknown = send(client, f"{address}capacity/", {"version": 0, "disk": 2}, method="patch")
    assert_problem(unknown, 400)
    refused = send(client, f"{address}accounts/", {"version": 0}, method="patch")
    assert_problem(refused, 403)
    assert_problem(client.get("/api/v1/defaults/0/"), 403)
    assert_problem(client.get("/api/v1/defaults/999999/"), 404)


def test_the_form_of_a_request_says_the_organisations_days(
    catalogue: Any, member: User, operator: User, place: str
) -> None:
    browser: Client = signed_in(member)
    form = f"/catalogue/{catalogue.offering.slug}/request/"
    assert "Test and development end after 90 days" in browser.get(form).text
    signed_in(operator).post(f"{place}terms/", typed(lease_days="14"))
    assert "Test and development end after 14 days" in browser.get(form).text
