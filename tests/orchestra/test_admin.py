"""The conductor's desk: configuration by the services, what they own only shown."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from inventory.foundation.clock import database_now
from inventory.foundation.models import AuditEvent, User
from orchestra.choices import OfferingStatus
from orchestra.models import (
    ApiToken,
    ChangeWindow,
    Connection,
    Freeze,
    Offering,
    OfferingVersion,
    Order,
    Policy,
    PoolConnection,
)
from tests.orchestra.programs import ORDERS, program
from tests.orchestra.world import RULE, Catalogue, place

OWNED = [
    "order",
    "plan",
    "approval",
    "run",
    "step",
    "attempt",
    "effect",
    "steplog",
    "deployment",
    "deploymentresource",
    "workerbeat",
    "apitoken",
    "policyversion",
]


@pytest.fixture
def root(db: None) -> User:
    """May do everything at the desk."""
    return User.objects.create_superuser("root", "root@example.org", "let-me-in-2026")


@pytest.fixture
def desk(root: User) -> Client:
    """Sign in at the desk."""
    client = Client()
    client.force_login(root)
    return client


def at(page: str, *pk: Any) -> str:
    return reverse(f"admin:orchestra_{page}", args=pk)


def audited(root: User) -> list[str]:
    return list(
        AuditEvent.objects.filter(actor=root).order_by("pk").values_list("action", flat=True)
    )


@pytest.mark.parametrize("model", OWNED)
def test_what_services_own_is_only_shown(desk: Client, model: str) -> None:
    assert desk.get(at(f"{model}_changelist")).status_code == 200
    assert desk.get(at(f"{model}_add")).status_code == 403


def test_a_request_is_not_changed_at_the_desk(
    desk: Client, catalogue: Catalogue, member: User
) -> None:
    order = place(catalogue, member)

    assert desk.get(at("order_change", order.pk)).status_code == 200
    assert desk.post(at("order_change", order.pk), {"state": "approved"}).status_code == 403
    assert desk.post(at("order_delete", order.pk), {"post": "yes"}).status_code == 403
    assert Order.objects.get().state == order.state


def test_a_service_is_made_drafted_and_published(
    desk: Client, root: User, catalogue: Catalogue
) -> None:
    words = {"slug": "tiny", "name": "Tiny", "category": "Machines", "summary": "Small"}
    assert desk.post(at("offering_add"), words).status_code == 302
    offering = Offering.objects.get(slug="tiny")
    assert desk.post(at("offering_change", offering.pk), words | {"name": "Wee"}).status_code == 302
    draft = {
        "offering": offering.pk,
        "resource_kind": "vm.tiny",
        "resources": '{"VCPU": 1}',
        "required_traits": "",
        "parameters": "{}",
        "max_instances": 5,
        "pools": [catalogue.pool.pk],
        "minutes_to_deliver": 5,
    }
    assert desk.post(at("offeringversion_add"), draft).status_code == 302
    version = OfferingVersion.objects.get(offering=offering)
    assert list(version.pools.all()) == [catalogue.pool]
    publish = {"action": "publish", "_selected_action": [version.pk]}
    assert desk.post(at("offeringversion_changelist"), publish).status_code == 302
    version.refresh_from_db()
    assert version.status == OfferingStatus.PUBLISHED
    refused = desk.post(at("offeringversion_add"), draft | {"resources": '{"MOONS": 1}'})
    assert refused.status_code == 400
    assert "MOONS" in refused.text or "no such" in refused.text
    assert audited(root) == [
        "offering.create",
        "offering.edit",
        "offering.draft",
        "offering.publish",
    ]


def test_a_connection_keeps_its_secrets(desk: Client, root: User, catalogue: Catalogue) -> None:
    form = {
        "name": "lab",
        "label": "Lab",
        "kind": "simulated",
        "options": '{"password": "hunter-2"}',
        "max_inflight": 2,
    }
    assert desk.post(at("connection_add"), form).status_code == 302
    lab = Connection.objects.get(name="lab")
    assert lab.options == {"password": "hunter-2"}

    page = desk.get(at("connection_change", lab.pk)).text
    assert "hunter-2" not in page
    assert "password" in page
    change = {"label": "Laboratory", "options": "", "max_inflight": 3}
    assert desk.post(at("connection_change", lab.pk), change).status_code == 302
    lab.refresh_from_db()
    assert (lab.label, lab.max_inflight, lab.options) == ("Laboratory", 3, {"password": "hunter-2"})
    desk.post(at("connection_change", lab.pk), change | {"options": '{"state_dir": "elsewhere"}'})
    lab.refresh_from_db()
    assert lab.options == {"state_dir": "elsewhere"}

    link = PoolConnection.objects.get(pool=catalogue.pool)
    moved = desk.post(at("poolconnection_change", link.pk), {"connection": lab.pk})
    assert moved.status_code == 302
    link.refresh_from_db()
    assert link.connection == lab
    assert audited(root) == [
        "connection.create",
        "connection.edit",
        "connection.edit",
        "pool.connect",
    ]
    assert "hunter-2" not in str(list(AuditEvent.objects.values_list("changes", flat=True)))


def test_a_changed_rule_is_another_version(desk: Client, root: User, catalogue: Catalogue) -> None:
    cheap = json.dumps(RULE | {"max_monthly_cost": "50.00"})
    form = {"slug": "cheap", "name": "Cheap", "rule": cheap}
    assert desk.post(at("policy_add"), form).status_code == 302
    policy = Policy.objects.get(slug="cheap")

    address = at("policy_change", policy.pk)
    assert "50.00" in desk.get(address).text
    assert desk.post(address, {"rule": cheap}).status_code == 302
    assert desk.post(address, {"rule": cheap.replace("50.00", "60.00")}).status_code == 302
    assert desk.post(address, {"rule": '{"kind": "coin"}'}).status_code == 400
    assert desk.post(address, {"rule": "{"}).status_code == 200  # the form says what is wrong

    first, second = policy.versions.order_by("number")
    assert first.during.upper == second.during.lower
    assert (first.rule["max_monthly_cost"], second.rule["max_monthly_cost"]) == ("50.00", "60.00")


def test_freezes_and_windows_by_the_calendar(
    desk: Client, root: User, catalogue: Catalogue
) -> None:
    now = database_now()
    later = now + timedelta(days=2)
    form = {
        "name": "Year's end",
        "reason": "Books are closed",
        "during_0": f"{now - timedelta(days=1):%Y-%m-%d %H:%M}",
        "during_1": f"{later:%Y-%m-%d %H:%M}",
        "pool": catalogue.pool.pk,
    }
    assert desk.post(at("freeze_add"), form).status_code == 302
    freeze = Freeze.objects.get()
    assert (freeze.created_by, freeze.pool) == (root, catalogue.pool)
    renamed = form | {"name": "Closing", "holds_scaling": "on"}
    assert desk.post(at("freeze_change", freeze.pk), renamed).status_code == 302
    freeze.refresh_from_db()
    assert (freeze.name, freeze.holds_scaling) == ("Closing", True)
    begun = desk.post(at("freeze_delete", freeze.pk), {"post": "yes"})
    assert begun.status_code == 409
    assert "End it instead" in begun.text
    end = {"action": "end", "_selected_action": [freeze.pk]}
    assert desk.post(at("freeze_changelist"), end).status_code == 302
    freeze.refresh_from_db()
    assert now <= freeze.during.upper <= database_now()
    assert desk.post(at("freeze_change", freeze.pk), form).status_code == 409

    assert desk.post(at("changewindow_add"), form).status_code == 302
    window = ChangeWindow.objects.get()
    assert desk.post(at("changewindow_delete", window.pk), {"post": "yes"}).status_code == 302
    assert not ChangeWindow.objects.exists()
    assert audited(root) == [
        "freeze.add",
        "freeze.edit",
        "freeze.edit",
        "window.add",
        "window.remove",
    ]


def test_a_token_is_revoked_and_its_hash_not_shown(desk: Client, root: User, member: User) -> None:
    client = program(member)
    token = ApiToken.objects.get()

    page = desk.get(at("apitoken_changelist"))
    assert token.token_key in page.text
    assert token.digest not in page.text
    assert token.digest not in desk.get(at("apitoken_change", token.pk)).text.replace(
        f"/{token.digest}/", "/"
    )
    revoke = {"action": "revoke", "_selected_action": [token.token_key]}
    assert desk.post(at("apitoken_changelist"), revoke).status_code == 302

    assert not ApiToken.objects.exists()
    assert client.get(ORDERS).status_code == 401
    entry = AuditEvent.objects.get(action="token.revoke")
    assert (entry.actor, entry.object_label) == (root, str(member))
