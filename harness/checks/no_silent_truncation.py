"""``no_silent_truncation``: a reply is whole, or the caller is told that it isn't."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._run import origin_tells
from harness.checks._verdicts import decide, unknown
from harness.history import CallOk, History
from harness.units import YAML_CONFIG, format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSilentTruncation:
    """Every reply returned as good has all of the origin's bytes, and no others.

    The caller knows how many bytes are due and what they are. A call that returned with fewer,
    more or other bytes fails; one that raised an error instead does not.

    Evidence: the calls that returned such a reply. Unknown if no call returned a reply, or
    if the origin is a web server of the user's own.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "no_silent_truncation"
    GROUP: ClassVar[str] = "safety"
    REQUIREMENT: ClassVar[str] = (
        "A reply that was cut short or changed must end in an error, never in a result."
    )
    SHORTHAND: ClassVar[str | None] = None
    EXAMPLES: ClassVar[tuple[str, ...]] = ("no_silent_truncation: true",)

    def judge(self, history: History) -> Finding:
        """Look at the bytes of each reply."""
        expected = "every reply returned whole and unchanged"
        if "names" not in origin_tells(history):
            return unknown(self, expected, "nobody knows what this origin replies to which call")
        replies = history.of(CallOk)
        if not replies:
            return unknown(self, expected, "no call returned a reply")
        broken = [(n, ok) for n, ok in replies if not ok.intact or _differs(ok)]
        actual = f"{len(broken)} of {len(replies)} replies returned cut or changed"
        if broken:
            first = broken[0][1]
            got, due = format_size(first.reply_bytes), format_size(first.expected_bytes)
            actual += f", the first with {got} of {due}"
        shown = [number for number, _ in broken]
        return decide(self, history, expected, actual, failed=bool(broken), evidence=shown)


def _differs(ok: CallOk) -> bool:
    return ok.reply_bytes != ok.expected_bytes
