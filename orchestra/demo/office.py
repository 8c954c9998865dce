"""What the company's people do beside ordering: who joins, who may what, projects that come and go.

Told through the services; nothing of it holds resources or is paid for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from inventory.foundation.choices import Role, TransferKind
from inventory.foundation.models import Organisation, Project, ProjectRequest, User
from inventory.foundation.services import (
    accept_transfer,
    add_member,
    approve_project_request,
    grant_role,
    hand_over,
    reject_project_request,
    request_project,
)
from inventory.services.roles import grant_pool_role
from orchestra.choices import TokenScope
from orchestra.demo.calendar import Calendar
from orchestra.demo.people import Company
from orchestra.demo.supply import DATABASES, GPUS, MACHINES, STORAGE, TRIALS, Supply
from orchestra.services.projects import close_project
from orchestra.services.tokens import create_token

Event = tuple[datetime, Callable[[datetime], None]]
DAY = timedelta(days=1)
# Who looks after one pool alone, or reads what it holds.
AT_THE_POOLS = (
    (MACHINES, "ivo", Role.OPERATOR, "Stands in for Oscar."),
    (TRIALS, "ivo", Role.OPERATOR, "Stands in for Oscar."),
    (DATABASES, "ines", Role.OPERATOR, "Runs the databases of the company."),
    (GPUS, "rosa", Role.OPERATOR, "The research lab looks after its own machines."),
    (STORAGE, "greta", Role.FINANCE, "Plans what storage is bought."),
)
CLOSED = "Drone pilot"


@dataclass(frozen=True)
class Office:
    """The people's affairs, each a deed at its instant."""

    company: Company
    supply: Supply
    calendar: Calendar

    def events(self) -> Iterator[Event]:
        """Return what happens, each with its instant; those that lie after now are left out."""
        calendar, now = self.calendar, self.calendar.now
        yield calendar.at(9, 4, 10), self.give_pools
        yield calendar.at(8, 2, 11), self.ask_for_drones
        yield calendar.at(8, 3, 9), self.open_drones
        yield calendar.at(4, 10, 16), self.close_drones
        yield now - 75 * DAY, self.let_audit
        yield now - 40 * DAY, self.let_join
        yield now - 39 * DAY, self.let_work
        yield now - 20 * DAY, self.make_tokens
        yield now - 12 * DAY, self.ask_for_kiosks
        yield now - 11 * DAY, self.refuse_kiosks
        yield now - 10 * DAY, self.hand_customs_over
        yield now - timedelta(hours=28), self.ask_for_gift_cards
        yield now - timedelta(hours=21), self.ask_noah

    # --- roles -----------------------------------------------------------------------------------

    def give_pools(self, at: datetime) -> None:
        """Give people a role in one pool each; they belong to the whole company then."""
        top, helga = self.company.organisation, self._person("helga")
        for slug, username, role, reason in AT_THE_POOLS:
            add_member(organisation=top, user=self._person(username), actor=helga, at=at)
            grant_pool_role(
                pool=self.supply.pools[slug],
                role=role,
                user=self._person(username),
                reason=reason,
                actor=helga,
                at=at,
            )

    def let_audit(self, at: datetime) -> None:
        """Let somebody read a project for a month; the role has run out by now."""
        project = self.company.projects["payments"]
        grant_role(
            role=Role.AUDITOR,
            user=self._person("greta"),
            project=project,
            expires_at=at + 30 * DAY,
            reason="The yearly audit of payments.",
            actor=project.owner,
            at=at,
        )

    def let_join(self, at: datetime) -> None:
        """Let somebody who has an account belong to Commerce."""
        organisation = Organisation.objects.get(slug="nordwind-commerce")
        nils = self._person("nils")
        add_member(organisation=organisation, user=nils, actor=self._person("helga"), at=at)

    def let_work(self, at: datetime) -> None:
        """Let them order for the web shop, as long as they are there."""
        grant_role(
            role=Role.MEMBER,
            user=self._person("nils"),
            project=self.company.projects["shop"],
            expires_at=at + 180 * DAY,
            reason="Works for the shop for half a year.",
            actor=self._person("olivia"),
            at=at,
        )

    def make_tokens(self, at: datetime) -> None:
        """Make keys for two programs; nobody keeps their secrets, so nothing can use them."""
        for username, name, scope in (
            ("noah", "Nightly report of the data platform", TokenScope.READ),
            ("oscar", "Monitoring of the pools", TokenScope.READ),
        ):
            create_token(
                user=self._person(username),
                name=name,
                scopes=[scope],
                project=None,
                expires_at=at + 180 * DAY,
                at=at,
            )

    # --- projects that come and go ---------------------------------------------------------------

    def ask_for_drones(self, at: datetime) -> None:
        """Ask for a project that was opened and is closed by now."""
        self._ask(
            "research",
            CLOSED,
            "drones",
            "Count the stock of a hall from the air.",
            people=("dario", "ravi"),
            requester="ravi",
            budget="400 EUR a month",
            at=at,
        )

    def open_drones(self, at: datetime) -> None:
        """Open it under another cost centre."""
        approve_project_request(
            asked=ProjectRequest.objects.get(slug="drones"),
            actor=self._person("oscar"),
            answer="Opened under the cost centre of research.",
            changes={"cost_centre": "5011"},
            at=at,
        )

    def close_drones(self, at: datetime) -> None:
        """Close it: it never held anything, and may be opened again."""
        close_project(
            project=Project.objects.get(slug="drones"),
            confirm_name=CLOSED,
            reason="No permission to fly in the halls. To be opened again if that changes.",
            actor=self._person("dario"),
            at=at,
        )

    def ask_for_kiosks(self, at: datetime) -> None:
        """Ask for a project that is not needed."""
        self._ask(
            "commerce",
            "Kiosks",
            "kiosks",
            "Screens in the stores on which people order.",
            people=("cem", "clara"),
            requester="cem",
            budget="150 EUR a month",
            at=at,
        )

    def refuse_kiosks(self, at: datetime) -> None:
        """Say no, with what to do instead."""
        reject_project_request(
            asked=ProjectRequest.objects.get(slug="kiosks"),
            actor=self._person("oscar"),
            answer="The screens belong to Stores: ask for them there.",
            at=at,
        )

    def ask_for_gift_cards(self, at: datetime) -> None:
        """Ask for a project; nobody has answered yet."""
        self._ask(
            "commerce",
            "Gift cards",
            "gift-cards",
            "Sell gift cards in the shop and in the stores.",
            people=("olivia", "dario"),
            requester="mia",
            budget="600 EUR a month",
            at=at,
        )

    def _ask(
        self,
        unit: str,
        name: str,
        slug: str,
        description: str,
        *,
        people: tuple[str, str],
        requester: str,
        budget: str,
        at: datetime,
    ) -> None:
        owner, deputy = people
        request_project(
            organisation=Organisation.objects.get(slug=f"nordwind-{unit}"),
            name=name,
            slug=slug,
            description=description,
            owner=self._person(owner),
            deputy=self._person(deputy),
            cost_centre="4720",
            wished_budget=budget,
            wished_quota="16 vCPU",
            actor=self._person(requester),
            at=at,
        )

    # --- hand-overs ------------------------------------------------------------------------------

    def hand_customs_over(self, at: datetime) -> None:
        """Let owner and deputy of customs change places; the deputy accepts a few hours later."""
        project = self.company.projects["customs"]
        deputy = project.deputy
        transfer = hand_over(
            project=project,
            kind=TransferKind.OWNER,
            user=deputy,
            reason="Away for half a year from next month on.",
            actor=project.owner,
            at=at,
        )
        accept_transfer(
            transfer=transfer, actor=deputy, answer="Gladly.", at=at + timedelta(hours=4)
        )
        project.refresh_from_db()

    def ask_noah(self, at: datetime) -> None:
        """Ask Noah to become the data platform's deputy; he has not answered yet."""
        hand_over(
            project=self.company.projects["data"],
            kind=TransferKind.DEPUTY,
            user=self._person("noah"),
            reason="Olivia has her hands full with the shop.",
            actor=self._person("dario"),
            at=at,
        )

    def _person(self, username: str) -> User:
        return self.company.people[username]
