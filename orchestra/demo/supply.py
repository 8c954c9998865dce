"""What can be had in the demo: five pools, and the services that they deliver."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from inventory.choices import RankingPolicy
from inventory.foundation.models import Organisation, User
from inventory.models import Pool, ResourceClass
from inventory.services import create_pool, create_provider, save_pool, set_inventory, set_quota
from orchestra.demo.people import Company
from orchestra.models import Connection, OfferingVersion
from orchestra.services.connections import connect_pool, create_connection
from orchestra.services.offerings import create_offering, draft_version, publish_version

CLASSES = (
    ("VCPU", "Processors", "vCPU"),
    ("MEMORY_MB", "Memory", "MiB"),
    ("DISK_GB", "Storage", "GiB"),
    ("GPU_MILLI", "GPU", "milli"),
)
GIB = 1024  # of MiB


@dataclass(frozen=True)
class Room:
    """One pool: its hosts with what each has, and its shared storage in GiB.

    `vcpus` are physical and sold four times over, `memory` is in GiB, of which 32 are the host's.
    """

    slug: str
    name: str
    summary: str
    prefix: str
    hosts: int = 0
    vcpus: int = 0
    memory: int = 0
    gpus: int = 0
    arrays: tuple[int, ...] = ()
    spare: int = 0


MACHINES, TRIALS, DATABASES, GPUS, STORAGE = (
    "frankfurt-1",
    "frankfurt-2",
    "berlin-1",
    "berlin-gpu",
    "frankfurt-storage",
)
ROOMS = (
    Room(
        MACHINES,
        "Frankfurt 1",
        "Virtual machines for what runs all year.",
        "fra1",
        hosts=12,
        vcpus=64,
        memory=992,
        arrays=(200_000,),
        spare=1,
    ),
    Room(
        TRIALS,
        "Frankfurt 2",
        "Virtual machines for tests, development and short campaigns.",
        "fra2",
        hosts=4,
        vcpus=32,
        memory=544,
        arrays=(60_000,),
    ),
    Room(
        DATABASES,
        "Berlin 1",
        "Machines with much memory, for databases.",
        "ber1",
        hosts=5,
        vcpus=48,
        memory=1056,
        arrays=(120_000,),
        spare=1,
    ),
    Room(
        GPUS,
        "Berlin GPU",
        "Machines with graphics processors, for models and simulations.",
        "berg",
        hosts=3,
        vcpus=48,
        memory=1056,
        gpus=8,
        arrays=(60_000,),
    ),
    Room(
        STORAGE,
        "Frankfurt storage",
        "Volumes and archives on four arrays.",
        "fras",
        arrays=(500_000, 500_000, 500_000, 500_000),
    ),
)


@dataclass(frozen=True)
class Service:
    """One service of the catalogue: what a copy holds, and the pools that deliver it.

    `disk` is the least, the most and the usual storage in GiB.
    """

    slug: str
    name: str
    category: str
    summary: str
    resources: dict[str, int]
    disk: tuple[int, int, int]
    pools: tuple[str, ...]
    minutes: int
    has_image: bool = True


def _machine(vcpus: int, memory: int, gpus: int = 0) -> dict[str, int]:
    amounts = {"VCPU": vcpus, "MEMORY_MB": memory * GIB}
    return amounts | ({"GPU_MILLI": gpus * 1000} if gpus else {})


BOTH = (MACHINES, TRIALS)
SERVICES = (
    Service(
        "linux-s",
        "Linux S",
        "Machines",
        "A small Linux machine for tests and helpers.",
        _machine(2, 8),
        (20, 500, 50),
        BOTH,
        3,
    ),
    Service(
        "linux-m",
        "Linux M",
        "Machines",
        "The machine most applications run on.",
        _machine(4, 16),
        (20, 1000, 100),
        BOTH,
        3,
    ),
    Service(
        "linux-l",
        "Linux L",
        "Machines",
        "A large machine for heavy work.",
        _machine(8, 32),
        (50, 2000, 200),
        BOTH,
        4,
    ),
    Service(
        "linux-xl",
        "Linux XL",
        "Machines",
        "The largest machine, for what cannot be spread.",
        _machine(32, 128),
        (50, 4000, 400),
        (MACHINES,),
        5,
    ),
    Service(
        "database-m",
        "Database M",
        "Databases",
        "A machine with much memory, laid out for a database.",
        _machine(4, 32),
        (100, 4000, 500),
        (DATABASES,),
        6,
    ),
    Service(
        "database-l",
        "Database L",
        "Databases",
        "Four times Database M, for what the whole company works with.",
        _machine(16, 128),
        (200, 8000, 1000),
        (DATABASES,),
        8,
    ),
    Service(
        "gpu-machine",
        "GPU machine",
        "Graphics processors",
        "One graphics processor with a large machine around it.",
        _machine(16, 128, gpus=1),
        (100, 4000, 1000),
        (GPUS,),
        8,
    ),
    Service(
        "volume",
        "Shared volume",
        "Storage",
        "Storage on the array, for several machines.",
        {},
        (10, 500_000, 500),
        (STORAGE,),
        1,
        has_image=False,
    ),
    Service(
        "archive",
        "Archive volume",
        "Storage",
        "Slow and cheap: for what must be kept and is hardly read.",
        {},
        (100, 500_000, 1000),
        (STORAGE,),
        1,
        has_image=False,
    ),
)
QUOTAS = (("shop", 48), ("data", 64), ("payments", 96), ("ledger", 96), ("marketing", 60))


@dataclass(frozen=True)
class Supply:
    """What can be had: the pools and the offered versions by short name, and the connection."""

    pools: dict[str, Pool]
    versions: dict[str, OfferingVersion]
    connection: Connection


def make_supply(*, company: Company, at: datetime) -> Supply:
    """Make the kinds of capacity, pools, connection, quotas and the catalogue."""
    operator = company.people["oscar"]
    for name, label, unit in CLASSES:
        ResourceClass.objects.create(name=name, label=label, unit=unit)
    connection = create_connection(
        name="simulated",
        label="Simulated machines",
        kind="simulated",
        options={"seed": 1},
        max_inflight=8,
        actor=operator,
        at=at,
    )
    pools = {}
    for room in ROOMS:
        pool = _make_pool(room, company.organisation, operator, at)
        connect_pool(pool=pool, connection=connection, actor=operator, at=at)
        pools[room.slug] = pool
    _make_strangers_pool(at)
    vcpus = ResourceClass.objects.get(name="VCPU")
    for slug, limit in QUOTAS:
        set_quota(
            project=company.projects[slug],
            resource_class=vcpus,
            limit=limit,
            actor=operator,
            at=at,
        )
    versions = {one.slug: _offer(one, pools, operator, at) for one in SERVICES}
    return Supply(pools, versions, connection)


def _make_pool(room: Room, organisation: Organisation, operator: User, at: datetime) -> Pool:
    pool = create_pool(
        organisation=organisation,
        name=room.name,
        slug=room.slug,
        description=room.summary,
        region="eu-central",
        zone=room.prefix,
        spare_hosts=room.spare,
        actor=operator,
        at=at,
    )
    pool.ranking = RankingPolicy.SPREAD
    save_pool(pool=pool, at=at, actor=operator)
    classes = {one.name: one for one in ResourceClass.objects.all()}
    for number in range(1, room.hosts + 1):
        host = create_provider(
            pool=pool,
            name=f"{room.prefix}-h{number:02}",
            rack=f"r{(number + 2) // 3}",
            actor=operator,
            at=at,
        )
        set_inventory(
            provider=host,
            resource_class=classes["VCPU"],
            total=room.vcpus,
            allocation_ratio=Decimal(4),
            actor=operator,
            at=at,
        )
        set_inventory(
            provider=host,
            resource_class=classes["MEMORY_MB"],
            total=room.memory * GIB,
            reserved=32 * GIB,
            actor=operator,
            at=at,
        )
        if room.gpus:
            set_inventory(
                provider=host,
                resource_class=classes["GPU_MILLI"],
                total=room.gpus * 1000,
                step_size=1000,
                actor=operator,
                at=at,
            )
    for number, size in enumerate(room.arrays, start=1):
        name = f"{room.prefix}-array" + (str(number) if len(room.arrays) > 1 else "")
        array = create_provider(pool=pool, name=name, is_sharing=True, actor=operator, at=at)
        set_inventory(
            provider=array, resource_class=classes["DISK_GB"], total=size, actor=operator, at=at
        )
    return pool


def _make_strangers_pool(at: datetime) -> None:
    """Make a pool of the other company; nobody of the first sees it."""
    other = Organisation.objects.get(slug="seeblick")
    room = Room("lake-1", "Lake 1", "The hotels' machines.", "lake", hosts=2, vcpus=16, memory=160)
    _make_pool(room, other, User.objects.get(username="tara"), at)


def _offer(
    service: Service, pools: dict[str, Pool], operator: User, at: datetime
) -> OfferingVersion:
    offering = create_offering(
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
        pools=[pools[slug] for slug in service.pools],
        parameters=_choices(service),
        max_instances=250,
        minutes_to_deliver=service.minutes,
        actor=operator,
        at=at,
    )
    return publish_version(version=version, actor=operator, at=at)


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
    if service.has_image:
        properties["image"] = {
            "type": "string",
            "title": "Image",
            "enum": ["debian-13", "debian-12", "ubuntu-24.04"],
            "default": "debian-13",
        }
    return {"type": "object", "required": ["disk"], "properties": properties}
