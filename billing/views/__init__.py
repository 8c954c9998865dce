"""The pages of money, by noun."""

from billing.views.charges import ChargeDetail, Charges, Usage
from billing.views.costs import BudgetFile, Costs, CostsFile, ResourceCostFile
from billing.views.periods import ClosePeriod, Export, MonthDetail, Periods
from billing.views.prices import Prices
from billing.views.statements import (
    RunningStatementPage,
    StatementDetail,
    StatementFile,
    Statements,
)

__all__ = [
    "BudgetFile",
    "ChargeDetail",
    "Charges",
    "ClosePeriod",
    "Costs",
    "CostsFile",
    "Export",
    "MonthDetail",
    "Periods",
    "Prices",
    "ResourceCostFile",
    "RunningStatementPage",
    "StatementDetail",
    "StatementFile",
    "Statements",
    "Usage",
]
