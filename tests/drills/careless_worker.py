"""The control of the kill drill: a worker that asks with a fresh key each time and never looks.

It must leave duplicates, or the drill proves nothing.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import django


def main() -> None:
    """Be such a worker until killed."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestra.settings"
    django.setup()
    from orchestra.engine import drain, work  # noqa: PLC0415 - only after django.setup()

    careful = work.ask

    def careless(*, call: Any, has_intent: bool, **rest: Any) -> Any:
        fresh = replace(call, key=f"{call.key}/{uuid4()}")
        return careful(call=fresh, has_intent=False, **rest)

    work.ask = careless
    while True:
        drain(worker=f"careless:{os.getpid()}")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
