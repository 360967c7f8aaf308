"""``every_call_ends``: no caller waits for ever."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.checks._base import Finding
from harness.checks._calls import Call, calls, undecided
from harness.checks._fields import WithinS
from harness.checks._run import exceeds, has_ended, last_s
from harness.checks._verdicts import decide, many, unknown
from harness.history import History, RunEnded
from harness.units import YAML_CONFIG, DurationS, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryCallEnds:
    """Every call ends, in a reply or in an error, within its time.

    With ``within`` that is counted from when the call was asked for. Without, a call has its own
    timeout and ``margin`` on top; one without a timeout only has to end. A call that the harness
    cancels must end within ``margin`` of that, whatever else it has. If something hung at the end
    of the run and had to be cancelled, that fails as well.

    Evidence: the calls that ended late or never, and the end of the run if something hung.
    Unknown if no call was made, or if the history stops before a call's time was over.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "every_call_ends"
    GROUP: ClassVar[str] = "liveness"
    REQUIREMENT: ClassVar[str] = (
        "Whatever the network does, each call must end in time, "
        "and a cancelled call must let its caller go."
    )
    SHORTHAND: ClassVar[str | None] = "within_s"
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "every_call_ends: true",
        "every_call_ends: {within: 5s}",
        "every_call_ends: {margin: 250ms}",
    )

    within_s: WithinS | None = None
    margin_s: Annotated[
        DurationS, Field(description="added to a call's timeout; what a cancelled call has")
    ] = 1.0

    def judge(self, history: History) -> Finding:
        """Look for calls without an end, or with one too late."""
        expected = f"every call ended {self._limit()}"
        asked = calls(history)
        hung = [(number, end) for number, end in history.of(RunEnded) if end.hung]
        if not asked and not hung:
            return unknown(self, expected, "no call was made")
        ended, last = has_ended(history), last_s(history)
        late = [call for call in asked if self._is_late(call)]
        never = [
            call
            for call in asked
            if call.outcome is None and (ended or exceeds(last, self._due_s(call)))
        ]
        actual = f"of {many(len(asked), 'call')} {len(late)} ended late and {len(never)} never"
        actual += "".join(f"; {end.hung} hung" for _, end in hung[:1])
        shown = [number for call in late for number in _evidence(call)]
        shown += [call.invoked_id for call in never]
        return decide(
            self,
            history,
            expected,
            actual,
            failed=bool(late or never or hung),
            evidence=[*(number for number, _ in hung), *shown],
            undecided=undecided(asked),
        )

    def _limit(self) -> str:
        if self.within_s is None:
            return f"within its timeout and {format_duration(self.margin_s)}"
        return f"within {format_duration(self.within_s)}"

    def _due_s(self, call: Call) -> float:
        """The instant by which a call must have ended; infinite if nothing says so."""
        limit_s = self.within_s
        if limit_s is None and call.invoked.timeout_s is not None:
            limit_s = call.invoked.timeout_s + self.margin_s
        due_s = inf if limit_s is None else call.invoked.at_s + limit_s
        if call.cancelled is not None:
            due_s = min(due_s, call.cancelled[1].at_s + self.margin_s)
        return due_s

    def _is_late(self, call: Call) -> bool:
        return call.outcome is not None and exceeds(call.outcome[1].at_s, self._due_s(call))


def _evidence(call: Call) -> list[int]:
    told = (call.cancelled, call.outcome)
    return [call.invoked_id, *(seen[0] for seen in told if seen is not None)]
