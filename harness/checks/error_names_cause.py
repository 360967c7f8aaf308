"""``error_names_cause``: an error says what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._calls import Mishap, calls, undecided
from harness.checks._verdicts import decide, many, unknown
from harness.history import History
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorNamesCause:
    """Every call that fails says of what: refused, reset, closed, timed out or another cause.

    An error fails this check if its class could not be told (kind ``other``), as when something
    of the library's inside escapes, or if it has no message. Calls that the harness itself
    cancelled or abandoned are left out. If calls were made and none failed, nothing had a cause
    to name, and that passes.

    Evidence: the errors that don't name their cause. Unknown if no call was made, or if some have
    no outcome.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "error_names_cause"
    GROUP: ClassVar[str] = "errors"
    REQUIREMENT: ClassVar[str] = (
        "An error must be of a class that tells its cause, with a message, "
        "so that callers can handle it without knowing the library's inside."
    )
    SHORTHAND: ClassVar[str | None] = None
    EXAMPLES: ClassVar[tuple[str, ...]] = ("error_names_cause: true",)

    def judge(self, history: History) -> Finding:
        """Look at the kind and the message of each error."""
        expected = "every error of a known kind and with a message"
        asked = calls(history)
        if not asked:
            return unknown(self, expected, "no call was made")
        failed = [call.mishap for call in asked if call.mishap is not None]
        dumb = [(number, mishap) for number, mishap in failed if not _names_cause(mishap)]
        actual = f"{len(dumb)} of {many(len(failed), 'error')} didn't name the cause"
        if dumb:
            kind, message = dumb[0][1].kind, dumb[0][1].message.strip()
            actual += f", the first: {kind}: {message or '(no message)'}"
        return decide(
            self,
            history,
            expected,
            actual if failed else "no call failed, so there was no cause to name",
            failed=bool(dumb),
            evidence=[number for number, _ in dumb],
            undecided=undecided(asked),
        )


def _names_cause(mishap: Mishap) -> bool:
    return mishap.kind not in {"", "other"} and bool(mishap.message.strip())
