"""Document to plan: the same input gives the same bytes, and bad input says where it is bad."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.foundation.models import Organisation, Project
from inventory.models import Pool
from orchestra import blueprints
from orchestra.lifecycle import topological
from orchestra.models import Offering, OfferingVersion, Order
from tests.orchestra.world import PARAMETERS

CLASSES = frozenset({"VCPU", "MEMORY_MB", "DISK_GB"})


def version_of(**fields: object) -> OfferingVersion:
    values = {
        "offering": Offering(slug="linux-m", name="Linux M"),
        "number": 3,
        "resources": {"VCPU": 4, "MEMORY_MB": 16384},
        "parameters": PARAMETERS,
        "required_traits": ["SSD", "AVX2"],
    } | fields
    return OfferingVersion(**values)


def order_of(**fields: object) -> Order:
    organisation = Organisation(name="Acme", slug="acme")
    values = {
        "project": Project(organisation=organisation, slug="shop"),
        "pool": Pool(organisation=organisation, slug="frankfurt"),
        "offering_version": version_of(),
        "name": "web",
        "environment": "test",
        "instances": 2,
        "parameters": {"disk": 100, "image": "debian-13"},
        "start_at": None,
        "end_at": datetime(2026, 6, 1, 7, 0, tzinfo=UTC),
    } | fields
    return Order(**values)


def document_of(order: Order, **changes: object) -> dict[str, object]:
    values = {
        "order": order,
        "amounts": blueprints.amounts_of(order.offering_version, order.parameters),
        "prices": [7, 3, 7],
        "max_monthly_cost": Decimal("91.2200000000"),
        "currency": "EUR",
        "policy": [],
        "steps": blueprints.create_steps(order.name, order.instances),
    } | changes
    return blueprints.plan_document(**values)


def test_the_same_input_gives_the_same_bytes() -> None:
    summer = timezone(timedelta(hours=2))
    same = order_of(
        parameters={"image": "debian-13", "disk": 100},
        end_at=datetime(2026, 6, 1, 9, 0, tzinfo=summer),
        offering_version=version_of(required_traits=["AVX2", "SSD"]),
    )
    first = blueprints.canonical(document_of(order_of()))
    second = blueprints.canonical(document_of(same, prices=[3, 7]))
    assert first == second
    # what the database gives back (JSON, its own order of keys) is the same document
    shuffled = json.loads(json.dumps(document_of(order_of()), sort_keys=False))
    assert blueprints.canonical(dict(reversed(shuffled.items()))) == first
    assert blueprints.digest(shuffled) == blueprints.digest(document_of(order_of()))


def test_the_bytes_are_those_of_a_known_plan() -> None:
    document = document_of(order_of(instances=1))
    assert document["max_monthly_cost"] == "91.22"
    assert document["start_at"] is None
    assert document["end_at"] == "2026-06-01T07:00:00Z"
    assert document["prices"] == [3, 7]
    assert document["placement"] == {
        "amounts": {"DISK_GB": 100, "MEMORY_MB": 16384, "VCPU": 4},
        "required_traits": ["AVX2", "SSD"],
    }
    assert (
        blueprints.digest(document)
        == "3b32b323ef1e58f7c4d54137cc3a801223dd7ebffe15f3e67da814fe300a9221"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"instances": 3},
        {"name": "api"},
        {"environment": "production"},
        {"parameters": {"disk": 101, "image": "debian-13"}},
        {"end_at": None},
        {"start_at": datetime(2026, 5, 1, tzinfo=UTC)},
        {"pool": Pool(slug="berlin")},
        {"offering_version": version_of(number=4)},
    ],
)
def test_every_change_changes_the_hash(changes: dict[str, object]) -> None:
    before = blueprints.digest(document_of(order_of()))
    assert blueprints.digest(document_of(order_of(**changes))) != before


def test_the_graph_is_one_copy_per_instance() -> None:
    steps = blueprints.create_steps("web", 2)
    assert [(step["key"], step["action"], step["needs"]) for step in steps] == [
        ("reserve", "capacity.reserve", []),
        ("create[0]", "resource.create", ["reserve"]),
        ("activate[0]", "resource.activate", ["create[0]"]),
        ("create[1]", "resource.create", ["reserve"]),
        ("activate[1]", "resource.activate", ["create[1]"]),
    ]
    assert topological({step["key"]: step["needs"] for step in steps})
    back = blueprints.retire_steps([(0, "web-1"), (2, "web-3")])
    assert [(step["key"], step["needs"], step["index"]) for step in back] == [
        ("stop[0]", [], 0),
        ("delete[0]", ["stop[0]"], 0),
        ("release[0]", ["delete[0]"], 0),
        ("stop[2]", [], 2),
        ("delete[2]", ["stop[2]"], 2),
        ("release[2]", ["delete[2]"], 2),
    ]


@given(
    base=st.dictionaries(st.sampled_from(sorted(CLASSES)), st.integers(0, 10**6)),
    chosen=st.dictionaries(st.sampled_from("abcd"), st.integers(0, 10**6)),
    factors=st.fixed_dictionaries({name: st.integers(1, 1024) for name in "abcd"}),
    classes=st.fixed_dictionaries({name: st.sampled_from(sorted(CLASSES)) for name in "abcd"}),
)
def test_amounts_are_base_plus_choices_times_factor(
    base: dict[str, int],
    chosen: dict[str, int],
    factors: dict[str, int],
    classes: dict[str, str],
) -> None:
    properties = {
        name: {"type": "integer", "x-resource-class": classes[name], "x-factor": factors[name]}
        for name in "abcd"
    }
    version = version_of(resources=base, parameters={"type": "object", "properties": properties})
    amounts = blueprints.amounts_of(version, chosen)
    for name in CLASSES:
        expected = base.get(name, 0) + sum(
            value * factors[key] for key, value in chosen.items() if classes[key] == name
        )
        assert amounts.get(name, 0) == expected
    assert all(amount > 0 for amount in amounts.values())
    assert list(amounts) == sorted(amounts)
    assert version.resources == base


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ([], ""),
        ({"type": "array"}, "/type"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}}, "/properties/a/$ref"),
        ({"type": "object", "properties": {"a": {"type": "object"}}}, "/properties/a/type"),
        ({"type": "object", "properties": {"a": {"type": "no"}}}, "/properties/a/type"),
        ({"type": "object", "properties": {"a": {"type": "string", "minLength": -1}}}, "*"),
        ({"type": "object", "required": ["b"], "properties": {}}, "/required"),
        (
            {"type": "object", "properties": {"a/b": {"type": "integer", "x-factor": 2}}},
            "/properties/a~1b/x-factor",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}},
            "/properties/a/default",
        ),
        (
            {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "minimum": 0, "x-resource-class": "VCPU"},
                },
            },
            "/properties/a/maximum",
        ),
        (
            {
                "type": "object",
                "properties": {
                    "a": {
                        "type": "integer",
                        "minimum": 0,
                        "maximum": 2**20,
                        "x-factor": 2**20,
                        "x-resource-class": "VCPU",
                    },
                },
            },
            "/properties/a/maximum",
        ),
        (
            {
                "type": "object",
                "properties": {
                    "a": {
                        "type": "integer",
                        "minimum": 0,
                        "maximum": 1,
                        "x-resource-class": "UNICORN",
                    },
                },
            },
            "/properties/a/x-resource-class",
        ),
    ],
)
def test_a_bad_schema_is_refused_with_its_place(schema: object, path: str) -> None:
    faults = blueprints.schema_faults(schema, class_names=CLASSES)
    assert faults
    assert path in faults or path == "*"


def test_good_schemas_pass() -> None:
    assert blueprints.schema_faults({}, class_names=CLASSES) == {}
    assert blueprints.schema_faults(PARAMETERS, class_names=CLASSES) == {}


def test_deep_nesting_is_refused() -> None:
    schema: dict[str, object] = {"type": "object"}
    for _ in range(2000):
        schema = {"type": "object", "not": schema}
    assert "Nested too deeply." in blueprints.schema_faults(schema, class_names=CLASSES).values()


@pytest.mark.parametrize(
    ("given_", "name", "words"),
    [
        ({"disk": float("nan")}, "disk", "not a number"),
        ({"disk": float("inf")}, "disk", "not a number"),
        ({"disk": -1}, "disk", "at least 10"),
        ({"disk": 501}, "disk", "at most 500"),
        ({"disk": 10**30}, "disk", "too large"),
        ({"disk": "50"}, "disk", "a whole number"),
        ({"disk": True}, "disk", "a whole number"),
        ({"disk": None}, "disk", "text, a number"),
        ({"disk": [50]}, "disk", "text, a number"),
        ({"disk": 50.5}, "disk", "a whole number"),
        ({"disk": 50, "image": "plan9"}, "image", "Choose one of debian-13, debian-12"),
        ({"disk": 50, "note": "x" * 21}, "note", "At most 20"),
        ({"disk": 50, "note": "x" * 5000}, "note", "At most 2000"),
        ({"disk": 50, "note": "a\0b"}, "note", "cannot be stored"),
        ({"disk": 50, "note": "\ud800"}, "note", "cannot be stored"),
        ({"disk": 50, "colour": "red"}, "colour", "no such choice"),
        ([], "", "JSON object"),
        ("disk", "", "JSON object"),
    ],
)
def test_bad_choices_are_named(given_: object, name: str, words: str) -> None:
    _, faults = blueprints.read_parameters(PARAMETERS, given_)
    assert words in faults[name]


def test_defaults_are_filled_in_and_whole_numbers_kept_whole() -> None:
    values, faults = blueprints.read_parameters(PARAMETERS, {"disk": 50.0})
    assert faults == {}
    assert values == {"disk": 50, "image": "debian-13"}
    assert isinstance(values["disk"], int)
    assert blueprints.read_parameters({}, {}) == ({}, {})
    assert blueprints.read_parameters({}, {"x": 1})[1] == {"x": "This service has no such choice."}


def test_a_missing_choice_is_named() -> None:
    schema = {"type": "object", "required": ["size"], "properties": {"size": {"type": "string"}}}
    assert blueprints.read_parameters(schema, {})[1] == {"size": "Please choose a value."}


def test_copies_are_numbered() -> None:
    assert blueprints.instance_names("web", 3) == ["web-1", "web-2", "web-3"]
    assert blueprints.preview_names("web", 3) == "web-1 … web-3"
    assert blueprints.preview_names("web", 1) == "web-1"
