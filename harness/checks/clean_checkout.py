"""``clean_checkout``: a connection comes to its next caller as if it were new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.checks._base import Finding
from harness.checks._run import origin_tells
from harness.checks._verdicts import decide, many, unknown
from harness.history import DirtyCheckout, Executed, History
from harness.units import YAML_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanCheckout:
    """No caller gets a connection with another caller's open transaction or session state.

    The origin looks at each call for what an earlier call left in its connection: an open
    transaction, or a setting that calls with ``session`` change. A transaction handed on is always
    wrong: what the next caller commits or rolls back is somebody else's work. Session state is
    reset by some pools and not by others; with ``session: false`` only transactions count.

    Evidence: the calls that found something. Unknown if the origin has no sessions that it can
    look into, or if it told of no call at all.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "clean_checkout"
    GROUP: ClassVar[str] = "safety"
    REQUIREMENT: ClassVar[str] = (
        "A pool must reset a connection, or close it, before another caller gets it."
    )
    SHORTHAND: ClassVar[str | None] = None
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "clean_checkout: true",
        "clean_checkout: {session: false}",
    )

    session: Annotated[
        bool, Field(description="whether changed settings count, not open transactions alone")
    ] = True

    def judge(self, history: History) -> Finding:
        """Look for what callers found left behind."""
        wanted = {"transaction", "session"} if self.session else {"transaction"}
        expected = f"no {' or '.join(sorted(wanted, reverse=True))} of another call at a checkout"
        if "sessions" not in origin_tells(history):
            return unknown(self, expected, "the origin can't tell what a call finds")
        if history.first(Executed) is None and history.first(DirtyCheckout) is None:
            return unknown(self, expected, "the origin told of no call at all")
        found = [(n, dirty) for n, dirty in history.of(DirtyCheckout) if dirty.what in wanted]
        calls = {what: {d.nonce for _, d in found if d.what == what} for what in wanted}
        parts = [
            f"{many(len(calls[what]), 'call')} found {words}"
            for what, words in _WORDS.items()
            if what in wanted
        ]
        shown = [number for number, _ in found]
        actual = ", ".join(parts)
        return decide(self, history, expected, actual, failed=bool(found), evidence=shown)


_WORDS = {"transaction": "an open transaction", "session": "changed settings"}
