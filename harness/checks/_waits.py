"""Demands that something ends in time: which did, which did not, and which can't be known.

What is watched can be seen only until some instant (the end of the history, or the client being
closed, which ends everything anyway). A wait that was not over then is late if its time was over
by then; otherwise it is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from harness.checks._run import exceeds, last_s
from harness.history import ClientClosing, History


@dataclass(frozen=True, slots=True)
class Wait:
    """From when until when something lasted, and the events that show it."""

    begun_s: float
    ended_s: float
    evidence: tuple[int, ...]

    @property
    def took_s(self) -> float:
        """How long it lasted; infinite if nobody saw its end."""
        return self.ended_s - self.begun_s


def observed_until_s(history: History) -> float:
    """The instant until which the client was at work and watched."""
    closing = (event.at_s for _, event in history.of(ClientClosing))
    return min(min(closing, default=inf), last_s(history))


def sort_out(
    waits: Iterable[Wait], within_s: float, until_s: float
) -> tuple[list[Wait], list[Wait]]:
    """The waits that were late, and those that are open."""
    late, still_open = [], []
    for wait in waits:
        if exceeds(min(wait.ended_s, until_s) - wait.begun_s, within_s):
            late.append(wait)
        elif wait.ended_s > until_s:
            still_open.append(wait)
    return late, still_open
