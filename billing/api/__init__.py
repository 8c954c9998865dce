"""The endpoints of money, by noun."""

from rest_framework.routers import DefaultRouter

from billing.api.accounts import (
    AccountEndpoint,
    BudgetEndpoint,
    IssuerEndpoint,
    ProjectBillingEndpoint,
)
from billing.api.changes import CorrectionEndpoint, PriceChangeEndpoint
from billing.api.ledger import (
    ChargeEndpoint,
    ExportEndpoint,
    InvoiceEndpoint,
    InvoiceLineEndpoint,
    PeriodEndpoint,
    UsageEndpoint,
)
from billing.api.prices import MeterEndpoint, PriceBookEndpoint, PriceEndpoint, SkuEndpoint

# Address, endpoint, name of the noun: what the site map registers.
ENDPOINTS = (
    ("charges", ChargeEndpoint, "charge"),
    ("corrections", CorrectionEndpoint, "correction"),
    ("price-changes", PriceChangeEndpoint, "price-change"),
    ("usage", UsageEndpoint, "usage-record"),
    ("billing-periods", PeriodEndpoint, "billing-period"),
    ("invoices", InvoiceEndpoint, "invoice"),
    ("invoice-lines", InvoiceLineEndpoint, "invoice-line"),
    ("billing-exports", ExportEndpoint, "billing-export"),
    ("issuing-entities", IssuerEndpoint, "issuing-entity"),
    ("billing-accounts", AccountEndpoint, "billing-account"),
    ("project-billings", ProjectBillingEndpoint, "project-billing"),
    ("budgets", BudgetEndpoint, "budget"),
    ("meters", MeterEndpoint, "meter"),
    ("skus", SkuEndpoint, "sku"),
    ("price-books", PriceBookEndpoint, "price-book"),
    ("prices", PriceEndpoint, "sku-price"),
)


def register(router: DefaultRouter) -> None:
    """Register all of them."""
    for address, endpoint, name in ENDPOINTS:
        router.register(address, endpoint, basename=name)
