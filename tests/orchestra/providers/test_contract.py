"""One suite, every provider: what the engine may rely on.

A new provider adds one line to CASES: how to build it, given a folder of its own.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from orchestra.providers import registry
from orchestra.providers.base import (
    CreateRequest,
    Handle,
    MalformedAnswer,
    NotOffered,
    OutcomeUnknown,
    Provider,
    ProviderError,
    ProviderTimeout,
    ResourceSpec,
    StaleFence,
    checked,
)

Build = Callable[[Path], Provider]
SPEC = ResourceSpec(name="web-1", kind="Small machine", amounts={"VCPU": 2, "MEMORY_MB": 4096})
START = datetime(2026, 5, 1, tzinfo=UTC)


def simulated(folder: Path, **options: Any) -> Provider:
    return registry.build(
        "simulated", {"state_dir": str(folder), **options}, settings.ORCHESTRA_PROVIDERS
    )


CASES: dict[str, Build] = {
    "simulated": simulated,
    "simulated, slow": lambda folder: simulated(folder, latency_ms=20),
    "simulated, not idempotent": lambda folder: simulated(folder, idempotent=False),
    "simulated, cannot stop": lambda folder: simulated(folder, can_stop=False),
    "simulated, cannot look up": lambda folder: simulated(folder, lookup=False),
}


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> Provider:
    return request.param(tmp_path)


def request_for(key: str, fence: int = 1, spec: ResourceSpec = SPEC) -> CreateRequest:
    return CreateRequest(key=key, fence=fence, spec=spec)


def test_create_makes_a_thing_that_is_there(provider: Provider) -> None:
    handle = provider.create(request_for("k1"))
    assert checked(handle) == handle
    seen = provider.describe(handle.ref)
    assert seen.present
    assert seen.amounts == SPEC.amounts
    assert seen.attributes["hostname"] == "web-1"
    other = provider.create(request_for("k2"))
    assert other.ref != handle.ref


def test_one_key_makes_one_thing(provider: Provider) -> None:
    if not provider.capabilities().idempotent_create:
        pytest.skip("promises nothing")
    assert provider.create(request_for("k1")).ref == provider.create(request_for("k1", 2)).ref


def test_lookup_finds_by_key(provider: Provider) -> None:
    if not provider.capabilities().lookup:
        with pytest.raises(ProviderError):
            provider.lookup("k1")
        return
    assert provider.lookup("k1") is None
    handle = provider.create(request_for("k1"))
    assert provider.lookup("k1") == handle
    provider.delete(key="k1", fence=2, ref=handle.ref)
    assert provider.lookup("k1") is None


def test_delete_of_what_is_not_there_is_fine(provider: Provider) -> None:
    provider.delete(key="never", fence=1, ref="")
    provider.delete(key="never", fence=1, ref="sim-999999")
    handle = provider.create(request_for("k1"))
    for _ in range(2):
        provider.delete(key="k1", fence=2, ref=handle.ref)
    assert not provider.describe(handle.ref).present


def test_delete_by_key_alone(provider: Provider) -> None:
    handle = provider.create(request_for("k1"))
    provider.delete(key="k1", fence=2, ref="")
    assert not provider.describe(handle.ref).present


def test_an_older_fence_is_refused(provider: Provider) -> None:
    handle = provider.create(request_for("k1", fence=5))
    with pytest.raises(StaleFence) as refusal:
        provider.create(request_for("k1", fence=4))
    assert refusal.value.permanent
    with pytest.raises(StaleFence):
        provider.delete(key="k1", fence=4, ref=handle.ref)
    assert provider.describe(handle.ref).present


def test_a_late_create_after_the_undo_is_refused(provider: Provider) -> None:
    provider.delete(key="k1", fence=7, ref="")
    with pytest.raises(StaleFence):
        provider.create(request_for("k1", fence=6))
    if provider.capabilities().lookup:
        assert provider.lookup("k1") is None


def test_resize(provider: Provider) -> None:
    handle = provider.create(request_for("k1"))
    larger = replace(SPEC, amounts={"VCPU": 8, "MEMORY_MB": 4096})
    provider.resize(key="k1", fence=2, ref=handle.ref, spec=larger)
    assert provider.describe(handle.ref).amounts["VCPU"] == 8
    with pytest.raises(ProviderError) as refusal:
        provider.resize(key="k2", fence=2, ref="sim-999999", spec=larger)
    assert refusal.value.permanent


def test_a_resize_is_done_once_and_found(provider: Provider) -> None:
    handle = provider.create(request_for("k1"))
    larger = replace(SPEC, amounts={"VCPU": 8, "MEMORY_MB": 4096})
    for fence in (1, 2):
        assert provider.resize(key="r1", fence=fence, ref=handle.ref, spec=larger) == handle
    assert provider.describe(handle.ref).amounts == larger.amounts
    if provider.capabilities().lookup:
        assert provider.lookup("k1") == handle


def test_a_late_resize_after_the_undo_is_refused(provider: Provider) -> None:
    handle = provider.create(request_for("k1"))
    larger = replace(SPEC, amounts={"VCPU": 8, "MEMORY_MB": 4096})
    provider.resize(key="r1", fence=3, ref=handle.ref, spec=SPEC)
    with pytest.raises(StaleFence):
        provider.resize(key="r1", fence=2, ref=handle.ref, spec=larger)
    assert provider.describe(handle.ref).amounts == SPEC.amounts


def test_stop_leaves_the_thing_there(provider: Provider) -> None:
    handle = provider.create(request_for("k1"))
    if not provider.capabilities().stop:
        with pytest.raises(NotOffered):
            provider.stop(key="s1", fence=1, ref=handle.ref)
        return
    for fence in (1, 2):
        provider.stop(key="s1", fence=fence, ref=handle.ref)
    seen = provider.describe(handle.ref)
    assert (seen.present, seen.attributes["state"]) == (True, "stopped")
    with pytest.raises(StaleFence):
        provider.stop(key="s1", fence=1, ref=handle.ref)
    provider.stop(key="s2", fence=1, ref="sim-999999")
    # what is stopped can be removed, and resized without being started by that
    provider.resize(key="r1", fence=1, ref=handle.ref, spec=SPEC)
    assert provider.describe(handle.ref).attributes["state"] == "stopped"
    provider.delete(key="k1", fence=2, ref=handle.ref)
    assert not provider.describe(handle.ref).present


def test_usage_is_exact(provider: Provider) -> None:
    handle = provider.create(request_for("k1"))
    used = provider.usage(ref=handle.ref, start=START, end=START + timedelta(minutes=90))
    assert {one.meter: one.quantity for one in used} == {
        "MEMORY_MB": Decimal("6144.0"),
        "VCPU": Decimal("3.0"),
    }
    assert provider.usage(ref=handle.ref, start=START, end=START) == ()
    assert provider.usage(ref="sim-999999", start=START, end=START + timedelta(1)) == ()


# --- faults, which only a simulation can be asked for ---------------------------------------------


def test_a_timeout_after_the_fact_is_an_unknown_outcome(tmp_path: Path) -> None:
    provider = simulated(tmp_path, timeout_after_rate=1.0)
    with pytest.raises(ProviderTimeout) as error:
        provider.create(request_for("k1"))
    assert isinstance(error.value, OutcomeUnknown)
    assert provider.lookup("k1") is not None


def test_a_huge_answer_is_an_unknown_outcome(tmp_path: Path) -> None:
    provider = simulated(tmp_path, malformed_rate=1.0)
    with pytest.raises(MalformedAnswer):
        provider.create(request_for("k1"))
    assert provider.lookup("k1") is not None


def test_transient_and_permanent_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ProviderError) as busy:
        simulated(tmp_path / "a", transient_rate=1.0).create(request_for("k1"))
    assert (busy.value.permanent, isinstance(busy.value, OutcomeUnknown)) == (False, False)
    for options in ({"permanent_rate": 1.0}, {"fail_at": ["web-1"]}):
        provider = simulated(tmp_path / "b", **options)
        with pytest.raises(ProviderError) as refused:
            provider.create(request_for("k1"))
        assert refused.value.permanent
        assert provider.lookup("k1") is None


def test_the_same_seed_gives_the_same_faults(tmp_path: Path) -> None:
    def story(folder: Path, seed: int) -> list[str]:
        provider = simulated(folder, seed=seed, transient_rate=0.4, timeout_after_rate=0.3)
        told = []
        for number in range(30):
            try:
                told.append(provider.create(request_for(f"k{number}")).ref)
            except ProviderError as error:
                told.append(type(error).__name__)
        return told

    first = story(tmp_path / "a", 7)
    assert first == story(tmp_path / "b", 7)
    assert first != story(tmp_path / "c", 8)
    assert len(set(first)) > 10


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"ref": "x"},
        Handle(ref=""),
        Handle(ref="x" * 201),
        Handle(ref="x", attributes={"a": object()}),
        Handle(ref="x", attributes={"a": float("nan")}),
        Handle(ref="x", attributes={"a": "y" * 70_000}),
        Handle(ref="x", attributes={"a": "\0"}),
    ],
)
def test_answers_that_make_no_sense_are_typed(answer: object) -> None:
    with pytest.raises(MalformedAnswer):
        checked(answer)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({}, "state_dir"),
        ({"state_dir": "x", "colour": 1}, "colour"),
        ({"state_dir": "x", "transient_rate": 2}, "transient_rate"),
        ({"state_dir": "x", "latency_ms": -1}, "latency_ms"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        registry.build("simulated", options, settings.ORCHESTRA_PROVIDERS)


def test_an_unknown_kind_says_what_is_known() -> None:
    with pytest.raises(registry.UnknownProvider, match="simulated"):
        registry.build("cloudy", {}, settings.ORCHESTRA_PROVIDERS)
    with pytest.raises(registry.UnknownProvider, match="not a provider"):
        registry.build("x", {}, {"x": "decimal.Decimal"})
