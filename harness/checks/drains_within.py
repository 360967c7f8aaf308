"""``drains_within``: a backend that is taken out gets rid of its connections."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._connections import Connection, connections
from harness.checks._fields import WithinS
from harness.checks._run import moment
from harness.checks._verdicts import decide, many, unknown
from harness.checks._waits import Wait, observed_until_s, sort_out
from harness.history import BackendRetired, History
from harness.units import YAML_CONFIG, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainsWithin:
    """When a backend is taken out to drain, all connections to it end within this time.

    Judged are the connections that were open to that backend when it was retired with
    ``drain: true``. How they end is all the same: the client, a fault or the proxy may end them.
    A connection that lived until the client itself was closed, before the time was over, shows
    nothing.

    Evidence: the retirement, then the openings of connections that lived longer. Unknown if no
    backend was drained, or if nothing was open to one that was.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "drains_within"
    GROUP: ClassVar[str] = "liveness"
    REQUIREMENT: ClassVar[str] = (
        "A pool must let go of connections to a server that is being taken out of service."
    )
    SHORTHAND: ClassVar[str | None] = "within_s"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("drains_within: 5s", "drains_within: {within: 5s}")

    within_s: WithinS

    def judge(self, history: History) -> Finding:
        """Look at what was open to each drained backend."""
        limit = format_duration(self.within_s)
        expected = f"every connection to a drained backend ended within {limit}"
        drains = [seen for seen in history.of(BackendRetired) if seen[1].drain]
        if not drains:
            return unknown(self, expected, "no backend was drained")
        known = connections(history)
        waits = [_wait(seen, c) for seen in drains for c in known if _was_open(c, seen)]
        if not waits:
            return unknown(self, expected, "nothing was open to the drained backend")
        late, still_open = sort_out(waits, self.within_s, observed_until_s(history))
        total = many(len(waits), "connection")
        actual = f"{len(late)} of {total} to a drained backend lived longer"
        reason = f"{len(still_open)} were open until the client closed, which was too soon"
        return decide(
            self,
            history,
            expected,
            actual,
            failed=bool(late),
            evidence=[number for wait in late or waits for number in wait.evidence],
            undecided=reason if still_open else "",
        )


def _wait(seen: tuple[int, BackendRetired], connection: Connection) -> Wait:
    number, retired = seen
    ended_s = inf if connection.left is None else connection.left[0]
    return Wait(retired.at_s, ended_s, (number, connection.opened_id))


def _was_open(connection: Connection, seen: tuple[int, BackendRetired]) -> bool:
    return (
        connection.opened.backend == seen[1].backend
        and (connection.opened.at_s, connection.opened_id) < moment(seen)
        and (connection.left is None or connection.left > moment(seen))
    )
