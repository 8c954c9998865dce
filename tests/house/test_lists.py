"""One FilterSet serves page, file, API and saved views: for random filters all four agree.

What must be found is worked out anew in Python over all rows of the table, by rules that are
written down here (`LISTS`) and know nothing of the filters.
"""

import csv
import io
import random
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client

from billing.choices import UsageOrigin
from billing.models import Charge, Meter, UsageRecord
from inventory.choices import ResourceStatus
from inventory.foundation.models import AuditEvent, Event, Project, SavedView, User
from inventory.foundation.tables import cell_text
from inventory.models import Resource
from orchestra.choices import DeploymentState, OrderKind, OrderState, RunState
from orchestra.models import Deployment, Order, Run
from tests.billing.world import BERLIN
from tests.cast import make_user
from tests.house.listings import (
    DAY_FROM,
    ENVIRONMENT,
    ENVIRONMENTS,
    PROJECT,
    STATE,
    WORDS,
    Listing,
    copies,
    equal,
    project_of,
    starts,
)
from tests.house.more_lists import MORE, fill_more
from tests.house.permission_world import PermissionWorld, make_permission_world
from tests.lists import split
from tests.orchestra.world import make_catalogue

SEEDS_A_LIST = 8  # eight lists: 64 filters
LISTS = {
    "requests": Listing(
        Order,
        "/requests/",
        "/api/v1/orders/",
        project_of,
        lambda row: [
            row.name,
            row.application,
            row.business_reason,
            row.offering_version.offering.name,
        ],
        {
            "state": STATE,
            "project": PROJECT,
            "kind": equal(lambda row: row.kind),
            "environment": ENVIRONMENT,
            "mine": (
                lambda row: row.requester_id % 2 == 0,
                lambda row, value, viewer: (row.requester_id == viewer.pk) == (value == "True"),
            ),
        },
    ),
    "applications": Listing(
        Deployment,
        "/applications/",
        "",
        project_of,
        lambda row: [row.name, row.application, row.offering_version.offering.name],
        {"state": STATE, "project": PROJECT, "environment": ENVIRONMENT},
    ),
    "progress": Listing(
        Run,
        "/progress/",
        "/api/v1/runs/",
        lambda row: row.order.project,
        lambda row: [row.deployment.name, row.deployment.application, row.reason],
        {
            "state": STATE,
            "project": equal(lambda row: row.order.project_id),
            "action": equal(lambda row: row.action),
        },
    ),
    "resources": Listing(
        Resource,
        "/resources/",
        "/api/v1/resources/",
        project_of,
        lambda row: [row.name, row.application, row.kind],
        {
            "status": (
                lambda row: random.Random(row.pk).choice(["live", row.status]),
                lambda row, value, _viewer: (
                    row.status != "gone" if value == "live" else row.status == value
                ),
            ),
            "project": PROJECT,
            "kind": equal(lambda row: row.kind),
            "pool": equal(lambda row: row.pool_id),
            "environment": ENVIRONMENT,
            "application": equal(lambda row: row.application),
        },
    ),
    "charges": Listing(
        Charge,
        "/charges/",
        "/api/v1/charges/",
        project_of,
        lambda row: [
            row.description,
            row.labels.get("resource", ""),
            row.labels.get("application", ""),
            row.sku.name,
        ],
        {
            "month": equal(lambda row: f"{row.period.month:%Y-%m}"),
            "project": PROJECT,
            "service": equal(lambda row: row.sku.service_name),
            "resource": equal(lambda row: row.resource_id),
            "environment": equal(lambda row: row.labels.get("environment")),
            "cost_centre": equal(lambda row: row.cost_centre),
            "since": (
                lambda row: f"{row.period.month:%Y-%m}",
                lambda row, value, _viewer: f"{row.period.month:%Y-%m}" >= value,
            ),
        },
        amount="billed_cost",
    ),
    "usage": Listing(
        UsageRecord,
        "/usage/",
        "/api/v1/usage/",
        project_of,
        lambda row: [row.meter.label, row.meter.name, row.resource.name, row.origin_id],
        {
            "meter": equal(lambda row: row.meter.name),
            "project": PROJECT,
            "resource": equal(lambda row: row.resource_id),
            "origin": equal(lambda row: row.origin),
            "since": (
                lambda row: f"{row.usage_start.astimezone(BERLIN):%Y-%m-%d}",
                lambda row, value, _viewer: (
                    f"{row.usage_start.astimezone(BERLIN):%Y-%m-%d}" >= value
                ),
            ),
            "until": (
                lambda row: f"{row.usage_start.astimezone(BERLIN):%Y-%m-%d}",
                lambda row, value, _viewer: (
                    f"{row.usage_start.astimezone(BERLIN):%Y-%m-%d}" <= value
                ),
            ),
        },
        amount="quantity",
    ),
    "audit": Listing(
        AuditEvent,
        "/audit/",
        "/api/v1/audit/",
        project_of,
        lambda row: [row.object_label, row.actor_label, row.reason],
        {
            "action": starts(lambda row: row.action),
            "object_type": equal(lambda row: row.object_type),
            "via": equal(lambda row: row.via),
            "project": PROJECT,
            "since": DAY_FROM,
        },
    ),
    "events": Listing(
        Event,
        "/events/",
        "/api/v1/events/",
        project_of,
        lambda row: [row.type, row.subject, row.correlation_id],
        {"type": starts(lambda row: row.type), "project": PROJECT, "since": DAY_FROM},
    ),
} | MORE


