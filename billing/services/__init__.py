"""Writes of the house of money, by noun; import them from here."""

from billing.services.accounts import (
    AlreadyCharged,
    assign_account,
    save_account,
    save_budget,
    save_entity,
)
from billing.services.defaults import set_account_defaults
from billing.services.periods import (
    CannotClose,
    CloseResult,
    NothingToClose,
    PeriodOpen,
    close_period,
    issue_invoice,
)
from billing.services.prices import (
    BookInForce,
    PriceRefused,
    TwoPeople,
    change_price,
    publish_price_book,
    remove_price,
    save_meter,
    save_price,
    save_price_book,
    save_sku,
    set_sku_traits,
)
from billing.services.rating import (
    PeriodClosed,
    RatingReport,
    open_period,
    rate_open_periods,
    rate_period,
)
from billing.services.usage import EventVerdict, TooManyEvents, Verdict, record_usage

__all__ = [
    "AlreadyCharged",
    "BookInForce",
    "CannotClose",
    "CloseResult",
    "EventVerdict",
    "NothingToClose",
    "PeriodClosed",
    "PeriodOpen",
    "PriceRefused",
    "RatingReport",
    "TooManyEvents",
    "TwoPeople",
    "Verdict",
    "assign_account",
    "change_price",
    "close_period",
    "issue_invoice",
    "open_period",
    "publish_price_book",
    "rate_open_periods",
    "rate_period",
    "record_usage",
    "remove_price",
    "save_account",
    "save_budget",
    "save_entity",
    "save_meter",
    "save_price",
    "save_price_book",
    "save_sku",
    "set_account_defaults",
    "set_sku_traits",
]
