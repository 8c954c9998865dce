"""A deterministic stand-in for an infrastructure, with faults to order."""

from orchestra.providers.simulated.provider import SimulatedProvider

__all__ = ["SimulatedProvider"]