@pytest.fixture
def world(
    project: Project, member: User, finance: User, second_finance: User, tmp_path: Path
) -> PermissionWorld:
    """Return a world with one of everything, to copy from."""
    catalogue = make_catalogue(
        organisation=project.organisation,
        project=project,
        finance=finance,
        second_finance=second_finance,
    )
    return make_permission_world(
        catalogue=catalogue, member=member, finance=finance, folder=tmp_path
    )


def fill(world: PermissionWorld, hidden: Project, chance: random.Random) -> None:
    """Fill each list with some pages of rows that differ, some of them of a hidden project."""

    def where(one: Any) -> Project:
        one.project = hidden if chance.random() < 0.2 else world.project
        return one.project

    def order(_number: int, one: Any) -> None:
        where(one)
        one.name = f"{chance.choice(WORDS)}-{chance.randrange(50)}"
        one.environment = chance.choice(ENVIRONMENTS)
        one.state = chance.choice(OrderState.values)
        one.kind = OrderKind.CREATE
        one.requester = chance.choice([world.member, world.project.owner])

    def application(number: int, one: Any) -> None:
        where(one)
        one.name = f"{chance.choice(WORDS)}-{number}"
        one.environment = chance.choice(ENVIRONMENTS)
        one.state = chance.choice(DeploymentState.values)

    def resource(number: int, one: Any) -> None:
        where(one)
        one.name = f"{chance.choice(WORDS)}-{number}"
        one.environment = chance.choice(ENVIRONMENTS)
        one.application = chance.choice(WORDS)
        one.status = chance.choice(ResourceStatus.values)

    def charge(_number: int, one: Any) -> None:
        one.line_id = uuid4()
        where(one)
        one.description = f"{chance.choice(WORDS)} machine"
        one.labels = one.labels | {"environment": chance.choice(ENVIRONMENTS)}
        one.billed_cost = Decimal(chance.randrange(10**9)).scaleb(-6)
        one.cost_centre = chance.choice(["4711", "4712"])

    def used(number: int, one: Any) -> None:
        where(one)
        one.usage_start += timedelta(hours=7 * (number % 40))
        one.usage_end = one.usage_start + timedelta(hours=1)
        one.quantity = Decimal(chance.randrange(10**12)).scaleb(-9)
        one.resource = chance.choice(resources)
        one.meter = chance.choice(meters)
        one.origin = chance.choice(UsageOrigin.values)
        one.origin_id = f"{chance.choice(WORDS)}/{number}"

    def entry(number: int, one: Any) -> None:
        where(one)
        one.at += timedelta(days=number % 9)
        one.action = f"{chance.choice(['order', 'run', 'project'])}.edit"
        one.object_label = chance.choice(WORDS)

    def told(number: int, one: Any) -> None:
        where(one)
        one.event_id = Event._meta.get_field("event_id").get_default()
        one.time += timedelta(days=number % 9)
        one.type = f"{chance.choice(['orchestra', 'billing'])}.thing.done"
        one.subject = f"{chance.choice(WORDS)}/{number}"

    copies(world.planned, 70, order)
    copies(world.live, 60, application)
    copies(world.resource, 60, resource)
    newest = Charge.objects.filter(period=world.open_period).first()
    assert newest is not None
    copies(newest, 80, charge)
    resources, meters = list(Resource.objects.all()), list(Meter.objects.all())
    assert len({meter.unit for meter in meters}) > 1, "usage of several units adds up apart"
    copies(UsageRecord.objects.filter(project=world.project)[0], 90, used)
    copies(AuditEvent.objects.filter(project=world.project)[0], 70, entry)
    copies(Event.objects.filter(project=world.project)[0], 70, told)

    orders, deployments = list(Order.objects.order_by("pk")), list(Deployment.objects.all())

    def run(number: int, one: Any) -> None:
        one.order = orders[number % len(orders)]
        one.deployment = chance.choice(deployments)
        one.correlation_id = uuid4()
        one.state = chance.choice([RunState.SUCCEEDED, RunState.CANCELLED])

    copies(world.run, 60, run)


