"""A scorecard as text: what each client came to, and a table of families (or scenarios) by clients.

There may be more clients than a terminal has room for names, so columns have numbers, which the
list of clients above explains, and a table that is too wide is cut into several.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.report.drawing import STYLES, Look, draw, lasting, many, padded, printable
from harness.report.failures import failure
from harness.report.json import to_json
from harness.report.matrix import (
    NOT_APPLICABLE,
    SIGNS,
    Column,
    Matrix,
    State,
    arranged,
    column_name,
    family_of,
    is_good,
    summed,
)
from harness.result import RunResult
from harness.units import format_duration

STATE_STYLES = {
    State.PASS: STYLES[Verdict.PASS],
    State.FAIL: STYLES[Verdict.FAIL],
    State.FLAKY: "bold yellow",
    State.UNKNOWN: STYLES[Verdict.UNKNOWN],
    State.UNSUPPORTED: "dim",
    State.NOT_SET_UP: "magenta",
}
_ASCII = {State.FAIL: "x", State.PASS: "+", State.UNSUPPORTED: "/"}
_ALWAYS = (State.PASS, State.FAIL)
_GAP = "  "
NAME_CELLS = 24
"""Longer names of clients are cut short in the list, but not below it."""
NUMBER_CELLS, TIME_CELLS = 4, 8
FLAKY_SHOWN = 8
"""So many flaky cells are named below the table, which shows the others."""


def render_scorecard(
    results: Sequence[RunResult],
    look: Look,
    choices: Sequence[ClientChoice] = (),
    *,
    took_s: float | None = None,
    verbose: bool = False,
    strict: bool = False,
) -> str:
    """The scorecard of these results; with ``verbose`` each scenario and each failure in full.

    A single family is shown scenario by scenario in any case.
    """
    matrix = arranged(results, choices)
    parts: list[RenderableType] = [*_clients(matrix, look), Text()]
    rows = matrix.scenarios if verbose or len(matrix.families) <= 1 else matrix.families
    parts += _tables(matrix, rows, look)
    parts += _notes(matrix, look)
    if verbose:
        for _, _, cell in matrix.cells():
            if cell.outcome.bad and not cell.outcome.unsupported:
                parts += [Text(), *failure(cell.outcome, look, strict=strict)]
    return draw([*parts, Text(), _summary(matrix, took_s)], look)


def scorecard_json(
    results: Sequence[RunResult],
    choices: Sequence[ClientChoice] = (),
    *,
    took_s: float | None = None,
    strict: bool = False,
) -> dict[str, Any]:
    """What ``to_json`` tells, with the scorecard's own view of it.

    ::

        clients     a list, each with name, versions, problem ("" or why nothing could be set up),
                    detection_s and recovery_s (medians, or null), and a number for each state
        cells       a list, each with scenario, client, state, passed, runs, detection_s, recovery_s

    ``state`` is pass, fail, flaky, unknown, not supported or not set up. ``totals`` are those of
    a run: their ``exit_code`` is what ``harness run`` would say.
    """
    matrix = arranged(results, choices)
    return to_json(results, took_s=took_s, strict=strict) | {
        "clients": [
            {
                "name": column.name,
                "versions": column.versions,
                "problem": column.problem,
                "detection_s": column.detection_s,
                "recovery_s": column.recovery_s,
                "states": {state.value: column.counts()[state] for state in State},
            }
            for column in matrix.columns
        ],
        "cells": [
            {
                "scenario": cell.scenario,
                "client": matrix.columns[place].name,
                "state": cell.state.value,
                "passed": cell.outcome.passed,
                "runs": len(cell.outcome.runs),
                "detection_s": cell.detection_s,
                "recovery_s": cell.recovery_s,
            }
            for _, place, cell in matrix.cells()
        ],
    }


def sign(state: State, look: Look) -> str:
    """The character for a state, as far as the reader's terminal has it."""
    return look.sign(SIGNS[state], _ASCII.get(state, SIGNS[state]))


def tells(counted: Counter[State], look: Look) -> Text:
    """``✓``, or ``✗2``: the worst there is among some cells, and how often if there are others."""
    if (found := summed(counted)) is None:
        return Text(look.sign(NOT_APPLICABLE, "-"), style="dim")
    state, number = found
    alone = is_good(state) or counted.total() == 1
    return Text(sign(state, look) + ("" if alone else str(number)), style=STATE_STYLES[state])


# --- the clients ----------------------------------------------------------------------------


def _clients(matrix: Matrix, look: Look) -> Iterator[Text]:
    """A line a client: its number, how many cells are in which state, and how fast it is."""
    totals = matrix.counts
    states = [state for state in reversed(State) if totals[state] or state in _ALWAYS]
    cells = min(NAME_CELLS, max([cell_len(_name(c)) for c in matrix.columns] + [len("client")]))
    named = [padded(sign(state, look), NUMBER_CELLS, right=True) for state in states]
    times = [padded(head, TIME_CELLS, right=True) for head in ("detects", "recovers")]
    heads = [f"    {padded('client', cells)}", *named, *times]
    yield Text(_GAP.join(heads), style="bold", no_wrap=True)
    for number, column in enumerate(matrix.columns, 1):
        yield _client(number, column, cells, states, look)


