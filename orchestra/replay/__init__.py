"""Replay: recorded requests driven through the same services that the portal calls."""

from orchestra.replay.drive import NotReplayed, Progress, replay
from orchestra.replay.report import Report, report_of
from orchestra.replay.trace import TraceRefused, TraceRequest, read_trace

__all__ = [
    "NotReplayed",
    "Progress",
    "Report",
    "TraceRefused",
    "TraceRequest",
    "read_trace",
    "replay",
    "report_of",
]
