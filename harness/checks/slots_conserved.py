"""``slots_conserved``: no slot of the pool is lost for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._recovery import gatherings, is_whole, rounds
from harness.checks._run import capacity, has_ended, healed
from harness.checks._verdicts import decide, many, unknown
from harness.history import History
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotsConserved:
    """After the faults have healed, every slot of the pool can be used again.

    Once the client has recovered, as many probes as the pool has slots, overflow included, are
    made at once, and the origin answers none of them before all have arrived. So every slot must
    be in use at the same time; a slot that was lost leaves the others waiting.

    Evidence: that round, or the rounds in which the client never recovered. Unknown if recovery
    was not measured or the protocol can't hold replies back.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "slots_conserved"
    GROUP: ClassVar[str] = "conservation"
    REQUIREMENT: ClassVar[str] = (
        "No failure or cancellation may cost the pool a slot: once all is well again, "
        "as many calls as it has slots can run at once."
    )
    SHORTHAND: ClassVar[str | None] = None
    EXAMPLES: ClassVar[tuple[str, ...]] = ("slots_conserved: true",)

    def judge(self, history: History) -> Finding:
        """Look for a round of probes that used every slot at once."""
        slots, begin = capacity(history), healed(history)
        expected = "every slot usable after healing"
        if slots is None or begin is None:
            return unknown(self, expected, "recovery was not measured")
        expected = f"{many(slots, 'slot')} usable at once after healing"
        asked = [seen for seen in gatherings(history) if seen[1].together >= slots]
        if not asked:
            return self._without_gathering(history, expected)
        number, probed = asked[-1]
        actual = f"{probed.ok} of {many(probed.calls, 'probe')} at once were answered"
        return decide(
            self, history, expected, actual, failed=not is_whole(probed), evidence=[number]
        )

    def _without_gathering(self, history: History, expected: str) -> Finding:
        probed = rounds(history)
        if not probed or is_whole(probed[-1][1]):
            return unknown(self, expected, "no round of probes asked for all slots at once")
        shown = [number for number, _ in probed]
        actual = "the client never recovered, so its slots are of no use"
        return decide(self, history, expected, actual, failed=has_ended(history), evidence=shown)
