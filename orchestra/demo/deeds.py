"""What the old times are made of: requests with what came of them, and copies."""

from dataclasses import dataclass, field
from datetime import datetime

from inventory.models import Resource, ResourceProvider
from orchestra.demo.estate import App
from orchestra.demo.places import Spot
from orchestra.models import Approval, Deployment, Order, Plan, Run, Step
from orchestra.providers.base import Handle


@dataclass
class Deed:
    """One request of the old times with everything that came of it."""

    app: App
    deployment: Deployment
    order: Order
    plan: Plan = field(init=False)
    approval: Approval = field(init=False)
    run: Run = field(init=False)
    steps: list[Step] = field(default_factory=list)

    @property
    def placed_at(self) -> datetime:
        """When it was asked for."""
        return self.order.created_at

    @property
    def done_at(self) -> datetime:
        """When it was approved, and delivered in the same minute."""
        return self.app.start


@dataclass
class Copy:
    """One copy of an application: its row, where it is, and what its provider said of it."""

    app: App
    resource: Resource
    host: ResourceProvider
    spots: dict[str, Spot]
    handle: Handle = field(init=False)
