"""What a check is: a frozen dataclass with a requirement and a judgement of a history.

``judge`` is a pure function: it never raises and needs no clock, so a kept history can be judged
again. Every member has a ``NAME``, a ``GROUP`` (safety, conservation, liveness, load, fairness,
errors, meta), a ``REQUIREMENT`` sentence, a ``SHORTHAND`` (the field that ``expect: {errors: 0}``
sets, or None), ``EXAMPLES`` in YAML, and a docstring that becomes its help page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

from harness.history import History

EVIDENCE_LIMIT = 8
"""A finding shows at most this many events; more would hide the first."""


class Verdict(StrEnum):
    """Three-valued: ``unknown`` is never a pass."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    UNKNOWN = "unknown"
    FAIL = "fail"


_RANK = {Verdict.PASS: 0, Verdict.UNKNOWN: 1, Verdict.FAIL: 2}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of them wins; of none it is ``pass``."""
    return max(verdicts, key=_RANK.__getitem__, default=Verdict.PASS)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: the verdict, what was expected and seen, and the events that show it."""

    check: str
    verdict: Verdict
    requirement: str
    expected: str
    actual: str
    evidence: tuple[int, ...] = ()


@runtime_checkable
class Check(Protocol):
    """What every check has."""

    NAME: ClassVar[str]
    GROUP: ClassVar[str]
    REQUIREMENT: ClassVar[str]
    SHORTHAND: ClassVar[str | None]
    EXAMPLES: ClassVar[tuple[str, ...]]

    def judge(self, history: History) -> Finding:
        """The finding on this history."""


def finding(
    check: Check,
    verdict: Verdict | bool,
    expected: str,
    actual: str,
    evidence: Iterable[int] = (),
) -> Finding:
    """A finding of this check; True is ``pass``, False is ``fail``."""
    if isinstance(verdict, bool):
        verdict = Verdict.PASS if verdict else Verdict.FAIL
    first = tuple(evidence)[:EVIDENCE_LIMIT]
    return Finding(check.NAME, verdict, check.REQUIREMENT, expected, actual, first)
