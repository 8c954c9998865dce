"""The pages of pools: what there is, what is held, how full it was, who looks after it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.timezone import get_current_timezone_name, localtime
from django.utils.translation import gettext_lazy

from inventory.charts import (
    Every,
    capacity_figure,
    hosts_figure,
    overcommit_figure,
    use_figure,
    use_spark,
)
from inventory.choices import RankingPolicy
from inventory.filters import HostFilter
from inventory.foundation.clock import database_now
from inventory.foundation.files import origin_of
from inventory.foundation.forms import PortalForm
from inventory.foundation.models import RoleGrant
from inventory.foundation.pages import (
    FILES,
    FormPage,
    ListPage,
    PortalPage,
    Streamed,
    csv_file,
    find,
)
from inventory.foundation.periods import day_start, previous_month
from inventory.foundation.permissions import (
    Action,
    organisations_where,
    projects_where,
    refusal,
)
from inventory.foundation.project_forms import GrantForm, WhyForm
from inventory.foundation.project_lists import PoolRoleTable, RoleFilters
from inventory.foundation.selectors import groups_of, members_of, roles_reaching
from inventory.foundation.tables import PortalTable
from inventory.models import Pool, ResourceProvider
from inventory.placement import Need, headroom
from inventory.selectors import (
    PoolCapacity,
    host_rows,
    hosts_of,
    may_look_into,
    pool_capacities,
    pool_capacity,
    quota_use,
    visible_pools,
)
from inventory.selectors.histories import held_at, pool_history
from inventory.selectors.resources import usual_sizes
from inventory.services.roles import POOL_ROLES, grant_pool_role, revoke_pool_role
from inventory.tables import CapacityTable, HostTable, capacity_lines

RANGES: dict[str, tuple[Any, Every]] = {
    "month": (gettext_lazy("30 days"), "day"),
    "quarter": (gettext_lazy("3 months"), "week"),
    "year": (gettext_lazy("12 months"), "month"),
}
STRETCHES: dict[Every, int] = {"day": 30, "week": 13, "month": 12}
DRAWN_HOSTS = 30
SPARK_DAYS = 30
SHOWN = 50
COUNTED = 500
PROJECTS_SHOWN = 8


class Pools(PortalPage):
    """The pools with what is held and free of each kind of capacity; all of it as a file too."""

    title = gettext_lazy("Pools")
    subtitle = gettext_lazy("What there is, what is held, and what can still be had.")
    template_name = "inventory/pools/list.html"
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Answer with the page or the file."""
        at = database_now()
        pools = list(visible_pools(self.viewer).distinct().order_by("name", "pk"))
        capacities = pool_capacities(pools=pools, at=at)
        shown = [(pool, capacities[pool.pk]) for pool in pools]
        if request.GET.get("format") == "csv":
            lines = [line for pool, rows in shown for line in capacity_lines(pool=pool, rows=rows)]
            return csv_file(
                CapacityTable(lines), name="pools", count=len(lines), origin=origin_of(request)
            )
        days = [at - timedelta(days=number) for number in range(SPARK_DAYS, -1, -1)]
        course = held_at(pools=pools, instants=days)
        drawn = [
            (pool, [(row, spark_of(pool, row, course)) for row in rows]) for pool, rows in shown
        ]
        return self.page({"pools": drawn, "at": at})


def spark_of(
    pool: Pool, row: PoolCapacity, course: Mapping[tuple[int, int], Sequence[Decimal | None]]
) -> SafeString:
    """Return how much of a pool's class was held over the last days as a small line."""
    shares = course.get((pool.pk, row.resource_class.pk), ())
    return use_spark(label=row.resource_class.label, shares=shares)


