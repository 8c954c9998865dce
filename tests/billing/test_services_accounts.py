"""Who pays, and what may be spent."""

from datetime import date, datetime, timedelta

import pytest

from billing.choices import AccountMode
from billing.models import BillingAccount, Budget, ProjectBilling
from billing.selectors import account_of
from billing.services import (
    AlreadyCharged,
    assign_account,
    close_period,
    save_account,
    save_budget,
    save_entity,
    set_account_defaults,
)
from inventory.foundation.choices import Role
from inventory.foundation.errors import Forbidden, InvalidInput, NotVisible
from inventory.foundation.models import Organisation, Project, User
from inventory.models import ResourceProvider
from tests.billing.world import Money, berlin, make_account, make_budget, make_machine
from tests.cast import NOW, grant, make_user

AT = berlin(2026, 1, 5)
MOVE = berlin(2026, 2, 1)


def test_another_account_pays_from_a_date_on(project: Project, money: Money, finance: User) -> None:
    other = make_account(money.entity, project.organisation, "other")

    assign_account(project=project, account=other, from_at=MOVE, at=AT, actor=finance)
    assign_account(project=project, account=other, from_at=MOVE, at=AT, actor=finance)

    assert account_of(project=project, at=AT) == money.account
    assert account_of(project=project, at=MOVE) == other
    assert ProjectBilling.objects.count() == 2


def test_not_into_a_closed_month(
    project: Project, money: Money, host: ResourceProvider, finance: User
) -> None:
    make_machine(project=project, host=host, name="web", start=AT)
    close_period(month=date(2026, 1, 1), at=MOVE, actor=finance)
    other = make_account(money.entity, project.organisation, "other")

    with pytest.raises(AlreadyCharged, match="are closed"):
        assign_account(project=project, account=other, from_at=AT, at=MOVE, actor=finance)


def test_only_finance_and_strangers_see_nothing(
    project: Project, money: Money, auditor: User, stranger: User
) -> None:
    with pytest.raises(Forbidden):
        assign_account(project=project, account=money.account, from_at=AT, at=AT, actor=auditor)
    with pytest.raises(NotVisible):
        save_account(account=money.account, at=AT, actor=stranger)


def test_finance_of_elsewhere_leaves_the_issuer_alone(money: Money) -> None:
    elsewhere = Organisation.objects.create(name="Elsewhere", slug="elsewhere")
    foreign = make_user("gerd", elsewhere)
    grant(foreign, Role.FINANCE, organisation=elsewhere)

    money.entity.auto_issue = False
    with pytest.raises(Forbidden):
        save_entity(entity=money.entity, at=AT, actor=foreign)
    account = BillingAccount(entity=money.entity, organisation=elsewhere, code="new", name="New")
    with pytest.raises(Forbidden):
        save_account(account=account, at=AT, actor=foreign)


def test_what_charges_depend_on_stays(
    project: Project, money: Money, host: ResourceProvider, finance: User
) -> None:
    make_machine(project=project, host=host, name="web", start=AT)
    close_period(month=date(2026, 1, 1), at=MOVE, actor=finance)

    money.account.currency = "USD"
    with pytest.raises(AlreadyCharged, match="has charges"):
        save_account(account=money.account, at=AT, actor=finance)
    money.entity.zone = "Asia/Tokyo"
    with pytest.raises(AlreadyCharged, match="time zone and currency stay"):
        save_entity(entity=money.entity, at=AT, actor=finance)
    money.entity.zone = "Europe/Nowhere"
    with pytest.raises(InvalidInput, match="no time zone"):
        save_entity(entity=money.entity, at=AT, actor=finance)


def test_a_budget_is_replaced_by_its_next_version(
    project: Project, money: Money, finance: User
) -> None:
    budget = make_budget(money.account, "100.00", project=project)

    budget.amount = 200
    save_budget(budget=budget, at=AT, actor=finance)

    old, new = Budget.objects.order_by("version")
    assert (old.amount, old.is_current) == (100, False)
    assert (new.amount, new.is_current, new.version) == (200, True, 2)
    new.currency = "USD"
    with pytest.raises(InvalidInput, match="pays in EUR"):
        save_budget(budget=new, at=AT, actor=finance)


def test_accounts_are_made(money: Money, project: Project, finance: User) -> None:
    account = BillingAccount(
        entity=money.entity, organisation=project.organisation, code="new", name="New"
    )

    save_account(account=account, at=AT, actor=finance)

    assert BillingAccount.objects.filter(code="new").exists()


def test_a_new_account_starts_as_the_default_says(
    money: Money, organisation: Organisation, finance: User
) -> None:
    def opened(code: str, at: datetime, **fields: str) -> str:
        account = BillingAccount(
            entity=money.entity, organisation=organisation, code=code, name=code, **fields
        )
        return save_account(account=account, at=at, actor=finance).mode

    assert opened("a", NOW, mode="") == AccountMode.SHOWBACK
    set_account_defaults(
        organisation=organisation,
        number=0,
        values={"mode": "chargeback"},
        actor=finance,
        at=NOW + timedelta(days=1),
    )
    later = NOW + timedelta(days=2)
    assert opened("b", later, mode="") == AccountMode.CHARGEBACK
    assert opened("c", later, mode="showback") == AccountMode.SHOWBACK
    assert opened("d", NOW, mode="") == AccountMode.SHOWBACK
    with pytest.raises(InvalidInput) as refused:
        set_account_defaults(
            organisation=organisation, number=1, values={"mode": "free"}, actor=finance, at=later
        )
    assert "mode" in refused.value.fields


def test_only_finance_sets_how_accounts_start(organisation: Organisation, operator: User) -> None:
    with pytest.raises(Forbidden):
        set_account_defaults(
            organisation=organisation,
            number=0,
            values={"mode": "chargeback"},
            actor=operator,
            at=NOW,
        )
