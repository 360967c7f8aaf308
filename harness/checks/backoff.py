"""``backoff``: while connecting fails, the client slows down."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any, ClassVar

from harness.checks._base import Finding
from harness.checks._dials import Attempt, attempts
from harness.checks._fields import AtMostPerS
from harness.checks._run import exceeds
from harness.checks._verdicts import decide, many, unknown
from harness.history import History
from harness.units import YAML_CONFIG

FEW_RETRIES = 4
"""Fewer retries than this in one outage tell no rate: the first ones may follow at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """While connecting fails, retries come no faster on average than this.

    An outage begins when the first failed attempt is over, and ends with the next success or with
    healing. Attempts that had begun before the failure was known are not retries. The rate is the
    number of retries by the time from the first failure to the last retry. An attempt failed if
    it was refused, reset or timed out, or if its connection was turned away at once: during the
    handshake, or closed by the far side within 100 ms without one exchange. An outage with fewer
    than 4 retries tells no rate and passes.

    Evidence: the first failure of the fastest outage and its retries. Unknown if the wire saw no
    attempt, or if none failed.
    """

    __pydantic_config__: ClassVar[Any] = YAML_CONFIG
    NAME: ClassVar[str] = "backoff"
    GROUP: ClassVar[str] = "load"
    REQUIREMENT: ClassVar[str] = (
        "A pool must wait longer and longer between attempts while a server can't be reached."
    )
    SHORTHAND: ClassVar[str | None] = "at_most_per_s"
    EXAMPLES: ClassVar[tuple[str, ...]] = ("backoff: 5/s", "backoff: {at_most: 5/s}")

    at_most_per_s: AtMostPerS

    def judge(self, history: History) -> Finding:
        """Find the outage with the fastest retries."""
        expected = f"at most {self.at_most_per_s:g} retries a second while connecting fails"
        made = attempts(history)
        if not made:
            return unknown(self, expected, "the wire saw no attempt to connect")
        outages = _outages(made)
        if not outages:
            return unknown(self, expected, "no attempt to connect failed")
        fastest = max(outages, key=lambda outage: (outage.rate_per_s(), len(outage.retries)))
        rate_per_s = fastest.rate_per_s()
        retries = many(len(fastest.retries), "further attempt")
        speed = f"{rate_per_s:.3g} a second" if rate_per_s else "too few to tell a rate"
        actual = f"{many(len(outages), 'outage')}; after a failure {retries}, {speed}"
        shown = [fastest.first.event_id, *(retry.event_id for retry in fastest.retries)]
        failed = exceeds(rate_per_s, self.at_most_per_s)
        return decide(self, history, expected, actual, failed=failed, evidence=shown)


@dataclass(slots=True)
class _Outage:
    """From a failed attempt to the next success."""

    first: Attempt
    retries: list[Attempt] = field(default_factory=list)

    def rate_per_s(self) -> float:
        """Retries a second from the first failure on; 0 if there are too few to tell."""
        if len(self.retries) < FEW_RETRIES:
            return 0.0
        span_s = self.retries[-1].begun_s - self.first.ended_s
        return len(self.retries) / span_s if span_s > 0 else inf


def _outages(made: list[Attempt]) -> list[_Outage]:
    found: list[_Outage] = []
    outage: _Outage | None = None
    for attempt in made:
        if outage is not None and attempt.begun_s > outage.first.ended_s:
            outage.retries.append(attempt)
        if attempt.ok:
            outage = None
        elif outage is None:
            outage = _Outage(attempt)
            found.append(outage)
    return found
