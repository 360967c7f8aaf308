"""Time to detect: how long clients keep a connection that a fault has ended."""

from __future__ import annotations

from statistics import median

from harness.checks._connections import connections
from harness.history import History


def detection_s(history: History) -> float | None:
    """The median time from a fault ending a live connection to the client letting go of it.

    It lets go by closing its socket, as the wire saw it, or by its own FIN or RST at the proxy.
    None if no fault ended a connection that the client let go of later.
    """
    waits = [
        max(0.0, connection.let_go[0] - connection.struck[1].at_s)
        for connection in connections(history)
        if connection.struck is not None and connection.let_go is not None
    ]
    return median(waits) if waits else None
