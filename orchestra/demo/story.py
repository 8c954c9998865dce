"""What happened lately in the demo: requests, decisions and ends, told through the services."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestra.demo.calendar import Calendar
from orchestra.demo.estate import App
from orchestra.demo.history import DECIDED_AFTER
from orchestra.demo.supply import DATABASES, STORAGE, TRIALS

RULE = "rule"  # cheap, short and within budget: approved at once
FAILS = "label-tool-2"  # a copy that its destination refuses to make
STAYS = "old-proxy-1"  # a copy that its destination refuses to remove


@dataclass(frozen=True)
class Request:
    """One request; `decision` is what becomes of it once it is sent.

    `rule` and `approve` deliver it, `fail` is approved and cannot be delivered, `reject`, `wait`,
    `plan` (not sent) and `cancel` are what they say.
    """

    at: datetime
    who: str
    project: str
    service: str
    name: str
    reason: str
    copies: int = 1
    environment: str = "production"
    choices: Mapping[str, object] = field(default_factory=dict)
    pool: str = TRIALS
    days: int | None = None
    starts: datetime | None = None
    decision: str = "approve"
    answer: str = "Fits the plan for this year."
    retired_after_days: int | None = None

    @property
    def delivered_at(self) -> datetime:
        """When its copies are handed over, if they are."""
        return self.at if self.decision == RULE else self.at + DECIDED_AFTER

    def as_app(self, now: datetime) -> App | None:
        """Return what it will have been charged for by now; None for what is not delivered."""
        if self.decision not in (RULE, "approve") or self.starts or self.delivered_at > now:
            return None
        end = self.at + timedelta(days=self.retired_after_days or 0)
        return App(
            project=self.project,
            service=self.service,
            pool=self.pool,
            name=self.name,
            copies=self.copies,
            disk=int(str(self.choices["disk"])),
            start=self.delivered_at,
            end=end if self.retired_after_days and end <= now else None,
            reason=self.reason,
        )


def story(calendar: Calendar, *, hours: tuple[int, int]) -> list[Request]:
    """Return the requests of the last two closed months and the open one, oldest first.

    `hours` are when two of the last month's are asked for: the choices that are free, so that its
    cents come out.
    """
    at, now = calendar.at, calendar.now
    told = [
        Request(
            at(2, 3, 9),
            "lena",
            "returns",
            "linux-s",
            "old-proxy",
            "Until the new gateway is there",
            environment="test",
            choices={"disk": 40},
            days=80,
            decision=RULE,
            retired_after_days=50,
        ),
        Request(
            at(2, 5, 14),
            "noah",
            "research",
            "linux-s",
            "sandbox",
            "Try the new library",
            2,
            environment="test",
            choices={"disk": 50},
            days=80,
            decision=RULE,
            retired_after_days=40,
        ),
        Request(
            at(2, 9, 8),
            "noah",
            "data",
            "volume",
            "landing",
            "Files from suppliers",
            choices={"disk": 2000},
            pool=STORAGE,
        ),
        Request(
            at(2, 16, 15),
            "cem",
            "payments",
            "linux-s",
            "cache-test",
            "Sessions of the checkout",
            environment="development",
            choices={"disk": 20},
            days=85,
            decision=RULE,
        ),
        Request(
            at(1, 2, 9),
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
            at(1, 6, 10),
            "noah",
            "research",
            "linux-l",
            "trainer-small",
            "Train the demand model at night",
            environment="test",
            choices={"disk": 200},
            days=75,
            decision=RULE,
        ),
        Request(
            at(1, 9, 11),
            "rosa",
            "vision",
            "linux-m",
            "label-tool",
            "People who name what is on pictures",
            4,
            environment="test",
            choices={"disk": 100},
            days=60,
            decision="fail",
        ),
        Request(
            at(1, 11, hours[0]),
            "noah",
            "data",
            "linux-s",
            "night-batch",
            "Batches that nobody waits for",
            environment="development",
            choices={"disk": 20},
            days=85,
            decision=RULE,
        ),
        Request(
            at(1, 12, hours[1]),
            "clara",
            "loyalty",
            "linux-m",
            "points-shop",
            "Try to sell for points",
            2,
            environment="test",
            choices={"disk": 100},
            days=80,
            decision=RULE,
        ),
        Request(
            at(1, 19, 9),
            "noah",
            "data",
            "database-m",
            "warehouse",
            "Reports for sales",
            2,
            choices={"disk": 1500},
            pool=DATABASES,
        ),
        Request(
            at(0, 0, 7),
            "luca",
            "tracking",
            "linux-s",
            "preview",
            "Show the redesign to the board",
            environment="test",
            choices={"disk": 50},
            days=30,
            decision=RULE,
        ),
    ]
    return sorted(told + _lately(now), key=lambda request: request.at)


def _lately(now: datetime) -> list[Request]:
    """Return what stands open, was given up or has expired by now."""
    return [
        Request(
            now - timedelta(days=20),
            "clara",
            "marketing",
            "linux-m",
            "mailing",
            "Letters to a million people",
            2,
            choices={"disk": 100},
            days=120,
            decision="wait",
        ),
        Request(
            now - timedelta(hours=30),
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
        ),
        Request(
            now - timedelta(hours=26),
            "luca",
            "warehouse",
            "linux-m",
            "scanners",
            "New scanners in two halls",
            3,
            choices={"disk": 60},
            decision="wait",
        ),
        Request(
            now - timedelta(hours=6),
            "noah",
            "research",
            "linux-m",
            "grid",
            "Simulate the whole supply chain",
            200,
            environment="test",
            choices={"disk": 100},
            days=30,
            pool="frankfurt-1",
            decision="plan",
        ),
        Request(
            now - timedelta(hours=5),
            "mia",
            "shop",
            "linux-m",
            "gift-finder",
            "A page that finds presents",
            choices={"disk": 100},
            decision="wait",
        ),
        Request(
            now - timedelta(hours=4),
            "ravi",
            "weather",
            "linux-l",
            "radar",
            "Pictures of the radar",
            2,
            environment="test",
            choices={"disk": 400},
            days=45,
            decision="wait",
        ),
        Request(
            now - timedelta(hours=3, minutes=20),
            "noah",
            "data",
            "linux-s",
            "report-mailer",
            "Send the reports every morning",
            choices={"disk": 20},
            days=120,
            decision="plan",
        ),
        Request(
            now - timedelta(hours=3),
            "georg",
            "tax",
            "linux-s",
            "declaration",
            "The declaration of this year",
            environment="test",
            choices={"disk": 40},
            days=60,
            decision="plan",
        ),
    ]


def ahead(calendar: Calendar) -> list[Request]:
    """Return what is allowed and has not begun: one to be cancelled again, and two that wait.

    They are told last, with nobody at work, since a worker goes by its own clock.
    """
    now = calendar.now
    opening = calendar.moment((now + timedelta(days=20)).date(), 8)
    return [
        Request(
            now - timedelta(hours=2, minutes=40),
            "cem",
            "stores",
            "linux-m",
            "photo-booth",
            "Pictures with the mascot",
            4,
            choices={"disk": 60},
            starts=opening,
            days=30,
            decision="withdraw",
            answer="The mascot is ill.",
        ),
        Request(
            now - timedelta(hours=2, minutes=20),
            "cem",
            "stores",
            "linux-m",
            "stock-taking",
            "Count what is in the stores",
            4,
            choices={"disk": 60},
            starts=opening,
            days=44,
            answer="As every year.",
        ),
        Request(
            now - timedelta(hours=2),
            "georg",
            "ledger",
            "database-m",
            "closing-db",
            "A copy for the yearly close",
            choices={"disk": 800},
            pool=DATABASES,
            answer="In the next change window.",
        ),
    ]
