"""The page's markup: what can be read without a script, which only folds, filters and opens.

Everything that comes from outside (names, messages, versions) passes ``_text`` or, in the JSON of
the details, ``details``; the policy in the head lets no script run but ours, known by its hash.
"""

from __future__ import annotations

import html
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from harness.choice import ClientChoice
from harness.report.drawing import lasting, many, printable
from harness.report.html.details import details, told_s
from harness.report.matrix import (
    CLASSES,
    NOT_APPLICABLE,
    SIGNS,
    Cell,
    Column,
    Matrix,
    State,
    arranged,
    family_of,
    is_good,
    summed,
)
from harness.result import RunResult

WORDS = {state: state.value for state in State} | {State.PASS: "passed", State.FAIL: "failed"}
PASS_FIRST = (State.PASS, *(state for state in State if state is not State.PASS))
BAR_UNITS = 200


def to_html(
    results: Sequence[RunResult],
    choices: Sequence[ClientChoice] = (),
    *,
    took_s: float | None = None,
) -> str:
    """One self-contained page: scenarios by clients, each cell with all that led to its verdict."""
    matrix = arranged(results, choices)
    style, script = _file("style.css"), _file("script.js")
    body = "\n".join(
        [
            *_header(matrix, took_s),
            *_clients(matrix),
            *_filters(matrix),
            *_table(matrix),
            *_footer(matrix),
        ]
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
base-uri 'none'; form-action 'none'; style-src {_hash(style)}; script-src {_hash(script)}">
<title>{_text(_title(matrix))}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}
<dialog id="detail" aria-labelledby="detail-title"></dialog>
<script type="application/json" id="data">{details(matrix)}</script>
<script>{script}</script>
</body>
</html>
"""


@cache
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _text(text: str) -> str:
    """Text that means nothing to a browser but itself, in an element or an attribute."""
    return html.escape(printable(text))


def _title(matrix: Matrix) -> str:
    if len(matrix.columns) == 1:
        return f"{matrix.columns[0].name} under chaos"
    return "Scorecard: connection pools under chaos"


# --- above the table ------------------------------------------------------------------------


def _header(matrix: Matrix, took_s: float | None) -> Iterator[str]:
    totals = matrix.counts
    told = [many(len(matrix.scenarios), "scenario"), many(len(matrix.columns), "client")]
    took = f" in {lasting(took_s)}" if took_s is not None else ""
    shown = [
        f'<li class="{CLASSES[state]}"><b>{totals[state]:,}</b> {WORDS[state]}</li>'
        for state in PASS_FIRST
        if totals[state]
    ]
    yield "<header>"
    yield f"<h1>{_text(_title(matrix))}</h1>"
    yield f'<p class="sub">{", ".join(told)}{took}</p>'
    yield f'<ul class="totals">{"".join(shown)}</ul>'
    yield '<p class="jump"><a href="#cells-title">Scenarios, one by one</a></p>'
    yield "</header>"


def _clients(matrix: Matrix) -> Iterator[str]:
    yield '<section aria-labelledby="clients-title"><h2 id="clients-title">Clients</h2>'
    yield '<table class="clients"><thead><tr><th scope="col">client</th>'
    yield '<th scope="col">verdicts</th><th scope="col" class="n">passed</th>'
    yield '<th scope="col" class="n">failed</th><th scope="col" class="n">detects</th>'
    yield '<th scope="col" class="n">recovers</th></tr></thead><tbody>'
    for column in matrix.columns:
        yield from _client(column)
    yield "</tbody></table></section>"


def _client(column: Column) -> Iterator[str]:
    counted = column.counts()
    versions = f"<small>{_text(column.version)}</small>" if column.version else ""
    problem = f'<small class="missing">{_text(column.problem)}</small>' if column.problem else ""
    yield f'<tr><th scope="row">{_text(column.name)}{versions}{problem}</th>'
    yield f"<td>{_bar(counted)}</td>"
    yield f'<td class="n" data-n="passed">{counted[State.PASS]}</td>'
    failed = counted[State.FAIL]
    marked = f'<b class="fail">{failed}</b>' if failed else "0"
    yield f'<td class="n" data-n="failed">{marked}</td>'
    for label, seconds in (("detects", column.detection_s), ("recovers", column.recovery_s)):
        told = NOT_APPLICABLE if seconds is None else told_s(seconds)
        yield f'<td class="n" data-n="{label}">{told}</td>'
    yield "</tr>"


def _bar(counted: Counter[State]) -> str:
    """How a client's cells divide, as a drawing; its words are in the title."""
    whole = sum(counted.values())
    if not whole:
        return ""
    told = ", ".join(f"{counted[state]} {WORDS[state]}" for state in PASS_FIRST if counted[state])
    parts, left = [], 0.0
    for state in PASS_FIRST:
        width = BAR_UNITS * counted[state] / whole
        if width:
            at = f'x="{left:.2f}" width="{width:.2f}"'
            parts.append(f'<rect class="{CLASSES[state]}" {at} height="10"/>')
        left += width
    return (
        f'<svg class="bar" viewBox="0 0 {BAR_UNITS} 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{told}"><title>{told}</title>{"".join(parts)}</svg>'
    )


