"""What a run came to, as text, as live lines and as JSON: pure functions of results.

``render`` draws everything a person wants at the end; ``plain_line`` is one run for a pipe;
``Board`` is what a terminal shows meanwhile; ``to_json`` is for programs. Nothing here reads a
clock or asks a terminal: a ``Look`` says how wide and how colourful the text may be.
"""

from harness.report.drawing import Look, lasting, many, printable
from harness.report.events import happened
from harness.report.failures import failure
from harness.report.gauge import Gauge
from harness.report.html import to_html
from harness.report.json import to_json
from harness.report.junit import to_junit
from harness.report.live import Board
from harness.report.matrix import column_name
from harness.report.outcomes import Outcome, Tally, counts, exit_code, outcomes, tally
from harness.report.picture import to_svg
from harness.report.plain import plain_line
from harness.report.scorecard import render_scorecard, scorecard_json
from harness.report.strip import Mark, boundary, ranges, strip
from harness.report.table import Columns
from harness.report.terminal import ending, render, summary

__all__ = [
    "Board",
    "Columns",
    "Gauge",
    "Look",
    "Mark",
    "Outcome",
    "Tally",
    "boundary",
    "column_name",
    "counts",
    "ending",
    "exit_code",
    "failure",
    "happened",
    "lasting",
    "many",
    "outcomes",
    "plain_line",
    "printable",
    "ranges",
    "render",
    "render_scorecard",
    "scorecard_json",
    "strip",
    "summary",
    "tally",
    "to_html",
    "to_json",
    "to_junit",
    "to_svg",
]
