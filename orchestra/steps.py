"""What each kind of step does, by (action, version, phase); an unknown one is parked, not guessed.

A handler knows three moments. `intend` writes, with the intent, what is about to happen. `call`
talks to the provider, outside any transaction. `apply` writes the effects on our own rows, in the
transaction of the outcome; `effects` names them, and the engine keeps an Effect row of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, override

from inventory.choices import ResourceStatus
from inventory.models import Resource
from inventory.services import (
    activate,
    deactivate,
    drop_rest,
    mark,
    move_lease,
    release,
    shorten,
    swap,
)
from orchestra.choices import Phase
from orchestra.models import Step
from orchestra.providers.base import (
    Capabilities,
    CreateRequest,
    Handle,
    Provider,
    ResourceSpec,
)
from orchestra.selectors.deployments import live_links, lock_deployment

RESERVE = "capacity.reserve"
CREATE = "resource.create"
ACTIVATE = "resource.activate"
DELETE = "resource.delete"
RELEASE = "capacity.release"
STOP = "resource.stop"
GROW = "capacity.grow"
RESIZE = "resource.resize"
SETTLE = "capacity.settle"
HOLD = "capacity.hold"
MOVE_END = "lease.move"
# What these do was done in the run's own first transaction: nothing starts without it.
DONE_AT_START = frozenset({RESERVE, GROW, HOLD})


@dataclass(frozen=True)
class Call:
    """All that a provider may know of a step. `key` is the one the thing was created under."""

    key: str
    fence: int
    ref: str
    spec: ResourceSpec | None


class Handler:
    """One kind of step. The defaults do nothing, so that a kind says only what it is about.

    `repeatable` calls may be made again without looking first, because a second one does nothing.
    `skippable` steps may be left out by an operator without making the plan untrue.
    """

    touches_provider = False
    repeatable = True
    skippable = False
    effects: ClassVar[tuple[str, ...]] = ()

    def is_offered(self, promises: Capabilities) -> bool:  # noqa: ARG002
        """Say whether the provider can do it; where it cannot, the step is left out."""
        return True

    def intend(self, *, step: Step, at: datetime) -> None:
        """Write what is about to happen."""

    def call(self, *, provider: Provider, call: Call) -> Handle | None:
        """Ask the provider; return what it made, if it makes something."""

    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Write the effects."""


class Reserve(Handler):
    """Capacity for all copies is reserved in the run's own first transaction; nothing is left."""


class UndoReserve(Handler):
    """Give back the capacity of every copy that still holds some."""

    effects: ClassVar[tuple[str, ...]] = ("release",)

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Release what the run's copies hold."""
        held = Resource.objects.filter(steps__run_id=step.run_id).live()
        for resource in held.distinct().order_by("id"):
            release(resource=resource, at=at)


class Create(Handler):
    """Make one copy at the provider."""

    touches_provider = True
    effects: ClassVar[tuple[str, ...]] = ("create",)
    repeatable = False

    @override
    def intend(self, *, step: Step, at: datetime) -> None:
        """The copy is being made."""
        _mark(step, ResourceStatus.CREATING, at)

    @override
    def call(self, *, provider: Provider, call: Call) -> Handle | None:
        """Create under the step's key."""
        if call.spec is None:
            message = "a create step has no description of what to make"
            raise ValueError(message)
        return provider.create(CreateRequest(key=call.key, fence=call.fence, spec=call.spec))

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Keep what the provider said about it."""
        if handle is not None and step.resource is not None:
            mark(
                resource=step.resource,
                status=ResourceStatus.CREATING,
                at=at,
                external_ref=handle.ref,
                attributes=dict(handle.attributes),
            )


class Stop(Handler):
    """Stop one copy before it is removed; a provider that cannot stop leaves this out."""

    touches_provider = True
    skippable = True
    effects: ClassVar[tuple[str, ...]] = ("stop",)

    @override
    def is_offered(self, promises: Capabilities) -> bool:
        """Only where the provider has the verb."""
        return promises.stop

    @override
    def call(self, *, provider: Provider, call: Call) -> Handle | None:
        """Stop by reference."""
        provider.stop(key=call.key, fence=call.fence, ref=call.ref)
        return None

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """It runs no more; it is delivered until its capacity is given back."""
        _mark(step, ResourceStatus.STOPPED, at)


class Resize(Handler):
    """Give one copy other amounts, where it is; its undoing is the same call with the old ones.

    The step's inputs say `deliver`: what is delivered from then on, and under which kind.
    """

    touches_provider = True
    effects: ClassVar[tuple[str, ...]] = ("resize",)

    @override
    def call(self, *, provider: Provider, call: Call) -> Handle | None:
        """Resize under the step's own key; the same amounts again change nothing."""
        if call.spec is None:
            message = "a resize step has no description of what to become"
            raise ValueError(message)
        return provider.resize(key=call.key, fence=call.fence, ref=call.ref, spec=call.spec)

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Close one allocation and open another, at this instant."""
        if step.resource is None:
            return
        deliver = step.inputs["deliver"]
        amounts = {int(pk): amount for pk, amount in deliver["amounts"].items()}
        swap(resource=step.resource, amounts=amounts, kind=deliver["kind"], at=at)


class DropRest(Handler):
    """Give back what the copies hold and do not deliver: what was freed, or never came to use."""

    effects: ClassVar[tuple[str, ...]] = ("release",)

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Release the rest of every copy."""
        drop_rest(resources=_copies(step), at=at)


