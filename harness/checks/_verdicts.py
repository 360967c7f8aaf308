"""How a check comes to its verdict, the same way for all of them, and the words it says it in.

A failure that was seen is a failure, whatever else is missing. Without one, a check passes only
if nothing is left open: a history that stops before ``RunEnded`` could still have shown a
failure, so no demand about the whole of a run passes on it.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.checks._base import Check, Finding, Verdict, finding
from harness.checks._run import has_ended
from harness.history import History


def unknown(check: Check, expected: str, reason: str, evidence: Iterable[int] = ()) -> Finding:
    """The finding where a history can't tell."""
    return finding(check, Verdict.UNKNOWN, expected, reason, evidence)


def decide(
    check: Check,
    history: History,
    expected: str,
    actual: str,
    *,
    failed: bool,
    evidence: Iterable[int] = (),
    undecided: str = "",
) -> Finding:
    """Fail if something failed, else unknown if something is left open, else pass.

    An event that shows several things is evidence once.
    """
    evidence = tuple(dict.fromkeys(evidence))
    if failed:
        return finding(check, Verdict.FAIL, expected, actual, evidence)
    reason = undecided or ("" if has_ended(history) else "the history stops before the run's end")
    if reason:
        return unknown(check, expected, f"{actual}; but {reason}", evidence)
    return finding(check, Verdict.PASS, expected, actual, evidence)


def many(number: int, noun: str) -> str:
    """``1 call``, ``2 calls``: a number of things whose plural is regular."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def bounds(at_most: int | None, at_least: int | None, noun: str) -> str:
    """``at least 1 and at most 3 calls``: both limits, or the one that is given."""
    parts = [] if at_least is None else [f"at least {at_least}"]
    parts += [] if at_most is None else [f"at most {at_most}"]
    last = at_least if at_most is None else at_most
    return f"{' and '.join(parts)} {noun}{'' if last == 1 else 's'}" if parts else f"any {noun}s"