def random_query(listing: Listing, rows: list[Any], chance: random.Random) -> dict[str, Any]:
    """Return one to three filters with values that rows have, sometimes a word to search for."""
    names = chance.sample(sorted(listing.rules), chance.randint(1, min(3, len(listing.rules))))
    query = {}
    for name in names:
        value = listing.rules[name][0](chance.choice(rows))
        if value is not None:
            query[name] = str(value)
    if chance.random() < 0.3:
        query["q"] = chance.choice(WORDS)
    return query


def is_seen(listing: Listing, row: Any, hidden: Project) -> bool:
    """Say whether the viewer may see a row: it is of no project that is hidden from them."""
    if listing.seen is not None:
        return listing.seen(row)
    project = listing.project(row)
    return project is not None and project.pk != hidden.pk


def expected(
    listing: Listing, rows: list[Any], query: dict[str, Any], viewer: User, hidden: Project
) -> set[int]:
    """Return the ids that must be found, by plain rules over all rows."""
    found = set()
    for row in rows:
        if not is_seen(listing, row, hidden):
            continue
        if not all(
            listing.rules[name][1](row, value, viewer)
            for name, value in query.items()
            if name != "q"
        ):
            continue
        if "q" in query and not any(
            query["q"].lower() in str(text).lower() for text in listing.texts(row)
        ):
            continue
        found.add(row.pk)
    return found


def screen(client: Client, listing: Listing, query: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """Page through the list; return its rows and, of each, what a file shows in front."""
    records, firsts, number = [], [], 1
    while True:
        answer = client.get(listing.path, query | {"per_page": "25", "page": str(number)})
        assert answer.status_code == 200
        names = answer.context
        for row in names["table"].paginated_rows:
            records.append(row.record)
            firsts.append(cell_text(names["table"].file_columns()[0].cell(row)))
        assert names["last"] == len(records)
        if listing.amount and records:
            assert sum(total.amount for total in names["totals"]) is not None
        if not names["page"].has_next():
            assert names["count"] == len(records)
            return records, firsts
        number += 1


def api_rows(client: Client, listing: Listing, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Page through the endpoint."""
    address = f"{listing.api}?{urlencode(query | {'page_size': '20'})}"
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.content
        yield from answer.json()["results"]
        address = answer.json()["next"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", LISTS)
def test_screen_file_program_view_and_plain_count_agree(
    name: str,
    world: PermissionWorld,
    owner: User,
    member: User,
    operator: User,
    stranger: User,
) -> None:
    chance = random.Random(name)
    # The owner also sees what others charge to the account; the member sees the project's alone.
    listing = LISTS[name]
    viewer = {"owner": owner, "operator": operator}[listing.viewer]
    viewer = member if name == "charges" else viewer
    hidden = Project.objects.create(
        organisation=stranger.memberships.get().organisation,
        name="Hidden",
        slug="hidden",
        owner=stranger,
        deputy=make_user("serge"),
        cost_centre="1",
        created_at=world.project.created_at,
    )
    if name in MORE:
        fill_more(name, world, hidden, chance)
    else:
        fill(world, hidden, chance)
    rows = list(listing.model._default_manager.all())
    client = Client()
    client.force_login(viewer)
    # A project that one may not see is no choice of a filter: its list is refused as a file.
    seen = [row for row in rows if is_seen(listing, row, hidden)]
    sizes = set()
    for number in range(SEEDS_A_LIST):
        query = random_query(listing, seen, chance) if number else {}
        must = expected(listing, rows, query, viewer, hidden)
        records, firsts = screen(client, listing, query)
        assert {row.pk for row in records} == must, query
        assert len(records) == len(must), query
        sizes.add(len(must))

        above, foot = split(client.get(listing.path, query | {"format": "csv"}).getvalue().decode())
        lines = list(csv.reader(io.StringIO(above)))
        stated = {line[0]: line[1:] for line in foot}
        assert [line[0] for line in lines[1:]] == firsts, query
        assert stated["# Rows"] == [str(len(must))]
        if listing.api:
            told = list(api_rows(client, listing, query))
            key = "number" if name == "events" else "id"
            assert {row[key] for row in told} == must, query
            assert len(told) == len(must)
        if listing.amount:
            total = sum((getattr(row, listing.amount) for row in rows if row.pk in must), Decimal())
            shown = client.get(listing.path, query).context["totals"]
            column = shown[0].label if shown else ""
            assert sum((one.amount for one in shown), Decimal()) == total
            sums = [Decimal(line[2]) for line in foot if line[0] == "# Total" and line[1] == column]
            assert sum(sums) == total
            assert sum(Decimal(row[listing.amount]) for row in told) == total
            assert all(type(row[listing.amount]) is str for row in told)

        client.post(
            "/views/new/", {"name": f"v{number}", "of": f"{listing.path}?{urlencode(query)}"}
        )
        view = SavedView.objects.get(user=viewer, name=f"v{number}")
        opened = client.get(f"/views/{view.pk}/open/", follow=True)
        assert opened.context["count"] == len(must), query
    assert max(sizes) > 25, "no filter left more than a page"
