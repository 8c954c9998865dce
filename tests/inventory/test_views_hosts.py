"""Hosts, groups, properties, what is held, quotas: who sees which, and the sums are right."""

import pytest
from django.test import Client
from django.urls import reverse

from inventory.foundation.models import Project, User
from inventory.models import Aggregate, Pool, Quota, ResourceClass, ResourceProvider, Trait
from tests.factories import hold, make_host
from tests.orchestra.programs import program


@pytest.fixture
def host(pool: Pool) -> ResourceProvider:
    """Return a host with a property, a rack and a device in it."""
    host = pool.providers.get(name="host-1")
    host.traits.add(Trait.objects.create(name="SSD"))
    rack = Aggregate.objects.create(kind="rack", name="r1")
    rack.providers.add(host)
    make_host(pool, "gpu-1", {"GPU_MILLI": 1000}, parent=host)
    return host


def test_a_host_shows_what_it_has_and_who_holds_it(
    client: Client, host: ResourceProvider, project: Project, pool: Pool, operator: User
) -> None:
    held = hold(project, pool, {"VCPU": 3, "GPU_MILLI": 400})
    client.force_login(operator)

    shown = client.get(reverse("inventory:host", args=[host.pk])).context

    used = {(row.provider.name, row.resource_class.name): row.used for row in shown["inventories"]}
    assert used["gpu-1", "GPU_MILLI"] == 400
    assert used["host-1", "VCPU"] == 3
    assert {(row.resource, row.amount) for row, _state in shown["held"]} == {(held, 3), (held, 400)}
    assert {one.used for one in shown["stretches"]} >= {3, 400}
    told = program(operator).get(f"/api/v1/hosts/{host.pk}/").json()
    figures = {(one["host_id"], one["resource_class"]): one["used"] for one in told["inventories"]}
    assert figures[host.pk, "VCPU"] == 3
    assert (told["traits"], len(told["group_ids"])) == (["SSD"], 1)


def test_who_works_in_a_project_sees_what_it_holds_but_not_where(
    client: Client, host: ResourceProvider, project: Project, pool: Pool, member: User, operator
) -> None:
    hold(project, pool, {"VCPU": 3})
    client.force_login(member)

    (row,) = client.get("/held/").context["table"].paginated_rows
    assert (row.record.amount, row.record.host) == (3, None)
    assert client.get(f"/held/?host={host.pk}").context["count"] == 0
    assert client.get(reverse("inventory:host", args=[host.pk])).status_code == 404
    assert program(member).get("/api/v1/hosts/").json()["count"] == 0
    (told,) = program(member).get("/api/v1/held/").json()["results"]
    assert (told["amount"], told["host"]) == (3, None)
    (seen,) = program(operator).get("/api/v1/held/").json()["results"]
    assert seen["host"].startswith("host-")


def test_a_quota_counts_what_is_held_below_its_organisation(
    client: Client, project: Project, pool: Pool, member: User
) -> None:
    hold(project, pool, {"VCPU": 3})
    vcpus = ResourceClass.objects.get(name="VCPU")
    Quota.objects.create(project=project, resource_class=vcpus, limit=2)
    Quota.objects.create(organisation=project.organisation, resource_class=vcpus, limit=8)

    rows = program(member).get("/api/v1/quotas/").json()["results"]

    found = {row["holder"]: (row["limit"], row["used"], row["left"]) for row in rows}
    assert found == {"Shop": (2, 3, -1), "Acme": (8, 3, 5)}
    client.force_login(member)
    assert client.get("/quotas/?used_up=true").context["count"] == 1


@pytest.mark.parametrize("path", ["/hosts/", "/held/", "/quotas/", "/properties/", "/host-groups/"])
def test_a_list_keeps_to_its_ceiling_of_queries(
    path: str,
    client: Client,
    django_assert_max_num_queries,
    host: ResourceProvider,
    project: Project,
    pool: Pool,
    operator: User,
) -> None:
    for number in range(12):
        hold(project, pool, {"VCPU": 1}, name=f"web-{number}")
    client.force_login(operator)

    with django_assert_max_num_queries(25):
        assert client.get(path).status_code == 200


def test_one_pool_of_the_api_tells_its_capacity(pool: Pool, project: Project, member: User) -> None:
    hold(project, pool, {"VCPU": 3})

    told = program(member).get(f"/api/v1/pools/{pool.pk}/").json()

    (vcpus,) = (one for one in told["capacity"] if one["resource_class"] == "VCPU")
    assert (vcpus["capacity"], vcpus["used"], vcpus["free"]) == (32, 3, 29)