def _client(number: int, column: Column, cells: int, states: list[State], look: Look) -> Text:
    counted = column.counts()
    name = _name(column)
    short = name if cell_len(name) <= cells else name[: cells - 1] + look.sign("…", "~")
    text = Text(f"{number:>2}  {padded(short, cells)}", no_wrap=True)
    for state in states:
        style = STATE_STYLES[state] if counted[state] else "dim"
        text.append(_GAP + padded(str(counted[state]), NUMBER_CELLS, right=True), style=style)
    for seconds in (column.detection_s, column.recovery_s):
        told = "-" if seconds is None else format_duration(_rounded(seconds))
        text.append(_GAP + padded(told, TIME_CELLS, right=True), style="none")
    return text


def _name(column: Column) -> str:
    return printable(column_name(column.choice))


def _rounded(seconds: float) -> float:
    """Three digits: nobody reads more of a median."""
    return float(f"{seconds:.3g}")


# --- the table ------------------------------------------------------------------------------


def _tables(matrix: Matrix, rows: Sequence[str], look: Look) -> Iterator[Text]:
    """Rows by clients, in as many tables side by side, one below the other, as it takes."""
    lines = [[tells(_counted(column, row), look) for column in matrix.columns] for row in rows]
    width = max([len(cell.plain) for line in lines for cell in line] + [2])
    head = max([cell_len(printable(row)) for row in rows] + [len("scenario")])
    room = max(1, (look.cells - head) // (width + 2))
    for start in range(0, len(matrix.columns), room):
        if start:
            yield Text()
        numbers = range(start + 1, min(start + room, len(matrix.columns)) + 1)
        shown = "".join(_GAP + padded(str(number), width) for number in numbers)
        yield Text(padded("", head) + shown.rstrip(), style="bold", no_wrap=True)
        for row, line in zip(rows, lines, strict=True):
            text = Text(padded(printable(row), head), no_wrap=True)
            for cell in line[start : start + room]:
                text.append(_GAP)
                text.append(padded(cell.plain, width), style=cell.style)
            yield text


def _counted(column: Column, row: str) -> Counter[State]:
    """How many cells of a row are in which state: a scenario has one, a family many."""
    if row in column.cells:
        return Counter([column.cells[row].state])
    return Counter(cell.state for name, cell in column.cells.items() if family_of(name) == row)


# --- what is below --------------------------------------------------------------------------


def _notes(matrix: Matrix, look: Look) -> Iterator[Text]:
    yield Text()
    yield Text(_legend(matrix, look), style="dim", overflow="fold")
    yield from _versions(matrix)
    for number, column in enumerate(matrix.columns, 1):
        if column.problem:
            told = f"{number} {_name(column)} is not set up: {printable(column.problem)}"
            yield Text(told, style=STATE_STYLES[State.NOT_SET_UP], overflow="fold")
    flaky = [
        f"{printable(cell.scenario)} ({_name(matrix.columns[place])} {cell.share})"
        for _, place, cell in matrix.cells()
        if cell.state is State.FLAKY
    ]
    if flaky:
        more = f" and {len(flaky) - FLAKY_SHOWN} more" if len(flaky) > FLAKY_SHOWN else ""
        told = f"flaky: {', '.join(flaky[:FLAKY_SHOWN])}{more}"
        yield Text(told, style=STATE_STYLES[State.FLAKY])


def _legend(matrix: Matrix, look: Look) -> str:
    totals = matrix.counts
    used = [f"{sign(state, look)} {state.value}" for state in reversed(State) if totals[state]]
    return ", ".join([*used, f"{look.sign(NOT_APPLICABLE, '-')} not applicable"])


def _versions(matrix: Matrix) -> Iterator[Text]:
    """``redis 6.4.0 (4, 5)``: every version there is, with the clients that have it."""
    found: dict[str, list[str]] = {}
    for number, column in enumerate(matrix.columns, 1):
        for name, version in column.versions.items():
            found.setdefault(printable(f"{name} {version}"), []).append(str(number))
    told = [f"{version} ({', '.join(numbers)})" for version, numbers in sorted(found.items())]
    if told:
        yield Text(f"versions: {'; '.join(told)}", style="dim", overflow="fold")


def _summary(matrix: Matrix, took_s: float | None) -> Text:
    totals = matrix.counts
    cells = sum(totals.values())
    if not cells:
        return Text("nothing ran")
    words = ((State.PASS, "passed"), (State.FAIL, "failed"))
    rest = ((state, state.value) for state in State if state not in _ALWAYS)
    text = Text(f"{many(len(matrix.scenarios), 'scenario')}, ", style="none")
    text.append(f"{many(len(matrix.columns), 'client')}: ")
    parts = [
        Text(f"{totals[state]} {word}", style=STATE_STYLES[state])
        for state, word in (*words, *rest)
        if totals[state]
    ]
    text.append(Text(", ").join(parts))
    if took_s is not None:
        text.append(f" in {lasting(took_s)}", style="none")
    return text
