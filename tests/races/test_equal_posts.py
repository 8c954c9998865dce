"""A hundred equal writes that arrive together are one write."""

import json
from collections import Counter
from collections.abc import Callable

import pytest
from django.test import Client

from inventory.foundation.models import Event, IdempotencyKey, Project, User
from orchestra.models import Order
from tests.orchestra.programs import ORDERS, asked_for, program, send
from tests.orchestra.world import make_catalogue
from tests.races.test_last_unit import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

Answer = tuple[int, bool, str]


def poster(client: Client, body: dict[str, object]) -> Callable[[], Answer]:
    """Return a job that sends the request and returns status, whether replayed, and the body."""

    def post() -> Answer:
        answer = send(client, ORDERS, body, key="the-one-key")
        is_replayed = answer.get("Idempotency-Replayed") == "true"
        return answer.status_code, is_replayed, json.dumps(answer.json(), sort_keys=True)

    return post


def test_one_order_and_a_hundred_equal_answers(
    project: Project, member: User, finance: User, second_finance: User
) -> None:
    catalogue = make_catalogue(
        organisation=project.organisation,
        project=project,
        finance=finance,
        second_finance=second_finance,
    )
    header = program(member).defaults
    body = asked_for(catalogue)
    jobs = [poster(Client(**header), body) for _ in range(100)]

    answers = at_once(jobs, threads=20)

    assert Counter((status, replayed) for status, replayed, _ in answers) == {
        (201, False): 1,
        (201, True): 99,
    }
    assert len({told for _, _, told in answers}) == 1
    assert Order.objects.count() == IdempotencyKey.objects.count() == 1
    assert Event.objects.filter(type="orchestra.order.placed").count() == 1