class Settle(DropRest):
    """The change is done for all copies: the application is what was asked for."""

    effects: ClassVar[tuple[str, ...]] = ("release", "settle")

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Give back what was freed, and write down service and choices."""
        order, deployment = step.run.order, lock_deployment(step.run.deployment_id)
        super().apply(step=step, handle=handle, at=at)
        deployment.offering_version_id = order.offering_version_id
        deployment.parameters = order.parameters
        deployment.save(update_fields=["offering_version", "parameters"])


class UndoHold(Handler):
    """Give back the time that was held for a later end."""

    effects: ClassVar[tuple[str, ...]] = ("shorten",)

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Hold up to the end that is agreed still."""
        end = step.run.deployment.lease_end_at
        if end is not None:
            shorten(resources=_copies(step), end=end, at=at)


class MoveEnd(Handler):
    """Agree on another end; where it is earlier, what was held after it is free at once."""

    effects: ClassVar[tuple[str, ...]] = ("lease",)

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Move what is held, and the dates that people see."""
        end = step.run.order.end_at
        if end is None:
            message = "a change of the end has no end"
            raise ValueError(message)
        deployment = lock_deployment(step.run.deployment_id)
        copies = _copies(step)
        shorten(resources=copies, end=end, at=at)
        move_lease(resources=copies, end=end, at=at)
        deployment.lease_end_at = end
        deployment.save(update_fields=["lease_end_at"])


class Remove(Handler):
    """Take one copy away at the provider; one that is not there is as good as taken away."""

    touches_provider = True
    effects: ClassVar[tuple[str, ...]] = ("delete",)

    @override
    def intend(self, *, step: Step, at: datetime) -> None:
        """The copy is being removed."""
        _mark(step, ResourceStatus.DELETING, at)

    @override
    def call(self, *, provider: Provider, call: Call) -> Handle | None:
        """Delete by reference, or by key where no reference is known."""
        provider.delete(key=call.key, fence=call.fence, ref=call.ref)
        return None

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """The capacity stays held until its own step gives it back."""


class UndoCreate(Remove):
    """Take a copy away that should not have been made, and give its capacity back at once, so
    that one copy that cannot be removed does not hold the capacity of all."""

    effects: ClassVar[tuple[str, ...]] = ("delete", "release")

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Release what the copy held."""
        if step.resource is not None:
            release(resource=step.resource, at=at)


class Activate(Handler):
    """Hand one copy over: from now on it is delivered, and metered."""

    effects: ClassVar[tuple[str, ...]] = ("activate",)

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Open the meter."""
        if step.resource is not None:
            activate(resource=step.resource, at=at)


class UndoActivate(Handler):
    """The copy is no longer delivered: whoever ordered it stops paying before it is taken away."""

    effects: ClassVar[tuple[str, ...]] = ("deactivate",)

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Close the meter; the capacity stays held until the copy is really gone."""
        if step.resource is not None:
            deactivate(resource=step.resource, at=at)
        _mark(step, ResourceStatus.DELETING, at)


class Release(Handler):
    """Give back the capacity of one copy that is gone, and close its meter."""

    effects: ClassVar[tuple[str, ...]] = ("release",)

    @override
    def apply(self, *, step: Step, handle: Handle | None, at: datetime) -> None:
        """Release what the copy held."""
        if step.resource is not None:
            release(resource=step.resource, at=at)


HANDLERS: dict[tuple[str, int, str], Handler] = {
    (RESERVE, 1, Phase.FORWARD): Reserve(),
    (RESERVE, 1, Phase.UNDO): UndoReserve(),
    (CREATE, 1, Phase.FORWARD): Create(),
    (CREATE, 1, Phase.UNDO): UndoCreate(),
    (ACTIVATE, 1, Phase.FORWARD): Activate(),
    (ACTIVATE, 1, Phase.UNDO): UndoActivate(),
    (DELETE, 1, Phase.FORWARD): Remove(),
    (RELEASE, 1, Phase.FORWARD): Release(),
    (STOP, 1, Phase.FORWARD): Stop(),
    (GROW, 1, Phase.FORWARD): Reserve(),
    (GROW, 1, Phase.UNDO): DropRest(),
    (RESIZE, 1, Phase.FORWARD): Resize(),
    (RESIZE, 1, Phase.UNDO): Resize(),
    (SETTLE, 1, Phase.FORWARD): Settle(),
    (HOLD, 1, Phase.FORWARD): Reserve(),
    (HOLD, 1, Phase.UNDO): UndoHold(),
    (MOVE_END, 1, Phase.FORWARD): MoveEnd(),
}


def handler_of(*, action: str, version: int, phase: str) -> Handler | None:
    """Return the handler; None when this release does not know that kind of step."""
    return HANDLERS.get((action, version, phase))


def can_undo(*, action: str, version: int) -> bool:
    """Say whether a kind of step can be taken back at all."""
    return (action, version, Phase.UNDO) in HANDLERS


def spec_from(inputs: Mapping[str, Any]) -> ResourceSpec | None:
    """Return the description of the thing that a step's inputs hold, if they hold one."""
    spec = inputs.get("spec")
    return ResourceSpec(**spec) if spec else None


def _copies(step: Step) -> list[Resource]:
    """Return the application's copies that still exist."""
    return [link.resource for link in live_links(step.run.deployment)]


def _mark(step: Step, status: ResourceStatus, at: datetime) -> None:
    if step.resource is not None:
        mark(resource=step.resource, status=status, at=at)
