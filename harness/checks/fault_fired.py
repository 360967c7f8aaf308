"""``fault_fired``: the run did what its scenario says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding, Verdict, finding
from harness.checks._verdicts import many, unknown
from harness.history import FaultArmed, FaultFired, History
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryFaultFired:
    """Every fault of the scenario struck at least once.

    A run in which a fault never fired shows nothing about how the client survives it. The client
    has done nothing wrong, so that doesn't fail: it is unknown. A scenario without faults passes.
    This check is always on.

    Evidence: the first strike of each fault, or the faults that never fired, as they were armed.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "fault_fired"
    GROUP: ClassVar[str] = "meta"
    REQUIREMENT: ClassVar[str] = (
        "A verdict counts only if every fault of the scenario really happened in the run."
    )
    SHORTHAND: ClassVar[str | None] = None
    EXAMPLES: ClassVar[tuple[str, ...]] = ("fault_fired: true",)

    def judge(self, history: History) -> Finding:
        """Look for a strike of each fault that was armed."""
        expected = "every fault fired"
        armed = {fault.index: (number, fault) for number, fault in history.of(FaultArmed)}
        if not armed:
            return finding(self, Verdict.PASS, expected, "nothing was to fire")
        first: dict[int, int] = {}
        for number, fired in history.of(FaultFired):
            first.setdefault(fired.index, number)
        quiet = [armed[index] for index in sorted(armed.keys() - first.keys())]
        if quiet:
            names = ", ".join(f"{fault.fault} (#{fault.index})" for _, fault in quiet)
            shown = [number for number, _ in quiet]
            return unknown(self, expected, f"never fired: {names}", shown)
        actual = f"all of {many(len(armed), 'fault')} fired"
        shown = [first[index] for index in sorted(armed)]
        return finding(self, Verdict.PASS, expected, actual, shown)
