"""What a graduated price comes to, on the request's form and on its plan."""

import re
from decimal import Decimal

from django.template.loader import render_to_string

from billing.selectors.quotes import QuotedTier

TIERS = (
    QuotedTier(Decimal(0), Decimal(100), Decimal("0.08"), Decimal(100), Decimal(0)),
    QuotedTier(Decimal(100), None, Decimal("0.06"), Decimal("20.5"), Decimal(0)),
)


def said(tiers: object) -> str:
    line = {"line": {"tiers": tiers}, "currency": "EUR"}
    page = re.sub(r"<[^>]+>", " ", render_to_string("orchestra/orders/tiers.html", line))
    return " ".join(page.split())


def test_each_tier_and_where_they_are_counted_from() -> None:
    as_json = [
        {"quantity": "100", "unit_price": "0.08"},
        {"quantity": "20.5", "unit_price": "0.06"},
    ]
    for tiers in (TIERS, as_json):
        text = said(tiers)
        assert "100 × 0.08" in text
        assert "20.5 × 0.06" in text
        assert "Counted from the first tier" in text
    assert said(()) == ""
