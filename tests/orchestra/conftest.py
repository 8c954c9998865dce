"""What the orchestra's tests start from; `tests/orchestra/world.py` makes it."""

from pathlib import Path

import pytest

from inventory.foundation.models import Organisation, Project, User
from orchestra.choices import OrderState
from orchestra.models import Deployment
from orchestra.providers.simulated.world import World
from tests.orchestra.changing import send
from tests.orchestra.world import Catalogue, make_catalogue, place


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


@pytest.fixture
def world(catalogue: Catalogue, tmp_path: Path) -> World:
    """What exists at the simulated destination."""
    catalogue.connection.options = {"state_dir": str(tmp_path)}
    catalogue.connection.save()
    return World(tmp_path / "world.sqlite3")


@pytest.fixture
def web(catalogue: Catalogue, member: User, world: World) -> Deployment:
    """An application of two copies with 50 GiB each, delivered at NOW, for 30 days."""
    order = send(place(catalogue, member, instances=2), member)
    assert order.state == OrderState.FULFILLED
    assert len(world.things()) == 2
    assert order.deployment is not None
    return order.deployment
