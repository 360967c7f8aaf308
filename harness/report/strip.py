"""Many runs at a glance: one character each under a ruler, and in words which of them fail.

A strip shows where in a row of runs the verdict changes: along the values of a sweep, or along
the points at which a fault or a cancellation was placed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from harness.checks import Verdict
from harness.report.drawing import STYLES, Look, printable

_MARKS = {Verdict.PASS: "·", Verdict.FAIL: "x", Verdict.UNKNOWN: "?"}
_ASCII_MARKS = {Verdict.PASS: ".", Verdict.FAIL: "x", Verdict.UNKNOWN: "?"}
_VERBS = {Verdict.FAIL: "fails", Verdict.UNKNOWN: "is unknown"}
WIDEST = 100
"""More marks on one line are hard to count, however wide the terminal."""
TICK = 10
RANGES_SHOWN = 8
"""So many ranges are named; the strip shows the others."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One run of the row: where it stands, and its verdict."""

    name: str
    verdict: Verdict


def strip(marks: Sequence[Mark], look: Look, *, indent: int = 4) -> Iterator[Text]:
    """Lines of marks, each below a ruler that names every tenth."""
    signs = _MARKS if look.unicode else _ASCII_MARKS
    room = max(TICK, min(WIDEST, look.cells - indent) // TICK * TICK)
    for start in range(0, len(marks), room):
        row = marks[start : start + room]
        yield Text(" " * indent + _ruler(row, look), style="dim", no_wrap=True)
        line = Text(" " * indent, no_wrap=True)
        for mark in row:
            line.append(signs[mark.verdict], style=STYLES[mark.verdict])
        yield line


def _ruler(row: Sequence[Mark], look: Look) -> str:
    """The names of the first mark and of every tenth that there is room for."""
    tick, text = look.sign("╷", "|"), ""
    for place in range(0, len(row), TICK):
        label = f"{tick}{printable(row[place].name)}"
        fits = len(text) <= place and (len(label) <= TICK or place + 2 * TICK > len(row))
        if len(text) < place or (place == 0 or fits):
            text = text.ljust(place) + (label if place >= len(text) else "")
    return text


def ranges(marks: Sequence[Mark], verdict: Verdict) -> list[str]:
    """``1.9985s..2.0005s`` and ``2.01s``: the stretches of the row with this verdict."""
    found = []
    for same, group in groupby(marks, key=lambda mark: mark.verdict):
        names = [mark.name for mark in group]
        if same is verdict:
            found.append(names[0] if len(names) == 1 else f"{names[0]}..{names[-1]}")
    return found


def boundary(marks: Sequence[Mark], of: str, noun: str) -> Iterator[Text]:
    """``fails for idle 1.9985s..2.0005s (4 of 81 values)``, a line a verdict that isn't pass."""
    for verdict, verb in _VERBS.items():
        number = sum(mark.verdict is verdict for mark in marks)
        if number:
            told = ranges(marks, verdict)
            more = f" and {len(told) - RANGES_SHOWN} more" if len(told) > RANGES_SHOWN else ""
            where = f"{of} {', '.join(map(printable, told[:RANGES_SHOWN]))}{more}".lstrip()
            text = f"{verb} for {where} ({number} of {len(marks)} {noun}s)"
            yield Text(text, style=STYLES[verdict], overflow="fold")
