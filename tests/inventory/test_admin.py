"""The operator's desk: configuration by the services, ledgers only shown."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from inventory.foundation.models import AuditEvent, Project, User
from inventory.models import CapacitySpan, FormerKind, Inventory, Pool, ResourceProvider
from tests.cast import NOW
from tests.factories import hold

LEDGERS = ["allocation", "capacityspan", "formerkind", "resource", "resourcestate"]
CONFIGURED = [
    "aggregate",
    "inventory",
    "pool",
    "quota",
    "resourceclass",
    "resourceprovider",
    "trait",
]


@pytest.fixture
def root(client: Client, db: None) -> User:
    """Sign in as the one who may do everything."""
    user = User.objects.create_superuser("root", "root@example.org", "let-me-in-2026")
    client.force_login(user)
    return user


@pytest.mark.parametrize("model", [*LEDGERS, *CONFIGURED])
def test_lists_and_forms_open(
    client: Client, root: User, project: Project, pool: Pool, model: str
) -> None:
    hold(project, pool, {"VCPU": 2})
    assert client.get(reverse(f"admin:inventory_{model}_changelist")).status_code == 200
    add = client.get(reverse(f"admin:inventory_{model}_add"))
    assert add.status_code == (403 if model in LEDGERS else 200)


@pytest.mark.parametrize("model", LEDGERS)
def test_ledgers_are_only_shown(
    client: Client, root: User, project: Project, pool: Pool, model: str
) -> None:
    resource = hold(project, pool, {"VCPU": 2})
    row = {
        "allocation": resource.allocations.get(),
        "capacityspan": CapacitySpan.objects.first(),
        "formerkind": FormerKind.objects.create(
            resource=resource, kind="compute.small", during=(NOW, NOW + timedelta(days=1))
        ),
        "resource": resource,
        "resourcestate": resource.states.get(),
    }[model]
    change = reverse(f"admin:inventory_{model}_change", args=[row.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, {"amount": 1}).status_code == 403
    delete = reverse(f"admin:inventory_{model}_delete", args=[row.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403


def figures(inventory: Inventory, **changed: object) -> dict[str, object]:
    """Return the form of an inventory as a browser sends it."""
    return {
        "total": inventory.total,
        "reserved": inventory.reserved,
        "min_unit": inventory.min_unit,
        "max_unit": inventory.max_unit,
        "step_size": inventory.step_size,
        "allocation_ratio": inventory.allocation_ratio,
        "generation": inventory.provider.generation,
        **changed,
    }


def test_a_shrink_goes_through_the_service(
    client: Client, root: User, project: Project, pool: Pool
) -> None:
    hold(project, pool, {"VCPU": 10})
    inventory = Inventory.objects.get(provider__name="host-1", resource_class__name="VCPU")
    url = reverse("admin:inventory_inventory_change", args=[inventory.pk])
    assert client.post(url, figures(inventory, total=8)).status_code == 302
    span = CapacitySpan.objects.get(inventory=inventory, during__upper_inf=True)
    assert (span.used, span.capacity, span.shortfall) == (10, 8, 2)
    entry = AuditEvent.objects.get(action="inventory.set", object_id=inventory.pk, actor=root)
    assert entry.changes == {"total": [16, 8]}
    assert entry.via == "admin"


def test_a_stale_or_impossible_edit_changes_nothing(client: Client, root: User, pool: Pool) -> None:
    inventory = Inventory.objects.get(provider__name="host-1", resource_class__name="VCPU")
    url = reverse("admin:inventory_inventory_change", args=[inventory.pk])
    stale = client.post(url, figures(inventory, total=8, generation=0))
    assert stale.status_code == 409
    assert b"changed meanwhile" in stale.content
    assert b'name="total" value="8"' in stale.content  # what was typed stays
    wrong = client.post(url, figures(inventory, reserved=17))
    assert wrong.status_code == 200
    assert b"Host overhead must be 0 up to the total." in wrong.content
    inventory.refresh_from_db()
    assert (inventory.total, inventory.reserved) == (16, 0)


def test_what_was_held_is_not_deleted(
    client: Client, root: User, project: Project, pool: Pool
) -> None:
    hold(project, pool, {"VCPU": 1})
    used = Inventory.objects.get(provider__name="host-1", resource_class__name="VCPU")
    unused = Inventory.objects.get(provider__name="host-2", resource_class__name="VCPU")
    for inventory, left in ((used, True), (unused, False)):
        client.post(
            reverse("admin:inventory_inventory_delete", args=[inventory.pk]), {"post": "yes"}
        )
        assert Inventory.objects.filter(pk=inventory.pk).exists() is left


def test_a_host_is_added_and_closed_by_the_services(client: Client, root: User, pool: Pool) -> None:
    add = reverse("admin:inventory_resourceprovider_add")
    form = {"pool": pool.pk, "name": "host-9", "state": "open", "attributes": "{}"}
    assert client.post(add, form).status_code == 302
    host = ResourceProvider.objects.get(name="host-9")
    change = reverse("admin:inventory_resourceprovider_change", args=[host.pk])
    assert client.post(change, {**form, "state": "cordoned"}).status_code == 302
    host.refresh_from_db()
    assert (host.state, host.generation) == ("cordoned", 1)
    assert list(
        AuditEvent.objects.filter(actor=root).order_by("id").values_list("action", flat=True)
    ) == ["provider.create", "provider.set_state"]
