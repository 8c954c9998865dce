"""The small lines of lists: their points are the numbers, gaps stay gaps, words tell them."""

import re
from decimal import Decimal

from inventory.foundation.sparklines import sparkline


def points(markup: str) -> list[list[tuple[Decimal, Decimal]]]:
    return [
        [(Decimal(x), Decimal(y)) for x, y in (pair.split(",") for pair in line.split())]
        for line in re.findall(r'points="([^"]+)"', markup)
    ]


def test_points_stand_on_zero_and_reach_up_to_the_highest() -> None:
    (line,) = points(sparkline(numbers=[0, 10, Decimal(5)], words="x"))
    assert line == [(2, 22), (48, 2), (94, 12)]


def test_a_top_of_its_own_and_numbers_below_zero() -> None:
    (line,) = points(sparkline(numbers=[0, 50], words="x", top=100))
    assert [y for _x, y in line] == [22, 12]
    (line,) = points(sparkline(numbers=[-10, 10], words="x"))
    assert [y for _x, y in line] == [22, 2]
    (line,) = points(sparkline(numbers=[0, 0], words="x"))
    assert [y for _x, y in line] == [22, 22]


def test_a_gap_cuts_the_line() -> None:
    lines = points(sparkline(numbers=[1, 1, None, 1, None], words="x"))
    assert [len(line) for line in lines] == [2, 2]
    assert lines[1][0] == lines[1][1]  # one number alone: a dot


def test_too_few_numbers_draw_nothing() -> None:
    assert sparkline(numbers=[], words="x") == ""
    assert sparkline(numbers=[None, 3, None], words="x") == ""


def test_it_is_told_in_words_and_obeys_the_policy() -> None:
    markup = sparkline(numbers=[1, 2], words='2 of "5" <held>')
    assert 'role="img" aria-label="2 of &quot;5&quot; &lt;held&gt;"' in markup
    assert "style" not in markup
