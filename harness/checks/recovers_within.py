"""``recovers_within``: good service comes back soon after the faults are gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._fields import WithinS
from harness.checks._recovery import is_whole, rounds
from harness.checks._run import exceeds, has_ended, healed
from harness.checks._verdicts import decide, many, unknown
from harness.history import History
from harness.units import YAML_CONFIG, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoversWithin:
    """Soon after the faults have healed, every call succeeds again and goes on succeeding.

    After healing, the harness probes in rounds. Time to recover is counted from healing to the
    end of the first round that was answered in full and after which no round failed.

    Evidence: the round in which it had recovered, or the last failed one. Unknown if the faults
    were not healed or no round was measured.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "recovers_within"
    GROUP: ClassVar[str] = "liveness"
    REQUIREMENT: ClassVar[str] = (
        "Once the network is well again, the client must be, too, without a restart."
    )
    SHORTHAND: ClassVar[str | None] = "within_s"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("recovers_within: 1s", "recovers_within: {within: 1s}")

    within_s: WithinS

    def judge(self, history: History) -> Finding:
        """Find the round from which on every probe was answered."""
        expected = f"every call ok again within {format_duration(self.within_s)} of healing"
        begin, probed = healed(history), rounds(history)
        if begin is None or not probed:
            return unknown(self, expected, "recovery was not measured")
        failed = [i for i, (_, this) in enumerate(probed) if not is_whole(this)]
        good = failed[-1] + 1 if failed else 0
        if good == len(probed):
            number, last = probed[-1]
            actual = f"never: the last round answered {last.ok} of {many(last.calls, 'call')}"
            return decide(
                self, history, expected, actual, failed=has_ended(history), evidence=[number]
            )
        number, first = probed[good]
        took_s = first.at_s - begin[0]
        actual = f"recovered after {format_duration(took_s)}"
        late = exceeds(took_s, self.within_s)
        return decide(self, history, expected, actual, failed=late, evidence=[number])
