"""``at_most_once``: no unsafe call runs twice, and callers are told what really happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._calls import Call, calls
from harness.checks._run import origin_tells
from harness.checks._verdicts import decide, many, unknown
from harness.history import CallFailed, CallOk, Executed, History
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMostOnce:
    """Every unsafe call is executed at most once, and as its caller was told.

    The origin keeps a ledger of executions by nonce; executions on all backends are added up. Three
    things fail: an unsafe call executed more than once, one that returned a reply though it was
    never executed, and one reported as certainly not done though it was executed. Safe calls may
    run any number of times, and a pool's pings are not in the ledger.

    Evidence: the executions of a nonce, or the outcome and what contradicts it. Unknown if no
    unsafe call was made, or if the origin told of no execution at all.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "at_most_once"
    GROUP: ClassVar[str] = "safety"
    REQUIREMENT: ClassVar[str] = (
        "A call that is not safe to repeat must never be sent again once its bytes may have left."
    )
    SHORTHAND: ClassVar[str | None] = None
    EXAMPLES: ClassVar[tuple[str, ...]] = ("at_most_once: true",)

    def judge(self, history: History) -> Finding:
        """Compare the ledger with what was asked for and what callers were told."""
        expected = "every unsafe call executed at most once, and as its caller was told"
        asked = [call for call in calls(history) if call.invoked.unsafe]
        if not asked:
            return unknown(self, expected, "no unsafe call was made")
        if "executions" not in origin_tells(history):
            return unknown(self, expected, "the origin counts no executions")
        if history.first(Executed) is None:
            return unknown(self, expected, "the origin told of no execution at all")
        repeated = [call for call in asked if len(call.executed) > 1]
        unheard = [call for call in asked if _is(call, CallOk) and not call.executed]
        denied = [call for call in asked if _is(call, CallFailed) and call.executed]
        wrong = [*repeated, *unheard, *denied]
        actual = (
            f"of {many(len(asked), 'unsafe call')} {len(repeated)} ran more than once, "
            f"{len(unheard)} returned without having run, {len(denied)} ran though called failed"
        )
        shown = [number for call in wrong for number in _evidence(call)]
        return decide(self, history, expected, actual, failed=bool(wrong), evidence=shown)


def _is(call: Call, kind: type[CallOk | CallFailed]) -> bool:
    return call.outcome is not None and isinstance(call.outcome[1], kind)


def _evidence(call: Call) -> list[int]:
    shown = [number for number, _ in call.executed[:3]]
    if len(call.executed) <= 1 and call.outcome is not None:
        shown.append(call.outcome[0])
    return shown
