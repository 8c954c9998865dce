"""Writes of the house of money, by noun; import them from here."""

from billing.services.periods import (
    CannotClose,
    CloseResult,
    NothingToClose,
    PeriodOpen,
    close_period,
    issue_invoice,
)
from billing.services.rating import (
    PeriodClosed,
    RatingReport,
    open_period,
    rate_open_periods,
    rate_period,
)

__all__ = [
    "CannotClose",
    "CloseResult",
    "NothingToClose",
    "PeriodClosed",
    "PeriodOpen",
    "RatingReport",
    "close_period",
    "issue_invoice",
    "open_period",
    "rate_open_periods",
    "rate_period",
]
