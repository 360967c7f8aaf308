"""``acquire_within``: a caller gets a connection soon, or is told soon that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._calls import Call, undecided, workload_calls
from harness.checks._fields import WithinS
from harness.checks._run import exceeds
from harness.checks._verdicts import decide, many, unknown
from harness.history import History
from harness.units import YAML_CONFIG, format_duration

NO_CONNECTION = frozenset({"pool_timeout", "pool_closed", "refused", "no_port"})
"""Kinds of error that say the call never had a connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquireWithin:
    """Every caller gets a connection within this time, or an error which says that there is none.

    The client isn't asked: time is counted from when the call was made to its first execution at
    the origin, so it includes the way there. For a call that was never executed it is counted to
    its error, if that says it never had a connection (pool_timeout, pool_closed, refused,
    no_port). Other calls that were never executed are left out: how long they waited can't be
    told apart from what became of their connection. Calls after healing are left out as well.

    Evidence: the call that waited longest and what ended its wait, then further ones. Unknown if
    no wait could be measured.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "acquire_within"
    GROUP: ClassVar[str] = "liveness"
    REQUIREMENT: ClassVar[str] = (
        "A caller must not wait longer for a connection than it was promised, "
        "however many others are waiting or cancelled."
    )
    SHORTHAND: ClassVar[str | None] = "within_s"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("acquire_within: 1s", "acquire_within: {within: 1s}")

    within_s: WithinS

    def judge(self, history: History) -> Finding:
        """Measure each wait from outside the client."""
        expected = f"every caller served or refused within {format_duration(self.within_s)}"
        asked = workload_calls(history)
        waits = [wait for call in asked if (wait := _wait(call))]
        if not waits:
            return unknown(self, expected, "no call reached the origin or was refused")
        waits.sort(key=lambda wait: wait[0], reverse=True)
        late = [wait for wait in waits if exceeds(wait[0], self.within_s)]
        longest = format_duration(waits[0][0])
        actual = f"{len(late)} of {many(len(waits), 'call')} waited longer, the longest {longest}"
        shown = [number for _, *ids in (late or waits[:1]) for number in ids]
        return decide(
            self,
            history,
            expected,
            actual,
            failed=bool(late),
            evidence=shown,
            undecided=undecided([call for call in asked if not call.executed]),
        )


def _wait(call: Call) -> tuple[float, int, int] | None:
    """How long a call waited, and the events that begin and end that; None if nobody saw."""
    if call.executed:
        number, served = call.executed[0]
        return served.at_s - call.invoked.at_s, call.invoked_id, number
    if call.error is None:
        return None
    number, outcome = call.error
    if outcome.kind not in NO_CONNECTION:
        return None
    return outcome.at_s - call.invoked.at_s, call.invoked_id, number
