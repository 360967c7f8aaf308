"""``reuse``: connections serve more than one exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._connections import Connection, connections
from harness.checks._fields import AtLeastShare
from harness.checks._run import healed
from harness.checks._verdicts import decide, many, unknown
from harness.history import History
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """At least this share of exchanges goes over a connection that has served one before.

    The proxy counts a connection's exchanges (requests with their replies, a pool's pings
    included) and tells the number when it closes. Of the connections that carried any, the first
    exchange of each is no reuse: 100 exchanges over 5 connections are 95%. Connections opened
    before healing count, with all they ever carried.

    Evidence: the openings of the connections that carried least. Unknown if no connection carried
    an exchange, or if some never closed, so that their exchanges aren't known.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "reuse"
    GROUP: ClassVar[str] = "load"
    REQUIREMENT: ClassVar[str] = "A pool must use the connections it has before it opens others."
    SHORTHAND: ClassVar[str | None] = "at_least"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("reuse: 90%", "reuse: {at_least: 90%}")

    at_least: AtLeastShare

    def judge(self, history: History) -> Finding:
        """Compare exchanges with the connections that carried them."""
        expected = f"at least {self.at_least:.4g} of exchanges on a connection used before"
        end = healed(history)
        opened = [
            c for c in connections(history) if end is None or (c.opened.at_s, c.opened_id) < end
        ]
        used = sorted((c for c in opened if _exchanges(c) > 0), key=_exchanges)
        if not used:
            return unknown(self, expected, "no closed connection had carried an exchange")
        shown = [c.opened_id for c in used]
        open_still = sum(c.closed is None for c in opened)
        if open_still:
            reason = f"{many(open_still, 'connection')} never closed, with exchanges not counted"
            return unknown(self, expected, reason, shown)
        exchanges = sum(map(_exchanges, used))
        share = 1 - len(used) / exchanges
        actual = f"{share:.1%}: {exchanges} exchanges over {many(len(used), 'connection')}"
        return decide(self, history, expected, actual, failed=share < self.at_least, evidence=shown)


def _exchanges(connection: Connection) -> int:
    return 0 if connection.closed is None else connection.closed[1].exchanges