def _filters(matrix: Matrix) -> Iterator[str]:
    """Hidden until the script, which alone can filter, shows it."""
    totals = matrix.counts
    yield '<section aria-labelledby="cells-title"><h2 id="cells-title">Scenarios</h2>'
    yield '<form id="filters" role="search" hidden>'
    yield '<label>Search <input type="search" id="q" placeholder="a name or a word"></label>'
    families = f'<select id="family">{_options("all", matrix.families)}</select>'
    yield f'<label class="half">Family {families}</label>'
    names = [column.name for column in matrix.columns]
    hidden = " hidden" if len(names) == 1 else ""
    clients = f'<select id="client">{_options("all", names)}</select>'
    yield f'<label class="half"{hidden}>Client {clients}</label>'
    yield '<fieldset><legend>Verdict</legend><div class="chips">'
    for state in PASS_FIRST:
        if totals[state]:
            sign = f'<span aria-hidden="true">{SIGNS[state]}</span>'
            yield (
                f'<button type="button" class="chip {CLASSES[state]}" aria-pressed="false" '
                f'data-state="{CLASSES[state]}">{sign} {WORDS[state]} <b>{totals[state]:,}</b>'
                "</button>"
            )
    yield "</div></fieldset>"
    yield '<div class="acts"><button type="button" id="fold">Open all</button>'
    yield '<button type="button" id="reset">Show everything</button></div>'
    yield '<p id="shown" role="status"></p></form>'


def _options(first: str, names: Iterable[str]) -> str:
    rest = "".join(f'<option value="{_text(name)}">{_text(name)}</option>' for name in names)
    return f'<option value="">{first}</option>{rest}'


# --- the table ------------------------------------------------------------------------------


def _table(matrix: Matrix) -> Iterator[str]:
    solo = " solo" if len(matrix.columns) == 1 else ""
    yield '<div class="box" tabindex="0" role="region" aria-labelledby="cells-title">'
    yield f'<table class="cells{solo}"><thead><tr><th scope="col">scenario</th>'
    for column in matrix.columns:
        yield f'<th scope="col"><span>{_text(column.name)}</span></th>'
    yield "</tr></thead>"
    places = {(row, place): number for number, (row, place, _) in enumerate(matrix.cells())}
    rows = enumerate(matrix.scenarios)
    for family, members in groupby(rows, key=lambda member: family_of(member[1])):
        yield from _family(matrix, family, list(members), places)
    yield "</table></div></section>"


def _family(
    matrix: Matrix,
    family: str,
    members: list[tuple[int, str]],
    places: dict[tuple[int, int], int],
) -> Iterator[str]:
    yield f'<tbody data-family="{_text(family)}"><tr class="family"><th scope="rowgroup">'
    number = f"<small>{many(len(members), 'scenario')}</small>"
    yield f'<button type="button" aria-expanded="true">{_text(family)} {number}</button></th>'
    yield from (_sum(column, family) for column in matrix.columns)
    yield "</tr>"
    for row, scenario in members:
        name = scenario.removeprefix(f"{family}/")
        yield f'<tr class="row" data-scenario="{_text(scenario)}">'
        yield f'<th scope="row"><span class="in">{_text(family)}/</span>{_text(name)}</th>'
        for place, column in enumerate(matrix.columns):
            yield _cell(column, scenario, places.get((row, place)))
        yield "</tr>"
    yield "</tbody>"


def _sum(column: Column, family: str) -> str:
    """What a client came to in a family: how many of the worst, if not all passed."""
    counted = column.counts(family)
    if (found := summed(counted)) is None:
        return f'<td class="na"><span>{NOT_APPLICABLE}</span></td>'
    state, many_so = found
    told = ", ".join(f"{counted[each]} {WORDS[each]}" for each in State if counted[each])
    number = "" if is_good(state) else many_so
    quiet = ' class="good"' if is_good(state) else ""
    said = f'class="sum {CLASSES[state]}" data-n="{_text(column.name)}" title="{told}"'
    return f"<td{quiet}><span {said}>{SIGNS[state]}{number}</span></td>"


def _cell(column: Column, scenario: str, number: int | None) -> str:
    if number is None:
        return f'<td class="na"><span title="not applicable">{NOT_APPLICABLE}</span></td>'
    cell: Cell = column.cells[scenario]
    share = f"<small>{cell.share}</small>" if cell.state is State.FLAKY else ""
    label = _text(f"{scenario}, {column.name}: {WORDS[cell.state]} {cell.share}".rstrip())
    return (
        f'<td><button type="button" data-i="{number}" data-n="{_text(column.name)}" '
        f'class="{CLASSES[cell.state]}" aria-label="{label}">{SIGNS[cell.state]}{share}</button>'
        "</td>"
    )


def _footer(matrix: Matrix) -> Iterator[str]:
    signs = [(SIGNS[state], WORDS[state]) for state in reversed(State)]
    told = "".join(f"<li><b>{sign}</b> {word}</li>" for sign, word in signs)
    yield f'<footer><ul class="legend">{told}<li><b>{NOT_APPLICABLE}</b> not applicable</li></ul>'
    yield (
        "<p><b>detects</b>: median time from a fault's end of a connection to the client letting "
        "go of it. <b>recovers</b>: median time from healing to the first round of calls that all "
        "succeeded. A client is <b>flaky</b> in a scenario if repeated runs disagree.</p>"
    )
    on = ", ".join(f"{name} {value}" for name, value in matrix.environment.items())
    yield f"<p>Made by chaos-harness. {_text(on)}</p></footer>"
