"""What performed the faults, where there was more than one that could have."""

from __future__ import annotations

from collections.abc import Iterable

from harness.history import FaultArmed
from harness.result import RunResult

PROXY = "proxy"
_WORDS = {"router": "packet router", "host": "client's host", "port": "listening port"}


def means(runs: Iterable[RunResult]) -> dict[str, list[str]]:
    """The means of each fault that was armed, both in order of their names."""
    found: dict[str, set[str]] = {}
    for run in runs:
        for _, armed in run.history.of(FaultArmed):
            if armed.means:
                found.setdefault(armed.fault, set()).add(armed.means)
    return {fault: sorted(found[fault]) for fault in sorted(found)}


def performed(runs: Iterable[RunResult]) -> str:
    """``netem: latency, loss · packet router: blackhole``; empty where there was no choice.

    What the proxy performs as on any fabric is left out.
    """
    faults: dict[str, list[str]] = {}
    for fault, by in means(runs).items():
        for each in by:
            if each != PROXY:
                faults.setdefault(_WORDS.get(each, each), []).append(fault)
    return " · ".join(f"{each}: {', '.join(faults[each])}" for each in sorted(faults))
