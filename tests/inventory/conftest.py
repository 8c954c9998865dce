"""What the inventory's tests start from."""

import pytest

from inventory.foundation.models import Organisation
from inventory.models import Pool
from tests.factories import make_pool


@pytest.fixture
def pool(organisation: Organisation) -> Pool:
    """Return a pool of two hosts, each with 16 vCPU, 64 GiB and 1,000 GB."""
    return make_pool(organisation)
