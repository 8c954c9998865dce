"""Sent twice, done once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from inventory.foundation.errors import InvalidInput
from inventory.foundation.idempotency import KeyReused, answer_once
from inventory.foundation.models import IdempotencyKey, Organisation, User
from tests.cast import NOW, make_user

PEOPLE = 100


def send(user: User, name: str, *, key: str = "k-1", scope: str = "organisation.create") -> Any:
    """Make an organisation once for each key."""

    def do() -> tuple[int, Any]:
        made = Organisation.objects.create(name=name, slug=name)
        return 201, {"id": made.pk}

    return answer_once(user=user, key=key, scope=scope, content={"name": name}, at=NOW, do=do)


def test_the_same_again_gets_the_same_answer(member: User, owner: User) -> None:
    status, body, again = send(member, "one")
    assert (status, again) == (201, False)
    assert send(member, "one") == (201, body, True)
    with pytest.raises(KeyReused) as caught:
        send(member, "two")
    assert (caught.value.status, caught.value.details) == (422, {"answer": body})
    with pytest.raises(KeyReused):
        send(member, "one", scope="project.create")
    # another person's key is another key
    assert send(owner, "three")[2] is False


def test_a_refusal_leaves_the_key_free(member: User) -> None:
    def refuse() -> tuple[int, Any]:
        Organisation.objects.create(name="half", slug="half")
        raise InvalidInput("No.")

    inputs: dict[str, Any] = {"user": member, "key": "k-1", "scope": "x", "content": {}, "at": NOW}
    with pytest.raises(InvalidInput):
        answer_once(do=refuse, **inputs)
    assert not Organisation.objects.filter(name="half").exists()
    assert not IdempotencyKey.objects.exists()
    assert answer_once(do=lambda: (200, None), **inputs) == (200, None, False)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\0b"])
def test_a_bad_key_is_refused(member: User, key: str) -> None:
    with pytest.raises(InvalidInput):
        send(member, "one", key=key)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_have_one_effect() -> None:
    user = make_user("mia")

    def one(_: int) -> Any:
        try:
            return send(user, "one")
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=20) as threads:
        answers = list(threads.map(one, range(PEOPLE)))
    assert Organisation.objects.count() == 1
    assert len({str(answer[:2]) for answer in answers}) == 1
    assert sum(not again for *_, again in answers) == 1
