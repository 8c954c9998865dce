"""Document to plan: from an offering and the requester's choices to amounts, steps and a hash.

Everything here is a pure function of its arguments: no clock, no database, no chance. The same
offering and the same choices give the same bytes.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import rfc8785
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from orchestra.models import OfferingVersion, Order

COMPONENT = "app"  # an offering has one component; blueprints will name theirs
LARGEST_AMOUNT = 2**31 - 1
LARGEST_EXACT = 2**53 - 1  # beyond it a JSON number is not exact in every reader
LONGEST_TEXT = 2_000
MOST_PARAMETERS = 50
PARAMETER_TYPES = ("string", "integer", "number", "boolean")
# A reference may reach over the network or run in circles; one level of plain fields needs none.
REFUSED_KEYWORDS = ("$ref", "$dynamicRef", "$recursiveRef", "$id", "$schema")

Faults = dict[str, str]


def pointer(*parts: object) -> str:
    """Return a JSON Pointer (RFC 6901) to a part of a document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def schema_faults(schema: object, *, class_names: frozenset[str]) -> Faults:
    """Say what is wrong with an offering's `parameters`: JSON Pointer -> message, empty if nothing.

    An empty schema means no choices. Otherwise it is a JSON Schema (2020-12) of an object whose
    properties are plain fields (text, whole number, number, yes or no). A property with
    "x-resource-class" is a whole number with bounds that adds itself times "x-factor" to a class.
    """
    if schema == {}:
        return {}
    if not isinstance(schema, dict):
        return {"": "Must be a JSON object."}
    if faults := _refused_keywords(schema, ()):
        return faults
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return {pointer(*error.absolute_path): _text(error.message)}
    if schema.get("type") != "object":
        return {"/type": 'Must be "object".'}
    properties = schema.get("properties", {})
    if len(properties) > MOST_PARAMETERS:
        return {"/properties": f"At most {MOST_PARAMETERS} choices."}
    faults = {}
    for name in schema.get("required", []):
        if name not in properties:
            faults[pointer("required")] = f"{name} is required but is no property."
    for name, field in properties.items():
        faults |= _property_faults(name, field, class_names)
    return faults


