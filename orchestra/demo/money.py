"""The demo's money: who issues, 41 paying accounts, one price list with two changes, budgets."""

from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from billing.choices import AccountMode, MeterSource, PriceBase
from billing.models import (
    BillingAccount,
    Budget,
    IssuingEntity,
    Meter,
    PriceBook,
    Sku,
    SkuPrice,
)
from billing.services import (
    assign_account,
    change_price,
    publish_price_book,
    save_account,
    save_budget,
    save_entity,
    save_meter,
    save_price,
    save_price_book,
    save_sku,
)
from billing.services.prices import ALL_QUANTITIES
from inventory.foundation.models import User
from inventory.models import ResourceClass
from orchestra.demo.calendar import Calendar
from orchestra.demo.people import ACCOUNT_NAMES, TENANTS, Company
from orchestra.demo.supply import SERVICES

CHANGED_MONTHS_BACK = 6
# An hour of each machine: at first, and what another price says from six months ago on.
HOURLY: dict[str, tuple[Decimal, ...]] = {
    "linux-s": (Decimal("0.056"),),
    "linux-m": (Decimal("0.112"),),
    "linux-l": (Decimal("0.224"),),
    "linux-xl": (Decimal("0.896"),),
    "database-m": (Decimal("0.20"),),
    "database-l": (Decimal("0.84"), Decimal("0.80")),
    "gpu-machine": (Decimal("4.60"), Decimal("4.20")),
}
# A GiB and month of storage; an archive has its own price.
STORAGE, ARCHIVE = Decimal("0.08"), Decimal("0.01")
SHOWN_ONLY = {"audit", "archive", "print", "robotics", "sensors", "workplace", "yards"}
WITHOUT_BUDGET = {"outlet"}
OVERRUN = {"marketing", "fleet"}  # spend more than they planned


def monthly_storage(service: str) -> Decimal:
    """Return what a GiB of the service costs a month."""
    return ARCHIVE if service == "archive" else STORAGE


def make_money(*, company: Company, calendar: Calendar, at: datetime) -> dict[str, BillingAccount]:
    """Make the issuer, the accounts, who pays for what, and the prices; return the accounts."""
    fiona, frank = company.people["fiona"], company.people["frank"]
    entity = save_entity(entity=IssuingEntity(name="Nordwind IT Services"), at=at, actor=fiona)
    accounts: dict[str, BillingAccount] = {}
    for tenant in TENANTS:
        project = company.projects[tenant.slug]
        if tenant.account not in accounts:
            shown = tenant.account in SHOWN_ONLY
            account = BillingAccount(
                entity=entity,
                organisation=project.organisation,
                code=tenant.account,
                name=ACCOUNT_NAMES.get(tenant.account, tenant.name),
                mode=AccountMode.SHOWBACK if shown else AccountMode.CHARGEBACK,
                owner=project.owner,
            )
            accounts[tenant.account] = save_account(account=account, at=at, actor=fiona)
        assign_account(
            project=project, account=accounts[tenant.account], from_at=at, at=at, actor=fiona
        )
    _make_prices(entity, fiona, frank, calendar, at)
    return accounts


def _make_prices(
    entity: IssuingEntity, fiona: User, frank: User, calendar: Calendar, at: datetime
) -> None:
    book = PriceBook(entity=entity, name="Price list", currency="EUR", prepared_by=fiona)
    book = save_price_book(book=book, at=at, actor=fiona)
    machines = save_meter(
        meter=Meter(
            name="machines", label="Machines over time", source=MeterSource.COUNT, unit="VM"
        ),
        at=at,
        actor=fiona,
    )
    storage = save_meter(
        meter=Meter(
            name="storage",
            label="Storage over time",
            source=MeterSource.ALLOCATION,
            resource_class=ResourceClass.objects.get(name="DISK_GB"),
            unit="GiB",
        ),
        at=at,
        actor=fiona,
    )
    skus = {}
    for service in SERVICES:
        if service.slug not in HOURLY:
            continue
        sku = Sku(
            code=service.slug,
            name=service.name,
            meter=machines,
            resource_kind=service.name,
            service_name=service.category,
            pricing_unit="Hours",
        )
        skus[service.slug] = save_sku(sku=sku, at=at, actor=fiona)
        _price(book, sku, HOURLY[service.slug][0], fiona, at)
    for code, name, kind, price in (
        ("block-storage", "Block storage", "", STORAGE),
        ("archive-storage", "Archive storage", "Archive volume", ARCHIVE),
    ):
        sku = Sku(
            code=code,
            name=name,
            meter=storage,
            resource_kind=kind,
            base=PriceBase.MONTH,
            service_category="Storage",
            service_subcategory="Block Storage",
            service_name="Storage",
            pricing_unit="GiB-Months",
        )
        _price(book, save_sku(sku=sku, at=at, actor=fiona), price, fiona, at)
    book = publish_price_book(book=book, at=at, actor=frank, is_default=True)
    changes_at = calendar.bounds(CHANGED_MONTHS_BACK)[0]
    for code, prices in HOURLY.items():
        for price in prices[1:]:
            change_price(
                book=book,
                sku=skus[code],
                unit_price=price,
                from_at=changes_at,
                at=changes_at - timedelta(days=20),
                prepared_by=fiona,
                released_by=frank,
            )


def _price(book: PriceBook, sku: Sku, amount: Decimal, fiona: User, at: datetime) -> None:
    price = SkuPrice(
        book=book,
        sku=sku,
        tier=ALL_QUANTITIES,
        during=DateTimeTZRange(at, None),
        unit_price=amount,
    )
    save_price(price=price, at=at, actor=fiona)


def make_budgets(
    *,
    accounts: dict[str, BillingAccount],
    monthly: dict[str, Decimal],
    exact: dict[int, Decimal],
    calendar: Calendar,
    at: datetime,
    actor: User,
) -> None:
    """Give each account its yearly budgets: last year's, this year's and the next one's.

    `monthly` is what each account is about to spend a month; `exact` is the web shop's budget by
    year, made so that what is left of it is a round figure.
    """
    year = calendar.as_of.year
    for code, account in accounts.items():
        if code in WITHOUT_BUDGET:
            continue
        share = Decimal("0.85") if code in OVERRUN else Decimal("1.15")
        thousand = Decimal(1000)
        planned = (monthly[code] * 12 * share / thousand).to_integral_value(ROUND_CEILING)
        for first in (year - 1, year, year + 1):
            amount = exact[first] if code == "shop" else planned * thousand
            budget = Budget(
                account=account,
                name=f"{account.name} {first}",
                during=(date(first, 1, 1), date(first + 1, 1, 1)),
                amount=amount,
                currency="EUR",
            )
            save_budget(budget=budget, at=at, actor=actor)
