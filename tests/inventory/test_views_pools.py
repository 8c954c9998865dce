"""The pages of pools: totals for all who may order, hosts for those who look after them."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.charts import overcommit_figure
from inventory.foundation.models import Organisation, Project, User
from inventory.models import Pool
from inventory.selectors import pool_capacity
from inventory.selectors.histories import held_at, pool_history
from inventory.services import activate, named_class, set_inventory, set_quota
from tests.cast import NOW
from tests.factories import HOST, hold, make_host, make_pool
from tests.lists import rows_only

CEILING = 40


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(rows_only(content.decode()))))


@pytest.fixture
def busy(pool: Pool, project: Project) -> Pool:
    """Return the pool with three machines of 8 vCPU and 32 GiB: 24 of 32 vCPU are held."""
    for number in range(3):
        activate(
            resource=hold(project, pool, {"VCPU": 8, "MEMORY_MB": 32_768}, name=f"web-{number}"),
            at=NOW,
        )
    return pool


def test_a_member_sees_totals_and_what_fits_but_no_hosts(busy: Pool, member: User) -> None:
    client = signed_in(member)

    overview = client.get("/pools/").text
    page = client.get(reverse("inventory:pool", args=[busy.slug])).text

    assert "24 vCPU of 32 vCPU held, 8 vCPU free" in overview
    assert "compute.vm" in page
    assert ">1</span> more fit" in page
    assert "host-1" not in page


@pytest.mark.parametrize("who", ["operator", "finance", "auditor"])
def test_who_looks_after_the_pool_sees_its_hosts(
    who: str, busy: Pool, request: pytest.FixtureRequest
) -> None:
    client = signed_in(request.getfixturevalue(who))
    address = reverse("inventory:pool", args=[busy.slug])

    page = client.get(address).text
    rows = rows_of(client.get(address, {"format": "csv"}).getvalue())

    assert "16 vCPU of 16 vCPU" in page
    assert [row["Name"] for row in rows] == ["host-1", "host-2"]
    assert "Memory: 65536 of 65536 MiB" in rows[0]["Used"]


def test_the_members_file_holds_the_totals(busy: Pool, member: User) -> None:
    address = reverse("inventory:pool", args=[busy.slug])

    rows = rows_of(signed_in(member).get(address, {"format": "csv"}).getvalue())
    overview = rows_of(signed_in(member).get("/pools/", {"format": "csv"}).getvalue())

    processors = next(row for row in rows if row["Unit"] == "vCPU")
    assert (processors["Physical"], processors["Held"], processors["Free to sell"]) == (
        "32",
        "24",
        "8",
    )
    assert overview == rows


def test_a_stranger_finds_no_pool(busy: Pool, stranger: User) -> None:
    client = signed_in(stranger)

    assert busy.name not in client.get("/pools/").text
    assert client.get(reverse("inventory:pool", args=[busy.slug])).status_code == 404
    assert client.get("/pools/no-such-pool/").status_code == 404


def test_over_commit_is_shown(pool: Pool, member: User) -> None:
    host = make_host(pool, "big", {"DISK_GB": 100})
    from_two = {"provider": host, "resource_class": named_class(name="VCPU"), "at": NOW}
    set_inventory(total=68, reserved=4, allocation_ratio=4, **from_two)

    page = signed_in(member).get(reverse("inventory:pool", args=[pool.slug])).text

    assert "times over" in page
    assert '288 <span class="quantity-unit">vCPU</span>' in page  # 32 + (68 - 4) × 4


def test_spare_hosts_are_not_sold(organisation: Organisation, member: User) -> None:
    pool = make_pool(organisation, name="Spare", hosts=3, spare_hosts=1)

    page = signed_in(member).get(reverse("inventory:pool", args=[pool.slug])).text

    assert '<strong><span class="quantity">32 <span class="quantity-unit">vCPU' in page
    assert "may be lost without harm" in page


def test_quota_of_my_projects(busy: Pool, project: Project, owner: User, auditor: User) -> None:
    set_quota(
        project=project, resource_class=named_class(name="VCPU"), limit=48, actor=None, at=NOW
    )
    address = reverse("inventory:pool", args=[busy.slug])

    assert "24 vCPU of 48 vCPU (Shop)" in signed_in(owner).get(address).text
    assert "of 48 vCPU" not in signed_in(auditor).get(address).text


def test_hosts_are_filtered_and_paged(pool: Pool, operator: User) -> None:
    for number in range(60):
        make_host(pool, f"rack-{number:02}", HOST)
    client = signed_in(operator)
    address = reverse("inventory:pool", args=[pool.slug])

    assert "Page 1 of 2" in client.get(address).text
    found = rows_of(client.get(address, {"q": "rack-07", "format": "csv"}).getvalue())
    assert [row["Name"] for row in found] == ["rack-07"]


def queries_of(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def test_queries_do_not_grow(busy: Pool, organisation: Organisation, operator: User) -> None:
    client = signed_in(operator)
    one = reverse("inventory:pool", args=[busy.slug])
    client.get(one)  # the pool's layout is read, and kept
    few, few_of_one = queries_of(client, "/pools/"), queries_of(client, one)

    for number in range(5):
        make_pool(organisation, name=f"Pool {number}")
    for number in range(20):
        make_host(busy, f"more-{number}")
    client.get(one)

    assert queries_of(client, "/pools/") == few <= CEILING
    assert queries_of(client, one) == few_of_one <= CEILING


def test_the_list_draws_how_much_was_held_lately(
    busy: Pool, organisation: Organisation, member: User
) -> None:
    """At each instant what the spans say; before there was anything, nothing."""
    other = make_pool(organisation, name="Other", amounts={"VCPU": 8})
    instants = [NOW + timedelta(days=day) for day in (-1, 0, 1)]
    found = held_at(pools=[busy, other], instants=instants)
    processors = named_class(name="VCPU").pk
    assert found[busy.pk, processors][1:] == (Decimal("75.0"), Decimal("75.0"))
    assert found[other.pk, processors][1:] == (Decimal("0.0"), Decimal("0.0"))
    assert {key[0] for key in held_at(pools=[other], instants=instants)} == {other.pk}
    assert held_at(pools=[], instants=instants) == {}

    page = signed_in(member).get("/pools/").text
    assert "held over 30 days: " in page
    assert "75 % at most, 75 % now" in page or "75.0 % at most, 75.0 % now" in page


def test_use_over_time_is_weighted_and_says_what_is_not_over(
    busy: Pool, operator: User, member: User
) -> None:
    """Since NOW 24 of 32 vCPU are held: all of the first host, half of the second."""
    edges = [NOW + timedelta(days=day) for day in (-1, 0, 1, 2)]

    history = pool_history(pool=busy, edges=edges, fullest=5)

    shares = {one.resource_class.name: one.shares for one in history.classes}
    assert shares["VCPU"][1:] == (Decimal("75.0"), Decimal("75.0"))
    assert [(host.name, host.shares[1:]) for host in history.fullest] == [
        ("host-1", (Decimal("100.0"), Decimal("100.0"))),
        ("host-2", (Decimal("50.0"), Decimal("50.0"))),
    ]
    assert history.hosts == 2
    address = reverse("inventory:pool-use", args=[busy.slug])
    assert "By host" in signed_in(operator).get(address).text
    assert "By host" not in signed_in(member).get(address).text
    assert signed_in(member).get(address, {"figure": "hosts", "format": "csv"}).status_code == 404


def test_half_a_stretch_counts_half(busy: Pool) -> None:
    edges = [NOW - timedelta(days=1), NOW + timedelta(days=1)]

    (shares,) = [
        one.shares
        for one in pool_history(pool=busy, edges=edges).classes
        if one.resource_class.name == "VCPU"
    ]

    assert shares[0] is not None
    assert 0 < shares[0] <= 75


def test_what_is_sold_over_what_is_built_in(pool: Pool) -> None:
    rows = pool_capacity(pool=pool, at=NOW)

    figure = overcommit_figure(rows=rows)

    held, may_be_held, built_in = figure.series
    by_kind = {row.resource_class.label: row for row in rows}
    for label, share in zip(figure.x, may_be_held.values, strict=True):
        row = by_kind[label]
        assert share is not None
        assert share == pytest.approx(
            Decimal(row.capacity * 100) / (row.physical - row.overhead), abs=Decimal("0.05")
        )
    assert built_in.is_line
    assert len(held.values) == len(rows)


def test_the_file_of_a_figure_is_its_table(busy: Pool, operator: User) -> None:
    client = signed_in(operator)
    address = reverse("inventory:pool", args=[busy.slug])

    answer = client.get(address, {"figure": "capacity", "format": "csv"})

    rows = rows_of(b"".join(answer))
    assert answer["X-Row-Count"] == str(len(rows))
    assert "75.0" in {row["Held (%)"] for row in rows}
    assert client.get(address, {"figure": "other", "format": "csv"}).status_code == 404
