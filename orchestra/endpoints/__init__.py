"""Further endpoints of the conductor, by noun; requests, applications and runs are in `api`."""

from orchestra.endpoints.calendar import FreezeEndpoint, HealthEndpoint, WindowEndpoint
from orchestra.endpoints.catalogue import DecisionEndpoint, OfferingEndpoint, RuleEndpoint
from orchestra.endpoints.defaults import DefaultsEndpoint, NoticeEndpoint, TermEndpoint

__all__ = [
    "DecisionEndpoint",
    "DefaultsEndpoint",
    "FreezeEndpoint",
    "HealthEndpoint",
    "NoticeEndpoint",
    "OfferingEndpoint",
    "RuleEndpoint",
    "TermEndpoint",
    "WindowEndpoint",
]