class PoolDetail(ListPage):
    """One pool: its capacity by kind, what still fits, my quotas, and for operators its hosts."""

    template_name = "inventory/pools/detail.html"
    filterset_class = HostFilter
    table_class = HostTable

    def get(self, request: HttpRequest, slug: str) -> Any:
        """Find the pool, then list its hosts for those who may see them."""
        self.pool: Pool = find(
            visible_pools(self.viewer).distinct().select_related("organisation"), slug=slug
        )
        self.at = database_now()
        self.sees_hosts = may_look_into(self.viewer, self.pool)
        if request.GET.get("format") in FILES and not self.sees_hosts:
            lines = capacity_lines(pool=self.pool, rows=pool_capacity(pool=self.pool, at=self.at))
            return self.file_of(CapacityTable(lines), name=self.pool.slug, count=len(lines))
        return super().get(request)

    def rows(self) -> QuerySet[ResourceProvider]:
        """Return the hosts that the viewer may see: all or none."""
        hosts = hosts_of(self.pool)
        return hosts if self.sees_hosts else hosts.none()

    def list_context(self, *args: Any) -> dict[str, Any]:
        """Add to each host of this page what is used of it."""
        names = super().list_context(*args)
        add_uses(pool=self.pool, at=self.at, hosts=[row.record for row in names["page"]])
        return names

    def file(self, table: PortalTable) -> StreamingHttpResponse:
        """Return all hosts with their use as a file."""
        hosts: Any = HostsWithUses(self.pool, self.at, table.data.data)
        table.data.data = Streamed(hosts)
        name = f"{self.pool.slug}-hosts"
        return self.file_of(table, name=name, count=hosts.count())

    def context(self) -> dict[str, Any]:
        """Return the pool's figures."""
        rows = pool_capacity(pool=self.pool, at=self.at)
        lines = capacity_lines(pool=self.pool, rows=rows)
        return {
            "title": self.pool.name,
            "subtitle": self.pool.description,
            "pool": self.pool,
            "at": self.at,
            "ranking": RankingPolicy(self.pool.ranking).label,
            "lines": lines,
            "figure": capacity_figure(pool=self.pool, rows=rows) if rows else None,
            "overcommit": overcommit_figure(rows=rows) if rows else None,
            "sizes": sizes_shown(pool=self.pool, at=self.at, rows=rows),
            "counted": COUNTED,
            "quotas": self.quotas(),
            "sees_hosts": self.sees_hosts,
            "sees_people": self.sees_hosts or owns(self.viewer, self.pool),
        }

    def quotas(self) -> list[tuple[str, list[Any]]]:
        """Return the quotas of the projects in which the viewer may order, by project."""
        projects = projects_where(self.viewer, Action.ORDER_PLACE).order_by("name", "pk")
        rows = [
            (project.name, quota_use(project=project, at=self.at))
            for project in projects[:PROJECTS_SHOWN]
        ]
        return [(name, uses) for name, uses in rows if uses]


class PoolHistoryPage(PortalPage):
    """How full a pool was over the last weeks or months and, for operators, which of its hosts.

    Address: `over` is "month" (by day), "quarter" (by week) or "year" (by month).
    """

    template_name = "inventory/pools/history.html"
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, slug: str) -> Any:
        """Draw the figures, or answer with the file of one of them."""
        pool: Pool = find(visible_pools(self.viewer).distinct(), slug=slug)
        at = database_now()
        asked = request.GET.get("over", "")
        over = asked if asked in RANGES else next(iter(RANGES))
        every = RANGES[over][1]
        starts = stretches(at=at, every=every)
        zone = get_current_timezone_name()
        edges = [*(day_start(start, zone) for start in starts), at]
        sees_hosts = may_look_into(self.viewer, pool)
        history = pool_history(pool=pool, edges=edges, fullest=DRAWN_HOSTS if sees_hosts else 0)
        return self.page(
            {
                "title": pool.name,
                "pool": pool,
                "ranges": [
                    (name, label, f"?over={name}") for name, (label, _every) in RANGES.items()
                ],
                "over": over,
                "figure": use_figure(history=history, starts=starts, every=every, at=at),
                "hosts": hosts_figure(history=history, starts=starts, every=every, at=at)
                if history.fullest
                else None,
                "sees_hosts": sees_hosts,
                "zone": zone,
            }
        )


def stretches(*, at: datetime, every: Every) -> list[date]:
    """Return the first days, in the viewer's zone, of the last 30 days, 13 weeks or 12 months."""
    today = localtime(at).date()
    if every == "month":
        months = [today.replace(day=1)]
        while len(months) < STRETCHES[every]:
            months.append(previous_month(months[-1]))
        return months[::-1]
    days = 7 if every == "week" else 1
    last = today - timedelta(days=today.weekday() if every == "week" else 0)
    return [last - timedelta(days=days * back) for back in reversed(range(STRETCHES[every]))]


class HostsWithUses:
    """Hosts read in chunks, each chunk with its use: a file of any length in bounded memory."""

    def __init__(self, pool: Pool, at: datetime, hosts: QuerySet[ResourceProvider]) -> None:
        self.pool, self.at, self.hosts = pool, at, hosts

    def count(self) -> int:
        """Return how many hosts there are."""
        return self.hosts.count()

    def iterator(self, chunk_size: int) -> Iterator[ResourceProvider]:
        """Yield the hosts with their uses."""
        chunk: list[ResourceProvider] = []
        for host in self.hosts.iterator(chunk_size=chunk_size):
            chunk.append(host)
            if len(chunk) == chunk_size:
                yield from add_uses(pool=self.pool, at=self.at, hosts=chunk)
                chunk = []
        yield from add_uses(pool=self.pool, at=self.at, hosts=chunk)


def add_uses(
    *, pool: Pool, at: datetime, hosts: Iterable[ResourceProvider]
) -> list[ResourceProvider]:
    """Give each host its use by kind of capacity as `uses`; one query for all of them."""
    chosen = list(hosts)
    for host, row in zip(chosen, host_rows(pool=pool, at=at, hosts=chosen), strict=True):
        host.uses = row.uses  # type: ignore[attr-defined]
    return chosen


