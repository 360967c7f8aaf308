"""``no_crosstalk``: nobody gets somebody else's reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._run import origin_tells
from harness.checks._verdicts import decide, unknown
from harness.history import CallInvoked, CallOk, History
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCrosstalk:
    """Each reply belongs to the call it was returned for.

    A reply names the nonce of the call that the origin computed it for; it fails if that is
    another call's. A reply that names none, because its body was cut or garbled, is nobody's:
    that is for ``no_silent_truncation`` to judge.

    Evidence: the call that got a foreign reply, then the call whose reply it was. Unknown if no
    reply named a nonce, or if the origin is a web server of the user's own.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "no_crosstalk"
    GROUP: ClassVar[str] = "safety"
    REQUIREMENT: ClassVar[str] = (
        "A reply must reach the caller it was made for, and nobody else, "
        "also after others were cancelled or cut off on the same connection."
    )
    SHORTHAND: ClassVar[str | None] = None
    EXAMPLES: ClassVar[tuple[str, ...]] = ("no_crosstalk: true",)

    def judge(self, history: History) -> Finding:
        """Compare each reply's nonce with its call's."""
        expected = "every reply made for the call that got it"
        if "names" not in origin_tells(history):
            return unknown(self, expected, "nobody knows what this origin replies to which call")
        named = [(number, ok) for number, ok in history.of(CallOk) if ok.reply_nonce]
        if not named:
            return unknown(self, expected, "no reply named the call it was made for")
        foreign = [(number, ok) for number, ok in named if ok.reply_nonce != ok.nonce]
        actual = f"{len(foreign)} of {len(named)} replies made for another call"
        shown = _evidence(foreign, {call.nonce: number for number, call in history.of(CallInvoked)})
        return decide(self, history, expected, actual, failed=bool(foreign), evidence=shown)


def _evidence(foreign: list[tuple[int, CallOk]], owners: dict[str, int]) -> list[int]:
    shown = []
    for number, ok in foreign:
        shown.append(number)
        if ok.reply_nonce in owners:
            shown.append(owners[ok.reply_nonce])
    return shown
