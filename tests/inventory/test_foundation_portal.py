"""Amounts on screen are rounded, never cut off."""

from decimal import Decimal

import pytest

from inventory.foundation.templatetags.portal import money


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("158.256", "158.26"),
        ("1234567.005", "1,234,567.01"),
        ("-2.675", "−2.68"),
        ("-0.004", "0.00"),
        ("0", "0.00"),
    ],
)
def test_money_is_rounded_half_up(amount: str, shown: str) -> None:
    assert f">{shown} <" in money(Decimal(amount), "EUR")
