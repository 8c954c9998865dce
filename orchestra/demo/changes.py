"""What happens to applications that run: another size, a later end, an earlier one, confirmations.

All of it lies in the open month or changes no size before it, so the promised sums stay.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from inventory.foundation.models import User
from inventory.foundation.periods import months_after
from orchestra import engine
from orchestra.choices import Decision, OrderState
from orchestra.demo.calendar import ZONE, Calendar
from orchestra.demo.estate import App
from orchestra.demo.people import Company
from orchestra.demo.supply import Supply
from orchestra.models import Deployment, Order
from orchestra.selectors.orders import latest_plan
from orchestra.services.approvals import decide, submit_order
from orchestra.services.changes import request_end, request_extension, request_resize
from orchestra.services.leases import confirm_deployment, warn_of_ends

Event = tuple[datetime, Callable[[datetime], None]]
CONFIRM_MONTHS = 12
CONFIRMED_BEFORE = timedelta(days=9)
# Who has not said that their application is still needed: project and name.
UNCONFIRMED = {("shop", "checkout"), ("tracking", "db"), ("ledger", "db"), ("invoicing", "web")}
WARNED_WEEKS = 5


@dataclass(frozen=True)
class Changes:
    """The changes of what runs, each a deed at its instant."""

    company: Company
    supply: Supply
    calendar: Calendar

    def events(self, apps: Sequence[App]) -> Iterator[Event]:
        """Return what happens to these and to the lately delivered ones, each with its instant."""
        now = self.calendar.now
        for week in reversed(range(WARNED_WEEKS)):
            yield now - timedelta(days=7 * week, minutes=30), self.warn
        for app in apps:
            due = months_after(app.start, CONFIRM_MONTHS, ZONE)
            is_open = app.end is None and app.lease_end is None
            if is_open and (app.project, app.name) not in UNCONFIRMED:
                yield due - CONFIRMED_BEFORE, partial(self.confirm, app)
        yield now - timedelta(minutes=55), self.enlarge
        yield now - timedelta(minutes=50), self.extend
        yield now - timedelta(minutes=45), self.end_early
        yield now - timedelta(minutes=42), self.wish_for_more

    def warn(self, at: datetime) -> None:
        """Tell people of what ends or is to be confirmed soon, as every day of the year."""
        warn_of_ends(at=at)

    def confirm(self, app: App, at: datetime) -> None:
        """Say that an application without an end is still needed."""
        project = self.company.projects[app.project]
        confirm_deployment(
            deployment=self._found(app.project, app.name), actor=project.owner, at=at
        )

    def enlarge(self, at: datetime) -> None:
        """Make a volume larger; Ana agrees."""
        order = request_resize(
            deployment=self._found("data", "landing"),
            requester=self._person("noah"),
            business_reason="Two more suppliers send files",
            parameters={"disk": 3000},
            at=at,
        )
        self._carry_out(order, "Agreed, the suppliers pay for it.", at)

    def extend(self, at: datetime) -> None:
        """Keep a machine for a month longer."""
        deployment = self._found("research", "trainer-small")
        assert deployment.lease_end_at is not None
        order = request_extension(
            deployment=deployment,
            requester=self._person("noah"),
            business_reason="The model is not good enough yet",
            end_at=deployment.lease_end_at + timedelta(days=30),
            at=at,
        )
        self._carry_out(order, "One month more.", at)

    def end_early(self, at: datetime) -> None:
        """Let something end earlier than agreed, in a few days."""
        request_end(
            deployment=self._found("loyalty", "points-shop"),
            requester=self._person("clara"),
            business_reason="Enough was learned from it",
            end_at=at + timedelta(days=6),
            at=at,
            effective_at=at,
        )
        engine.drain(worker="demo")

    def wish_for_more(self, at: datetime) -> None:
        """Ask for a larger database; it waits for an answer."""
        order = request_resize(
            deployment=self._found("stores", "db"),
            requester=self._person("cem"),
            business_reason="Stock of all stores in one place",
            offering=self.supply.versions["database-l"].offering,
            at=at,
        )
        self._send(order, at)

    def _send(self, order: Order, at: datetime) -> Order:
        plan = latest_plan(order)
        if order.state != OrderState.PLANNED or plan is None:
            message = f"{order.name} cannot be changed: {order.refusal}"
            raise RuntimeError(message)
        return submit_order(
            order=order, actor=order.requester, plan_sha256=plan.sha256, at=at, effective_at=at
        )

    def _carry_out(self, order: Order, answer: str, at: datetime) -> None:
        """Send it; where it needs an approver Ana agrees at once."""
        order = self._send(order, at)
        if order.state == OrderState.AWAITING_APPROVAL:
            plan = latest_plan(order)
            assert plan is not None
            decide(
                order=order,
                approver=self._person("ana"),
                decision=Decision.APPROVE,
                reason=answer,
                plan_sha256=plan.sha256,
                at=at,
                effective_at=at,
            )
        engine.drain(worker="demo")

    def _found(self, project: str, name: str) -> Deployment:
        return Deployment.objects.get(project=self.company.projects[project], name=name)

    def _person(self, username: str) -> User:
        return self.company.people[username]
