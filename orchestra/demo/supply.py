"""The demo's pool, services and prices: twelve hosts, five services, one price list."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from billing.choices import BookStatus, MeterSource, PriceBase
from billing.models import (
    BillingAccount,
    Budget,
    IssuingEntity,
    Meter,
    PriceBook,
    ProjectBilling,
    Sku,
    SkuPrice,
)
from inventory.models import Pool, ResourceClass
from inventory.services import create_pool, create_provider, set_inventory, set_quota
from orchestra.demo.people import Company
from orchestra.models import Offering
from orchestra.services.connections import connect_pool, create_connection
from orchestra.services.offerings import create_offering, draft_version, publish_version
from orchestra.services.policies import create_policy

HOSTS = 12
CLASSES = (
    ("VCPU", "Processors", "vCPU"),
    ("MEMORY_MB", "Memory", "MiB"),
    ("DISK_GB", "Storage", "GiB"),
)
RULE = {
    "kind": "auto_approve",
    "max_monthly_cost": "250.00",
    "max_days": 90,
    "within_budget": True,
}


@dataclass(frozen=True)
class Service:
    """One service of the catalogue: what a copy holds and what it costs an hour."""

    slug: str
    name: str
    category: str
    summary: str
    resources: dict[str, int]
    disk: tuple[int, int, int]
    hourly: str
    minutes: int


SERVICES = (
    Service(
        "linux-s",
        "Linux S",
        "Machines",
        "A small Linux machine for tests and helpers.",
        {"VCPU": 2, "MEMORY_MB": 8192},
        (20, 500, 50),
        "0.056",
        3,
    ),
    Service(
        "linux-m",
        "Linux M",
        "Machines",
        "The machine most applications run on.",
        {"VCPU": 4, "MEMORY_MB": 16384},
        (20, 1000, 100),
        "0.112",
        3,
    ),
    Service(
        "linux-l",
        "Linux L",
        "Machines",
        "A large machine for heavy work.",
        {"VCPU": 8, "MEMORY_MB": 32768},
        (50, 2000, 200),
        "0.224",
        4,
    ),
    Service(
        "database-m",
        "Database M",
        "Databases",
        "A machine with much memory, laid out for a database.",
        {"VCPU": 4, "MEMORY_MB": 32768},
        (100, 4000, 500),
        "0.198",
        6,
    ),
    Service(
        "volume",
        "Shared volume",
        "Storage",
        "Storage on the array, for several machines.",
        {},
        (10, 10000, 500),
        "0",
        1,
    ),
)


def make_supply(*, company: Company, at: datetime, prices_from: datetime, year: date) -> Pool:
    """Make everything that can be had, what it costs and who pays."""
    pool = _make_pool(company, at)
    _make_catalogue(company, pool, at)
    _make_money(company, at, prices_from, year)
    create_policy(
        slug="small-things",
        name="Cheap, short and within budget",
        rule=RULE,
        organisation=company.organisation,
        actor=company.people["admin"],
        at=at,
    )
    return pool


def _make_pool(company: Company, at: datetime) -> Pool:
    operator = company.people["oscar"]
    classes = {
        name: ResourceClass.objects.create(name=name, label=label, unit=unit)
        for name, label, unit in CLASSES
    }
    pool = create_pool(
        organisation=company.organisation,
        name="Frankfurt 1",
        slug="frankfurt-1",
        description="Virtual machines and storage in Frankfurt.",
        region="eu-central",
        zone="fra-1",
        spare_hosts=1,
        actor=operator,
        at=at,
    )
    for number in range(1, HOSTS + 1):
        host = create_provider(
            pool=pool,
            name=f"fra1-h{number:02}",
            rack=f"r{(number + 2) // 3}",
            actor=operator,
            at=at,
        )
        set_inventory(
            provider=host,
            resource_class=classes["VCPU"],
            total=64,
            allocation_ratio=Decimal(4),
            actor=operator,
            at=at,
        )
        set_inventory(
            provider=host,
            resource_class=classes["MEMORY_MB"],
            total=992 * 1024,
            reserved=32 * 1024,
            actor=operator,
            at=at,
        )
    array = create_provider(pool=pool, name="fra1-array", is_sharing=True, actor=operator, at=at)
    set_inventory(
        provider=array, resource_class=classes["DISK_GB"], total=200_000, actor=operator, at=at
    )
    for slug, limit in (("shop", 48), ("data", 64), ("research", 96)):
        set_quota(
            project=company.projects[slug],
            resource_class=classes["VCPU"],
            limit=limit,
            actor=operator,
            at=at,
        )
    connection = create_connection(
        name="simulated",
        label="Simulated machines",
        kind="simulated",
        options={"seed": 1},
        max_inflight=8,
        actor=operator,
        at=at,
    )
    connect_pool(pool=pool, connection=connection, actor=operator, at=at)
    return pool


def _make_catalogue(company: Company, pool: Pool, at: datetime) -> None:
    operator = company.people["oscar"]
    for service in SERVICES:
        offering: Offering = create_offering(
            slug=service.slug,
            name=service.name,
            category=service.category,
            summary=service.summary,
            actor=operator,
            at=at,
        )
        version = draft_version(
            offering=offering,
            resource_kind=service.name,
            resources=service.resources,
            pools=[pool],
            parameters=_choices(service),
            max_instances=250,
            minutes_to_deliver=service.minutes,
            actor=operator,
            at=at,
        )
        publish_version(version=version, actor=operator, at=at)


def _choices(service: Service) -> dict[str, Any]:
    least, most, usual = service.disk
    properties: dict[str, Any] = {
        "disk": {
            "type": "integer",
            "title": "Storage in GiB",
            "minimum": least,
            "maximum": most,
            "default": usual,
            "x-resource-class": "DISK_GB",
        }
    }
    if service.hourly != "0":
        properties["image"] = {
            "type": "string",
            "title": "Image",
            "enum": ["debian-13", "debian-12", "ubuntu-24.04"],
            "default": "debian-13",
        }
    return {"type": "object", "required": ["disk"], "properties": properties}


def _make_money(company: Company, at: datetime, prices_from: datetime, year: date) -> None:
    entity = IssuingEntity.objects.create(name="Nordwind IT")
    for code, name, slugs, amount in (
        ("commerce", "Commerce", ("shop",), "9600.00"),
        ("analytics", "Analytics", ("data", "research"), "14400.00"),
    ):
        account = BillingAccount.objects.create(
            entity=entity,
            organisation=company.organisation,
            code=code,
            name=name,
            owner=company.projects[slugs[0]].owner,
        )
        for slug in slugs:
            ProjectBilling.objects.create(
                project=company.projects[slug], account=account, during=(prices_from, None)
            )
        for first in (year.replace(year=year.year - 1), year):
            Budget.objects.create(
                account=account,
                name=f"{name} {first.year}",
                during=(first, first.replace(year=first.year + 1)),
                amount=Decimal(amount),
                currency="EUR",
            )
    book = PriceBook.objects.create(
        entity=entity,
        name="Price list",
        currency="EUR",
        prepared_by=company.people["fiona"],
        is_default=True,
    )
    machines = Meter.objects.create(
        name="machines", label="Machines over time", source=MeterSource.COUNT, unit="VM"
    )
    storage = Meter.objects.create(
        name="storage",
        label="Storage over time",
        source=MeterSource.ALLOCATION,
        resource_class=ResourceClass.objects.get(name="DISK_GB"),
        unit="GiB",
    )
    for service in SERVICES:
        if service.hourly == "0":
            continue
        sku = Sku.objects.create(
            code=service.slug,
            name=service.name,
            meter=machines,
            resource_kind=service.name,
            service_name=service.category,
            pricing_unit="Hours",
        )
        _price(book, sku, service.hourly, prices_from)
    block = Sku.objects.create(
        code="block-storage",
        name="Block storage",
        meter=storage,
        base=PriceBase.MONTH,
        service_category="Storage",
        service_subcategory="Block Storage",
        service_name="Storage",
        pricing_unit="GiB-Months",
    )
    _price(book, block, "0.08", prices_from)
    book.status = BookStatus.PUBLISHED
    book.released_by, book.released_at = company.people["frank"], at
    book.save()


def _price(book: PriceBook, sku: Sku, unit_price: str, prices_from: datetime) -> None:
    SkuPrice.objects.create(
        book=book,
        sku=sku,
        tier=(Decimal(0), None),
        during=(prices_from, None),
        unit_price=Decimal(unit_price),
    )
