"""Prices: two people, never edited in force, changed from an instant on."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing.choices import BookStatus, MeterSource, PriceModel
from billing.models import IssuingEntity, Meter, PriceBook, Sku, SkuPrice
from billing.selectors import QuoteLine, quote
from billing.services import (
    BookInForce,
    PriceRefused,
    TwoPeople,
    change_price,
    close_period,
    publish_price_book,
    remove_price,
    save_meter,
    save_price,
    save_price_book,
    save_sku,
    set_sku_traits,
)
from inventory.foundation.choices import Role
from inventory.foundation.errors import Forbidden
from inventory.foundation.models import AuditEvent, Organisation, Project, User
from inventory.models import ResourceProvider
from tests.billing.world import (
    FIRST_PRICES,
    LINUX_M,
    Money,
    berlin,
    make_account,
    make_machine,
    make_price,
)
from tests.cast import grant, make_user

AT = berlin(2026, 1, 5)


@pytest.fixture
def draft(money: Money, finance: User) -> PriceBook:
    """Return a draft in another currency with one price, prepared by finance."""
    book = PriceBook(entity=money.entity, name="Dollars", currency="USD", prepared_by=finance)
    save_price_book(book=book, at=AT, actor=finance)
    make_price(book, money.machine, "0.13")
    return book


def test_one_prepares_another_releases(
    draft: PriceBook, finance: User, second_finance: User
) -> None:
    with pytest.raises(TwoPeople, match="You prepared this price list"):
        publish_price_book(book=draft, at=AT, actor=finance)

    found = publish_price_book(book=draft, at=AT, actor=second_finance, is_default=True)
    again = publish_price_book(book=draft, at=AT, actor=second_finance)

    assert found.status == again.status == BookStatus.PUBLISHED
    assert found.is_default
    assert AuditEvent.objects.filter(action="release.price_book").count() == 1


def test_the_database_wants_two_people_too(draft: PriceBook, finance: User) -> None:
    with pytest.raises(IntegrityError, match="price_book_two_people"):
        PriceBook.objects.filter(pk=draft.pk).update(
            status=BookStatus.PUBLISHED, released_by=finance, released_at=AT
        )


def test_only_finance(draft: PriceBook, owner: User) -> None:
    with pytest.raises(Forbidden):
        publish_price_book(book=draft, at=AT, actor=owner)


def test_a_draft_may_change_and_one_in_force_may_not(
    draft: PriceBook, money: Money, finance: User, second_finance: User
) -> None:
    price = draft.prices.get()
    price.unit_price = Decimal("0.14")
    save_price(price=price, at=AT, actor=finance)
    publish_price_book(book=draft, at=AT, actor=second_finance)

    for attempt in (
        lambda: save_price(price=price, at=AT, actor=finance),
        lambda: remove_price(price=price, at=AT, actor=finance),
        lambda: save_price_book(book=draft, at=AT, actor=finance),
    ):
        with pytest.raises(BookInForce, match="in force and is never edited"):
            attempt()
    with pytest.raises(IntegrityError, match="never edited"), transaction.atomic():
        SkuPrice.objects.filter(pk=price.pk).update(unit_price=1)
    with pytest.raises(IntegrityError, match="never edited"), transaction.atomic():
        SkuPrice.objects.filter(pk=price.pk).delete()


def test_an_empty_list_is_not_released(money: Money, finance: User, second_finance: User) -> None:
    book = PriceBook(entity=money.entity, name="Empty", currency="CHF")
    save_price_book(book=book, at=AT, actor=finance)

    with pytest.raises(PriceRefused, match="has no prices"):
        publish_price_book(book=book, at=AT, actor=second_finance)


def test_there_is_one_default(money: Money, finance: User, second_finance: User) -> None:
    book = PriceBook(entity=money.entity, name="Second", currency="EUR")
    save_price_book(book=book, at=AT, actor=finance)
    make_price(book, money.machine, "1")

    with pytest.raises(BookInForce, match="Change its prices from a date on"):
        publish_price_book(book=book, at=AT, actor=second_finance, is_default=True)


@pytest.mark.parametrize("price", ["0.1234567", "NaN", "-1"])
def test_a_price_that_cannot_be_exact(
    draft: PriceBook, money: Money, finance: User, price: str
) -> None:
    row = draft.prices.get()
    row.unit_price = Decimal(price)

    with pytest.raises(Exception, match=r"at most 6 decimals|a price is a number|negative"):
        save_price(price=row, at=AT, actor=finance)


def test_a_model_without_a_rule_is_refused(draft: PriceBook, money: Money, finance: User) -> None:
    money.machine.model = PriceModel.VOLUME
    save_sku(sku=money.machine, at=AT, actor=finance)

    with pytest.raises(PriceRefused, match="only a price per unit"):
        save_price(price=draft.prices.get(), at=AT, actor=finance)


def test_a_price_changes_at_an_instant(
    project: Project, money: Money, finance: User, second_finance: User
) -> None:
    change = berlin(2026, 1, 20)

    (new,) = change_price(
        book=money.book,
        sku=money.machine,
        unit_price=Decimal("0.2"),
        from_at=change,
        at=AT,
        prepared_by=finance,
        released_by=second_finance,
    )

    money.machine_price.refresh_from_db()
    assert money.machine_price.during.upper == new.during.lower == change
    assert new.during.upper is None
    found = quote(
        project=project,
        lines=[QuoteLine(LINUX_M, {}, 1)],
        start=change - timedelta(hours=1),
        end=change + timedelta(hours=1),
    )
    assert found.term == Decimal("0.312")


def test_a_new_item_gets_its_first_price_in_the_list_in_force(
    project: Project, money: Money, finance: User, second_finance: User
) -> None:
    item = Sku(
        code="linux-l",
        name="Linux L",
        meter=money.machine.meter,
        resource_kind="vm.linux.l",
        service_name="Virtual machines",
        pricing_unit="Hours",
    )
    save_sku(sku=item, at=AT, actor=finance)
    since = berlin(2026, 1, 20)

    change_price(
        book=money.book,
        sku=item,
        unit_price=Decimal("0.25"),
        from_at=since,
        at=AT,
        prepared_by=finance,
        released_by=second_finance,
    )

    found = quote(
        project=project,
        lines=[QuoteLine("vm.linux.l", {}, 1)],
        start=since,
        end=since + timedelta(hours=2),
    )
    assert found.term == Decimal("0.5")


def test_a_change_needs_two_and_an_open_month(
    project: Project, money: Money, host: ResourceProvider, finance: User, second_finance: User
) -> None:
    make_machine(project=project, host=host, name="web", start=AT)
    close_period(month=date(2026, 1, 1), at=berlin(2026, 2, 2), actor=finance)

    with pytest.raises(TwoPeople):
        change_price(
            book=money.book,
            sku=money.machine,
            unit_price=Decimal("0.2"),
            from_at=berlin(2026, 2, 1),
            at=AT,
            prepared_by=finance,
            released_by=finance,
        )
    with pytest.raises(PriceRefused, match="are closed"):
        change_price(
            book=money.book,
            sku=money.machine,
            unit_price=Decimal("0.2"),
            from_at=berlin(2026, 1, 31),
            at=AT,
            prepared_by=finance,
            released_by=second_finance,
        )
    with pytest.raises(PriceRefused, match="has no price in this list"):
        change_price(
            book=money.book,
            sku=money.machine,
            unit_price=Decimal("0.2"),
            from_at=berlin(2026, 2, 1),
            at=AT,
            prepared_by=finance,
            released_by=second_finance,
            account=money.account,
        )


def test_finance_of_elsewhere_changes_no_price(
    money: Money, draft: PriceBook, project: Project, second_finance: User
) -> None:
    elsewhere = Organisation.objects.create(name="Elsewhere", slug="elsewhere")
    foreign, other = (make_user(name, elsewhere) for name in ("gerd", "hanna"))
    grant(foreign, Role.FINANCE, organisation=elsewhere)
    grant(other, Role.FINANCE, project=project)

    for prepared_by, released_by in ((foreign, second_finance), (second_finance, other)):
        with pytest.raises(Forbidden):
            change_price(
                book=money.book,
                sku=money.machine,
                unit_price=Decimal("0.001"),
                from_at=berlin(2026, 1, 20),
                at=AT,
                prepared_by=prepared_by,
                released_by=released_by,
            )
    with pytest.raises(Forbidden):
        save_price(price=draft.prices.get(), at=AT, actor=foreign)
    with pytest.raises(Forbidden):
        publish_price_book(book=draft, at=AT, actor=foreign)
    assert SkuPrice.objects.filter(book=money.book).count() == 2


def test_a_charged_item_keeps_its_meaning(
    project: Project, money: Money, host: ResourceProvider, finance: User
) -> None:
    make_machine(project=project, host=host, name="web", start=AT)
    close_period(month=date(2026, 1, 1), at=berlin(2026, 2, 2), actor=finance)

    money.machine.base = "month"
    with pytest.raises(BookInForce, match="was charged already"):
        save_sku(sku=money.machine, at=AT, actor=finance)


def test_overlapping_prices_are_impossible(money: Money) -> None:
    with pytest.raises(IntegrityError, match="sku_price_no_overlap"):
        make_price(money.book, money.machine, "1", start=FIRST_PRICES + timedelta(days=1))


def test_only_who_manages_the_money_of_all_it_is_priced_for_changes_what_all_share(
    money: Money, finance: User, organisation: Organisation
) -> None:
    """Finance of another organisation may make meters and items, and change its own alone."""
    elsewhere = Organisation.objects.create(name="Elsewhere", slug="elsewhere")
    fay = make_user("fay", elsewhere)
    grant(fay, Role.FINANCE, organisation=elsewhere)
    meter = money.machine.meter
    assert meter is not None
    meter.label, money.machine.name = "Mine", "Mine"
    for act in (
        lambda: save_meter(meter=meter, at=AT, actor=fay),
        lambda: save_sku(sku=money.machine, at=AT, actor=fay),
        lambda: set_sku_traits(sku=money.machine, traits=[], at=AT, actor=fay),
    ):
        with pytest.raises(Forbidden, match="is used by others too"):
            act()
    assert Meter.objects.get(pk=meter.pk).label == "Machines"
    assert Sku.objects.get(pk=money.machine.pk).name == "Linux M"

    theirs = Meter(name="calls", label="Calls", source=MeterSource.READING, unit="call")
    save_meter(meter=theirs, at=AT, actor=fay)
    theirs.label = "Telephone calls"
    save_meter(meter=theirs, at=AT, actor=fay)
    with pytest.raises(Forbidden, match="is used by others too"):
        save_meter(meter=theirs, at=AT, actor=finance)
    save_meter(meter=meter, at=AT, actor=finance)
    assert Meter.objects.get(pk=meter.pk).label == "Mine"

    # Priced by both, it is neither's alone.
    entity = IssuingEntity.objects.create(name="Elsewhere IT")
    make_account(entity, elsewhere, "else")
    book = PriceBook.objects.create(entity=entity, name="Theirs", currency="EUR", prepared_by=fay)
    make_price(book, money.machine, "1")
    for person in (fay, finance):
        with pytest.raises(Forbidden, match="is used by others too"):
            save_sku(sku=money.machine, at=AT, actor=person)
    save_sku(sku=money.machine, at=AT, actor=User.objects.create_superuser("root"))
