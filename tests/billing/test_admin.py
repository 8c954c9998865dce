"""The desk of finance: pages open, the ledger is only shown, refusals are said."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from billing.choices import BookStatus
from billing.models import BillingAccount, Charge, Invoice, PriceBook, SkuPrice, UsageRecord
from billing.services import close_period
from inventory.foundation.models import Project, User
from inventory.models import ResourceProvider
from tests.billing.world import Money, berlin, make_machine, make_price
from tests.cast import make_user

OWNED = {
    "billingperiod",
    "charge",
    "correction",
    "invoice",
    "invoiceline",
    "invoiceseries",
    "pricechange",
    "usagekey",
    "usagerecord",
}


@pytest.fixture
def root(db: None) -> User:
    """May do everything at the desk."""
    user = make_user("root")
    user.is_staff = user.is_superuser = True
    user.save()
    return user


@pytest.fixture
def desk(root: User, client: Client) -> Client:
    """Sign in at the desk."""
    client.force_login(root)
    return client


def test_every_list_opens_and_the_ledger_is_read_only(
    desk: Client, project: Project, money: Money, host: ResourceProvider, root: User
) -> None:
    make_machine(project=project, host=host, name="web", start=berlin(2026, 1, 5))
    close_period(month=berlin(2026, 1, 5).date(), at=berlin(2026, 2, 2), actor=root)

    for model in apps.get_app_config("billing").get_models():
        if model not in admin.site._registry:
            continue
        name = model._meta.model_name
        assert desk.get(reverse(f"admin:billing_{name}_changelist")).status_code == 200, name
        added = desk.get(reverse(f"admin:billing_{name}_add")).status_code
        assert added == (403 if name in {*OWNED, "accountdefaults", "billingexport"} else 200), name
    for row in (Charge.objects.first(), Invoice.objects.first(), UsageRecord.objects.first()):
        assert row is not None
        address = reverse(f"admin:billing_{row._meta.model_name}_change", args=[row.pk])
        assert desk.get(address).status_code == 200
        assert desk.post(address, {}).status_code == 403


def test_an_account_is_saved_by_the_service(desk: Client, money: Money, project: Project) -> None:
    desk.post(
        reverse("admin:billing_billingaccount_add"),
        {
            "entity": money.entity.pk,
            "organisation": project.organisation_id,
            "code": "new",
            "name": "New",
            "kind": "internal",
            "mode": "showback",
            "currency": "EUR",
            "is_active": "on",
        },
    )

    assert BillingAccount.objects.filter(code="new").exists()


def test_a_price_in_force_is_shown_only(desk: Client, money: Money) -> None:
    address = reverse("admin:billing_skuprice_change", args=[money.machine_price.pk])

    assert desk.get(address).status_code == 200
    assert desk.post(address, {"unit_price": "9"}).status_code == 403
    assert SkuPrice.objects.get(pk=money.machine_price.pk).unit_price != 9


def test_release_from_the_list(desk: Client, money: Money, finance: User, root: User) -> None:
    theirs = PriceBook.objects.create(
        entity=money.entity, name="Theirs", currency="USD", prepared_by=finance
    )
    make_price(theirs, money.machine, "0.2")
    own = PriceBook.objects.create(
        entity=money.entity, name="Own", currency="CHF", prepared_by=root
    )
    make_price(own, money.machine, "0.2")

    answer = desk.post(
        reverse("admin:billing_pricebook_changelist"),
        {"action": "release_as_default", "_selected_action": [theirs.pk, own.pk]},
        follow=True,
    )

    theirs.refresh_from_db()
    own.refresh_from_db()
    assert (theirs.status, own.status) == (BookStatus.PUBLISHED, BookStatus.DRAFT)
    assert "You prepared this price list" in answer.content.decode()