def _refused_keywords(node: object, path: tuple[object, ...]) -> Faults:
    if len(path) > 12:
        return {pointer(*path): "Nested too deeply."}
    faults: Faults = {}
    if isinstance(node, dict):
        for key, value in node.items():
            if key in REFUSED_KEYWORDS:
                faults[pointer(*path, key)] = f"{key} is not allowed: write the field out."
            faults |= _refused_keywords(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            faults |= _refused_keywords(value, (*path, index))
    return faults


def _property_faults(name: str, field: object, class_names: frozenset[str]) -> Faults:
    here = ("properties", name)
    if not isinstance(field, dict) or field.get("type") not in PARAMETER_TYPES:
        return {pointer(*here, "type"): f"Must be one of {', '.join(PARAMETER_TYPES)}."}
    faults: Faults = {}
    if "default" in field:
        for error in Draft202012Validator(field).iter_errors(field["default"]):
            faults[pointer(*here, "default")] = explain(error)
    resource_class = field.get("x-resource-class")
    if resource_class is None:
        if "x-factor" in field:
            faults[pointer(*here, "x-factor")] = "Needs x-resource-class beside it."
        return faults
    if resource_class not in class_names:
        faults[pointer(*here, "x-resource-class")] = "There is no such kind of capacity."
    factor = field.get("x-factor", 1)
    if not _whole(factor) or factor < 1:
        faults[pointer(*here, "x-factor")] = "Must be a whole number of at least 1."
        return faults
    if field["type"] != "integer":
        faults[pointer(*here, "type")] = "Must be integer: capacity is counted."
    if not _whole(field.get("minimum")) or field["minimum"] < 0:
        faults[pointer(*here, "minimum")] = "Must be a whole number of at least 0."
    top = field.get("maximum")
    if not _whole(top) or top * factor > LARGEST_AMOUNT:
        faults[pointer(*here, "maximum")] = f"Must be given; times x-factor up to {LARGEST_AMOUNT}."
    return faults


def resources_faults(resources: object, *, class_names: frozenset[str]) -> Faults:
    """Say what is wrong with the capacity of one instance: JSON Pointer -> message."""
    if not isinstance(resources, dict):
        return {"": "Must be a JSON object of kinds and amounts."}
    faults: Faults = {}
    for name, amount in resources.items():
        if name not in class_names:
            faults[pointer(name)] = "There is no such kind of capacity."
        elif not _whole(amount) or not 0 <= amount <= LARGEST_AMOUNT:
            faults[pointer(name)] = f"Must be a whole number from 0 to {LARGEST_AMOUNT}."
    return faults


def read_parameters(
    schema: Mapping[str, Any], given: object
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the choices with defaults filled in, and what is wrong: property name -> message.

    What is wrong with the whole stands under "". Unknown names are always refused, and so are
    values that JSON cannot hold (not a number, infinite, over-long, NUL).
    """
    if not isinstance(given, Mapping):
        return {}, {"": "Choices must be a JSON object."}
    properties: Mapping[str, Any] = schema.get("properties", {})
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, value in given.items():
        if name not in properties:
            faults[str(name)[:60]] = "This service has no such choice."
        elif fault := _unfit(value):
            faults[name] = fault
        else:
            is_whole = isinstance(value, float) and value.is_integer()
            counted = properties[name]["type"] == "integer" and is_whole
            values[name] = int(value) if counted else value
    for name, field in properties.items():
        if name not in given and "default" in field:
            values[name] = field["default"]
    if faults:
        return values, faults
    for error in Draft202012Validator(dict(schema)).iter_errors(values):
        if error.validator == "required":
            for name in schema.get("required", []):
                if name not in values:
                    faults[name] = "Please choose a value."
        else:
            faults.setdefault(str(error.path[0]) if error.path else "", explain(error))
    return values, faults


def _unfit(value: object) -> str:
    if isinstance(value, bool):
        return ""
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            return f"At most {LONGEST_TEXT} characters."
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value):
            return "Holds characters that cannot be stored."
        return ""
    if isinstance(value, int):
        return "" if abs(value) <= LARGEST_EXACT else "This number is too large."
    if isinstance(value, float):
        if not math.isfinite(value):
            return "This is not a number."
        return "" if abs(value) <= LARGEST_EXACT else "This number is too large."
    return "Must be text, a number, or yes or no."


def explain(error: ValidationError) -> str:
    """Return a schema's refusal in words for people."""
    limit = error.validator_value
    match error.validator:
        case "type":
            words = {"integer": "a whole number", "number": "a number", "boolean": "yes or no"}
            return f"Must be {words.get(str(limit), 'text')}."
        case "enum":
            return f"Choose one of {', '.join(str(choice) for choice in limit)}."
        case "minimum":
            return f"Must be at least {limit}."
        case "maximum":
            return f"Must be at most {limit}."
        case "exclusiveMinimum":
            return f"Must be more than {limit}."
        case "exclusiveMaximum":
            return f"Must be less than {limit}."
        case "multipleOf":
            return f"Must be a multiple of {limit}."
        case "minLength":
            return f"At least {limit} characters."
        case "maxLength":
            return f"At most {limit} characters."
        case "pattern":
            return f"Must match {limit}."
        case _:
            return _text(error.message)


def _text(message: str) -> str:
    return message if len(message) <= 300 else message[:297] + "..."


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def amounts_of(version: OfferingVersion, parameters: Mapping[str, Any]) -> dict[str, int]:
    """Return what one instance holds: class name -> amount, without zeros, sorted by name.

    Each property with "x-resource-class" adds its value times "x-factor" (1) to the base amounts.
    `parameters` are as `read_parameters` returned them.
    """
    amounts = dict(version.resources)
    for name, field in version.parameters.get("properties", {}).items():
        resource_class = field.get("x-resource-class")
        if resource_class and name in parameters:
            more = parameters[name] * field.get("x-factor", 1)
            amounts[resource_class] = amounts.get(resource_class, 0) + more
    return {name: amounts[name] for name in sorted(amounts) if amounts[name]}


def instance_names(name: str, instances: int) -> list[str]:
    """Return the names of the copies: web-1, web-2, …"""
    return [f"{name}-{number}" for number in range(1, instances + 1)]


def preview_names(name: str, instances: int) -> str:
    """Return the copies' names in short: "web-1 … web-3"."""
    first = f"{name}-1"
    return first if instances == 1 else f"{first} … {name}-{instances}"


def _step(key: str, action: str, needs: Sequence[str], index: int, label: str) -> dict[str, Any]:
    return {
        "key": key,
        "action": action,
        "needs": list(needs),
        "component": COMPONENT,
        "index": index,
        "label": label,
    }


def create_steps(name: str, instances: int) -> list[dict[str, Any]]:
    """Return the graph of a new application: reserve, then create and activate each copy."""
    steps = [_step("reserve", "capacity.reserve", (), 0, f"Reserve capacity for {instances}")]
    for index, copy in enumerate(instance_names(name, instances)):
        create = f"create[{index}]"
        steps.append(_step(create, "resource.create", ("reserve",), index, f"Create {copy}"))
        steps.append(
            _step(f"activate[{index}]", "resource.activate", (create,), index, f"Hand {copy} over")
        )
    return steps


def retire_steps(
    copies: Sequence[tuple[int, str]], *, stops_first: bool = True
) -> list[dict[str, Any]]:
    """Return the graph that gives an application back; `copies` are (index, name) of what lives.

    Nothing is deleted without a stop first, unless the organisation's defaults say otherwise.
    """
    steps = []
    for index, copy in copies:
        stop, delete = f"stop[{index}]", f"delete[{index}]"
        if stops_first:
            steps.append(_step(stop, "resource.stop", (), index, f"Stop {copy}"))
        needs = (stop,) if stops_first else ()
        steps.append(_step(delete, "resource.delete", needs, index, f"Remove {copy}"))
        steps.append(
            _step(
                f"release[{index}]",
                "capacity.release",
                (delete,),
                index,
                f"Give the capacity of {copy} back",
            )
        )
    return steps


def resize_steps(copies: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    """Return the graph that resizes an application copy by copy: the next waits for the last."""
    steps = [_step("grow", "capacity.grow", (), 0, "Hold what more is needed")]
    last = "grow"
    for index, copy in copies:
        key = f"resize[{index}]"
        steps.append(_step(key, "resource.resize", (last,), index, f"Resize {copy}"))
        last = key
    steps.append(_step("settle", "capacity.settle", (last,), 0, "Give back what is free now"))
    return steps


def extend_steps() -> list[dict[str, Any]]:
    """Return the graph that moves the end of an application later."""
    return [
        _step("hold", "capacity.hold", (), 0, "Hold the capacity for longer"),
        _step("move", "lease.move", ("hold",), 0, "Move the end"),
    ]


def end_steps() -> list[dict[str, Any]]:
    """Return the graph that moves the end of an application earlier."""
    return [_step("move", "lease.move", (), 0, "Move the end, and free what comes after it")]


def plan_document(
    *,
    order: Order,
    amounts: Mapping[str, int],
    prices: Sequence[int],
    max_monthly_cost: Decimal,
    currency: str,
    policy: Sequence[Mapping[str, Any]],
    steps: Sequence[Mapping[str, Any]],
    change: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a plan's hash covers: no clock, amounts of money as text.

    `prices` are the numbers of the price rows, `policy` what each rule said. The hosts chosen are
    not in it: they are decided again when capacity is reserved, inside what stands here. `change`
    says what a change of a running application starts from.
    """
    version = order.offering_version
    document: dict[str, Any] = {
        "kind": str(order.kind),
        "project": f"{order.project.organisation.slug}/{order.project.slug}",
        "pool": order.pool.slug,
        "offering": {"slug": version.offering.slug, "version": version.number},
        "deployment": order.name,
        "environment": str(order.environment),
        "parameters": dict(order.parameters),
        "instances": order.instances,
        "start_at": instant(order.start_at),
        "end_at": instant(order.end_at),
        "placement": {
            "amounts": dict(amounts),
            "required_traits": sorted(version.required_traits),
        },
        "prices": sorted(set(prices)),
        "max_monthly_cost": f"{max_monthly_cost.normalize():f}",
        "currency": currency,
        "policy": [dict(said) for said in policy],
        "steps": [dict(step) for step in steps],
    }
    return document if change is None else document | {"change": dict(change)}


def instant(moment: datetime | None) -> str | None:
    """Return an instant as a plan writes it: UTC, ISO 8601, with Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return the one byte form of a document (RFC 8785)."""
    return rfc8785.dumps(dict(document))


def digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a document's canonical form, in hexadecimal."""
    return sha256(canonical(document)).hexdigest()
