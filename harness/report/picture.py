"""The summary of a scorecard as a picture: clients by families, in SVG, for a README.

It looks right on light and on dark pages, because it has a background of its own and asks the
reader's browser for the colour scheme. Text is text, in whatever sans-serif font the reader has,
so widths are estimated with room to spare.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from harness.choice import ClientChoice
from harness.report.drawing import many, printable
from harness.report.matrix import (
    CLASSES,
    NOT_APPLICABLE,
    SIGNS,
    Column,
    Matrix,
    State,
    arranged,
    is_good,
    summed,
)
from harness.result import RunResult

WIDTH = 860
EDGE = 28
NAMES = 178
"""The width of the clients' names and versions."""
SHARES = 132
"""The width of the bars at the right."""
CELL_MOST = 40
TOP = 78
"""The height of title and subtitle."""
ROW = 34
GLYPH = 6.1
"""How wide a letter of a family's name is, at most, on average."""
SLANT = 0.82
"""The sine of the angle at which families' names stand."""
NAME_LETTERS, VERSION_LETTERS = 24, 34
TIGHT = 2
"""More characters than this are drawn smaller in a cell."""

_STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif;
  font-size: 12.5px; fill: #1f2328; font-variant-numeric: tabular-nums; }
.paper { fill: #ffffff; stroke: #d1d9e0; } .title { font-size: 19px; font-weight: 600; }
.soft { fill: #59636e; } .small { font-size: 9.5px; } .mid { text-anchor: middle; }
.end { text-anchor: end; } .line { stroke: #d1d9e0; } .track { fill: #eceef1; }
.mark { font-size: 11.5px; font-weight: 600; text-anchor: middle; } .tight { font-size: 9px; }
.pass { fill: #dcf1e2; } .fail { fill: #fbdcd9; } .flaky { fill: #fde6c8; }
.unknown { fill: #f6edc3; } .unsupported { fill: #eceef1; } .missing { fill: #efe1f8; }
.bar { fill: #4da56c; }
text.pass { fill: #176334; } text.fail { fill: #a31b15; } text.flaky { fill: #824600; }
text.unknown { fill: #695300; } text.unsupported { fill: #59636e; } text.missing { fill: #65308a; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .paper { fill: #0d1117; stroke: #3d444d; } .soft { fill: #9198a1; }
  .line { stroke: #2a3038; } .track { fill: #21262d; } .bar { fill: #3f9a5d; }
  .pass { fill: #14301e; } .fail { fill: #4b1c19; } .flaky { fill: #41290e; }
  .unknown { fill: #37300b; } .unsupported { fill: #21262d; } .missing { fill: #341f48; }
  text.pass { fill: #86d6a0; } text.fail { fill: #ff9d94; } text.flaky { fill: #ffc078; }
  text.unknown { fill: #ecd675; } text.unsupported { fill: #9198a1; }
  text.missing { fill: #d7adf2; }
}
"""


def to_svg(results: Sequence[RunResult], choices: Sequence[ClientChoice] = ()) -> str:
    """A picture 860 wide: a row for each client, a column for each family of scenarios."""
    matrix = arranged(results, choices)
    families = matrix.families
    cell = min(CELL_MOST, (WIDTH - 2 * EDGE - NAMES - SHARES) / max(len(families), 1))
    longest = max(map(len, families), default=0)
    rows_at = TOP + round(longest * GLYPH * SLANT) + 26
    height = rows_at + ROW * len(matrix.columns) + 62
    title = "Connection pools under chaos"
    told = _told(matrix)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title told">',
        f'<title id="title">{title}</title><desc id="told">{_text(told)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>',
        f'<text class="title" x="{EDGE}" y="44">{title}</text>',
        f'<text class="soft" x="{EDGE}" y="66">{_text(told)}</text>',
        *_heads(families, cell, rows_at - 8),
    ]
    for number, column in enumerate(matrix.columns):
        lines += _row(column, families, cell, rows_at + ROW * number)
    lines += [*_legend(matrix, height - 24), "</svg>"]
    return "\n".join(lines) + "\n"


def _told(matrix: Matrix) -> str:
    totals = matrix.counts
    told = [many(len(matrix.scenarios), "scenario"), many(len(matrix.columns), "client")]
    told += [f"{totals[State.PASS]:,} passed", f"{totals[State.FAIL]:,} failed"]
    version = matrix.environment.get("harness")
    return " · ".join([*told, *([f"chaos-harness {version}"] if version else [])])


def _heads(families: Sequence[str], cell: float, y: float) -> Iterator[str]:
    """The families' names, slanted, each above the middle of its column."""
    for place, family in enumerate(families):
        x = EDGE + NAMES + cell * (place + 0.5) + 4
        at = f'transform="translate({x:.1f} {y}) rotate(-55)"'
        yield f'<text class="soft" {at}>{_text(family)}</text>'
    end = WIDTH - EDGE
    yield f'<text class="soft end" x="{end}" y="{y}">passed</text>'


def _row(column: Column, families: Sequence[str], cell: float, y: float) -> Iterator[str]:
    middle = y + ROW / 2
    line = f'y1="{y + 0.5}" y2="{y + 0.5}"'  # between two rows of pixels it would be blurred
    yield f'<line class="line" x1="{EDGE}" x2="{WIDTH - EDGE}" {line}/>'
    name, version = _cut(column.name, NAME_LETTERS), _cut(column.version, VERSION_LETTERS)
    yield f'<text x="{EDGE}" y="{middle if version else middle + 4}">{_text(name)}</text>'
    if version:
        yield f'<text class="soft small" x="{EDGE}" y="{middle + 11}">{_text(version)}</text>'
    for place, family in enumerate(families):
        yield from _cell(column, family, EDGE + NAMES + cell * place, cell, y)
    yield from _share(column, middle)


def _cell(column: Column, family: str, x: float, cell: float, y: float) -> Iterator[str]:
    middle, base = x + cell / 2, y + ROW / 2 + 4
    found = summed(column.counts(family))
    if found is None:
        yield f'<text class="soft mid" x="{middle:.1f}" y="{base}">{NOT_APPLICABLE}</text>'
        return
    state, number = found
    told = SIGNS[state] + ("" if is_good(state) else str(number))
    at = f'x="{x + 1:.1f}" y="{y + 5}" width="{cell - 2:.1f}" height="{ROW - 10}" rx="5"'
    yield f'<rect class="{CLASSES[state]}" {at}/>'
    mark = f"mark {CLASSES[state]}" + (" tight" if len(told) > TIGHT else "")
    yield f'<text class="{mark}" x="{middle:.1f}" y="{base}">{told}</text>'


def _share(column: Column, middle: float) -> Iterator[str]:
    """How many of the cells that could be judged passed: a bar, and the two numbers."""
    counted = column.counts()
    judged = counted.total() - counted[State.UNSUPPORTED] - counted[State.NOT_SET_UP]
    x, width = WIDTH - EDGE - SHARES + 14, SHARES - 74
    bar = f'x="{x}" y="{middle - 4}" height="8" rx="4"'
    yield f'<rect class="track" {bar} width="{width}"/>'
    if counted[State.PASS]:
        yield f'<rect class="bar" {bar} width="{width * counted[State.PASS] / judged:.1f}"/>'
    told = f"{counted[State.PASS]}/{judged}" if judged else NOT_APPLICABLE
    yield f'<text class="end" x="{WIDTH - EDGE}" y="{middle + 4}">{told}</text>'


def _legend(matrix: Matrix, y: float) -> Iterator[str]:
    words = {State.PASS: "all passed", State.FAIL: "failed (how many)"}
    used = [state for state in reversed(State) if matrix.counts[state]]
    told = [f"{SIGNS[state]} {words.get(state, state.value)}" for state in used]
    text = "    ".join([*told, f"{NOT_APPLICABLE} not applicable"])
    yield f'<text class="soft" x="{EDGE}" y="{y}" xml:space="preserve">{text}</text>'


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _text(text: str) -> str:
    return escape(printable(text), {'"': "&quot;"})
