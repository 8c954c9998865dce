"""The demo's money: who issues, 41 paying accounts, one price list with its changes, budgets."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from functools import partial

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
    NewTier,
    assign_account,
    prepare_price_change,
    publish_price_book,
    release_price_change,
    save_account,
    save_budget,
    save_entity,
    save_meter,
    save_price,
    save_price_book,
    save_sku,
    withdraw_price_change,
)
from billing.services.prices import ALL_QUANTITIES
from inventory.foundation.models import User
from inventory.foundation.periods import next_month
from inventory.models import ResourceClass
from orchestra.demo.calendar import Calendar
from orchestra.demo.people import ACCOUNT_NAMES, TENANTS, Company
from orchestra.demo.supply import SERVICES
from orchestra.demo.traffic import make_traffic_price

Event = tuple[datetime, Callable[[datetime], None]]
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
CHANGED_BECAUSE = {
    "database-l": "The new hosts take more databases each.",
    "gpu-machine": "The graphics processors are written off further.",
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
    fiona = company.people["fiona"]
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
    _make_prices(entity, company, calendar, at)
    return accounts


def _make_prices(entity: IssuingEntity, company: Company, calendar: Calendar, at: datetime) -> None:
    fiona, frank = company.people["fiona"], company.people["frank"]
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
            change = prepare_price_change(
                book=book,
                sku=skus[code],
                tiers=[NewTier(lower=Decimal(0), unit_price=price)],
                from_at=changes_at,
                reason=CHANGED_BECAUSE[code],
                at=changes_at - timedelta(days=21),
                actor=fiona,
            )
            release_price_change(change=change, at=changes_at - timedelta(days=20), actor=frank)
    make_traffic_price(company=company, book=book, calendar=calendar, at=at)


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


# What is said of prices to come: item, price, days before now, reason, what became of it.
ANNOUNCED = (
    ("linux-s", "0.06", 16, "Small machines cost more to run than they bring in.", "withdraw"),
    ("gpu-machine", "3.90", 9, "Half of the graphics processors are written off.", "release"),
    ("database-m", "0.19", 1, "The new hosts take more databases each.", "wait"),
)


def announcements(*, company: Company, calendar: Calendar) -> Iterator[Event]:
    """Return when prices to come are prepared, released or taken back; they hold in two months."""
    fiona, frank = company.people["fiona"], company.people["frank"]
    from_at = calendar.moment(next_month(next_month(calendar.month(0))), 0)

    def announce(code: str, price: str, reason: str, outcome: str, at: datetime) -> None:
        change = prepare_price_change(
            book=PriceBook.objects.get(),
            sku=Sku.objects.get(code=code),
            tiers=[NewTier(lower=Decimal(0), unit_price=Decimal(price))],
            from_at=from_at,
            reason=reason,
            at=at,
            actor=fiona,
        )
        later = at + timedelta(hours=5)
        if outcome == "release":
            release_price_change(change=change, at=later, actor=frank)
        elif outcome == "withdraw":
            withdraw_price_change(change=change, at=later, actor=fiona)

    for code, price, days, reason, outcome in ANNOUNCED:
        at = calendar.now - timedelta(days=days)
        yield at, partial(announce, code, price, reason, outcome)
