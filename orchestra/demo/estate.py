"""What the company runs: old applications, and the quantities that make the figures come out.

Frankfurt 1 holds exactly 2,112 vCPU and 8,448 GiB, which are 1,056 times Linux S; nothing of it is
given back before the 4 March after next January. The last closed month comes to 186,412.37 over all
accounts: machines cost what they cost, and the volumes are as large as the rest asks for.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

from billing import pricing
from billing.choices import Rounding
from inventory.foundation.periods import zone_named
from orchestra.choices import Environment
from orchestra.demo.calendar import ZONE, Calendar, first_instant
from orchestra.demo.money import HOURLY, monthly_storage
from orchestra.demo.people import TENANTS
from orchestra.demo.supply import DATABASES, GPUS, MACHINES, STORAGE, TRIALS

CHARGED = Decimal("186412.37")
FREE_IN_SHOP = Decimal("3200.00")
LEAST_ARCHIVE = 4_000  # GiB: an archive is never small
SIZES = {"linux-s": 1, "linux-m": 2, "linux-l": 4, "linux-xl": 16}
HELD_SIZES = 1_056  # of Linux S in Frankfurt 1


@dataclass(frozen=True)
class App:
    """An application that was delivered at `start` and given back at `end`, if it was.

    `lease_end` is the end that was agreed on. Approved by Ana, unless a rule says otherwise.
    """

    project: str
    service: str
    pool: str
    name: str
    copies: int
    disk: int
    start: datetime
    reason: str
    end: datetime | None = None
    lease_end: datetime | None = None
    environment: str = Environment.PRODUCTION
    answer: str = "Fits the plan for this year."
    farewell: str = "Done with it."


@dataclass(frozen=True)
class Line:
    """Several applications of one kind in a few projects; `back` and `day` say since when."""

    projects: str
    service: str
    pool: str
    name: str
    copies: int
    disk: int
    reason: str
    first_back: int = 12


LINES = (
    Line("shop", "linux-m", MACHINES, "web", 5, 120, "Front end of the shop"),
    Line("shop", "linux-m", MACHINES, "checkout", 2, 100, "Basket and checkout"),
    Line("shop", "linux-l", MACHINES, "orders", 1, 400, "Orders and stock"),
    Line(
        "controlling simulation identity monitoring",
        "linux-xl",
        MACHINES,
        "core",
        5,
        400,
        "The heart of it",
    ),
    Line(
        "payments pricing stores service warehouse tracking ledger payroll invoicing intranet",
        "linux-l",
        MACHINES,
        "service",
        5,
        200,
        "The service itself",
    ),
    Line(
        "payments pricing stores service warehouse tracking ledger payroll invoicing intranet",
        "linux-m",
        MACHINES,
        "web",
        5,
        100,
        "What people see of it",
    ),
    Line(
        "loyalty marketing fleet customs returns suppliers tax mail build integration",
        "linux-l",
        MACHINES,
        "app",
        5,
        200,
        "The application and its helpers",
    ),
    Line(
        "packing yard devices",
        "linux-m",
        MACHINES,
        "terminals",
        5,
        80,
        "Terminals in the halls",
        10,
    ),
    Line("insurance", "linux-m", MACHINES, "claims", 10, 100, "Claims and papers", 8),
    Line("insurance", "linux-s", MACHINES, "mailroom", 8, 50, "Letters that come in", 8),
    Line(
        "payments warehouse ledger payroll treasury invoicing tracking identity monitoring fleet",
        "database-l",
        DATABASES,
        "db",
        2,
        1000,
        "The database behind it",
    ),
    Line(
        "loyalty customs returns tax devices stores service pricing audit print",
        "database-m",
        DATABASES,
        "db",
        2,
        500,
        "The database behind it",
        10,
    ),
    Line(
        "lab vision language simulation", "gpu-machine", GPUS, "models", 4, 1000, "Train models", 12
    ),
    Line("weather robotics", "gpu-machine", GPUS, "models", 2, 1000, "Train models", 9),
)
PEAK = Line("search forecast", "linux-xl", MACHINES, "peak", 5, 400, "The season until March", 10)
TRIED = (
    ("payments", "fraud-test", "linux-m", 2),
    ("search", "ranking-test", "linux-l", 2),
    ("tracking", "map-test", "linux-s", 3),
    ("ledger", "upgrade-test", "linux-m", 2),
    ("vision", "labels-test", "linux-l", 1),
    ("build", "runner-test", "linux-s", 4),
    ("intranet", "redesign", "linux-s", 2),
    ("loyalty", "points-test", "linux-m", 1),
    ("fleet", "routes-test", "linux-m", 2),
    ("payroll", "year-end-test", "linux-s", 2),
    ("sensors", "gateway-test", "linux-s", 1),
    ("marketing", "mailing-test", "linux-s", 2),
)
# Who keeps files, and how much beside the others. The data platform takes what is left over.
WEIGHTS = {
    "backup": 18,
    "archive": 14,
    "lab": 8,
    "vision": 8,
    "language": 8,
    "weather": 7,
    "simulation": 6,
    "sensors": 6,
    "search": 5,
    "warehouse": 4,
    "forecast": 4,
    "controlling": 3,
    "audit": 3,
    "marketing": 3,
    "suppliers": 3,
    "mail": 3,
    "data": 10,
}
PICTURES = 250  # GiB of the outlet


def machines(calendar: Calendar) -> list[App]:
    """Return the machines that run all year round, those of the peak season, and old trials."""
    found = []
    for line in (*LINES, PEAK):
        for place, project in enumerate(line.projects.split()):
            back = line.first_back - place // 3
            is_shop = project == "shop"
            found.append(
                App(
                    project=project,
                    service=line.service,
                    pool=line.pool,
                    name=line.name,
                    copies=line.copies,
                    disk=line.disk,
                    start=calendar.at(12 if is_shop else back, 0 if is_shop else 3 * place % 17, 9),
                    reason=line.reason,
                    lease_end=calendar.thaw if line is PEAK else None,
                )
            )
    for place, (project, name, service, copies) in enumerate(TRIED):
        back = 12 - place // 2
        start = calendar.at(back, 4 + place, 10)
        end = calendar.at(back - 2, 8 + place, 15)
        found.append(
            App(
                project=project,
                service=service,
                pool=TRIALS,
                name=name,
                copies=copies,
                disk=60,
                start=start,
                end=end,
                lease_end=start + timedelta(days=90),
                reason="Try it before we rely on it",
                environment=Environment.TEST,
            )
        )
    return found


def campaign(calendar: Calendar) -> App:
    """Return the outlet's campaign of last winter: what the web shop will ask for now.

    Three Linux M with 100 GiB each from 12 January 09:00 for ninety days; its January is 173.45.
    """
    start = calendar.last_winter
    local = start.astimezone(zone_named(ZONE)).replace(tzinfo=None) + timedelta(days=90)
    lease_end = calendar.moment(local.date(), local.hour)
    return App(
        project="outlet",
        service="linux-m",
        pool=TRIALS,
        name="winter-sale",
        copies=3,
        disk=100,
        start=start,
        end=lease_end if lease_end <= calendar.now else None,
        lease_end=lease_end,
        reason="The winter sale of the outlet",
        answer="As every winter.",
        farewell="Its agreed end is reached.",
    )


def pictures(calendar: Calendar) -> list[App]:
    """Return the outlet's volumes: one up to the year's end, one from February on.

    So the statement of the January between says nothing but the winter sale.
    """
    january = first_instant(calendar.last_winter.date().replace(day=1))
    february = first_instant(calendar.last_winter.date().replace(month=2, day=1))
    found: list[tuple[datetime, datetime | None, str]] = []
    if calendar.start < january:
        found.append((calendar.start, january, "pictures-old"))
    if february < calendar.bounds(0)[0]:
        found.append((february, None, "pictures"))
    return [
        App(
            project="outlet",
            service="volume",
            pool=STORAGE,
            name=name,
            copies=1,
            disk=PICTURES,
            start=start,
            end=end,
            reason="Pictures of what is for sale",
            answer="Agreed.",
        )
        for start, end, name in found
    ]


def files(calendar: Calendar, others: Sequence[App]) -> list[App]:
    """Return the volumes and the archive, as large as the last closed month asks for.

    `others` is everything else that is charged in it. ValueError where that is too much already,
    or where the accounts' cents do not add up.
    """
    printed, exact = totals(costs(calendar, others, back=1))
    if abs(exact - Fraction(printed)) >= Fraction(1, 200):
        message = f"the accounts come to {printed} and the charges to {float(exact)}"
        raise ValueError(message)
    cents = int((CHARGED - printed) * 100)
    archive = LEAST_ARCHIVE + (cents - LEAST_ARCHIVE) % 8
    left = (cents - archive) // 8
    if left < 1000 * sum(WEIGHTS.values()):
        message = f"the machines alone cost {printed} in {calendar.month(1):%Y-%m}"
        raise ValueError(message)
    sizes = {slug: left * weight // sum(WEIGHTS.values()) for slug, weight in WEIGHTS.items()}
    sizes["data"] += left - sum(sizes.values())
    found = [
        App(
            project=slug,
            service="volume",
            pool=STORAGE,
            name="files",
            copies=1,
            disk=size,
            start=calendar.at(12 - place // 4, 2 + place, 9),
            reason="Files of the project",
        )
        for place, (slug, size) in enumerate(sizes.items())
    ]
    kept = App(
        project="archive",
        service="archive",
        pool=STORAGE,
        name="papers",
        copies=1,
        disk=archive,
        start=calendar.at(12, 1, 9),
        reason="Papers that must be kept for ten years",
    )
    return [*found, kept]


ACCOUNT_OF = {tenant.slug: tenant.account for tenant in TENANTS}


def costs(calendar: Calendar, apps: Iterable[App], *, back: int) -> dict[str, Fraction]:
    """Return what each account owes for a month, exactly; prices must not change within it."""
    start, end = calendar.bounds(back)
    owed: dict[str, Fraction] = defaultdict(Fraction)
    for app in apps:
        low, high = max(app.start, start), min(app.end or end, end)
        if low >= high:
            continue
        seconds = pricing.seconds_between(low, high)
        prices = HOURLY.get(app.service)
        hourly = Fraction(prices[-1]) if prices else Fraction(0)
        stored = Fraction(monthly_storage(app.service)) * app.disk
        one = hourly * seconds / 3600 + stored * seconds / pricing.seconds_between(start, end)
        owed[ACCOUNT_OF[app.project]] += app.copies * one
    return owed


def totals(owed: dict[str, Fraction]) -> tuple[Decimal, Fraction]:
    """Return the sum of the accounts' rounded totals, and the exact sum."""
    printed = sum((_cents(amount) for amount in owed.values()), Decimal(0))
    return printed, sum(owed.values(), Fraction(0))


