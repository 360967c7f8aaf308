"""``closes_within``: ``close`` ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._fields import WithinS
from harness.checks._run import exceeds, has_ended, last_s, moment
from harness.checks._verdicts import decide, unknown
from harness.history import ClientClosed, ClientClosing, ClientFailed, History
from harness.units import YAML_CONFIG, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosesWithin:
    """Closing the client takes no longer than this, whatever is under way.

    Time is counted from asking the client to close until its ``close`` returned. A ``close`` that
    raised an error, or had not returned when the run ended, fails.

    Evidence: the asking and the return, or the error. Unknown if the client was never asked.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "closes_within"
    GROUP: ClassVar[str] = "liveness"
    REQUIREMENT: ClassVar[str] = (
        "close must end in time, also with calls under way and peers that never answer."
    )
    SHORTHAND: ClassVar[str | None] = "within_s"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("closes_within: 2s", "closes_within: {within: 2s}")

    within_s: WithinS

    def judge(self, history: History) -> Finding:
        """Measure from the asking to the return."""
        expected = f"the client closed within {format_duration(self.within_s)}"
        begin = min(history.of(ClientClosing), key=moment, default=None)
        if begin is None:
            return unknown(self, expected, "the client was never asked to close")
        shown = [begin[0]]
        for number, error in history.of(ClientFailed):
            if error.during == "close":
                actual = f"close failed: {error.kind}: {error.message}"
                return decide(
                    self, history, expected, actual, failed=True, evidence=[*shown, number]
                )
        ends = (seen for seen in history.of(ClientClosed) if moment(seen) > moment(begin))
        end = min(ends, key=moment, default=None)
        if end is None:
            took_s = last_s(history) - begin[1].at_s
            late = has_ended(history) or exceeds(took_s, self.within_s)
            actual = f"not closed after {format_duration(took_s)}"
            return decide(self, history, expected, actual, failed=late, evidence=shown)
        took_s = end[1].at_s - begin[1].at_s
        actual = f"closed after {format_duration(took_s)}"
        late = exceeds(took_s, self.within_s)
        return decide(self, history, expected, actual, failed=late, evidence=[*shown, end[0]])
