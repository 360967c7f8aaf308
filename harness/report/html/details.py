"""What a cell of the page opens to, as compact JSON: every text once, and then by its number.

::

    texts     every text of the cells below
    cells     a list, each a list of
      scenario, client       places in the table
      about                  what the scenario shows
      version                of the client's libraries
      facts                  a list of pairs: a label and a text
      notes                  lines above the findings: why nothing ran, where a sweep fails
      findings               a list, each: check, verdict, requirement, expected, actual, and
                             evidence, a list, each: when, who saw it, what happened
      command                repeats the run that is shown
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from harness.checks import Finding, Verdict
from harness.history import History
from harness.report.drawing import lasting, many, printable
from harness.report.events import happened
from harness.report.matrix import Cell, Column, Matrix
from harness.report.means import performed
from harness.report.plain import not_supported
from harness.report.strip import boundary
from harness.result import RunResult
from harness.units import format_duration

_DANGEROUS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
"""What could end the element that holds the JSON, or begin a comment in it."""


def details(matrix: Matrix) -> str:
    """The JSON of all cells, fit to stand in a script element."""
    texts: dict[str, int] = {}
    cells = [
        _numbered([row, place, *_cell(cell, matrix.columns[place])], texts, keep=2)
        for row, place, cell in matrix.cells()
    ]
    value = {"texts": list(texts), "cells": cells}
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return "".join(_DANGEROUS.get(character, character) for character in text)


def _numbered(value: Any, texts: dict[str, int], keep: int = 0) -> Any:
    """The value with texts as their numbers; the first few of a list are numbers already."""
    if isinstance(value, str):
        return texts.setdefault(printable(value), len(texts))
    return [*value[:keep], *(_numbered(item, texts) for item in value[keep:])]


def _cell(cell: Cell, column: Column) -> list[Any]:
    run = cell.worst
    about = " ".join(run.scenario.about.split())
    findings = [_finding(finding, run.history) for finding in _worst_first(run)]
    facts, notes = list(_facts(cell, run)), list(_notes(cell, run))
    return [about, column.version, facts, notes, findings, run.command()]


def _facts(cell: Cell, run: RunResult) -> Iterator[tuple[str, str]]:
    yield "level", run.scenario.level
    yield "seed", str(run.seed)
    yield "fabric", run.fabric
    if cell.outcome.unsupported:
        return
    if len(cell.outcome.runs) > 1:
        yield "passed", f"{cell.outcome.passed} of {many(len(cell.outcome.runs), 'run')}"
    if run.scenario.value:
        yield "shown", run.scenario.value.replace("=", " ")
    yield "calls", str(run.calls)
    yield "errors", str(run.errors)
    yield "connections", str(run.connections_opened)
    if cell.detection_s is not None:
        yield "detects after", told_s(cell.detection_s)
    if cell.recovery_s is not None:
        yield "recovers after", told_s(cell.recovery_s)
    if told_means := performed([run]):
        yield "performed by", told_means
    yield "took", lasting(run.took_s)


def told_s(seconds: float) -> str:
    """A measured time with three digits: nobody reads more."""
    return format_duration(float(f"{seconds:.3g}"))


def _notes(cell: Cell, run: RunResult) -> Iterator[str]:
    if cell.outcome.unsupported:
        yield f"Nothing ran: {not_supported(cell.outcome.unsupported)}."
    if run.setup_error:
        yield f"Set-up failed: {run.setup_error}"
    if len(cell.outcome.by_value) > 1:
        yield from (
            line.plain for line in boundary(cell.outcome.marks, cell.outcome.swept, "value")
        )


def _worst_first(run: RunResult) -> Sequence[Finding]:
    return (*run.failures, *(f for f in run.findings if f.verdict is Verdict.PASS))


def _finding(finding: Finding, history: History) -> list[Any]:
    """What passed needs no evidence."""
    shown = () if finding.verdict is Verdict.PASS else sorted(set(finding.evidence))
    evidence = [
        [f"{event.at_s:.4f} s", event.WITNESS, happened(event)]
        for number in shown
        if 0 <= number < len(history)
        for event in [history.events[number]]
    ]
    told = (finding.requirement, finding.expected, finding.actual)
    return [finding.check, finding.verdict.value, *told, evidence]
