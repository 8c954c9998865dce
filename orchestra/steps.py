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
from inventory.services import activate, deactivate, mark, release
from orchestra.choices import Phase
from orchestra.models import Step
from orchestra.providers.base import CreateRequest, Handle, Provider, ResourceSpec

RESERVE = "capacity.reserve"
CREATE = "resource.create"
ACTIVATE = "resource.activate"
DELETE = "resource.delete"
RELEASE = "capacity.release"


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


def _mark(step: Step, status: ResourceStatus, at: datetime) -> None:
    if step.resource is not None:
        mark(resource=step.resource, status=status, at=at)
