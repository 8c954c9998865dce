"""A request and the close of its project at the same instant: never a request in a closed one."""

import pytest

from inventory.foundation.choices import Role
from inventory.foundation.errors import DomainError
from inventory.foundation.models import Organisation, Project
from orchestra.models import Order
from orchestra.services.projects import close_project
from tests.cast import NOW, grant, make_user
from tests.orchestra.world import make_catalogue, place
from tests.races.test_decisions import together

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def test_a_project_closes_or_takes_the_request(transactional_db: None) -> None:
    organisation = Organisation.objects.create(name="Acme", slug="acme")
    owner, deputy, first, second, member = (
        make_user(name, organisation) for name in ("olivia", "dario", "fiona", "frank", "mia")
    )
    project = Project.objects.create(
        organisation=organisation,
        name="Shop",
        slug="shop",
        owner=owner,
        deputy=deputy,
        cost_centre="4711",
        created_at=NOW,
    )
    grant(member, Role.MEMBER, project=project)
    catalogue = make_catalogue(
        organisation=organisation, project=project, finance=first, second_finance=second
    )
    jobs = [lambda name=f"web{number}": place(catalogue, member, name=name) for number in range(5)]
    placed = together(
        *jobs,
        lambda: close_project(
            project=project, confirm_name="Shop", reason="Over", actor=owner, at=NOW
        ),
    )
    project.refresh_from_db()
    refused = [answer for answer in placed if isinstance(answer, DomainError)]
    if project.status == "closed":
        assert Order.objects.count() == 0
        assert len(refused) == 5
    else:
        assert Order.objects.count() == 5
        assert [error.code for error in refused] == ["project_not_empty"]
