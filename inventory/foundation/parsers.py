"""JSON as it comes from programs: what is no JSON, or no number, is refused at the door."""

import json
from math import isfinite
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser


class StrictJson(BaseParser):
    """Reads application/json. NaN, infinities, endless nesting and broken text are answered 400."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,  # noqa: ARG002 - the signature is the framework's
        parser_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        """Return the parsed body."""
        try:
            return json.loads(stream.read().decode(), parse_constant=no_number, parse_float=finite)
        except (ValueError, RecursionError) as error:
            message = f"The body is not JSON that can be read: {error}."
            raise ParseError(message) from error


def no_number(text: str) -> None:
    """Refuse NaN and Infinity, which JSON does not have."""
    message = f"{text} is not a number"
    raise ValueError(message)


def finite(text: str) -> float:
    """Return a number with a point or an exponent; refuse one beyond all bounds (1e999)."""
    number = float(text)
    if not isfinite(number):
        message = f"{text[:40]} is too large"
        raise ValueError(message)
    return number
