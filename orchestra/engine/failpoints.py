"""Places where a drill may kill a worker: off unless ORCHESTRA_FAILPOINT names one of them.

The value is place/action/phase, for example "called/resource.create/forward".
"""

import os

from orchestra.models import Step

CLAIMED = "claimed"
INTENDED = "intended"
CALLED = "called"
WRITTEN = "written"
PLACES = (CLAIMED, INTENDED, CALLED, WRITTEN)
EXIT_CODE = 9


def failpoint(place: str, step: Step) -> None:
    """Die on the spot, as after kill -9, where the environment says so."""
    wanted = os.environ.get("ORCHESTRA_FAILPOINT")
    if wanted and wanted == f"{place}/{step.action}/{step.phase}":
        os._exit(EXIT_CODE)