def _cents(amount: Fraction) -> Decimal:
    fine = pricing.on_grid(amount, Decimal("1E-10"))
    return pricing.round_money(fine, rounding=Rounding.HALF_UP)


def is_even(calendar: Calendar, apps: Sequence[App]) -> bool:
    """Say whether the accounts' cents of the last closed month come to the exact sum's."""
    printed, exact = totals(costs(calendar, apps, back=1))
    return abs(exact - Fraction(printed)) < Fraction(1, 250)


def shop_budget(calendar: Calendar, year: int) -> Decimal:
    """Return the budget of the web shop that leaves 3,200.00 free over the year, to the cent.

    The shop holds the same all year: nine Linux M, or as much.
    """
    first = first_instant(calendar.as_of.replace(year=year, month=1, day=1))
    last = first_instant(calendar.as_of.replace(year=year + 1, month=1, day=1))
    hours = pricing.seconds_between(first, last) / 3600
    spent = Fraction(0)
    for app in machines(calendar):
        if app.project == "shop":
            hourly = Fraction(HOURLY[app.service][-1])
            stored = Fraction(monthly_storage(app.service)) * app.disk * 12
            spent += app.copies * (hourly * hours + stored)
    return FREE_IN_SHOP + _cents(spent)


def held_sizes(apps: Iterable[App]) -> int:
    """Return what is held of Frankfurt 1 now, in units of Linux S."""
    return sum(
        SIZES[app.service] * app.copies for app in apps if app.pool == MACHINES and app.end is None
    )


def ceiling(amount: Fraction) -> Decimal:
    """Return an amount of money rounded up to whole units."""
    return Decimal(amount.numerator / amount.denominator).to_integral_value(ROUND_CEILING)
