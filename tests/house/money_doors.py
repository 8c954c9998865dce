"""What the routes of corrections and price changes are asked with in the permission matrix."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from billing.models import (
    BillingExport,
    BillingPeriod,
    Budget,
    Correction,
    InvoiceLine,
    PriceChange,
    SkuPrice,
    UsageRecord,
)
from billing.services import NewTier, close_period, prepare_correction, prepare_price_change
from inventory.foundation.clock import database_now
from inventory.foundation.models import Project, User
from tests.billing.world import berlin, make_account, make_host, make_machine
from tests.cast import NOW

JANUARY = date(2026, 1, 1)


def make_money_doors(*, project: Project) -> None:
    """Let two accounts' January differ; the second's correction waits, and a price change too."""
    second = User.objects.get(username="frank")
    price = price_in_force()
    lab = Project.objects.create(
        organisation=project.organisation,
        name="Bills",
        slug="bills",
        owner=project.owner,
        deputy=project.deputy,
        cost_centre="4799",
        created_at=NOW,
    )
    account = make_account(price.book.entity, project.organisation, "bills", lab)
    close_period(month=JANUARY, at=berlin(2026, 2, 2), actor=second, account=account)
    host = make_host(project.organisation)
    for whose, name in ((lab, "late"), (project, "late")):
        make_machine(
            project=whose,
            host=host,
            name=name,
            start=berlin(2026, 1, 6),
            end=berlin(2026, 1, 7),
        )
    at = database_now()
    prepare_correction(
        period=BillingPeriod.objects.get(account=account, month=JANUARY),
        reason="Known late",
        at=at,
        actor=second,
    )
    prepare_price_change(
        book=price.book,
        sku=price.sku,
        tiers=[NewTier(Decimal(0), Decimal("0.2"))],
        from_at=at + timedelta(days=9),
        reason="Dearer power",
        at=at,
        actor=second,
    )
    BillingExport.objects.create(
        month=JANUARY,
        format="focus-1.2",
        is_final=True,
        rows=1,
        sums={},
        sha256="0" * 64,
        manifest={},
        created_at=at,
        created_by=second,
    )


def price_in_force() -> SkuPrice:
    """Return a list price."""
    return SkuPrice.objects.filter(book__is_default=True, sku__code="linux-m").get()


def money_addresses(*, project: Project) -> dict[str, dict[str, Any]]:
    """Return the numbers in the addresses, by route."""
    shop = BillingPeriod.objects.get(
        account__project_billings__project=project, month=JANUARY, state="closed"
    )
    correction = {"pk": Correction.objects.get().pk}
    change = {"pk": PriceChange.objects.get().pk}
    price = {"pk": price_in_force().pk}
    billing, sku = project.billings.get(), price_in_force().sku
    line = InvoiceLine.objects.filter(invoice__account=billing.account)[0]
    usage = UsageRecord.objects.filter(project=project)[0]
    reads = {
        "issuing-entity": billing.account.entity_id,
        "billing-account": billing.account_id,
        "project-billing": billing.pk,
        "budget": Budget.objects.get(project=project).pk,
        "meter": sku.meter_id,
        "sku": sku.pk,
        "price-book": price_in_force().book_id,
        "sku-price": price["pk"],
        "billing-period": shop.pk,
        "invoice": line.invoice_id,
        "invoice-line": line.pk,
        "billing-export": BillingExport.objects.get().pk,
        "usage-record": usage.pk,
    }
    return {f"api:{noun}-detail": {"pk": pk} for noun, pk in reads.items()} | {
        "billing:account": {"pk": billing.account_id},
        "billing:price": price,
        "billing:price-new": price,
        "billing:price-change": change,
        "billing:correction": correction,
        "billing:correction-new": {"pk": shop.pk},
        "api:correction-detail": correction,
        "api:correction-release": correction,
        "api:correction-withdraw": correction,
        "api:price-change-detail": change,
        "api:price-change-release": change,
        "api:price-change-withdraw": change,
    }


def money_contents(*, project: Project, key: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return what a write to each route sends."""
    price = price_in_force()
    account = project.billings.get().account
    soon = f"{database_now() + timedelta(days=9):%Y-%m-%dT%H:%M}"
    return {
        "billing:price-new": {"from_at": soon, "price_0": "0.3", "reason": "Dearer", **key},
        "billing:price-change": {"decision": "release", **key},
        "billing:correction": {"decision": "release", **key},
        "billing:correction-new": {"reason": "Known late", **key},
        "api:correction-list": {"account": account.code, "month": "2026-01", "reason": "Late"},
        "api:price-change-list": {
            "book": price.book_id,
            "sku": price.sku.code,
            "tiers": [{"unit_price": "0.3"}],
            "from_at": f"{soon}:00Z",
            "reason": "Dearer",
        },
    }
