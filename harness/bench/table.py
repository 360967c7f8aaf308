"""The benchmark's report as a person reads it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from harness.bench.figures import FIGURES, BenchReport, Figure

WIDTH = 120
_NOT_MEASURED = "–"  # noqa: RUF001 - a dash that stands for no value


def render(report: BenchReport) -> str:
    """A table: one row a contender, one column a figure, ratios below each value."""
    figures = [f for f in FIGURES if any(f.key in samples for samples in report.samples.values())]
    table = Table(show_edge=False, pad_edge=False, row_styles=("",), show_lines=False)
    table.add_column("", no_wrap=True)
    for figure in figures:
        table.add_column(figure.title, justify="right")
    for contender in report.samples:
        table.add_row(contender, *(_cell(report, contender, figure) for figure in figures))
    console = Console(width=WIDTH, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
        for line in _notes(report):
            console.print(line, highlight=False, markup=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _cell(report: BenchReport, contender: str, figure: Figure) -> str:
    value = report.median(contender, figure.key)
    if value is None:
        return _NOT_MEASURED
    lines = [figure.text(value)]
    for baseline in ("direct", "HAProxy"):
        ratio = report.ratio(contender, figure.key, baseline) if figure.compared else None
        if ratio is not None and baseline != contender:
            lines.append(f"{ratio:.2f} x {baseline}")
    return "\n".join(lines)


def _notes(report: BenchReport) -> list[str]:
    length = f"{report.rounds} rounds of {report.seconds_per_measure:g} s a measure"
    lines = [
        "",
        f"Medians of {length}, contenders in turn; ratios are of figures of the same round.",
        "Late: how much longer than asked an injected latency took, beside a proxy without it.",
    ]
    lines += [f"{name} is missing: {reason}." for name, reason in report.missing.items()]
    if report.machine:
        lines.append(", ".join(f"{name} {value}" for name, value in report.machine.items()))
    return lines
