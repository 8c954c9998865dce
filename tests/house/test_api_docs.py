"""The examples of `docs/api.md` work as they stand."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.urls import Resolver404, resolve

from inventory.foundation.models import Project, User
from orchestra.choices import OrderState
from orchestra.models import Order
from tests.orchestra.programs import ORDERS, assert_problem, program, send
from tests.orchestra.world import make_catalogue

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
PLACE, SUBMIT, DECIDE, CANCEL, PROBLEM = (
    json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
)


def test_a_request_is_placed_sent_decided_and_cancelled(
    project: Project, member: User, approver: User, finance: User, second_finance: User
) -> None:
    make_catalogue(
        organisation=project.organisation,
        project=project,
        finance=finance,
        second_finance=second_finance,
    )
    mine = program(member)
    # the example's end lies in the past one day, and by rule nobody would have to decide
    body = PLACE | {"project": project.pk, "end_at": None, "environment": "production"}

    placed = send(mine, ORDERS, body)
    assert placed.status_code == 201, placed.content
    order: dict[str, Any] = placed.json()
    sha256 = {"plan_sha256": order["plan"]["sha256"]}
    address = f"{ORDERS}{order['id']}/"
    assert send(mine, f"{address}submit/", SUBMIT | sha256).json()["state"] == "awaiting_approval"
    decided = send(program(approver), f"{address}decide/", DECIDE | sha256)
    assert decided.json()["state"] == "fulfilling", decided.content
    cancelled = send(mine, f"{address}cancel/", CANCEL)
    assert cancelled.status_code == 200, cancelled.content

    named = set(re.findall(r"`(draft|planned|awaiting_approval|fulfilling)`", TEXT))
    assert named <= set(OrderState.values)
    assert Order.objects.get().runs.count() == 1


def test_an_error_has_the_keys_of_the_example(project: Project, member: User) -> None:
    refused = send(program(member), ORDERS, PLACE | {"end_at": "soon"})

    assert set(assert_problem(refused, 400)) == set(PROBLEM)


def test_the_addresses_of_the_table_exist() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| [A-Z, ]+ \|", TEXT, re.MULTILINE)
    named = [address for row in rows for address in re.findall(r"`([^`]+)`", row)]
    assert len(named) > 10
    for address in named:
        try:
            resolve(f"/api/v1/{address}")
        except Resolver404:
            pytest.fail(f"there is no {address}")
