"""Reads of the house of money, by noun; import them from here."""

from billing.selectors.accounts import account_of, visible_accounts
from billing.selectors.budgets import BudgetState, budget_state
from billing.selectors.prices import NoAccount, NoPrice
from billing.selectors.quotes import Quote, QuotedLine, QuoteLine, quote

__all__ = [
    "BudgetState",
    "NoAccount",
    "NoPrice",
    "Quote",
    "QuoteLine",
    "QuotedLine",
    "account_of",
    "budget_state",
    "quote",
    "visible_accounts",
]
