"""``connections_peak``: the client keeps to the size of its pool."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._connections import Connection, connections, open_counts
from harness.checks._fields import AtMost
from harness.checks._run import Moment, capacity
from harness.checks._verdicts import bounds, decide, many, unknown
from harness.history import History, RunStarted
from harness.units import YAML_CONFIG

SEEN_TOGETHER_S = 0.005
"""Two things that happen this soon after one another are seen in either order in real time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionsPeak:
    """The client never has more connections open at once than its pool allows.

    A connection counts from when the proxy accepted it until the first sign that the client has
    done with it: its socket was closed, its FIN or RST arrived, a fault ended the connection, or
    both ends are gone. The whole run counts, recovery included. Without ``at_most`` the limit is
    what the client was told: pool size and overflow together. In real time the proxy may learn of
    a new connection before the end of the one it replaces, though the client closed that first:
    what overlaps by no more than 5 ms there is not taken for two at once.

    Evidence: the openings of the connections that were open at the peak, the last one first.
    Unknown if the proxy saw no connection, or if there is no limit to compare with.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "connections_peak"
    GROUP: ClassVar[str] = "conservation"
    REQUIREMENT: ClassVar[str] = (
        "A pool never holds more connections at once than it was allowed, "
        "those it is opening or closing included."
    )
    SHORTHAND: ClassVar[str | None] = "at_most"
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "connections_peak: true",
        "connections_peak: 6",
        "connections_peak: {at_most: 6}",
    )

    at_most: AtMost | None = None

    def judge(self, history: History) -> Finding:
        """Find the most connections open at once."""
        limit = capacity(history) if self.at_most is None else self.at_most
        expected = f"{bounds(limit, None, 'connection')} open at once"
        if limit is None:
            return unknown(self, expected, "the history doesn't say how large the pool may be")
        seen = [_left_earlier(c, _slack_s(history)) for c in connections(history)]
        if not seen:
            return unknown(self, expected, "the proxy saw no connection")
        at, peak = max(open_counts(seen), key=itemgetter(1))
        actual = f"{many(peak, 'connection')} open at once"
        shown = [c.opened_id for c in reversed(seen) if _is_open(c, at)]
        return decide(self, history, expected, actual, failed=peak > limit, evidence=shown)


def _slack_s(history: History) -> float:
    started = history.first(RunStarted)
    return 0.0 if started is None or started.fabric == "virtual" else SEEN_TOGETHER_S


def _left_earlier(connection: Connection, slack_s: float) -> Connection:
    """The connection as it is if its end was seen so much too late; it was open, even so."""
    if connection.left is None:
        return connection
    opened = (connection.opened.at_s, connection.opened_id)
    left_s, left_id = connection.left
    return replace(connection, left=max(opened, (left_s - slack_s, left_id)))


def _is_open(connection: Connection, at: Moment) -> bool:
    opened = (connection.opened.at_s, connection.opened_id)
    return opened <= at and (connection.left is None or connection.left > at)
