"""The rows of the conductor's house, one file a noun."""

from orchestra.models.catalogue import Offering, OfferingVersion
from orchestra.models.changes import ChangeWindow, Freeze
from orchestra.models.connections import Connection, PoolConnection, WorkerBeat
from orchestra.models.defaults import LeaseDefaults
from orchestra.models.deployments import Deployment, DeploymentResource
from orchestra.models.notices import LeaseWarning, Notification
from orchestra.models.orders import Approval, Order, Plan
from orchestra.models.policies import Policy, PolicyVersion
from orchestra.models.runs import Attempt, Effect, Run, Step, StepLog
from orchestra.models.tokens import ApiToken

__all__ = [
    "ApiToken",
    "Approval",
    "Attempt",
    "ChangeWindow",
    "Connection",
    "Deployment",
    "DeploymentResource",
    "Effect",
    "Freeze",
    "LeaseDefaults",
    "LeaseWarning",
    "Notification",
    "Offering",
    "OfferingVersion",
    "Order",
    "Plan",
    "Policy",
    "PolicyVersion",
    "PoolConnection",
    "Run",
    "Step",
    "StepLog",
    "WorkerBeat",
]
