"""Rounds of probes after healing: when they ended, and whether all of a round was answered."""

from __future__ import annotations

from harness.checks._run import healed, moment
from harness.history import History, RecoveryProbed


def rounds(history: History) -> list[tuple[int, RecoveryProbed]]:
    """The rounds after healing that probed one call after the other, in order of time."""
    return [seen for seen in _probed(history) if not seen[1].together]


def gatherings(history: History) -> list[tuple[int, RecoveryProbed]]:
    """The rounds whose calls the origin answered only once all of them had arrived."""
    return [seen for seen in _probed(history) if seen[1].together]


def _probed(history: History) -> list[tuple[int, RecoveryProbed]]:
    begin = healed(history)
    return sorted(
        (
            seen
            for seen in history.of(RecoveryProbed)
            if begin is not None and moment(seen) > begin and seen[1].calls > 0
        ),
        key=moment,
    )


def is_whole(probed: RecoveryProbed) -> bool:
    """Tell whether every probe of a round was answered."""
    return probed.ok >= probed.calls
