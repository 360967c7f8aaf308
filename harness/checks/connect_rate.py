"""``connect_rate``: the client doesn't flood a server with connects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._dials import Attempt, attempts
from harness.checks._fields import AtMostPerS
from harness.checks._run import RESOLUTION_S
from harness.checks._verdicts import decide, many, unknown
from harness.history import History
from harness.units import YAML_CONFIG, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRate:
    """In no second does the client begin more attempts to connect than this.

    The wire sees each attempt of a client socket, whether it succeeds or not, until the faults are
    healed. Every second counts, wherever it begins; so a burst is allowed, if it is no more than a
    second's worth and the rest of that second is quiet. The first connections of a run are counted
    as well. For a limit of less than one a second, the time looked at is as long as it takes to
    allow one.

    Evidence: the attempts of the busiest second. Unknown if the wire saw no attempt.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "connect_rate"
    GROUP: ClassVar[str] = "load"
    REQUIREMENT: ClassVar[str] = (
        "A pool that lost its connections must not open all of them again in the same moment."
    )
    SHORTHAND: ClassVar[str | None] = "at_most_per_s"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("connect_rate: 20/s", "connect_rate: {at_most: 20/s}")

    at_most_per_s: AtMostPerS

    def judge(self, history: History) -> Finding:
        """Find the busiest second."""
        window_s = max(1.0, 1.0 / self.at_most_per_s)
        allowed = self.at_most_per_s * window_s
        span = format_duration(window_s)
        expected = f"at most {allowed:g} connects begun in any {span}"
        made = attempts(history)
        if not made:
            return unknown(self, expected, "the wire saw no attempt to connect")
        busiest = _busiest(made, window_s)
        actual = f"{many(len(busiest), 'connect')} begun within {span}"
        failed = len(busiest) > allowed + RESOLUTION_S
        shown = [attempt.event_id for attempt in busiest]
        return decide(self, history, expected, actual, failed=failed, evidence=shown)


def _busiest(made: list[Attempt], window_s: float) -> list[Attempt]:
    """The most attempts that began in one half-open window of time."""
    first, best = 0, (0, 0)
    for last, attempt in enumerate(made):
        while first < last and attempt.begun_s - made[first].begun_s >= window_s - RESOLUTION_S:
            first += 1
        if last - first >= best[1] - best[0]:
            best = (first, last + 1)
    return made[best[0] : best[1]]
