"""The drills' stage: real commits, a folder for the destination's world, short leases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inventory.foundation.models import Organisation, Project, User
from tests.orchestra.stage import Stage, set_stage

SetStage = Callable[..., Stage]


@pytest.fixture
def stage_with(
    transactional_db: None,
    settings: Any,
    organisation: Organisation,
    project: Project,
    member: User,
    approver: User,
    tmp_path: Path,
) -> SetStage:
    """Return a function that sets the stage with options of the simulated destination."""
    settings.ORCHESTRA_LEASE_SECONDS = 2
    settings.ORCHESTRA_HEARTBEAT_SECONDS = 1

    def build(**options: Any) -> Stage:
        return set_stage(
            organisation=organisation,
            project=project,
            requester=member,
            approver=approver,
            folder=tmp_path / "world",
            **options,
        )

    return build
