"""Reads of the house of money, by noun; import them from here."""

from billing.selectors.accounts import account_of, visible_accounts
from billing.selectors.budgets import BudgetState, budget_state, lock_budgets
from billing.selectors.charges import CostRow, costs_by, visible_charges, visible_invoices
from billing.selectors.defaults import default_mode
from billing.selectors.explanations import Derivation, Explanation, explain, explain_all
from billing.selectors.prices import NoAccount, NoPrice
from billing.selectors.quotes import Quote, QuotedLine, QuoteLine, quote
from billing.selectors.reconciliation import (
    NumberGap,
    Reconciliation,
    number_gaps,
    reconcile,
)

__all__ = [
    "BudgetState",
    "CostRow",
    "Derivation",
    "Explanation",
    "NoAccount",
    "NoPrice",
    "NumberGap",
    "Quote",
    "QuoteLine",
    "QuotedLine",
    "Reconciliation",
    "account_of",
    "budget_state",
    "costs_by",
    "default_mode",
    "explain",
    "explain_all",
    "lock_budgets",
    "number_gaps",
    "quote",
    "reconcile",
    "visible_accounts",
    "visible_charges",
    "visible_invoices",
]
