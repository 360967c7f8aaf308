"""``retry_amplification``: trouble doesn't multiply the load on the origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._calls import workload_calls
from harness.checks._fields import AtMostRatio
from harness.checks._verdicts import decide, unknown
from harness.history import History
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAmplification:
    """The origin executes no more calls, for each that reached it, than this many on average.

    Executions in the origin's ledger are divided by the calls that were executed at all, safe and
    unsafe ones alike; 1 means that nothing was repeated. Calls that never reached the origin are
    left out, because they would hide how often the others were sent. Retries lost on the way are
    not seen, pings are not in the ledger, and probes after healing don't count.

    Evidence: the executions of the call that was repeated most. Unknown if the origin executed
    no call.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "retry_amplification"
    GROUP: ClassVar[str] = "load"
    REQUIREMENT: ClassVar[str] = (
        "Retries must be bounded, so that a struggling server isn't asked many times over."
    )
    SHORTHAND: ClassVar[str | None] = "at_most"
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "retry_amplification: 1.2",
        "retry_amplification: {at_most: 1.2}",
    )

    at_most: AtMostRatio

    def judge(self, history: History) -> Finding:
        """Divide executions by calls."""
        expected = f"at most {self.at_most:g} executions for each call the origin got"
        reached = [call for call in workload_calls(history) if call.executed]
        if not reached:
            return unknown(self, expected, "the origin executed no call")
        executions = sum(len(call.executed) for call in reached)
        ratio = executions / len(reached)
        worst = max(reached, key=lambda call: len(call.executed))
        actual = (
            f"{ratio:.3g}: {executions} executions for {len(reached)} calls, "
            f"{len(worst.executed)} for one"
        )
        shown = [number for number, _ in worst.executed]
        return decide(self, history, expected, actual, failed=ratio > self.at_most, evidence=shown)
