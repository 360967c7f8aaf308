"""One proxied connection: both directions, both ends, and the faults at work on them."""

from harness.connection.armed import Armed, Ending, StageContext, StageMaker, Work, WorkSlot
from harness.connection.connection import Connection, Fired
from harness.connection.ends import TRANSITIONS, EndEvent, EndState, after

__all__ = [
    "TRANSITIONS",
    "Armed",
    "Connection",
    "EndEvent",
    "EndState",
    "Ending",
    "Fired",
    "StageContext",
    "StageMaker",
    "Work",
    "WorkSlot",
    "after",
]