def sizes_shown(*, pool: Pool, at: datetime, rows: Any) -> list[dict[str, Any]]:
    """Return how many more of each usual size fit, now and with one more host lost."""
    words = {row.resource_class.name: row.resource_class for row in rows}
    free = {row.resource_class.name: row.free for row in rows}
    one_less = copy(pool)
    one_less.spare_hosts += 1
    shown = []
    for size in usual_sizes(pool=pool):
        amounts = {name: amount for name, amount in size.amounts.items() if name in words}
        limit = min(amounts, key=lambda name: free[name] // amounts[name], default=None)
        shown.append(
            {
                "kind": size.kind,
                "count": size.count,
                "amounts": [(words[name], amount) for name, amount in amounts.items()],
                "fits": headroom(pool=pool, need=Need(size.amounts), start=at, at_most=COUNTED),
                "after_loss": headroom(
                    pool=one_less, need=Need(size.amounts), start=at, at_most=COUNTED
                ),
                "limit": words[limit].label if limit else "",
            }
        )
    return shown


def owns(user: Any, pool: Pool) -> bool:
    """Say whether the person owns the pool's organisation, and so gives the roles in the pool."""
    return pool.organisation_id in organisations_where(user, Action.PROJECT_EDIT)


class PoolPeople(ListPage):
    """Who holds a role in a pool: granted for the pool alone, or for its whole organisation."""

    title = gettext_lazy("People of the pool")
    template_name = "inventory/pools/people.html"
    filterset_class = RoleFilters
    table_class = PoolRoleTable
    sees = None
    empty_title = gettext_lazy("Nobody looks after this pool")
    empty_icon = "people"

    def rows(self) -> QuerySet[RoleGrant]:
        """Return the roles that reach the pool.

        Forbidden for who neither sees its hosts nor owns its organisation.
        """
        self.pool = find(visible_pools(self.viewer), slug=self.kwargs["slug"])
        if not (owns(self.viewer, self.pool) or may_look_into(self.viewer, self.pool)):
            raise refusal(Action.POOL_VIEW)
        return roles_reaching(pool_id=self.pool.pk, organisation=self.pool.organisation)

    def context(self) -> dict[str, Any]:
        """Say whether the viewer may give roles here."""
        return {
            "pool": self.pool,
            "subtitle": self.pool.name,
            "may_edit": owns(self.viewer, self.pool),
            "own": list(self.rows().filter(pool_id=self.pool.pk)[:SHOWN]),
        }


class PoolRoleForm(FormPage):
    """What giving and taking a role in a pool share: the pool, and who may."""

    def load(self) -> None:
        """Find the pool and refuse who does not own its organisation."""
        self.pool: Pool = find(visible_pools(self.viewer), slug=self.kwargs["slug"])
        self.back = reverse("inventory:pool-people", args=[self.pool.slug])
        if not owns(self.viewer, self.pool):
            raise refusal(Action.PROJECT_EDIT)

    def context(self) -> dict[str, Any]:
        """Name the pool on the page."""
        return {"subtitle": self.pool.name}


class GrantPoolRole(PoolRoleForm):
    """Let a person or a group look after a pool, or read it."""

    title = gettext_lazy("Give a role in the pool")
    form_class = GrantForm
    submit = gettext_lazy("Give the role")
    done = gettext_lazy("The role is given.")

    def form_arguments(self) -> dict[str, Any]:
        """Offer the people and groups of the pool's organisation, and roles that mean something."""
        return {
            "people": members_of(self.pool.organisation),
            "groups": groups_of(self.pool.organisation),
            "roles": [(role.value, role.label) for role in POOL_ROLES],
        }

    def act(self, form: PortalForm) -> str:
        """Grant it."""
        values = dict(form.cleaned_data)
        del values["idempotency_key"]
        grant_pool_role(pool=self.pool, **values, actor=self.viewer, at=database_now())
        return self.back


class RevokePoolRole(PoolRoleForm):
    """Take a role in a pool away, and say why."""

    title = gettext_lazy("Take a role away")
    template_name = "foundation/roles/revoke.html"
    form_class = WhyForm
    submit = gettext_lazy("Take it away")
    done = gettext_lazy("The role is taken away.")

    def load(self) -> None:
        """Find the role among those of the pool alone."""
        super().load()
        reaching = roles_reaching(pool_id=self.pool.pk, organisation=self.pool.organisation)
        own = reaching.filter(pool_id=self.pool.pk)
        self.held: RoleGrant = find(own, pk=self.kwargs["grant"])

    def context(self) -> dict[str, Any]:
        """Name the role."""
        return {"subtitle": f"{self.held} · {self.pool}", "held": self.held}

    def act(self, form: PortalForm) -> str:
        """Take it away."""
        revoke_pool_role(
            pool=self.pool,
            grant=self.held,
            reason=form.cleaned_data["reason"],
            actor=self.viewer,
            at=database_now(),
        )
        return self.back
