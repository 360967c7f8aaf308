"""``errors``: how many calls may fail, and of what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.checks._base import Finding
from harness.checks._calls import Mishap, undecided, workload_calls
from harness.checks._fields import AtLeast, AtMost, demand_any
from harness.checks._run import is_workload_over
from harness.checks._verdicts import bounds, decide, many, unknown
from harness.errors import ErrorKind
from harness.history import FaultArmed, FaultFired, History
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """No more calls fail than this, and only in these ways.

    Counted are calls made before healing that ended as failed (certainly not done) or unknown
    (perhaps done). A call that the harness itself cancelled or abandoned, and that says so, is no
    error; one that ends as cancelled though nobody cancelled it is. ``only`` lists the kinds that
    are allowed. ``at_least`` demands that trouble is told and not swallowed.

    Evidence: the calls that failed, those of a kind that isn't allowed first. Unknown if no call
    was made, if some have no outcome and could tip the balance, or if there are too few errors
    because no fault fired: there was no trouble to tell.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "errors"
    GROUP: ClassVar[str] = "errors"
    REQUIREMENT: ClassVar[str] = (
        "Callers see the errors that can't be avoided, of the kind they can handle, and no others."
    )
    SHORTHAND: ClassVar[str | None] = "at_most"
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "errors: 0",
        "errors: {at_most: 3, only: [reset, timeout]}",
        "errors: {at_least: 1, only: [pool_timeout]}",
    )

    at_most: AtMost | None = None
    at_least: AtLeast | None = None
    only: Annotated[
        tuple[ErrorKind, ...] | None, Field(min_length=1, description="the kinds allowed")
    ] = None

    def __post_init__(self) -> None:
        demand_any(at_most=self.at_most, at_least=self.at_least, only=self.only)

    def judge(self, history: History) -> Finding:
        """Count the calls that failed, by kind."""
        expected = self._expected()
        asked = workload_calls(history)
        if not asked:
            return unknown(self, expected, "no call was made")
        failed = [call.mishap for call in asked if call.mishap is not None]
        odd = [seen for seen in failed if self.only is not None and seen[1].kind not in self.only]
        left_open = undecided(asked)
        spared = _was_spared(history)
        too_many = self.at_most is not None and len(failed) > self.at_most
        too_few = self.at_least is not None and len(failed) < self.at_least
        settled = is_workload_over(history) and not left_open and not spared
        return decide(
            self,
            history,
            expected,
            f"{many(len(failed), 'error')} in {many(len(asked), 'call')}{_by_kind(failed)}",
            failed=bool(odd) or too_many or (too_few and settled),
            evidence=[number for number, _ in [*odd, *failed]],
            undecided=left_open or ("no fault fired" if too_few and spared else ""),
        )

    def _expected(self) -> str:
        kinds = "" if self.only is None else f", only {' or '.join(self.only)}"
        return f"{bounds(self.at_most, self.at_least, 'error')} before healing{kinds}"


def _was_spared(history: History) -> bool:
    """Tell whether there were faults and none of them struck."""
    return history.first(FaultArmed) is not None and history.first(FaultFired) is None


def _by_kind(failed: list[tuple[int, Mishap]]) -> str:
    counts = Counter(mishap.kind for _, mishap in failed)
    told = ", ".join(f"{number} {kind}" for kind, number in counts.most_common())
    return f": {told}" if told else ""
