"""What every provider is: the only code that touches the outside world.

Dataclasses in, dataclasses out, one family of errors. A provider knows neither the database nor a
house; `docs/recipes/add-provider.md` shows how to add one.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

LONGEST_REF = 200
LARGEST_ANSWER_BYTES = 65_536


class ProviderError(Exception):
    """The destination said no, and surely did nothing.

    `permanent` says that asking again is useless (bad input, refused); otherwise it is a matter
    of time (busy, unreachable before the request was sent). The message is shown to people.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent


class OutcomeUnknown(ProviderError):
    """Nobody knows whether it was done: the engine looks before it does anything else."""


class ProviderTimeout(OutcomeUnknown):
    """The request was sent and no answer came."""


class MalformedAnswer(OutcomeUnknown):
    """An answer came that makes no sense, or is far too large."""


class NotOffered(ProviderError):
    """This provider has no such verb; nothing was done, and nothing is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class StaleFence(ProviderError):
    """A newer worker has spoken for this key already; the older one must stop."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True)
class Capabilities:
    """What a provider promises.

    `idempotent_create`: two creates under one key make one thing. `lookup`: it can find a thing by
    the key under which it was created. `stop`: it can stop a thing without removing it.
    """

    idempotent_create: bool
    lookup: bool
    stop: bool = False


@dataclass(frozen=True)
class ResourceSpec:
    """One thing to make. `amounts` maps resource class names to whole numbers of their unit."""

    name: str
    kind: str
    amounts: Mapping[str, int]
    host: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CreateRequest:
    """`key` is the same for every try of one step; `fence` only ever grows."""

    key: str
    fence: int
    spec: ResourceSpec


@dataclass(frozen=True)
class Handle:
    """A thing that exists: the provider's name for it, and what people want to know of it."""

    ref: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """How a thing is right now; `present` is false when it is not there (any more)."""

    present: bool
    ref: str
    amounts: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """How much of a meter a thing used in [start, end)."""

    meter: str
    quantity: Decimal
    unit: str
    start: datetime
    end: datetime


class Provider(ABC):
    """One kind of infrastructure. Every method may raise ProviderError or one of its kin."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Take the connection's options; ValueError names the one that makes no sense."""
        self.options = dict(options)

    @abstractmethod
    def capabilities(self) -> Capabilities:
        """Return what this provider promises."""

    @abstractmethod
    def create(self, request: CreateRequest) -> Handle:
        """Make one thing. Raises StaleFence when a higher fence was seen for the key."""

    @abstractmethod
    def resize(self, *, key: str, fence: int, ref: str, spec: ResourceSpec) -> Handle:
        """Give an existing thing other amounts; the same again changes nothing.

        `key` is that of the step, the same for every try and for the undoing of it; `fence` only
        ever grows. Raises StaleFence when a higher fence was seen for the key.
        """

    def stop(self, *, key: str, fence: int, ref: str) -> None:  # noqa: ARG002
        """Stop the thing without removing it; one that is stopped or absent is fine.

        `key` and `fence` as for `resize`. Without it the step is left out (NotOffered).
        """
        message = "This connection cannot stop things."
        raise NotOffered(message)

    @abstractmethod
    def delete(self, *, key: str, fence: int, ref: str) -> None:
        """See to it that the thing is not there, nor will be by an older fence; absent is fine.

        `key` is the one it was created under; `ref` may be empty when only the key is known.
        """

    @abstractmethod
    def lookup(self, key: str) -> Handle | None:
        """Return the thing that was created under the key, None if there is none."""

    @abstractmethod
    def describe(self, ref: str) -> Observation:
        """Return how the thing is."""

    @abstractmethod
    def usage(self, *, ref: str, start: datetime, end: datetime) -> tuple[Usage, ...]:
        """Return what the thing used in [start, end)."""


def checked(handle: object) -> Handle:
    """Return an answer that is one, small and plain; MalformedAnswer for anything else."""
    if not isinstance(handle, Handle):
        message = "The destination's answer is not a description of a thing."
        raise MalformedAnswer(message)
    if not isinstance(handle.ref, str) or not 1 <= len(handle.ref) <= LONGEST_REF:
        message = "The destination's answer has no usable name for the thing."
        raise MalformedAnswer(message)
    try:
        text = json.dumps(dict(handle.attributes), allow_nan=False)
    except (TypeError, ValueError) as error:
        message = "The destination's answer holds something that is not plain data."
        raise MalformedAnswer(message) from error
    if len(text) > LARGEST_ANSWER_BYTES or "\\u0000" in text:
        message = "The destination's answer is far too large or holds unprintable text."
        raise MalformedAnswer(message)
    return handle
