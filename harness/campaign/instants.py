"""The instants at which a fault can strike: each at which something happened, and between them.

Bytes are not the only places. A client that looks whether its connection lives, does something
for a while and only then sends has a window in which no byte passes. In virtual time a run has
few instants, and the middle of each gap between two of them stands for the whole gap.

Where the scenario allows no errors, none may come of a strike between two instants while no reply
was awaited: whoever looks right before sending never meets a connection that was closed before. A
connection that was struck in the middle of a call, or at the very instant at which it was used,
is another matter, and then errors are not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from harness.checks import Verdict
from harness.history import FaultFired, Healed, History, PhaseStarted
from harness.result import RunResult
from harness.scenario import Document

INSTANTS_LIMIT = 150
"""Of more instants than this the last ones are taken: faults of the idle come late."""
GAP_US = 4
"""A shorter gap has no middle."""
LASTS = "500us"
"""For so long the fault strikes who is there; shorter than any connect takes."""
NAME = "instants"


class Instant(NamedTuple):
    """One instant, in microseconds since the workload began; or the middle between two."""

    at_us: int
    between: bool = False

    @property
    def forgives(self) -> tuple[str, ...]:
        """The checks that aren't judged there."""
        return () if self.between else ("errors",)

    @property
    def when(self) -> Document:
        """The instant as a scenario says it."""
        return {"at": f"{self.at_us}us", "for": LASTS}

    @property
    def label(self) -> str:
        """``at 2.004 s``."""
        return f"at {self.at_us / 1e6:g} s"


def instants(history: History) -> Mapping[int, Instant]:
    """The instants of a dry run's workload, and the middles between them, numbered from 1."""
    started, healed = history.first(PhaseStarted), history.first(Healed)
    if started is None or healed is None:
        return {}
    since = (event.at_s - started.at_s for event in history.events)
    last_us = round((healed.at_s - started.at_s) * 1e6)
    seen = sorted({us for at_s in since if 0 <= (us := round(at_s * 1e6)) <= last_us})
    chosen = seen[-INSTANTS_LIMIT:]
    middles = [(a + b) // 2 for a, b in pairwise(chosen) if b - a >= GAP_US]
    found = [*map(Instant, chosen), *(Instant(us, between=True) for us in middles)]
    return dict(enumerate(sorted(found), start=1))


def fairly_judged(result: RunResult, index: int, forgives: tuple[str, ...] = ()) -> RunResult:
    """The result without failed findings that are forgiven.

    Errors are, too, if the fault struck in the middle of a call.
    """
    fired = (event for _, event in result.history.of(FaultFired) if event.index == index)
    if any("awaiting" in event.where for event in fired):
        forgives = (*forgives, "errors")
    kept = tuple(
        finding
        for finding in result.findings
        if finding.check not in forgives or finding.verdict is not Verdict.FAIL
    )
    return replace(result, findings=kept)
