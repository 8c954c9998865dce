"""Whether the machinery is at work: workers' signs of life, waiting steps, connections, set-up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Max, Min, Prefetch, Q, QuerySet

from billing.models import BillingPeriod, SkuPrice
from inventory.foundation.clock import database_now
from inventory.foundation.models import Event, User
from inventory.foundation.permissions import Action
from inventory.models import Inventory, Pool
from inventory.selectors import pools_where
from orchestra.choices import AttemptOutcome, OfferingStatus, StepState
from orchestra.models import (
    Attempt,
    Connection,
    OfferingVersion,
    Order,
    PolicyVersion,
    PoolConnection,
    Step,
    WorkerBeat,
)
from orchestra.selectors.runs import Violation, invariants, visible_runs

QUIET = timedelta(seconds=60)  # a beat comes every few seconds: a minute without one is a failure


@dataclass(frozen=True)
class Beat:
    """A worker or the scheduler, and whether it was seen within the last minute."""

    name: str
    kind: str
    seen_at: datetime
    is_alive: bool


@dataclass(frozen=True)
class Health:
    """The state of the machinery at `at` (database time).

    `oldest_ready_at` is since when the oldest step waits for a worker, None where none waits;
    `outbox` counts the events that were ever told, `last_event_at` the newest of them;
    `rated_to` is up to when usage was priced, for the account that is furthest behind.
    """

    at: datetime
    database: str
    beats: tuple[Beat, ...]
    ready: int
    running: int
    oldest_ready_at: datetime | None
    outbox: int
    last_event_at: datetime | None
    rated_to: datetime | None
    violations: tuple[Violation, ...]


def health() -> Health:
    """Look at everything that must be at work; each figure is one query."""
    at = database_now()
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (version,) = cursor.fetchone()
    steps = Step.objects.aggregate(
        ready=Count("pk", filter=Q(state=StepState.READY)),
        running=Count("pk", filter=Q(state=StepState.RUNNING)),
    )
    # A step without a timer has been ready since what it needs was done, or its run was made.
    due = Step.objects.filter(
        Q(not_before=None) | Q(not_before__lte=at), state=StepState.READY, run__state="running"
    )
    oldest = due.aggregate(timer=Min("not_before"), run=Min("run__started_at"))
    waiting = [moment for moment in oldest.values() if moment is not None]
    events = Event.objects.aggregate(count=Count("pk"), last=Max("time"))
    return Health(
        at=at,
        database=str(version).split(" ", 1)[0],
        beats=tuple(
            Beat(beat.name, beat.kind, beat.seen_at, at - beat.seen_at <= QUIET)
            for beat in WorkerBeat.objects.order_by("kind", "name")
        ),
        ready=steps["ready"],
        running=steps["running"],
        oldest_ready_at=min(waiting, default=None),
        outbox=events["count"],
        last_event_at=events["last"],
        rated_to=BillingPeriod.objects.filter(state="open").aggregate(least=Min("rated_to"))[
            "least"
        ],
        violations=tuple(invariants()),
    )


def connections_seen(user: User) -> QuerySet[Connection]:
    """Return the connections that direct a pool which the person operates, or none yet.

    `inflight` counts the calls under way; `pools` (a list) are the pools directed.
    """
    pools = pools_where(user, Action.POOL_EDIT)
    where = Q(pool_links__pool__in=pools)
    if user.is_superuser:
        where |= Q(pool_links=None)
    return (
        Connection.objects.filter(where)
        .distinct()
        .annotate(inflight=Count("steps", filter=Q(steps__state=StepState.RUNNING), distinct=True))
        .prefetch_related(
            Prefetch(
                "pool_links",
                queryset=PoolConnection.objects.filter(pool__in=pools).select_related("pool"),
                to_attr="shown_links",
            )
        )
        .order_by("label", "pk")
    )


def failed_calls(*, connection: Connection, user: User) -> QuerySet[Attempt]:
    """Return the tries at the connection that did not succeed, of runs that the person sees.

    The newest first.
    """
    good = [AttemptOutcome.DONE, AttemptOutcome.ADOPTED, AttemptOutcome.SKIPPED]
    return (
        Attempt.objects.filter(
            step__connection=connection, step__run__in=visible_runs(user).values("pk")
        )
        .exclude(outcome__in=good)
        .select_related("step__run__deployment")
        .order_by("-pk")
    )


@dataclass(frozen=True)
class SetUp:
    """What must be there before the first person can be served."""

    pool: bool
    connection: bool
    service: bool
    price: bool
    policy: bool
    request: bool

    @property
    def is_done(self) -> bool:
        """Say whether nothing is missing."""
        return all(
            (self.pool, self.connection, self.service, self.price, self.policy, self.request)
        )


def set_up() -> SetUp:
    """Return which parts of the set-up are done; six small questions."""
    return SetUp(
        pool=Inventory.objects.exists(),
        connection=Pool.objects.filter(connection_link__isnull=False).exists(),
        service=OfferingVersion.objects.filter(status=OfferingStatus.PUBLISHED).exists(),
        price=SkuPrice.objects.filter(book__status="published").exists(),
        policy=PolicyVersion.objects.exists(),
        request=Order.objects.exists(),
    )
