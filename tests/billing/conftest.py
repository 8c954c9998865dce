"""The world of money for every test of the house; `tests/billing/world.py` makes it."""

import pytest

from inventory.foundation.models import Organisation, Project, User
from inventory.models import ResourceProvider
from tests.billing.world import Money, make_host, make_money


@pytest.fixture
def money(
    organisation: Organisation, project: Project, finance: User, second_finance: User
) -> Money:
    """One entity in Berlin, one account that pays for the project, and a published price list."""
    return make_money(
        organisation=organisation, project=project, preparer=finance, releaser=second_finance
    )


@pytest.fixture
def host(organisation: Organisation) -> ResourceProvider:
    """One host that has plenty."""
    return make_host(organisation)
