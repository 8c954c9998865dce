"""What it costs and what is owed, one file a noun.

Money and quantities are exact: NUMERIC(28,12) for quantities and unit prices, NUMERIC(28,10) for
costs. Charges stay unrounded; only a document's printed lines are rounded.
"""

from billing.models.accounts import (
    AccountDefaults,
    BillingAccount,
    Budget,
    IssuingEntity,
    ProjectBilling,
)
from billing.models.ledger import (
    BillingExport,
    BillingPeriod,
    Charge,
    Correction,
    Invoice,
    InvoiceLine,
    InvoiceSeries,
)
from billing.models.prices import Meter, PriceBook, PriceChange, Sku, SkuPrice
from billing.models.usage import UsageKey, UsageRecord

__all__ = [
    "AccountDefaults",
    "BillingAccount",
    "BillingExport",
    "BillingPeriod",
    "Budget",
    "Charge",
    "Correction",
    "Invoice",
    "InvoiceLine",
    "InvoiceSeries",
    "IssuingEntity",
    "Meter",
    "PriceBook",
    "PriceChange",
    "ProjectBilling",
    "Sku",
    "SkuPrice",
    "UsageKey",
    "UsageRecord",
]
