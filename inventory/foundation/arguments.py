"""What the commands read from their command line."""

from argparse import ArgumentTypeError


def whole_number(text: str) -> int:
    """Read a number of at least 1; an ArgumentTypeError says what stands there instead."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        message = f"{text!r} is not a whole number of at least 1"
        raise ArgumentTypeError(message)
    return int(text)
