"""A small world of money for tests: one entity, its price list, and machines that ran."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.choices import Aggregation, BookStatus, MeterSource, PriceBase
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
from inventory.choices import AllocationState, ResourceStatus
from inventory.foundation.models import Organisation, Project, User
from inventory.models import (
    Allocation,
    Inventory,
    Pool,
    Resource,
    ResourceClass,
    ResourceProvider,
    ResourceState,
)

BERLIN = ZoneInfo("Europe/Berlin")
LINUX_M = "vm.linux.m"
FIRST_PRICES = datetime(2025, 1, 1, tzinfo=UTC)


def berlin(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """Return an instant given by its wall clock in Berlin."""
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


@dataclass
class Money:
    """What a test needs of the house of money."""

    entity: IssuingEntity
    account: BillingAccount
    book: PriceBook
    machine: Sku
    storage: Sku
    machine_price: SkuPrice
    storage_price: SkuPrice


def make_classes() -> dict[str, ResourceClass]:
    """Make (or find) the three usual kinds of capacity."""
    labels = {
        "VCPU": ("Processors", "vCPU"),
        "MEMORY_MB": ("Memory", "MiB"),
        "DISK_GB": ("Storage", "GiB"),
    }
    return {
        name: ResourceClass.objects.get_or_create(
            name=name, defaults={"label": label, "unit": unit}
        )[0]
        for name, (label, unit) in labels.items()
    }


def make_account(
    entity: IssuingEntity, organisation: Organisation, code: str, *projects: Project
) -> BillingAccount:
    """Make a paying account that pays for the projects since the first prices."""
    account = BillingAccount.objects.create(
        entity=entity, organisation=organisation, code=code, name=f"Account {code}"
    )
    for project in projects:
        ProjectBilling.objects.create(project=project, account=account, during=(FIRST_PRICES, None))
    return account


def make_price(
    book: PriceBook,
    sku: Sku,
    unit_price: str,
    *,
    start: datetime = FIRST_PRICES,
    end: datetime | None = None,
    account: BillingAccount | None = None,
) -> SkuPrice:
    """Put one price into a book, whatever its state."""
    return SkuPrice.objects.create(
        book=book,
        account=account,
        sku=sku,
        tier=(0, None),
        during=(start, end),
        unit_price=Decimal(unit_price),
    )


def make_money(
    *, organisation: Organisation, project: Project, preparer: User, releaser: User
) -> Money:
    """Make the demo's prices: Linux M at 0.112 an hour, storage at 0.08 a GiB and month."""
    classes = make_classes()
    entity = IssuingEntity.objects.create(name="Acme IT")
    account = make_account(entity, organisation, "shop", project)
    book = PriceBook.objects.create(
        entity=entity, name="Prices 2025", currency="EUR", prepared_by=preparer
    )
    machine = Sku.objects.create(
        code="linux-m",
        name="Linux M",
        meter=Meter.objects.create(
            name="machines", label="Machines", source=MeterSource.COUNT, unit="machine"
        ),
        resource_kind=LINUX_M,
        service_name="Virtual machines",
        pricing_unit="Hours",
    )
    storage = Sku.objects.create(
        code="block-storage",
        name="Block storage",
        meter=Meter.objects.create(
            name="disk",
            label="Storage held",
            source=MeterSource.ALLOCATION,
            resource_class=classes["DISK_GB"],
            unit="GiB",
        ),
        base=PriceBase.MONTH,
        service_category="Storage",
        service_subcategory="Block Storage",
        service_name="Block storage",
        pricing_unit="GiB-Months",
    )
    machine_price = make_price(book, machine, "0.112")
    storage_price = make_price(book, storage, "0.08")
    PriceBook.objects.filter(pk=book.pk).update(
        status=BookStatus.PUBLISHED,
        is_default=True,
        released_by=releaser,
        released_at=FIRST_PRICES,
    )
    book.refresh_from_db()
    return Money(entity, account, book, machine, storage, machine_price, storage_price)


def make_reading_meter(money: Money) -> Sku:
    """Let readings of traffic cost 0.05 a gigabyte."""
    meter = Meter.objects.create(
        name="traffic",
        label="Traffic",
        source=MeterSource.READING,
        unit="GB",
        aggregation=Aggregation.SUM,
    )
    sku = Sku.objects.create(
        code="traffic",
        name="Traffic",
        meter=meter,
        base=PriceBase.NONE,
        service_category="Networking",
        service_subcategory="Network Connectivity",
        service_name="Traffic",
        pricing_unit="GB",
    )
    make_price(money.book, sku, "0.05")
    return sku


def make_host(organisation: Organisation) -> ResourceProvider:
    """Make a pool with one host that has plenty of everything."""
    pool, _ = Pool.objects.get_or_create(
        name="North",
        slug="north",
        defaults={"organisation": organisation, "region": "eu-north", "zone": "north-1"},
    )
    host, _ = ResourceProvider.objects.get_or_create(pool=pool, name="host-1")
    for resource_class in make_classes().values():
        Inventory.objects.get_or_create(
            provider=host, resource_class=resource_class, defaults={"total": 1_000_000}
        )
    return host


def make_machine(
    *,
    project: Project,
    host: ResourceProvider,
    name: str,
    start: datetime,
    end: datetime | None = None,
    disk: int = 100,
    kind: str = LINUX_M,
    lease_end: datetime | None = None,
) -> Resource:
    """Make a machine that was delivered at `start` and, with an end, is gone since then."""
    resource = Resource.objects.create(
        project=project,
        pool=host.pool,
        provider=host,
        kind=kind,
        name=name,
        status=ResourceStatus.GONE if end else ResourceStatus.RUNNING,
        environment="production",
        application="shop",
        tags={"team": "blue"},
        created_at=start,
        delivered_at=start,
        ended_at=end,
        lease_end_at=lease_end,
    )
    ResourceState.objects.create(
        resource=resource, state=ResourceStatus.RUNNING, during=(start, end)
    )
    amounts = {"VCPU": 4, "MEMORY_MB": 16_384, "DISK_GB": disk}
    for inventory in Inventory.objects.filter(provider=host).select_related("resource_class"):
        Allocation.objects.create(
            resource=resource,
            inventory=inventory,
            provider=host,
            resource_class=inventory.resource_class,
            amount=amounts[inventory.resource_class.name],
            state=AllocationState.RELEASED if end else AllocationState.ACTIVE,
            held_from=start,
            held_to=end,
            active_from=start,
            active_to=end,
        )
    return resource


def make_budget(account: BillingAccount, amount: str, *, project: Project | None = None) -> Budget:
    """Make the budget of the calendar year 2026."""
    return Budget.objects.create(
        account=account,
        project=project,
        name="2026",
        during=(date(2026, 1, 1), date(2027, 1, 1)),
        amount=Decimal(amount),
        currency="EUR",
    )
