"""A resize in mid-month on the bill: each size for its own time, to the last digit."""

from datetime import date
from decimal import Decimal

import pytest
from django.db.models import Sum

from billing import pricing
from billing.models import Charge, Sku
from billing.selectors import explain, reconcile
from billing.services import close_period, correct_period, rate_period
from inventory.foundation.models import Organisation, Project, User
from inventory.models import Resource
from inventory.placement import Need
from inventory.services import activate, hold_growth, release, reserve, swap
from tests.billing.test_tiers import graduated, reference
from tests.billing.world import LINUX_M, Money, berlin, make_price
from tests.factories import make_pool, make_resource

JANUARY = date(2026, 1, 1)
START, CHANGE, END = berlin(2026, 1, 10), berlin(2026, 1, 20, 7, 30), berlin(2026, 1, 28, 3)
AFTER = berlin(2026, 2, 3)
LINUX_L = "vm.linux.l"


@pytest.fixture
def larger(money: Money) -> Sku:
    """Return what the larger machine costs."""
    sku = Sku.objects.create(
        code="linux-l",
        name="Linux L",
        meter=money.machine.meter,
        resource_kind=LINUX_L,
        service_name="Virtual machines",
        pricing_unit="Hours",
    )
    make_price(money.book, sku, "0.224")
    return sku


@pytest.fixture
def resized(organisation: Organisation, project: Project, larger: Sku) -> Resource:
    """Return a machine that grew from M with 100 GiB to L with 250 GiB, and is gone since."""
    pool = make_pool(organisation, hosts=1)
    web = make_resource(project, pool, "web-1")
    web.kind = LINUX_M
    web.save()
    need = Need({"VCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 100})
    reserve(pool=pool, wants=[(web, need)], start=START, end=None, at=START)
    activate(resource=web, at=START, external_ref="vm-1")
    grown = Need({"VCPU": 8, "MEMORY_MB": 8192, "DISK_GB": 250})
    plan = hold_growth(pool=pool, resources=[web], need=grown, at=CHANGE)[web.pk]
    for _ in range(2):  # a step that is tried again resizes once
        swap(resource=web, amounts=plan.after, kind=LINUX_L, at=CHANGE)
    release(resource=web, at=END)
    return web


def billed(sku: Sku) -> Decimal:
    """Return the sum of the item's charges."""
    found: Decimal = Charge.objects.filter(sku=sku).aggregate(sum=Sum("billed_cost"))["sum"]
    return found


def test_each_size_for_its_own_time(resized: Resource, money: Money, larger: Sku) -> None:
    rate_period(account=money.account, month=JANUARY, at=AFTER)

    small, large = Decimal("247.5"), Decimal("187.5")
    assert billed(money.machine) == small * Decimal("0.112")
    assert billed(larger) == large * Decimal("0.224")
    disks = Charge.objects.filter(sku=money.storage).order_by("charge_start")
    step = pricing.quantity_step(Decimal("0.08"))
    month = pricing.seconds_between(berlin(2026, 1, 1), berlin(2026, 2, 1))
    for charge, level, start, end in zip(
        disks, (100, 250), (START, CHANGE), (CHANGE, END), strict=True
    ):
        assert (charge.charge_start, charge.charge_end) == (start, end)
        assert charge.pricing_quantity == pricing.prorate(
            level=pricing.Fraction(level),
            start=start,
            end=end,
            origin=berlin(2026, 1, 1),
            seconds=month,
            step=step,
        )
        assert charge.billed_cost == charge.pricing_quantity * Decimal("0.08")
    for charge in Charge.objects.all():
        assert explain(charge=charge).difference == 0


def test_the_month_of_a_resize_ties_at_the_close(resized: Resource, money: Money) -> None:
    (result,) = close_period(month=JANUARY, at=AFTER, actor=None)

    assert result.error == ""
    (tied,) = reconcile(month=JANUARY)
    assert (tied.difference, tied.problems) == (0, ())


def test_tiers_go_on_over_a_resize(resized: Resource, money: Money) -> None:
    rows = [("0", "20", "0.08", "0"), ("20", "40", "0.07", "1"), ("40", None, "0.05", "0")]
    graduated(money.storage, rows)

    rate_period(account=money.account, month=JANUARY, at=AFTER)

    charges = Charge.objects.filter(sku=money.storage)
    used = charges.exclude(labels__tier__is_fee=True).aggregate(sum=Sum("pricing_quantity"))["sum"]
    assert billed(money.storage) == reference(rows, used)


def test_a_resize_that_is_known_after_the_close_is_a_correction(
    organisation: Organisation,
    project: Project,
    money: Money,
    larger: Sku,
    finance: User,
    second_finance: User,
) -> None:
    pool = make_pool(organisation, hosts=1)
    web = make_resource(project, pool, "web-1")
    web.kind = LINUX_M
    web.save()
    need = Need({"VCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 100})
    reserve(pool=pool, wants=[(web, need)], start=START, end=None, at=START)
    activate(resource=web, at=START, external_ref="vm-1")
    (closed,) = close_period(month=JANUARY, at=AFTER, actor=finance)
    assert closed.invoice is not None
    grown = Need({"VCPU": 8, "MEMORY_MB": 8192, "DISK_GB": 250})
    plan = hold_growth(pool=pool, resources=[web], need=grown, at=CHANGE)[web.pk]
    swap(resource=web, amounts=plan.after, kind=LINUX_L, at=CHANGE)

    correction = correct_period(
        period=closed.invoice.period,
        reason="The run was confirmed late",
        at=berlin(2026, 2, 10),
        prepared_by=finance,
        released_by=second_finance,
    )

    assert correction.into is not None
    hours = Decimal("280.5")
    assert billed(larger) == hours * Decimal("0.224")
    assert billed(money.machine) == Decimal("247.5") * Decimal("0.112")
