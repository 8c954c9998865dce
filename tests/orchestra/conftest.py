"""What the orchestra's tests start from; `tests/orchestra/world.py` makes it."""

import pytest

from inventory.foundation.models import Organisation, Project, User
from tests.orchestra.world import Catalogue, make_catalogue


@pytest.fixture
def catalogue(
    organisation: Organisation, project: Project, finance: User, second_finance: User
) -> Catalogue:
    """One published service in one pool with room for eight, priced, with budget and rule."""
    return make_catalogue(
        organisation=organisation,
        project=project,
        finance=finance,
        second_finance=second_finance,
    )
