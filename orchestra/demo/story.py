"""What happened in the demo: requests, decisions and ends, as days and hours of three months."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """One request. `month` counts back from the open month (2, 1, 0), `day` from its first day."""

    month: int
    day: int
    hour: int
    who: str
    project: str
    service: str
    name: str
    reason: str
    copies: int = 1
    environment: str = "production"
    choices: dict[str, object] = field(default_factory=dict)
    days: int | None = None
    decision: str = "approve"
    answer: str = "Fits the plan for this year."
    retired_after_days: int | None = None


STORY = (
    Request(
        2, 1, 9, "mia", "shop", "linux-m", "web", "Front end of the shop", 3, choices={"disk": 100}
    ),
    Request(
        2,
        1,
        11,
        "mia",
        "shop",
        "database-m",
        "orders-db",
        "Orders and stock",
        choices={"disk": 400},
    ),
    Request(
        2,
        3,
        10,
        "noah",
        "data",
        "database-m",
        "warehouse",
        "Reports for sales",
        2,
        choices={"disk": 1500},
    ),
    Request(
        2,
        5,
        14,
        "noah",
        "research",
        "linux-s",
        "sandbox",
        "Try the new library",
        2,
        environment="test",
        choices={"disk": 50},
        days=80,
        retired_after_days=40,
    ),
    Request(
        2,
        9,
        8,
        "noah",
        "data",
        "volume",
        "landing",
        "Files from suppliers",
        choices={"disk": 2000},
    ),
    Request(
        2,
        16,
        15,
        "mia",
        "shop",
        "linux-s",
        "cache",
        "Sessions of the shop",
        environment="development",
        choices={"disk": 20},
        days=85,
    ),
    Request(
        1,
        2,
        9,
        "noah",
        "research",
        "linux-l",
        "trainer",
        "Train the demand model",
        4,
        environment="test",
        choices={"disk": 500},
        days=60,
        decision="reject",
        answer="Use the warehouse at night instead; ask again if that is too slow.",
    ),
    Request(
        1,
        6,
        10,
        "noah",
        "research",
        "linux-l",
        "trainer-small",
        "Train the demand model at night",
        1,
        environment="test",
        choices={"disk": 200},
        days=75,
    ),
    Request(
        1,
        12,
        13,
        "mia",
        "shop",
        "linux-m",
        "checkout",
        "New checkout",
        2,
        choices={"disk": 100},
        answer="Agreed with the owner of the shop.",
    ),
    Request(1, 19, 9, "noah", "data", "linux-m", "etl", "Nightly loads", 2, choices={"disk": 200}),
    Request(
        0,
        0,
        8,
        "mia",
        "shop",
        "linux-s",
        "preview",
        "Show the redesign to the board",
        environment="test",
        choices={"disk": 50},
        days=30,
    ),
)

# Where the last hours before the demo's day stand: waiting, refused, given up.
WAITING = Request(
    0,
    0,
    0,
    "mia",
    "shop",
    "linux-m",
    "campaign",
    "Winter campaign",
    3,
    choices={"disk": 100},
    days=90,
    decision="wait",
)
TOO_LARGE = Request(
    0,
    0,
    0,
    "noah",
    "research",
    "linux-m",
    "grid",
    "Simulate the whole supply chain",
    200,
    environment="test",
    choices={"disk": 100},
    days=30,
    decision="wait",
)
GIVEN_UP = Request(
    0,
    0,
    0,
    "noah",
    "data",
    "linux-l",
    "notebook",
    "Notebooks for the team",
    environment="development",
    choices={"disk": 200},
    days=60,
    decision="cancel",
    answer="Not needed any more.",
)
