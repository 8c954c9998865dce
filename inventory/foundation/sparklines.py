"""A small line of numbers for a row of a list: drawn by the server, told in words beside it."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT, MARGIN = 96, 24, 2  # units of the drawing
TENTH = Decimal("0.1")

Numbers = Sequence[Decimal | int | None]


def sparkline(*, numbers: Numbers, words: str, top: Decimal | int | None = None) -> SafeString:
    """Return the line as markup; `words` tell its course to who does not see it.

    It stands on zero (or on the lowest number, where that is below) and reaches up to `top`, the
    highest number unless said. None is a gap. Empty where fewer than two numbers are known.
    """
    known = [Decimal(number) for number in numbers if number is not None]
    if len(known) < 2:
        return SafeString("")
    low = min(*known, Decimal(0))
    high = max(*known, Decimal(top or 0))
    lines = format_html_join(
        "",
        '<polyline class="spark-line" points="{}" />',
        ((one,) for one in _lines(numbers, low, high)),
    )
    last = max(index for index, number in enumerate(numbers) if number is not None)
    return format_html(
        '<svg class="spark" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">'
        '{}<circle class="spark-end" cx="{}" cy="{}" r="2" /></svg>',
        words,
        WIDTH,
        HEIGHT,
        WIDTH,
        HEIGHT,
        lines,
        _across(last, len(numbers)),
        _up(Decimal(numbers[last] or 0), low, high),
    )


def _lines(numbers: Numbers, low: Decimal, high: Decimal) -> Iterator[str]:
    """Yield the points of each stretch without a gap; one number alone is a short dash."""
    places = list(enumerate(numbers))
    for is_gap, stretch in groupby(places, key=lambda place: place[1] is None):
        if is_gap:
            continue
        points = [
            f"{_across(index, len(numbers))},{_up(Decimal(number or 0), low, high)}"
            for index, number in stretch
        ]
        yield " ".join(points * 2 if len(points) == 1 else points)


def _across(index: int, count: int) -> Decimal:
    return (MARGIN + Decimal((WIDTH - 2 * MARGIN) * index) / (count - 1)).quantize(TENTH)


def _up(number: Decimal, low: Decimal, high: Decimal) -> Decimal:
    """Return how far from the top of the drawing a number lies; all equal to zero lie below."""
    share = (number - low) / (high - low) if high > low else Decimal(0)
    return (HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN)).quantize(TENTH)
