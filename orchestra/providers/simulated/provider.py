"""The simulated provider: the same seed and the same calls give the same faults, every time."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestra.providers.base import (
    Capabilities,
    CreateRequest,
    Handle,
    Observation,
    Provider,
    ProviderError,
    ProviderTimeout,
    ResourceSpec,
    StaleFence,
    Usage,
    checked,
)
from orchestra.providers.simulated.world import FenceTooLow, Thing, World

HOUR = Decimal(3600)


@dataclass(frozen=True)
class Options:
    """How the destination behaves; rates are shares from 0 to 1.

    `timeout_after_rate`: done, but the caller sees a timeout. `malformed_rate`: done, but the
    answer is huge. `permanent_rate` chooses things that can never be made, `fail_at` names them;
    `fail_resize_at`, `fail_delete_at` name things that can never be changed, or removed. Without
    `can_stop` it has no such verb.
    """

    state_dir: str
    seed: int = 0
    latency_ms: int = 0
    transient_rate: float = 0.0
    permanent_rate: float = 0.0
    timeout_after_rate: float = 0.0
    malformed_rate: float = 0.0
    idempotent: bool = True
    lookup: bool = True
    can_stop: bool = True
    fail_at: tuple[str, ...] = field(default=())
    fail_resize_at: tuple[str, ...] = field(default=())
    fail_delete_at: tuple[str, ...] = field(default=())

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Options":
        """Check the options of a connection; ValueError names the bad one."""
        known = {one.name for one in fields(cls)}
        strange = sorted(set(given) - known)
        if strange:
            message = f"The simulated provider does not know {', '.join(strange)}."
            raise ValueError(message)
        if not given.get("state_dir"):
            message = "The simulated provider needs state_dir, a folder to keep its things in."
            raise ValueError(message)
        values = dict(given)
        for name in ("fail_at", "fail_resize_at", "fail_delete_at"):
            values[name] = tuple(values.get(name, ()))
        options = cls(**values)
        for name in ("transient_rate", "permanent_rate", "timeout_after_rate", "malformed_rate"):
            if not 0 <= getattr(options, name) <= 1:
                message = f"{name} is a share: give a number from 0 to 1."
                raise ValueError(message)
        if not 0 <= options.latency_ms <= 600_000:
            message = "latency_ms is 0 to 600000 milliseconds."
            raise ValueError(message)
        return options


class SimulatedProvider(Provider):
    """Makes things that exist only in a file, as slowly and unreliably as it is told to."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.how = Options.read(options)
        self.world = World(Path(self.how.state_dir) / "world.sqlite3")

    def capabilities(self) -> Capabilities:
        """Return what the options say."""
        return Capabilities(
            idempotent_create=self.how.idempotent, lookup=self.how.lookup, stop=self.how.can_stop
        )

    def create(self, request: CreateRequest) -> Handle:
        """Make one thing, or have the fault that its name and try are due."""
        spec = request.spec
        with self.world.in_flight():
            draw = self._begin("create", spec.name)
            if spec.name in self.how.fail_at or self._lot(spec.name) < self.how.permanent_rate:
                message = f"The destination refuses to make {spec.name}."
                raise ProviderError(message, permanent=True)
            with _fenced():
                thing = self.world.make(
                    key=request.key,
                    fence=request.fence,
                    spec=_plain(spec),
                    idempotent=self.how.idempotent,
                )
            return self._answer(thing, draw)

    def resize(self, *, key: str, fence: int, ref: str, spec: ResourceSpec) -> Handle:
        """Give a thing other amounts."""
        with self.world.in_flight():
            draw = self._begin("resize", spec.name)
            there = self.world.by_ref(ref)
            is_change = there is not None and there.spec["amounts"] != dict(spec.amounts)
            if is_change and spec.name in self.how.fail_resize_at:
                message = f"The destination refuses to change {spec.name}."
                raise ProviderError(message, permanent=True)
            with _fenced():
                thing = self.world.change(key=key, fence=fence, ref=ref, spec=_plain(spec))
            if thing is None:
                message = f"There is no {ref} to change."
                raise ProviderError(message, permanent=True)
            return self._answer(thing, draw)

    def stop(self, *, key: str, fence: int, ref: str) -> None:
        """Stop the thing, or have the fault that its try is due."""
        if not self.how.can_stop:
            super().stop(key=key, fence=fence, ref=ref)
        with self.world.in_flight():
            thing = self.world.by_ref(ref)
            draw = self._begin("stop", thing.spec["name"] if thing else "nothing")
            with _fenced():
                self.world.stop(key=key, fence=fence, ref=ref)
            if draw < self.how.timeout_after_rate:
                message = "No answer came in time."
                raise ProviderTimeout(message)

    def delete(self, *, key: str, fence: int, ref: str) -> None:
        """Remove the thing and refuse older workers from then on."""
        with self.world.in_flight():
            thing = self.world.by_ref(ref) if ref else self.world.by_key(key)
            draw = self._begin("delete", thing.spec["name"] if thing else "nothing")
            if thing and thing.spec["name"] in self.how.fail_delete_at:
                message = f"The destination refuses to remove {thing.spec['name']}."
                raise ProviderError(message, permanent=True)
            with _fenced():
                self.world.remove(key=key, fence=fence, ref=ref)
            if draw < self.how.timeout_after_rate:
                message = "No answer came in time."
                raise ProviderTimeout(message)

    def lookup(self, key: str) -> Handle | None:
        """Return what the key made."""
        if not self.how.lookup:
            message = "This destination cannot find things by key."
            raise ProviderError(message, permanent=True)
        with self.world.in_flight():
            thing = self.world.by_key(key)
            self._begin("lookup", thing.spec["name"] if thing else "nothing")
            return _handle(thing) if thing else None

    def describe(self, ref: str) -> Observation:
        """Return how the thing is."""
        thing = self.world.by_ref(ref)
        if thing is None:
            return Observation(present=False, ref=ref)
        state = {"state": "stopped" if thing.is_stopped else "running"}
        return Observation(
            present=True,
            ref=ref,
            amounts=dict(thing.spec["amounts"]),
            attributes={**_handle(thing).attributes, **state},
        )

    def usage(self, *, ref: str, start: datetime, end: datetime) -> tuple[Usage, ...]:
        """Return amounts × hours, one line a class: a thing that is there is fully used."""
        thing = self.world.by_ref(ref)
        if thing is None or end <= start:
            return ()
        hours = Decimal(str((end - start).total_seconds())) / HOUR
        return tuple(
            Usage(meter=name, quantity=amount * hours, unit="hours", start=start, end=end)
            for name, amount in sorted(thing.spec["amounts"].items())
        )

    def _begin(self, verb: str, name: str) -> float:
        """Wait as long as a call takes, fail transiently if due, and return this try's lot.

        It is drawn by the thing's name and not by its key, which is another one in every run.
        """
        if self.how.latency_ms:
            time.sleep(self.how.latency_ms / 1000)
        draw = self._lot(f"{verb}:{name}:{self.world.nth(f'{verb}:{name}')}")
        if draw >= 1 - self.how.transient_rate:
            message = "The destination is busy."
            raise ProviderError(message)
        return draw

    def _answer(self, thing: Thing, draw: float) -> Handle:
        if draw < self.how.timeout_after_rate:
            message = "No answer came in time."
            raise ProviderTimeout(message)
        if draw < self.how.timeout_after_rate + self.how.malformed_rate:
            return checked(Handle(ref=thing.ref, attributes={"noise": "x" * 1_000_000}))
        return checked(_handle(thing))

    def _lot(self, name: str) -> float:
        digest = hashlib.sha256(f"{self.how.seed}:{name}".encode()).digest()
        return int.from_bytes(digest[:7]) / 2**56


@contextmanager
def _fenced() -> Iterator[None]:
    """Turn the world's refusal into the provider's error."""
    try:
        yield
    except FenceTooLow as error:
        message = "A newer worker has taken over this step."
        raise StaleFence(message) from error


def _plain(spec: ResourceSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "kind": spec.kind,
        "host": spec.host,
        "amounts": dict(spec.amounts),
        "parameters": dict(spec.parameters),
        "tags": dict(spec.tags),
    }


def _handle(thing: Thing) -> Handle:
    octets = hashlib.sha256(thing.ref.encode()).digest()[:2]
    return Handle(
        ref=thing.ref,
        attributes={
            "address": f"10.{octets[0]}.{octets[1]}.{thing.number % 254 + 1}",
            "hostname": thing.spec["name"],
            "host": thing.spec["host"],
        },
    )
