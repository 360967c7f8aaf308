"""``detects_within``: a connection that died is noticed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._connections import Connection, connections, has_wire
from harness.checks._fields import WithinS
from harness.checks._verdicts import decide, many, unknown
from harness.checks._waits import Wait, observed_until_s, sort_out
from harness.history import History
from harness.units import YAML_CONFIG, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectsWithin:
    """The client closes its socket within this time after a fault ended the connection.

    Time to detect is counted from the fault striking a live connection to the client closing its
    socket, as the wire saw it, or to its own FIN or RST at the proxy. A pool that looks at an idle
    connection only when somebody wants it detects nothing in quiet times. Connections that lived
    until the client itself was closed, before the time was over, show nothing.

    Evidence: the strike and the opening of each connection that was noticed too late. Unknown if
    no fault ended a live connection, or if nobody watched the client's sockets.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "detects_within"
    GROUP: ClassVar[str] = "liveness"
    REQUIREMENT: ClassVar[str] = (
        "A pool must notice a dead connection and let go of its socket, not keep it for later."
    )
    SHORTHAND: ClassVar[str | None] = "within_s"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("detects_within: 1s", "detects_within: {within: 1s}")

    within_s: WithinS

    def judge(self, history: History) -> Finding:
        """Measure from each strike to the client letting go."""
        limit = format_duration(self.within_s)
        expected = f"every connection ended by a fault closed within {limit}"
        struck = [c for c in connections(history) if c.struck is not None]
        if not struck:
            return unknown(self, expected, "no fault ended a live connection")
        seen = [c for c in struck if c.let_go is not None] if not has_wire(history) else struck
        waits = [wait for c in seen if (wait := _wait(c)) is not None]
        late, still_open = sort_out(waits, self.within_s, observed_until_s(history))
        actual = f"{len(late)} of {many(len(struck), 'connection')} closed later"
        unseen = len(struck) - len(seen)
        reasons = [f"{unseen} had a socket nobody watched"] if unseen else []
        reasons += [f"{len(still_open)} were open at the end"] if still_open else []
        return decide(
            self,
            history,
            expected,
            actual,
            failed=bool(late),
            evidence=[number for wait in late or waits for number in wait.evidence],
            undecided=" and ".join(reasons),
        )


def _wait(connection: Connection) -> Wait | None:
    if connection.struck is None:
        return None
    number, fired = connection.struck
    ended_s = inf if connection.let_go is None else connection.let_go[0]
    return Wait(fired.at_s, ended_s, (number, connection.opened_id))
