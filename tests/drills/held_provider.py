"""A simulated destination whose first create of each key is held until the test lets it go."""

import threading

from orchestra.providers.base import CreateRequest, Handle
from orchestra.providers.simulated import SimulatedProvider

arrived = threading.Event()
go_on = threading.Event()


class HeldProvider(SimulatedProvider):
    """Holds the call of fence 1, as if its worker had been stopped; later ones pass."""

    def create(self, request: CreateRequest) -> Handle:
        """Wait where the worker before was stopped."""
        if request.fence == 1:
            arrived.set()
            go_on.wait(timeout=30)
        return super().create(request)
